package porticotest_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/signup"
)

const (
	newcomer       = "cleo@example.test"
	newcomerSecret = "many unrelated words"
)

// signUp sends the sign-up form of the flow that an application began, and
// returns the page that waits for the proof.
func signUp(t *testing.T, s *porticotest.Server, b *porticotest.Browser, email string) *porticotest.Page {
	t.Helper()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid email profile", protocol.Prompt, protocol.PromptCreate))
	if page.URL.Path != protocol.PathSignup {
		t.Fatalf("Initiating User Registration 1.0 §3 prompt=create leads to %s", page.URL)
	}
	page = page.Submit(map[string]string{"name": "Cleo Example", "email": email, "password": newcomerSecret}, "", "")
	if page.URL.Path != protocol.PathSignupConfirm || page.Status != http.StatusOK {
		t.Fatalf("the form leads to %s, %d: %s", page.URL, page.Status, page.Text())
	}
	return page
}

// arrives allows the application and checks what it gets.
func arrives(t *testing.T, s *porticotest.Server, page *porticotest.Page) {
	t.Helper()
	if !page.Has("consent-allow") {
		t.Fatalf("%s (%d) is no consent page: %s", page.URL, page.Status, page.Text())
	}
	page = page.Submit(nil, "decision", "allow")
	code := page.URL.Query().Get(protocol.Code)
	if !page.Left || code == "" {
		t.Fatalf("the flow ends at %s", page.URL)
	}
	tokens := s.Exchange(porticotest.Web, code)
	if tokens.Status != http.StatusOK {
		t.Fatalf("exchange: %d %s", tokens.Status, tokens.Raw)
	}
	who := s.Fetch(protocol.PathUserinfo, tokens.Text(protocol.AccessToken))
	if who.JSON["email"] != newcomer || who.JSON["email_verified"] != true || who.JSON["name"] != "Cleo Example" {
		t.Errorf("userinfo: %s", who.Raw)
	}
}

func TestSignUpByCode(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	page := signUp(t, s, b, newcomer)
	letter := s.Letter(newcomer)
	if letter.Key != "signup" || !regexp.MustCompile(`^\d{4} \d{4}$`).MatchString(letter.Code) {
		t.Fatalf("the letter is %+v", letter)
	}
	if _, err := s.Users.ByIdentifier(t.Context(), newcomer); !fault.Is(err, fault.NotFound) {
		t.Fatalf("there is an account before the proof: %v", err)
	}
	wrong := page.Submit(map[string]string{"code": "0000 000x"}, "", "")
	if !wrong.Has("code-problem") {
		t.Errorf("a wrong code: %d %s", wrong.Status, wrong.Text())
	}
	arrives(t, s, wrong.Submit(map[string]string{"code": strings.ReplaceAll(letter.Code, " ", "")}, "", ""))
}

func TestSignUpByLinkInTheSameBrowser(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	signUp(t, s, b, newcomer)
	arrives(t, s, b.Get(s.Letter(newcomer).Link).Submit(map[string]string{"link": linkIn(t, s)}, "", ""))
}

// linkIn returns the secret of the newcomer's link.
func linkIn(t *testing.T, s *porticotest.Server) string {
	t.Helper()
	u, err := url.Parse(s.Letter(newcomer).Link)
	if err != nil || !strings.HasPrefix(u.String(), s.URL+protocol.PathSignupConfirm) {
		t.Fatalf("the link of the letter is %v, %v", u, err)
	}
	return u.Query().Get("link")
}

func TestSignUpByLinkInAnotherBrowser(t *testing.T) {
	s := porticotest.New(t)
	b, phone := s.NewBrowser(), s.NewBrowser()
	waits := signUp(t, s, b, newcomer)
	done := phone.Get(s.Letter(newcomer).Link).Submit(map[string]string{"link": linkIn(t, s)}, "", "")
	if done.Status != http.StatusOK || !strings.Contains(done.Text(), "Your address is confirmed") {
		t.Fatalf("the phone shows %d %s", done.Status, done.Text())
	}
	if account := phone.Get(done.Link("Sign in")); account.URL.Path != protocol.PathLogin {
		t.Errorf("the phone is signed in: %s", account.URL)
	}
	login := b.Get(waits.Link("I have followed the link"))
	arrives(t, s, login.Submit(map[string]string{"username": newcomer, "password": newcomerSecret}, "", ""))
}

// TestSignUpOfAKnownAddressShowsNoDifference compares every answer, headers
// and status included, with that of an address that is free.
func TestSignUpOfAKnownAddressShowsNoDifference(t *testing.T) {
	s := porticotest.New(t)
	mask := regexp.MustCompile(`ptf_[A-Za-z0-9_-]+|name="form_token" value="[^"]*"|[A-Za-z0-9_-]{22}|t=\d+|r=\d+`)
	walk := func(email string) (seen []string) {
		b := s.NewBrowser()
		see := func(p *porticotest.Page) *porticotest.Page {
			h := p.Header.Clone()
			for _, name := range []string{"Date", "X-Request-Id", "Content-Length", "Set-Cookie", "Ratelimit-Remaining", "Ratelimit-Reset"} {
				h.Del(name)
			}
			var lines []string
			for name, values := range h {
				lines = append(lines, name+": "+strings.Join(values, ","))
			}
			for i := range lines { // the order of a map is none
				for j := i + 1; j < len(lines); j++ {
					if lines[j] < lines[i] {
						lines[i], lines[j] = lines[j], lines[i]
					}
				}
			}
			all := p.URL.Path + " " + http.StatusText(p.Status) + "\n" + strings.Join(lines, "\n") + "\n" + strings.ReplaceAll(p.Body, email, "NAME")
			seen = append(seen, mask.ReplaceAllString(all, "MASK"))
			return p
		}
		page := see(signUp(t, s, b, email))
		page = see(page.Submit(nil, "decision", "again"))
		page = see(page.Submit(map[string]string{"code": "1234567x"}, "", ""))
		see(b.Get(page.Link("Use another address")))
		see(b.Get(page.Link("I have followed the link")).Submit(map[string]string{"username": email, "password": newcomerSecret}, "", ""))
		return seen
	}
	free, taken := walk("free1@example.com"), walk(server.DemoPeople[0])
	for i := range free {
		if free[i] != taken[i] {
			t.Errorf("ASVS 6.3.8 step %d for an address that is taken\n%s\nthat is free\n%s", i, taken[i], free[i])
		}
	}
	if l := s.Letter(server.DemoPeople[0]); l.Key != "signup_known" || l.Code != "" || l.Link != s.URL+protocol.PathAccount {
		t.Errorf("the owner's letter is %+v", l)
	}
}

func TestAnInvitationFromTheShell(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.Signup = config.SignupInvite }))
	if page := s.NewBrowser().Get(protocol.PathSignup); page.Status != http.StatusForbidden {
		t.Errorf("without an invitation: %d", page.Status)
	}
	inv, link, err := s.InviteUser(t.Context(), signup.Ask{Email: newcomer, Roles: []string{"editor"}, Mail: true})
	if err != nil || link != s.Letter(newcomer).Link {
		t.Fatalf("invite: %v; link %q, in the mail %q", err, link, s.Letter(newcomer).Link)
	}
	b := s.NewBrowser()
	page := b.Get(link).Submit(map[string]string{"name": "Cleo Example", "password": newcomerSecret}, "", "")
	if page.URL.Path != protocol.PathAccount || page.Status != http.StatusOK {
		t.Fatalf("the form leads to %s, %d: %s", page.URL, page.Status, page.Text())
	}
	u, err := s.Users.ByIdentifier(t.Context(), newcomer)
	if err != nil || !u.EmailVerified || strings.Join(u.Roles, " ") != "editor" {
		t.Errorf("the person is %+v, %v", u, err)
	}
	if err := s.WithdrawInvitation(t.Context(), inv.ID, "shell"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a spent invitation is withdrawn: %v", err)
	}
	if page := s.NewBrowser().Get(link); page.Status != http.StatusGone {
		t.Errorf("the spent link: %d", page.Status)
	}
	arrives(t, s, b.Get(s.AuthorizeURL(porticotest.Web, "openid email profile")))
}

func TestNewTermsAtTheNextSignIn(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.TermsURL, c.TermsVersion = "https://example.test/terms", "2026-11"
	}))
	b := s.NewBrowser()
	address := s.AuthorizeURL(porticotest.Web, "openid")
	page := b.Get(address).Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathTerms || !page.Has("terms-accept") {
		t.Fatalf("the sign-in leads to %s, %d", page.URL, page.Status)
	}
	if none := b.Get(s.AuthorizeURL(porticotest.Web, "openid", protocol.Prompt, protocol.PromptNone)); none.URL.Query().Get("error") == "" {
		t.Errorf("prompt=none without accepted terms: %s", none.URL)
	}
	if page = page.Submit(nil, "decision", "accept"); !page.Has("consent-allow") {
		t.Fatalf("accepting leads to %s, %d", page.URL, page.Status)
	}
	if page = page.Submit(nil, "decision", "allow"); page.URL.Query().Get(protocol.Code) == "" {
		t.Errorf("the flow ends at %s", page.URL)
	}
	other := s.NewBrowser()
	page = other.Get(address).Submit(map[string]string{"username": server.DemoPeople[1], "password": server.DemoPassword}, "", "")
	if page = page.Submit(nil, "decision", "deny"); page.URL.Query().Get("error") != protocol.ErrAccessDenied {
		t.Errorf("declining leads to %s", page.URL)
	}
}

// TestASignUpLeavesNoSecretInTheFiles reads the bytes of both databases while
// the proof is asked for, and after it.
func TestASignUpLeavesNoSecretInTheFiles(t *testing.T) {
	dir := t.TempDir()
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.DatabaseURL = "sqlite://" + filepath.ToSlash(filepath.Join(dir, "portico.db"))
	}))
	b := s.NewBrowser()
	page := signUp(t, s, b, newcomer)
	letter := s.Letter(newcomer)
	flow := page.URL.Query().Get("flow")
	_, invitation, err := s.InviteUser(t.Context(), signup.Ask{Email: "dora@example.test", Mail: true})
	if err != nil {
		t.Fatal(err)
	}
	clean := func(when string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) < 2 {
			t.Fatalf("%s: files %v, %v", when, files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for what, secret := range map[string]string{
				"the password": newcomerSecret, "the code": letter.Code, "the digits of the code": strings.ReplaceAll(letter.Code, " ", ""),
				"the link": linkIn(t, s), "the invitation": invitation[strings.LastIndex(invitation, "=")+1:], "the flow": flow,
			} {
				if bytes.Contains(raw, []byte(secret)) {
					t.Errorf("%s: %s holds %s", when, filepath.Base(file), what)
				}
			}
		}
	}
	clean("while the proof is asked for")
	page.Submit(map[string]string{"code": letter.Code}, "", "")
	clean("after it")
	if _, err := s.Users.ByIdentifier(t.Context(), newcomer); err != nil {
		t.Error(err)
	}
}
