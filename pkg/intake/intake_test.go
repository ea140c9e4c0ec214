package intake

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/pkg/user"
)

// read collects an export: its records, and why it could not be read on.
func read(f Format, in string) (all []Record, broken error) {
	for rec, err := range Read(strings.NewReader(in), f) {
		if err != nil {
			return all, err
		}
		all = append(all, rec)
	}
	return all, nil
}

// one reads an export of one person who can be taken over.
func one(t *testing.T, f Format, in string) Record {
	t.Helper()
	all, err := read(f, in)
	if err != nil || len(all) != 1 || all[0].Refused != nil {
		t.Fatalf("read %d records, %v, of %s: %+v", len(all), err, in, all)
	}
	return all[0]
}

// credential writes what Keycloak keeps of a password.
func credential(secret, data string) string {
	return fmt.Sprintf(`{"type":"password","secretData":%q,"credentialData":%q}`, secret, data)
}

const (
	kcSecret = `{"value":"+/+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=","salt":"+/8BAgMEBQYHCAkKCwwNDg==","additionalParameters":{}}`
	saltAB64 = "./8BAgMEBQYHCAkKCwwNDg"
)

func TestKeycloak(t *testing.T) {
	realm := `{"realm":"acme","clients":[{"a":[{}]}],"users":[{"id":"x","username":"ann","email":"Ann@example.test","emailVerified":true,"enabled":true,
		"firstName":"Ann","lastName":"Example","attributes":{"locale":["de"],"phoneNumber":["+431234"],"other":["x","y"]},
		"credentials":[{"id":"1","type":"otp","secretData":"{}"},` + credential(kcSecret, `{"hashIterations":27500,"algorithm":"pbkdf2-sha256","additionalParameters":{}}`) + `],
		"realmRoles":["default-roles-acme","offline_access","uma_authorization","editor"],"requiredActions":[],"groups":["/a"]}],"after":{"x":[1,2,{}]}}`
	got := one(t, Keycloak, realm)
	want := Record{
		At: "user 1", Name: "Ann@example.test", SecondFactor: true,
		Hash: "$pbkdf2-sha256$27500$" + saltAB64 + "$" + ab64.EncodeToString(mustBase64(t, "+/+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=")),
		User: user.User{
			Username: "ann", Email: "Ann@example.test", EmailVerified: true, Name: "Ann Example", GivenName: "Ann", FamilyName: "Example",
			Locale: "de", PhoneNumber: "+431234", Roles: []string{"editor"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a realm (-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct{ in, hash string }{
		"an array of users":    {`[{"email":"a@x.test"}]`, ""},
		"no password":          {`{"users":[{"email":"a@x.test","credentials":[]}]}`, ""},
		"pbkdf2 of SHA-1":      {users(credential(kcSecret, `{"hashIterations":20000,"algorithm":"pbkdf2"}`)), "$pbkdf2$20000$" + saltAB64},
		"pbkdf2-sha512":        {users(credential(kcSecret, `{"hashIterations":210000,"algorithm":"pbkdf2-sha512"}`)), "$pbkdf2-sha512$210000$" + saltAB64},
		"argon2":               {users(credential(kcSecret, `{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}`)), "$argon2id$v=19$m=7168,t=5,p=1$+/8BAgMEBQYHCAkKCwwNDg$"},
		"before version 8":     {users(`{"type":"password","hashedSaltedValue":"+/+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=","salt":"+/8BAgMEBQYHCAkKCwwNDg==","hashIterations":27500,"algorithm":"pbkdf2-sha256"}`), "$pbkdf2-sha256$27500$" + saltAB64},
		"only a former one":    {users(`{"type":"password-history","secretData":"x"}`), ""},
		"a byte order mark":    {"\xef\xbb\xbf" + `{"users":[{"email":"a@x.test"}]}`, ""},
		"users is not the end": {`{"users":[{"email":"a@x.test"}],"x":"` + strings.Repeat("y", 1<<20) + `"}`, ""},
		"an attribute alone":   {`[{"email":"a@x.test","attributes":{"locale":"de"}}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := one(t, Keycloak, tt.in).Hash; !strings.HasPrefix(got, tt.hash) || (got == "") != (tt.hash == "") {
				t.Errorf("hash %q, want %q…", got, tt.hash)
			}
		})
	}
	if off := one(t, Keycloak, `[{"email":"a@x.test","enabled":false}]`); !off.User.Disabled {
		t.Error("a disabled person comes enabled")
	}
}

func users(credential string) string {
	return `{"users":[{"email":"a@x.test","credentials":[` + credential + `]}]}`
}

func mustBase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAuth0(t *testing.T) {
	exported := `{"_id":{"$oid":"5f"},"email_verified":true,"email":"ann@example.test","name":"ann@example.test","username":"ann","passwordHash":"$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde","password_set_date":{"$date":"2026-01-01"},"tenant":"acme","connection":"Username-Password-Authentication","_tmp_is_unique":true}`
	got := one(t, Auth0, exported+"\n")
	want := Record{
		At: "line 1", Name: "ann@example.test", Hash: "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde",
		User: user.User{Username: "ann", Email: "ann@example.test", EmailVerified: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an exported user (-want +got):\n%s", diff)
	}
	custom := func(s string) string { return `[{"email":"a@x.test","custom_password_hash":` + s + `}]` }
	for name, tt := range map[string]struct{ in, hash string }{
		"no password":           {`[{"email":"a@x.test"}]`, ""},
		"password_hash":         {`[{"email":"a@x.test","password_hash":"$2a$10$x"}]`, "$2a$10$x"},
		"bcrypt":                {custom(`{"algorithm":"bcrypt","hash":{"value":"$2y$12$y"}}`), "$2y$12$y"},
		"argon2":                {custom(`{"algorithm":"argon2","hash":{"value":"$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA","encoding":"utf8"}}`), "$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA"},
		"pbkdf2":                {custom(`{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=100000,l=4$+/8B$+/8BAg","encoding":"utf8"}}`), "$pbkdf2-sha512$100000$./8B$./8BAg"},
		"pbkdf2 without digest": {custom(`{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2$i=1000$+/8B$+/8BAg=="}}`), "$pbkdf2$1000$./8B$./8BAg"},
		"scrypt in base64":      {custom(`{"algorithm":"scrypt","hash":{"value":"+/8BAg==","encoding":"base64"},"salt":{"value":"salt"},"keylen":4,"cost":16384,"blockSize":8,"parallelization":1}`), "$scrypt$ln=14,r=8,p=1$c2FsdA$+/8BAg"},
		"scrypt in hex":         {custom(`{"algorithm":"SCRYPT","hash":{"value":"fbff0102","encoding":"hex"},"salt":{"value":"73616c74","encoding":"hex"},"password":{"encoding":"utf8"},"keylen":4,"cost":2,"blockSize":1,"parallelization":1}`), "$scrypt$ln=1,r=1,p=1$c2FsdA$+/8BAg"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := one(t, Auth0, tt.in).Hash; got != tt.hash {
				t.Errorf("hash %q, want %q", got, tt.hash)
			}
		})
	}
	second := one(t, Auth0, `[{"email":"a@x.test","name":"A","blocked":true,"mfa_factors":[{"totp":{"secret":"x"}}]}]`)
	if !second.SecondFactor || !second.User.Disabled || second.User.Name != "A" {
		t.Errorf("a blocked person with a second factor: %+v", second)
	}
}

func TestPortico(t *testing.T) {
	got := one(t, Portico, `{"sub":"x","updated_at":1,"email":"ann@example.test","email_verified":true,"preferred_username":"ann","name":"Ann","given_name":"A","family_name":"B","middle_name":"C","nickname":"D","profile":"https://a.test","picture":"https://b.test","website":"https://c.test","gender":"female","birthdate":"1990-01-01","zoneinfo":"Europe/Vienna","locale":"de","phone_number":"+43","phone_number_verified":true,"address":{"country":"Austria"},"roles":["editor"],"disabled":true,"password_hash":"$2b$10$x"}`)
	want := Record{At: "line 1", Name: "ann@example.test", Hash: "$2b$10$x", User: user.User{
		Email: "ann@example.test", EmailVerified: true, Username: "ann", Name: "Ann", GivenName: "A", FamilyName: "B", MiddleName: "C", Nickname: "D",
		Profile: "https://a.test", Picture: "https://b.test", Website: "https://c.test", Gender: "female", Birthdate: "1990-01-01", Zoneinfo: "Europe/Vienna",
		Locale: "de", PhoneNumber: "+43", PhoneNumberVerified: true, Address: user.Address{Country: "Austria"}, Roles: []string{"editor"}, Disabled: true,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNamesAreSettled(t *testing.T) {
	for name, tt := range map[string]struct {
		in              string
		email, username string
		verified        bool
	}{
		"the username is the address":      {`{"email":"A@x.test","email_verified":true,"preferred_username":"a@X.test"}`, "A@x.test", "", true},
		"only a username":                  {`{"preferred_username":"ann"}`, "", "ann", false},
		"only a username, with an at sign": {`{"preferred_username":"a@x.test","email_verified":true}`, "a@x.test", "", false},
	} {
		if got := one(t, Portico, tt.in); got.User.Email != tt.email || got.User.Username != tt.username || got.User.EmailVerified != tt.verified {
			t.Errorf("%s: %+v", name, got.User)
		}
	}
}

func TestRefusedRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		format   Format
		in, says string
	}{
		"keycloak, wrong type":         {Keycloak, `[{"email":7}]`, "email is a number"},
		"keycloak, not a person":       {Keycloak, `[{"username":"service-account-shop","serviceAccountClientId":"shop"}]`, "belongs to a client"},
		"keycloak, several realms":     {Keycloak, `[{"realm":"a","users":[]}]`, "one realm at a time"},
		"keycloak, in the clear":       {Keycloak, users(`{"type":"password","value":"hunter2"}`), "in the clear"},
		"keycloak, no JSON inside":     {Keycloak, users(credential("{", "{}")), "cannot be read"},
		"keycloak, nothing inside":     {Keycloak, users(credential("{}", "{}")), "no base64"},
		"keycloak, broken base64":      {Keycloak, users(credential(`{"value":"*","salt":"*"}`, `{"algorithm":"pbkdf2","hashIterations":1}`)), "no base64"},
		"keycloak, another algorithm":  {Keycloak, users(credential(kcSecret, `{"hashIterations":1,"algorithm":"md5"}`)), `"md5" are not taken`},
		"keycloak, argon2 without m":   {Keycloak, users(credential(kcSecret, `{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"type":["id"],"version":["1.3"],"parallelism":["1"]}}`)), "needs its memory"},
		"keycloak, argon2 of 2015":     {Keycloak, users(credential(kcSecret, `{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"memory":["7168"],"type":["id"],"version":["1.0"],"parallelism":["1"]}}`)), `version "1.0"`},
		"keycloak, argon2 of no type":  {Keycloak, users(credential(kcSecret, `{"algorithm":"argon2"}`)), "type"},
		"auth0, two hashes":            {Auth0, `{"email":"a@x.test","passwordHash":"$2b$","password_hash":"$2b$"}`, "more than one"},
		"auth0, md5":                   {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"md5","hash":{"value":"x"}}}`, `"md5" are not taken`},
		"auth0, no algorithm":          {Auth0, `{"email":"a@x.test","custom_password_hash":{}}`, `"" are not taken`},
		"auth0, no bcrypt":             {Auth0, `{"email":"a@x.test","passwordHash":"5f4dcc3b5aa765d61d8327deb882cf99"}`, "does not begin with $2"},
		"auth0, no argon2":             {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"argon2","hash":{"value":"x"}}}`, "no PHC"},
		"auth0, a salt apart":          {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"bcrypt","hash":{"value":"$2b$10$x"},"salt":{"value":"s"}}}`, "salt stands beside"},
		"auth0, another encoding":      {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"bcrypt","hash":{"value":"$2b$10$x"},"password":{"encoding":"utf16le"}}}`, "utf16le"},
		"auth0, pbkdf2 of no format":   {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"x"}}}`, "no PHC"},
		"auth0, pbkdf2 without turns":  {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$l=4$c2FsdA$aGFzaA"}}}`, "no PHC"},
		"auth0, pbkdf2 of two turns":   {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=1,i=9$c2FsdA$aGFzaA"}}}`, "no PHC"},
		"auth0, pbkdf2 cut":            {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=1,l=64$c2FsdA$aGFzaA"}}}`, "l is 64"},
		"auth0, pbkdf2 of md5":         {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-md5$i=1$c2FsdA$aGFzaA"}}}`, "pbkdf2-md5"},
		"auth0, scrypt cut":            {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"scrypt","hash":{"value":"ff","encoding":"hex"},"keylen":64,"cost":16384,"blockSize":8,"parallelization":1}}`, "keylen is 64"},
		"auth0, scrypt of an odd cost": {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"scrypt","hash":{"value":"ff","encoding":"hex"},"keylen":1,"cost":1000,"blockSize":8,"parallelization":1}}`, "power of two"},
		"auth0, scrypt of odd hex":     {Auth0, `{"email":"a@x.test","custom_password_hash":{"algorithm":"scrypt","hash":{"value":"f","encoding":"hex"},"cost":2}}`, "no hex"},
		"portico, an unknown field":    {Portico, `{"email":"a@x.test","mail":"b@x.test"}`, `"mail" is not known`},
		"portico, a flag of ours":      {Portico, `{"email":"a@x.test","demo":true}`, `"demo" is not known`},
		"portico, in the clear":        {Portico, `{"email":"a@x.test","password":"hunter2"}`, `"password" is not known`},
		"portico, no hash":             {Portico, `{"email":"a@x.test","password_hash":"hunter2"}`, "no PHC"},
		"portico, wrong type":          {Portico, `{"email":"a@x.test","roles":"admin"}`, "roles is a string"},
		"portico, an array":            {Portico, "{\n", "no JSON object"},
		"portico, a control character": {Portico, `{"email":"a\u0000@x.test","x":1}`, "is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := read(tt.format, tt.in)
			if err != nil || len(all) != 1 || all[0].Refused == nil || !strings.Contains(all[0].Refused.Error(), tt.says) {
				t.Fatalf("read %+v, %v; want one that is refused for %q", all, err, tt.says)
			}
			if why := all[0].Refused.Error() + all[0].Name; strings.Contains(why, "hunter2") || strings.ContainsRune(why, 0) {
				t.Errorf("the report holds a password or what no terminal should: %q", why)
			}
		})
	}
}

func TestGoesOnAfterABadRecord(t *testing.T) {
	good := `{"email":"%d@x.test"}`
	long := `{"email":"` + strings.Repeat("x", maxRecord) + `"}`
	lines := strings.Join([]string{fmt.Sprintf(good, 1), "{broken", "", long, `["a"]`, `{"email":7}`, fmt.Sprintf(good, 7)}, "\n")
	all, err := read(Portico, lines)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range all {
		got = append(got, fmt.Sprint(rec.At, rec.Refused == nil))
	}
	if want := "line 1true line 2false line 4false line 5false line 6false line 7true"; strings.Join(got, " ") != want {
		t.Errorf("read %v, want %s", got, want)
	}
	all, err = read(Auth0, `[{"email":7},null,3,{"email":"a@x.test"}]`)
	if err != nil || len(all) != 4 || all[2].Refused == nil || all[3].Refused != nil || all[3].At != "user 4" {
		t.Errorf("read %+v, %v", all, err)
	}
}

// endless is a file without an end.
type endless struct {
	head string
	body string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	from := e.body
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n+len(from) <= len(p) {
		n += copy(p[n:], from)
	}
	if n == 0 {
		n = copy(p, from[:1])
	}
	e.read += n
	return n, nil
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		format   Format
		in, says string
	}{
		"nothing":                {Portico, "", "empty"},
		"blanks":                 {Keycloak, " \n\t", "empty"},
		"no JSON":                {Auth0, "email,name\n", "no JSON"},
		"a gzip":                 {Keycloak, "\x1f\x8b\x08\x00", "no JSON"},
		"no users":               {Keycloak, `{"realm":"a"}`, `no "users"`},
		"users are no array":     {Keycloak, `{"users":{"a":1}}`, "no array"},
		"cut in the middle":      {Keycloak, `{"users":[{"email":"a@x.test"}`, "unexpected EOF"},
		"cut in a record":        {Keycloak, `{"users":[{"email":"a@x`, "unexpected EOF"},
		"cut before the users":   {Keycloak, `{"realm":`, "unexpected EOF"},
		"broken in the middle":   {Auth0, `[{"email":"a@x.test"},{"email":]`, "byte"},
		"a record of a megabyte": {Auth0, `[{"email":"` + strings.Repeat("x", 3*maxRecord) + `"}]`, "more than"},
		"very deep":              {Keycloak, `{"x":` + strings.Repeat("[", 100_000), "inside each other"},
		"an unknown format":      {"okta", `{}`, "no format"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(tt.format, tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("read = %.200v, want %q", err, tt.says)
			}
		})
	}
	for name, e := range map[string]*endless{
		"an endless name":    {head: `{"`, body: "x"},
		"an endless value":   {head: `{"users":[{"email":"`, body: "x"},
		"endless blanks":     {head: `{"users":[`, body: " "},
		"an endless comment": {head: `{"realm":"`, body: "x"},
	} {
		for _, err := range Read(e, Keycloak) {
			if !errors.Is(err, errTooLong) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if e.read > 8*maxRecord {
			t.Errorf("%s: %d bytes were read", name, e.read)
		}
	}
}

func TestWhoStopsReadingIsLeftAlone(t *testing.T) {
	for f, in := range map[Format]string{Keycloak: `{"users":[{"email":"a@x.test"},{}]}`, Portico: "{\"email\":\"a@x.test\"}\n{}\n"} {
		for range Read(strings.NewReader(in), f) {
			break
		}
	}
}

// failing is a file on a disk that breaks.
type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("the disk is broken")
	}
	return n, err
}

func TestABrokenDiskIsSaid(t *testing.T) {
	for f, in := range map[Format]string{Keycloak: `{"users":[{"email":"a@x.test"},`, Portico: "{\"email\":\"a@x.test\"}\n{", Auth0: ""} {
		var last error
		for _, err := range Read(failing{strings.NewReader(in)}, f) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "disk is broken") {
			t.Errorf("%s: %v", f, last)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(0, `{"realm":"acme","users":[{"email":"a@x.test","credentials":[`+credential(kcSecret, `{"hashIterations":27500,"algorithm":"pbkdf2-sha256"}`)+`]}]}`)
	f.Add(1, `{"email":"a@x.test","passwordHash":"$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde"}`)
	f.Add(1, `[{"email":"a@x.test","custom_password_hash":{"algorithm":"scrypt","hash":{"value":"fbff0102","encoding":"hex"},"salt":{"value":"s"},"keylen":4,"cost":16384,"blockSize":8,"parallelization":1}}]`)
	f.Add(1, `[{"email":"a@x.test","custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=100000,l=4$+/8B$+/8BAg"}}}]`)
	f.Add(2, `{"email":"a@x.test","password_hash":"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"}`)
	f.Add(2, "\xef\xbb\xbf{}\n\n[")
	f.Fuzz(func(t *testing.T, which int, in string) {
		format := Formats()[uint(which)%3]
		for rec, err := range Read(strings.NewReader(in), format) {
			if err != nil {
				continue
			}
			if rec.At == "" {
				t.Error("a record stands nowhere")
			}
			if rec.Refused == nil && rec.Hash != "" && rec.Hash[0] != '$' {
				t.Errorf("%q is no PHC string", rec.Hash)
			}
			if strings.ContainsAny(rec.Name, "\n\r\x1b\x00") {
				t.Errorf("the name %q draws on the terminal", rec.Name)
			}
			if u := rec.User; u.Demo || u.ID != "" || !u.TermsAcceptedAt.IsZero() || !u.DeleteAt.IsZero() {
				t.Errorf("the file decides what is ours: %+v", u)
			}
		}
	})
}
