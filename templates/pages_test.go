package templates

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is what a stranger may call an application: markup, an attribute's
// end, template syntax, our own marks, text turned around, and too much of it.
var hostile = `"><script>alert(1)</script>'{{.}}` + "\x01\x00\u202eelgooG\u2066\u2069\u200b" + strings.Repeat("A", 10<<10)

// samples are the pages as goldens keep them: ordinary, and with hostile data
// wherever a stranger has a say.
func samples() map[string]Page {
	form := Form{Action: "/login", Flow: "ptf_flow", Token: "token"}
	shop := &Client{
		Name: "Acme Travel", LogoURL: "https://cdn.acme.example/logo.png", HomeURL: "https://acme.example",
		PolicyURL: "https://acme.example/privacy", TermsURL: "https://acme.example/terms",
	}
	evil := &Client{
		Name: hostile, LogoURL: "javascript:alert(1)", PolicyURL: `https://x.example/"onclick="alert(1)`,
		TermsURL: "data:text/html,<script>alert(1)</script>", HomeURL: "https://user:secret@x.example",
	}
	at := time.Date(2026, 11, 28, 14, 5, 6, 0, time.UTC)
	alice := Account{Ref: "ref-alice", Name: "Alice Keller", Login: "alice@example.com"}
	mallory := Account{Ref: `"><script>`, Name: hostile, Login: hostile, SignedOut: true}
	all := map[string]Page{
		"login": Login{Form: form, Client: shop, OfferRemember: true, OfferCancel: true, Register: "/register?flow=ptf_flow", Recover: "/recover"},
		"login-hostile": Login{
			Form: Form{Action: "//evil.example/", Flow: `"><script>`, Token: `'><script>`}, Client: evil, Username: hostile,
			Problem: WrongCredentials, Register: "javascript:alert(1)", Recover: `/\evil.example`, Switch: `"><script>`,
		},
		"login-own": Login{Form: form},
		"login-passkey": Login{
			Form: form, Client: shop, OfferRemember: true, Problem: PasskeyRefused, Ways: []Way{{"google", "Google"}}, With: "/login/with?flow=ptf_flow",
			Passkey: &AskPasskey{Form: Form{Action: "/login/passkey?flow=ptf_flow", Token: "token"}, Options: "/login/passkey/options?flow=ptf_flow"},
		},
		"login-passkey-hostile": Login{Form: form, Client: evil, Passkey: &AskPasskey{Form: Form{Action: "//evil.example/", Flow: `"><script>`, Token: `'><script>`}, Options: "javascript:alert(1)"}},
		"login-ways": Login{
			Form: form, Client: shop, Ways: []Way{{"google", "Google"}, {"corp", "Example Corp"}}, With: "/login/with?flow=ptf_flow",
			Problem: Elsewhere("cancelled", "Google"),
		},
		"login-ways-hostile": Login{
			Form: form, Client: evil, Ways: []Way{{`"><script>`, hostile}}, With: "//evil.example/", Linking: hostile, Problem: OtherWays(hostile, hostile),
		},
		"link":             ProveLink{Client: shop, Provider: "Google", Email: "alice@example.com", On: "/login?flow=ptf_flow"},
		"link-apart":       ProveLink{Provider: "Google", Email: "alice@example.com", On: "/account/identities", Apart: true},
		"link-hostile":     ProveLink{Client: evil, Provider: hostile, Email: hostile, On: "javascript:alert(1)"},
		"login-registered": Login{Form: form, Client: shop, Registered: true, Again: true, Problem: OtherAccount},
		"login-again":      Login{Form: form, Client: shop, Username: "alice@example.com", Fixed: true, Switch: "/choose", OfferRemember: true, Remember: true, Problem: TooMany(90 * time.Second)},
		"consent": Consent{
			Form: form, Client: *shop, RedirectURI: "https://app.acme.example:8443/cb?x=1", Account: alice,
			Scopes: []string{"openid", "profile", "email", "address", "phone", "offline_access", "roles"}, Remembered: true, Switch: "/choose",
			APIs: []API{{Name: "Orders", Audience: "https://orders.example.test", Scopes: []Scope{{"orders:read", "Read your orders"}, {"orders:write", ""}}}},
		},
		"consent-hostile": Consent{
			Form: form, Client: *evil, RedirectURI: "https://" + strings.Repeat("accounts.google.com.", 40) + "evil.example/cb",
			Account: mallory, Scopes: []string{hostile, "language.name"}, Unverified: true, Problem: NoDecision,
			APIs: []API{{Audience: hostile}, {Name: hostile, Scopes: []Scope{{hostile, hostile}}}},
		},
		"consent-native":  Consent{Form: form, Client: Client{}, RedirectURI: "com.example.app:/cb", Account: Account{Login: "bob"}},
		"consent-device":  &Consent{Form: form, Client: *shop, RedirectURI: "http://127.0.0.1:51004/cb", Account: alice, Scopes: []string{"openid"}},
		"chooser":         Chooser{Form: form, Client: shop, Accounts: []Account{alice, {Ref: "ref-bob", Login: "bob@example.com", SignedOut: true}}},
		"chooser-hostile": Chooser{Form: form, Client: evil, Accounts: []Account{mallory}, Problem: FormExpired},
		"register":        Register{Form: form, Client: shop, Login: "/login?flow=ptf_flow"},
		"register-hostile": Register{
			Form: form, Client: evil, Name: hostile, Email: hostile, PasswordMin: 8, PasswordKinds: []string{"digit", "upper", "lower", "symbol", hostile}, Problem: Unreadable,
			NameProblem: NameTooLong, EmailProblem: EmailMalformed, PasswordProblem: PasswordTooShort(8),
		},
		"register-own":            Register{Form: form, AskUsername: true, Username: "cleo", UsernameProblem: UsernameReserved, Accepted: true, Terms: Terms{TermsURL: "https://id.example/terms", PrivacyURL: "https://id.example/privacy"}},
		"register-invited":        Register{Form: form, Invited: true, EmailFixed: true, Name: "Cleo", Email: "cleo@example.com", AskUsername: true, UsernameNeeded: true, Terms: Terms{TermsURL: "https://id.example/terms"}, TermsProblem: TermsMissing},
		"signupcode":              SignupCode{Form: form, Client: shop, Email: "cleo@example.com", Other: "/register?flow=ptf_flow", Done: "/login?flow=ptf_flow"},
		"signupcode-hostile":      SignupCode{Form: form, Client: evil, Email: hostile, Sent: true, Problem: SignupCodeWrong, Other: "javascript:alert(1)", Done: "//evil.example"},
		"signuplink":              SignupLink{Form: form, Client: shop, Link: "ptl_link", Email: "cleo@example.com"},
		"signuplink-hostile":      SignupLink{Form: form, Link: `"><script>`, Email: hostile, Elsewhere: true},
		"signupname":              SignupName{Form: form, Client: shop, Username: "cleo", Problem: UsernameTaken, Proven: "proof"},
		"signupname-hostile":      SignupName{Form: form, Client: evil, Username: hostile, Problem: UsernameMalformed, Link: `"><script>`},
		"signupdone":              SignupDone{Email: "cleo@example.com", Login: "/account"},
		"signupdone-hostile":      SignupDone{Email: hostile, Login: "//evil.example"},
		"signupover":              SignupOver{Client: shop, Login: "/login?flow=ptf_flow", Again: "/register?flow=ptf_flow"},
		"signupover-invitation":   SignupOver{Invitation: true, Login: "/account"},
		"signupover-known":        SignupOver{Known: true, Login: "/account"},
		"terms":                   AcceptTerms{Form: form, Client: shop, Account: alice, Terms: Terms{TermsURL: "https://id.example/terms", PrivacyURL: "https://id.example/privacy"}, Again: true},
		"terms-hostile":           AcceptTerms{Form: form, Client: evil, Account: mallory, Terms: Terms{TermsURL: "javascript:alert(1)", PrivacyURL: "//evil.example"}, Problem: NoDecision},
		"recover":                 Recover{Form: form, Client: shop, Username: "alice@example.com", Login: "/login?flow=ptf_flow"},
		"recover-own":             Recover{Form: form, Problem: IdentifierMissing, Login: "/account"},
		"recover-hostile":         Recover{Form: Form{Action: "//evil.example/", Token: `'><script>`}, Client: evil, Username: hostile, Problem: Unreadable, Login: "javascript:alert(1)"},
		"recover-sent":            RecoverSent{Client: shop, Minutes: 30, Again: "/recover?flow=ptf_flow", Login: "/login?flow=ptf_flow"},
		"reset":                   Reset{Form: form, Login: "alice@example.com", Password: NewPassword{Least: 15, Another: true, Focus: true}},
		"reset-hostile":           Reset{Form: Form{Action: "//evil.example/", Token: `'><script>`}, Login: hostile, Password: NewPassword{Kinds: []string{hostile, "digit"}, Problem: PasswordPerson}},
		"reset-over":              ResetOver{Again: "/recover"},
		"reset-done":              ResetDone{On: "/login?flow=ptf_flow"},
		"recover-factors":         RecoverFactors{Form: form, Login: "alice@example.com", Password: true},
		"recover-factors-alone":   RecoverFactors{Form: form, Login: "alice@example.com"},
		"recover-factors-wrong":   RecoverFactors{Form: form, Login: "alice@example.com", Password: true, Problem: WrongCredentials},
		"recover-factors-hostile": RecoverFactors{Form: Form{Action: "//evil.example/", Token: `'><script>`}, Login: hostile, Password: true, Problem: FormExpired},
		"recover-factors-over":    RecoverFactorsOver{On: "/account"},
		"recover-factors-done":    FactorsRecovered{On: "/account"},
		"logout":                  Logout{Form: form, Client: shop, Account: &alice},
		"logout-own":              Logout{Form: form},
		"logout-hostile":          Logout{Form: form, Client: evil, Account: &mallory, Problem: FormExpired},
		"signedout":               SignedOut{Client: shop, Back: "https://acme.example/bye", Login: "/login"},
		"signedout-plain":         SignedOut{},
		"signedout-hostile":       SignedOut{Client: evil, Back: "javascript:alert(1)", Login: "//evil.example"},
		"error":                   Error{Status: 400, Code: "invalid_redirect_uri", Say: "The redirect_uri is not registered for this client.", RequestID: "Zk3mQ9d0TnOa7s4yq2u1Lw"},
		"error-over":              Error{Status: 410, Over: true, Code: "flow_over", Say: "This sign-in is over.", RequestID: "Zk3mQ9d0TnOa7s4yq2u1Lw", Back: "https://acme.example/start", BackName: "Acme Travel"},
		"error-hostile":           Error{Status: 999, Code: hostile, Say: hostile, RequestID: hostile, Back: "javascript:alert(1)", BackName: hostile},
		"mailbox": Mailbox{Self: "/playground/mail", Home: "/playground", Mails: []MailLine{
			{ID: "b", To: "alice@example.com", Subject: "Ihr Code", At: at.Add(time.Minute)}, {ID: "a", To: "bob@example.com", Subject: "Hallo", At: at},
		}},
		"mailbox-empty":   Mailbox{Self: "/playground/mail", Home: "/playground"},
		"mailbox-hostile": Mailbox{Self: "//evil.example", Home: "javascript:alert(1)", Mails: []MailLine{{ID: `"><script>`, To: hostile, Subject: hostile}}},
		"mail": MailboxMail{
			MailLine: MailLine{ID: "b", To: "alice@example.com", Subject: "Ihr Code", At: at}, Lang: "de", Letter: "verify",
			Text: "Hallo,\n\n(https://id.example/x?link=1):\n1234 5678\n", Link: "https://id.example/x?link=1", Code: "1234 5678",
			Back: "/playground/mail", HTML: "/playground/mail/b/html",
		},
		"mail-hostile": MailboxMail{
			MailLine: MailLine{ID: "b", To: hostile, Subject: hostile}, Lang: `"><script>`, Letter: hostile,
			Text: `"><script>alert(1)</script>` + "\njavascript:alert(1)", Link: "javascript:alert(1)", Code: hostile, Back: "//evil.example", HTML: "javascript:alert(1)",
		},
		"formpost":         FormPost{URL: "https://acme.example/cb", Client: shop, Fields: []Field{{"code", "ptac_abc"}, {"state", "a&b=\"c\" <d>"}, {"iss", "https://id.example"}}},
		"formpost-hostile": FormPost{URL: "javascript:alert(1)", Client: evil, Fields: []Field{{hostile, hostile}}},
	}
	maps.Copy(all, accountSamples(shop, evil, alice, mallory))
	return all
}

func draw(t *testing.T, frame Frame, page Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, frame, page); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var digest = regexp.MustCompile(`\.[0-9a-f]{12}\.`)

func TestPagesAreAsReviewed(t *testing.T) {
	for name, page := range samples() {
		t.Run(name, func(t *testing.T) {
			got := digest.ReplaceAllString(draw(t, Frame{Base: "/auth"}, page), ".DIGEST.")
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got):\n%s", file, diff)
			}
		})
	}
}

func TestEveryGoldenBelongsToAPage(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	pages := samples()
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".golden"); pages[name] == nil {
			t.Errorf("%s belongs to no page", file)
		}
	}
}

func TestWritesNothingWhenAPageFails(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Frame{}, unknownPage{}); err == nil || b.Len() != 0 {
		t.Errorf("an unknown page gave %v and %d bytes", err, b.Len())
	}
	if err := Write(&b, Frame{}, wrongPage{}); err == nil || b.Len() != 0 {
		t.Errorf("a page without the fields of its template gave %v and %d bytes", err, b.Len())
	}
}

type unknownPage struct{}

func (unknownPage) Template() string { return "login/nothing.html" }

type wrongPage struct{}

func (wrongPage) Template() string { return "login/login.html" }

func TestLocalPathsStayOnThisServer(t *testing.T) {
	for _, path := range []string{"//evil.example", `/\evil.example`, `//\/evil.example`} {
		v := &view{}
		if got := v.At(path); got != "/evil.example" {
			t.Errorf("At(%q) = %q", path, got)
		}
	}
	v := &view{Frame: Frame{Base: "/auth"}}
	for path, want := range map[string]string{"/login?a=//b": "/auth/login?a=//b", "https://rp.example/": "https://rp.example/"} {
		if got := v.At(path); got != want {
			t.Errorf("At(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestBrandIsTheOperators(t *testing.T) {
	set, err := New(Own{Look: Look{Name: "Example & Sons"}})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := set.Write(&got, Frame{}, Login{}); err != nil || !strings.Contains(got.String(), "<title>Sign in · Example &amp; Sons</title>") {
		t.Errorf("title lacks the brand: %v %.400s", err, got.String())
	}
}

func BenchmarkLoginPage(b *testing.B) {
	page := samples()["login"]
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		buf.Reset()
		if err := Write(&buf, Frame{}, page); err != nil {
			b.Fatal(err)
		}
	}
}

// A page is parsed when somebody first asks for it; that it will is known
// before.
func TestEveryPageAndLetterParses(t *testing.T) {
	if err := mustSet(newSet(files.ReadFile, catalogue, nil)).parse(); err != nil {
		t.Error(err)
	}
}
