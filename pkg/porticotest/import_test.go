package porticotest_test

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/intake"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// brought is what people had at the server they come from. It is decomposed
// Unicode, and shorter than a new password may be: neither matters here.
const brought = "pa\u0308sswo\u0308rter"

// TestPeopleOfAnotherServerSignIn makes hashes as Keycloak and Auth0 make
// them, imports their exports, and signs in with what people had there.
func TestPeopleOfAnotherServerSignIn(t *testing.T) {
	s := porticotest.New(t)
	for name, tt := range map[string]struct {
		format intake.Format
		export func(email string) string
	}{
		"keycloak pbkdf2":         {intake.Keycloak, keycloakPBKDF2(t, "pbkdf2", 20_000)},
		"keycloak pbkdf2-sha256":  {intake.Keycloak, keycloakPBKDF2(t, "pbkdf2-sha256", 27_500)},
		"keycloak pbkdf2-sha512":  {intake.Keycloak, keycloakPBKDF2(t, "pbkdf2-sha512", 30_000)},
		"keycloak argon2":         {intake.Keycloak, keycloakArgon2(t)},
		"auth0 bcrypt":            {intake.Auth0, line("passwordHash", bcryptOf(t))},
		"auth0 password_hash":     {intake.Auth0, line("password_hash", bcryptOf(t))},
		"auth0 custom bcrypt":     {intake.Auth0, custom("bcrypt", map[string]any{"hash": map[string]any{"value": bcryptOf(t)}})},
		"auth0 custom argon2":     {intake.Auth0, custom("argon2", map[string]any{"hash": map[string]any{"value": argon2Of(t), "encoding": "utf8"}})},
		"auth0 custom pbkdf2":     {intake.Auth0, custom("pbkdf2", map[string]any{"hash": map[string]any{"value": pbkdf2Of(t), "encoding": "utf8"}})},
		"auth0 custom scrypt":     {intake.Auth0, auth0Scrypt(t, "base64")},
		"auth0 custom scrypt hex": {intake.Auth0, auth0Scrypt(t, "hex")},
		"portico bcrypt":          {intake.Portico, line("password_hash", bcryptOf(t))},
		"portico argon2":          {intake.Portico, line("password_hash", argon2Of(t))},
	} {
		t.Run(name, func(t *testing.T) {
			email := strings.ReplaceAll(name, " ", ".") + "@import.test"
			for rec, err := range intake.Read(strings.NewReader(tt.export(email)), tt.format) {
				if err != nil {
					t.Fatal(err)
				}
				if existed, err := s.ImportUser(t.Context(), rec, server.ImportOptions{DryRun: true}); err != nil || existed {
					t.Fatalf("a dry run: %v, %v", existed, err)
				}
				if existed, err := s.ImportUser(t.Context(), rec, server.ImportOptions{}); err != nil || existed {
					t.Fatalf("ImportUser = %v, %v", existed, err)
				}
				if existed, err := s.ImportUser(t.Context(), rec, server.ImportOptions{}); err != nil || !existed {
					t.Errorf("once more: %v, %v; want that they exist", existed, err)
				}
			}
			u, err := s.FindUser(t.Context(), email)
			if err != nil {
				t.Fatal(err)
			}
			if got := verify(t, s, u.ID, "another password"); got != "wrong" {
				t.Errorf("another password: %s", got)
			}
			if got := verify(t, s, u.ID, brought); got != "right, hashed anew" {
				t.Errorf("the password they had: %s, want it hashed anew", got)
			}
			if got := verify(t, s, u.ID, brought); got != "right" {
				t.Errorf("the second time: %s, want a hash that is up to date", got)
			}
			if got := verify(t, s, u.ID, "pässwörter"); got != "right" {
				t.Errorf("in another spelling of Unicode, once hashed anew: %s", got)
			}
			page := s.NewBrowser().Get(s.AuthorizeURL(porticotest.Web, "openid")).
				Submit(map[string]string{"username": email, "password": brought}, "", "")
			if strings.Contains(page.Body, `id="login-submit"`) {
				t.Error("the sign-in page asks again")
			}
		})
	}
}

func verify(t *testing.T, s *porticotest.Server, userID, plain string) string {
	t.Helper()
	noted := &trail.Trail{}
	right, err := s.Passwords.Verify(trail.With(t.Context(), noted), userID, plain)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case !right:
		return "wrong"
	case noted.Get("password_rehash") == "done":
		return "right, hashed anew"
	}
	return "right"
}

func TestWhatAnImportDoesNotTakeOver(t *testing.T) {
	s := porticotest.New(t)
	before, err := s.FindUser(t.Context(), server.DemoPeople[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		rec     intake.Record
		opts    server.ImportOptions
		existed bool
		refused bool
		roles   string
	}{
		"whoever exists stays":        {rec: intake.Record{User: user.User{Email: "ALICE@example.com", Name: "Mallory"}, Hash: bcryptOf(t)}, existed: true},
		"a username that is taken":    {rec: intake.Record{User: user.User{Email: "mallory@import.test", Username: "Alice"}}, existed: true},
		"a broken address":            {rec: intake.Record{User: user.User{Email: "nobody"}}, refused: true},
		"nobody at all":               {refused: true},
		"a hash nothing can read":     {rec: intake.Record{User: user.User{Email: "a@import.test"}, Hash: "$md5$x"}, refused: true},
		"a hash of gigabytes":         {rec: intake.Record{User: user.User{Email: "a@import.test"}, Hash: "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA"}, refused: true},
		"a hash of four bytes":        {rec: intake.Record{User: user.User{Email: "a@import.test"}, Hash: "$pbkdf2-sha256$1000$c2FsdHNhbHRzYWx0c2FsdA$c2FsdA"}, refused: true},
		"roles that nobody asked for": {rec: intake.Record{User: user.User{Email: "b@import.test", Roles: []string{"editor"}}}},
		"roles of one's own":          {rec: intake.Record{User: user.User{Email: "c@import.test", Roles: []string{"editor", "portico:admin", "Portico:Admin", "portico:users"}}}, opts: server.ImportOptions{Roles: true}, roles: "editor"},
	} {
		t.Run(name, func(t *testing.T) {
			existed, err := s.ImportUser(t.Context(), tt.rec, tt.opts)
			if existed != tt.existed || fault.Is(err, fault.Invalid) != tt.refused || err != nil && !tt.refused {
				t.Fatalf("ImportUser = %v, %v; want existed %v, refused %v", existed, err, tt.existed, tt.refused)
			}
			if tt.refused || tt.existed {
				return
			}
			u, err := s.FindUser(t.Context(), tt.rec.User.Email)
			if err != nil || strings.Join(u.Roles, " ") != tt.roles {
				t.Errorf("%+v, %v; want the roles %q", u, err, tt.roles)
			}
		})
	}
	if log := s.Log.String(); strings.Count(log, `"user.imported"`) != 2 || strings.Contains(log, "c2FsdHNhbHRzYWx0") {
		t.Errorf("the log lacks an import, or holds a hash:\n%s", log)
	}
	after, err := s.FindUser(t.Context(), server.DemoPeople[0])
	if err != nil || after.Name != before.Name || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("whoever existed was changed: %+v, %v", after, err)
	}
	if got := verify(t, s, before.ID, server.DemoPassword); got != "right" {
		t.Errorf("the password of whoever existed: %s", got)
	}
	if _, err := s.FindUser(t.Context(), "a@import.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a refused record left somebody behind: %v", err)
	}
}

func salt(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return b
}

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// keycloakRealm writes a realm with one person.
func keycloakRealm(secret, data map[string]any) func(string) string {
	return func(email string) string {
		return encode(map[string]any{"realm": "acme", "users": []any{map[string]any{
			"username": email, "email": email, "emailVerified": true, "enabled": true,
			"credentials": []any{map[string]any{"type": "password", "secretData": encode(secret), "credentialData": encode(data)}},
		}}})
	}
}

// keycloakPBKDF2 derives 512 bits, as Keycloak does whatever the digest.
func keycloakPBKDF2(t *testing.T, algorithm string, iterations int) func(string) string {
	t.Helper()
	s := salt(t)
	var key []byte
	var err error
	switch algorithm {
	case "pbkdf2":
		key, err = pbkdf2.Key(sha1.New, brought, s, iterations, 64)
	case "pbkdf2-sha256":
		key, err = pbkdf2.Key(sha256.New, brought, s, iterations, 64)
	default:
		key, err = pbkdf2.Key(sha512.New, brought, s, iterations, 64)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keycloakRealm(map[string]any{"value": key, "salt": s, "additionalParameters": map[string]any{}},
		map[string]any{"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": map[string]any{}})
}

func keycloakArgon2(t *testing.T) func(string) string {
	t.Helper()
	s := salt(t)
	return keycloakRealm(map[string]any{"value": argon2.IDKey([]byte(brought), s, 5, 7168, 1, 32), "salt": s},
		map[string]any{"hashIterations": 5, "algorithm": "argon2", "additionalParameters": map[string]any{
			"hashLength": []string{"32"}, "memory": []string{"7168"}, "type": []string{"id"}, "version": []string{"1.3"}, "parallelism": []string{"1"},
		}})
}

// line writes one line of an export.
func line(field, hash string) func(string) string {
	return func(email string) string {
		return encode(map[string]any{"email": email, "email_verified": true, field: hash}) + "\n"
	}
}

// custom writes an array with a custom_password_hash.
func custom(algorithm string, more map[string]any) func(string) string {
	more["algorithm"] = algorithm
	return func(email string) string {
		return encode([]any{map[string]any{"email": email, "custom_password_hash": more}})
	}
}

func bcryptOf(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(brought), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func argon2Of(t *testing.T) string {
	t.Helper()
	s, b64 := salt(t), base64.RawStdEncoding
	return fmt.Sprintf("$argon2i$v=19$m=4096,t=3,p=1$%s$%s", b64.EncodeToString(s), b64.EncodeToString(argon2.Key([]byte(brought), s, 3, 4096, 1, 32)))
}

func pbkdf2Of(t *testing.T) string {
	t.Helper()
	s, b64 := salt(t), base64.RawStdEncoding
	key, err := pbkdf2.Key(sha512.New, brought, s, 10_000, 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("$pbkdf2-sha512$i=10000,l=64$%s$%s", b64.EncodeToString(s), b64.EncodeToString(key))
}

// auth0Scrypt hashes with a salt that is text, as Auth0 takes it.
func auth0Scrypt(t *testing.T, encoding string) func(string) string {
	t.Helper()
	const s = "a salt in plain letters"
	key, err := scrypt.Key([]byte(brought), []byte(s), 1024, 8, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	value := hex.EncodeToString(key)
	if encoding == "base64" {
		value = base64.StdEncoding.EncodeToString(key)
	}
	return custom("scrypt", map[string]any{
		"hash": map[string]any{"value": value, "encoding": encoding}, "salt": map[string]any{"value": s, "encoding": "utf8"},
		"keylen": 32, "cost": 1024, "blockSize": 8, "parallelization": 1,
	})
}
