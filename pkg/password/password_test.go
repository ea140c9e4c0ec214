package password_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
)

var ctx = context.Background()

func verify(t *testing.T, s *password.Service, userID, plain string) bool {
	t.Helper()
	right, err := s.Verify(ctx, userID, plain)
	if err != nil {
		t.Fatalf("Verify(%.20q): %v", plain, err)
	}
	return right
}

func TestVerify(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	for name, plain := range map[string]string{
		"wrong":                        "correct horse batterz",
		"empty":                        "",
		"another case":                 strings.ToUpper(stage.Password),
		"blank behind":                 stage.Password + " ",
		"NUL behind":                   stage.Password + "\x00",
		"beginning only":               stage.Password[:8],
		"as long as taken":             strings.Repeat("x", password.MaxBytes),
		"RFC 9106 longer than taken":   strings.Repeat("x", password.MaxBytes+1),
		"right, then longer than that": stage.Password + strings.Repeat("x", password.MaxBytes),
		"not UTF-8":                    "\xff\xfe\xfd",
	} {
		if verify(t, s.Passwords, ann.ID, plain) {
			t.Errorf("%s: Verify(%.30q) = true", name, plain)
		}
	}
	if !verify(t, s.Passwords, ann.ID, stage.Password) {
		t.Error("the right password is refused")
	}
	if verify(t, s.Passwords, "nobody", stage.Password) {
		t.Error("a person without a password signs in")
	}
}

func TestEverySpellingOfUnicodeIsTheSamePassword(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	composed, decomposed := "fünf süße pässwörter", "fu\u0308nf su\u0308ße pa\u0308sswo\u0308rter"
	for _, set := range []string{composed, decomposed} {
		if err := s.Passwords.Set(ctx, ann.ID, set); err != nil {
			t.Fatal(err)
		}
		for _, typed := range []string{composed, decomposed} {
			if !verify(t, s.Passwords, ann.ID, typed) {
				t.Errorf("set as %q, %q is refused", set, typed)
			}
		}
	}
}

func stored(t *testing.T, s *stage.Stage, userID string) string {
	t.Helper()
	hash, err := s.Durable.Passwords.Hash(ctx, userID)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestHashesAreMadeAnewAtLogin(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	before := stored(t, s, ann.ID)
	stronger, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{MemoryKiB: 128, Passes: 2})
	if err != nil {
		t.Fatal(err)
	}
	if verify(t, stronger, ann.ID, "wrong wrong"); stored(t, s, ann.ID) != before {
		t.Fatal("a wrong password changed the hash")
	}
	if !verify(t, stronger, ann.ID, stage.Password) {
		t.Fatal("the right password is refused at other costs")
	}
	after := stored(t, s, ann.ID)
	if !strings.HasPrefix(after, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("hash after login is %q, want the configured cost", after)
	}
	if !verify(t, stronger, ann.ID, stage.Password) || stored(t, s, ann.ID) != after {
		t.Error("the second login changed the hash again, or failed")
	}
}

// changing is a store in which somebody changes the password between the look
// and the rehash.
type changing struct {
	password.Store
	change func()
}

func (c changing) Swap(ctx context.Context, userID, old, next string, now time.Time) error {
	c.change()
	return c.Store.Swap(ctx, userID, old, next, now)
}

func TestARehashNeverUndoesAChange(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	racing, err := password.NewService(changing{s.Durable.Passwords, func() {
		if err := s.Passwords.Set(ctx, ann.ID, "brand new password"); err != nil {
			t.Error(err)
		}
	}}, s.Sessions, s.Audit, password.Config{MemoryKiB: 128})
	if err != nil {
		t.Fatal(err)
	}
	if !verify(t, racing, ann.ID, stage.Password) {
		t.Error("the password that was right when it was looked at is refused")
	}
	if verify(t, s.Passwords, ann.ID, stage.Password) || !verify(t, s.Passwords, ann.ID, "brand new password") {
		t.Error("the rehash undid the change")
	}
}

func TestImportedHashes(t *testing.T) {
	s := stage.New(t)
	const plain = "imported password"
	fromBcrypt, err := bcrypt.GenerateFromPassword([]byte(plain), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{"bcrypt": string(fromBcrypt), "bcrypt of PHP": "$2y$" + string(fromBcrypt)[4:]}
	for _, format := range []string{"pbkdf2-sha256", "pbkdf2-sha512", "pbkdf2 default", "scrypt", "argon2i"} {
		hashes[format] = vector(t, format, plain)
	}
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			ann := s.Person(t, strings.ReplaceAll(name, " ", ".")+"@example.test")
			if err := s.Passwords.CheckImport(hash); err != nil {
				t.Fatalf("CheckImport(%q): %v", hash, err)
			}
			if err := s.Passwords.Put(ctx, ann.ID, hash); err != nil {
				t.Fatal(err)
			}
			if verify(t, s.Passwords, ann.ID, "another password") {
				t.Error("a wrong password passes")
			}
			if !verify(t, s.Passwords, ann.ID, plain) {
				t.Error("the right password is refused")
			}
			if got := stored(t, s, ann.ID); !strings.HasPrefix(got, "$argon2id$") {
				t.Errorf("after the login the hash is %.20q, want argon2id", got)
			}
			if !verify(t, s.Passwords, ann.ID, plain) {
				t.Error("the right password is refused after the rehash")
			}
		})
	}
}

func TestImportedHashOfWhatWasTyped(t *testing.T) {
	s := stage.New(t)
	decomposed := "pa\u0308sswo\u0308rter" // the other server did not normalise
	hash, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	ann := s.Person(t, "a@example.test")
	if err := s.Passwords.Put(ctx, ann.ID, string(hash)); err != nil {
		t.Fatal(err)
	}
	if !verify(t, s.Passwords, ann.ID, decomposed) {
		t.Error("what was typed at the other server is refused")
	}
}

func TestBcryptLooksAtEverything(t *testing.T) {
	s := stage.New(t)
	seventyTwo := strings.Repeat("x", 72)
	hash, err := bcrypt.GenerateFromPassword([]byte(seventyTwo), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	ann := s.Person(t, "a@example.test")
	if err := s.Passwords.Put(ctx, ann.ID, string(hash)); err != nil {
		t.Fatal(err)
	}
	if verify(t, s.Passwords, ann.ID, seventyTwo+"y") {
		t.Error("a longer password passes because bcrypt cuts it")
	}
	if !verify(t, s.Passwords, ann.ID, seventyTwo) {
		t.Error("the right password is refused")
	}
}

func TestHashesThatNobodyShouldVerify(t *testing.T) {
	s := stage.New(t)
	b64 := "c2FsdHNhbHRzYWx0c2FsdA"
	for name, hash := range map[string]string{
		"no format":                     "password",
		"plain text":                    "$plaintext$portico",
		"md5":                           "$1$abcdefgh$" + b64,
		"argon2id of 4 GiB":             "$argon2id$v=19$m=4194304,t=1,p=1$" + b64 + "$" + b64,
		"argon2id of a million turns":   "$argon2id$v=19$m=64,t=1000000,p=1$" + b64 + "$" + b64,
		"argon2id without lanes":        "$argon2id$v=19$m=64,t=1,p=0$" + b64 + "$" + b64,
		"argon2id of many lanes":        "$argon2id$v=19$m=65536,t=1,p=255$" + b64 + "$" + b64,
		"argon2id without a cost":       "$argon2id$v=19$t=1,p=1$" + b64 + "$" + b64,
		"argon2id of two memories":      "$argon2id$m=4194304,v=19$m=64,t=1,p=1$" + b64 + "$" + b64,
		"argon2id of two memories here": "$argon2id$v=19$m=4194304,m=64,t=1,p=1$" + b64 + "$" + b64,
		"pbkdf2 for an hour":            "$pbkdf2-sha512$2147483647$" + b64 + "$" + b64,
		"pbkdf2 of negative turns":      "$pbkdf2-sha512$-1$" + b64 + "$" + b64,
		"bcrypt of cost 31":             "$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde",
		"scrypt of 1 TiB":               "$scrypt$ln=30,r=8,p=1$" + b64 + "$" + b64,
		"scrypt of 1 GiB in parts":      "$scrypt$ln=17,r=8,p=8$" + b64 + "$" + b64,
		"argon2id of 4 GiB in turns":    "$argon2id$v=19$m=262144,t=16,p=1$" + b64 + "$" + b64,
		"scrypt overflowing":            "$scrypt$ln=62,r=9223372036854775807,p=9$" + b64 + "$" + b64,
		"a very long one":               "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 4000) + "$" + b64,
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Passwords.CheckImport(hash); !fault.Is(err, fault.Invalid) {
				t.Errorf("CheckImport(%.40q) = %v, want invalid", hash, err)
			}
			ann := s.Person(t, strings.ReplaceAll(name, " ", ".")+"@example.test")
			if err := s.Passwords.Put(ctx, ann.ID, hash); err != nil {
				t.Fatal(err)
			}
			if verify(t, s.Passwords, ann.ID, "password") {
				t.Error("a hash that nothing can read lets somebody in")
			}
		})
	}
}

func TestChangeEndsWhatWasOpen(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	open := func() (string, string) {
		token, opened, err := s.Sessions.Start(ctx, session.Start{UserID: ann.ID})
		if err != nil {
			t.Fatal(err)
		}
		return token, opened.ID
	}
	here, sid := open()
	elsewhere, _ := open()
	if err := s.Passwords.Change(ctx, ann.ID, "short", sid); !fault.Is(err, fault.Invalid) {
		t.Errorf("Change to a short password: %v, want invalid", err)
	}
	if err := s.Passwords.Change(ctx, ann.ID, "a brand new password", sid); err != nil {
		t.Fatal(err)
	}
	if found, _ := s.Sessions.FromToken(ctx, elsewhere); found != nil {
		t.Error("ASVS 7.4.3 the session in another browser survived the change")
	}
	if found, _ := s.Sessions.FromToken(ctx, here); found == nil {
		t.Error("the session that made the change is over")
	}
	if verify(t, s.Passwords, ann.ID, stage.Password) || !verify(t, s.Passwords, ann.ID, "a brand new password") {
		t.Error("the old password works, or the new one does not")
	}
	if n := len(s.Audit.Named(audit.PasswordChanged)); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
}

// TestEverybodyCostsTheSame counts the memory that each answer took: one
// argon2id hash of 4 MiB, whoever was asked for.
func TestEverybodyCostsTheSame(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	svc, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{MemoryKiB: 4096, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Set(ctx, ann.ID, stage.Password); err != nil {
		t.Fatal(err)
	}
	unreadable := s.Person(t, "b@example.test")
	if err := svc.Put(ctx, unreadable.ID, "$nothing$readable"); err != nil {
		t.Fatal(err)
	}
	const hash = 4 << 20
	for name, tt := range map[string]struct {
		ask    func() error
		hashes int
	}{
		"right password":           {func() error { _, err := svc.Verify(ctx, ann.ID, stage.Password); return err }, 1},
		"wrong password":           {func() error { _, err := svc.Verify(ctx, ann.ID, "wrong wrong"); return err }, 1},
		"empty password":           {func() error { _, err := svc.Verify(ctx, ann.ID, ""); return err }, 1},
		"no password":              {func() error { _, err := svc.Verify(ctx, "nobody", "wrong wrong"); return err }, 1},
		"unreadable hash":          {func() error { _, err := svc.Verify(ctx, unreadable.ID, "wrong wrong"); return err }, 1},
		"nobody":                   {func() error { return svc.VerifyNobody(ctx, "wrong wrong") }, 1},
		"nobody, empty":            {func() error { return svc.VerifyNobody(ctx, "") }, 1},
		"two spellings":            {func() error { _, err := svc.Verify(ctx, ann.ID, "wro\u0308ng"); return err }, 2},
		"two spellings of nobody":  {func() error { return svc.VerifyNobody(ctx, "wro\u0308ng") }, 2},
		"too long":                 {func() error { _, err := svc.Verify(ctx, ann.ID, strings.Repeat("x", 1<<20)); return err }, 0},
		"too long for anybody too": {func() error { return svc.VerifyNobody(ctx, strings.Repeat("x", 1<<20)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := tt.ask(); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := int(after.TotalAlloc-before.TotalAlloc+hash/2) / hash; got != tt.hashes {
				t.Errorf("took %d hashes, want %d", got, tt.hashes)
			}
		})
	}
}

func TestCostsThatMakeNoSense(t *testing.T) {
	s := stage.New(t)
	if _, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{MemoryKiB: 8, Lanes: 200}); err == nil {
		t.Error("8 KiB for 200 lanes was taken")
	}
}
