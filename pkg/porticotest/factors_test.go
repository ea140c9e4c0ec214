package porticotest_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// shownKey finds the key of a new authenticator app on its page.
var shownKey = regexp.MustCompile(`id="totp-key"[^>]*>([A-Z2-7 ]+)<`)

// assured returns acr and amr of the ID token of a code.
func assured(t *testing.T, s *porticotest.Server, page *porticotest.Page) (acr string, amr []string) {
	t.Helper()
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	if !page.Left {
		t.Fatalf("the flow stays at %s (%d): %s", page.URL.Path, page.Status, page.Text())
	}
	tokens := s.Exchange(porticotest.Web, page.URL.Query().Get(protocol.Code))
	claims := claimsOf(t, tokens.Text("id_token"))
	acr, _ = claims["acr"].(string)
	if list, ok := claims["amr"].([]any); ok {
		for _, m := range list {
			amr = append(amr, m.(string))
		}
	}
	return acr, amr
}

// A person adds an authenticator app on the account's page; from then on
// nobody is signed in by the password alone.
func TestAnAuthenticatorAppFromEnrolmentToRemoval(t *testing.T) {
	s := porticotest.New(t)
	alice := server.DemoPeople[0]
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice)
	page := b.Get("/account/security/app").Submit(nil, "decision", "begin")
	key := shownKey.FindStringSubmatch(page.Body)
	if key == nil || !strings.Contains(page.Body, "<svg") {
		t.Fatalf("no key or no QR code on %s", page.Text())
	}
	app := s.NewAuthenticator(key[1])
	page = page.Submit(map[string]string{"code": "000000", "name": "My phone"}, "decision", "confirm")
	if again := shownKey.FindStringSubmatch(page.Body); again == nil || again[1] != key[1] {
		t.Fatalf("a wrong code lost the key: %s", page.Text())
	}
	page = page.Submit(map[string]string{"code": app.Code(), "name": "My phone"}, "decision", "confirm")
	if page.URL.Path == protocol.PathAccountCodes { // recovery codes come first
		page = b.Get("/account/security/app")
	}
	if !strings.Contains(page.Body, "My phone") {
		t.Fatalf("the app is not listed: %s", page.Text())
	}
	if acr, amr := assured(t, s, b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice)); acr != "2" || strings.Join(amr, " ") != "pwd otp mfa" {
		t.Errorf("after the enrolment acr %s, amr %v", acr, amr)
	}

	other := s.NewBrowser()
	page = other.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	page = page.Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathFactor {
		t.Fatalf("the password alone led to %s", page.URL)
	}
	for _, path := range []string{"/account", "/account/security", "/account/security/app", "/login/account?" + page.URL.RawQuery, "/consent?" + page.URL.RawQuery, s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none")} {
		got := other.Get(path)
		if got.Left && got.URL.Query().Get("error") == "" || !got.Left && got.URL.Path != protocol.PathFactor && got.URL.Path != protocol.PathLogin {
			t.Errorf("security §11.9: before the second factor %s leads to %s", path, got.URL)
		}
	}
	page = page.Submit(map[string]string{"code": app.Code()}, "", "")
	if acr, amr := assured(t, s, page); acr != "2" || strings.Join(amr, " ") != "pwd otp mfa" {
		t.Errorf("acr %s, amr %v", acr, amr)
	}

	page = b.Get("/account/security/app").Submit(nil, "decision", "remove")
	if strings.Contains(page.Body, "My phone") {
		t.Errorf("after the removal: %s", page.Text())
	}
	third := s.NewBrowser()
	if acr, amr := assured(t, s, third.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice)); acr != "1" || strings.Join(amr, " ") != "pwd" {
		t.Errorf("after the removal acr %s, amr %v", acr, amr)
	}
	keys := map[string]bool{}
	for _, l := range s.Letters(alice) {
		keys[l.Subject] = true
	}
	for _, want := range []string{"A second factor was added to your account", "A second factor was removed from your account"} {
		if !keys[want] {
			t.Errorf("no letter %q among %v", want, keys)
		}
	}
	for _, want := range []string{"A second factor was added", "A second factor was removed"} {
		// events are written in batches: asked again until they are there
		for until := time.Now().Add(10 * time.Second); !strings.Contains(b.Get("/account/history").Body, want); {
			if time.Now().After(until) {
				t.Fatalf("the history does not say %q", want)
			}
		}
	}
}

func TestARememberedBrowserStandsForAPolicyAndForNothingElse(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.MFAEveryone = "2" }))
	alice := server.DemoPeople[0]
	app := s.AddAuthenticator(alice)
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	page = page.Submit(map[string]string{"code": app.Code(), "trust": "on"}, "", "")
	if acr, _ := assured(t, s, page); acr != "2" {
		t.Fatalf("acr %s", acr)
	}
	again := func(extra ...string) *porticotest.Page {
		page := b.Get(s.AuthorizeURL(porticotest.Web, "openid", append([]string{"prompt", "login"}, extra...)...))
		return page.Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	}
	if acr, amr := assured(t, s, again()); acr != "1" || strings.Join(amr, " ") != "pwd" {
		t.Errorf("in a remembered browser acr %s, amr %v: what was not proven is not told", acr, amr)
	}
	if page := again("acr_values", "2"); page.URL.Path != protocol.PathFactor {
		t.Errorf("acr_values=2 in a remembered browser led to %s", page.URL)
	} else if strings.Contains(page.Body, `name="trust"`) {
		t.Error("a page that wants the factor itself offers to remember the browser")
	}
	stranger := s.NewBrowser()
	page = stranger.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathFactor {
		t.Errorf("another browser was not asked: %s", page.URL)
	}
	b.Get("/account/security/browsers").Submit(nil, "browser", "all")
	if page := again(); page.URL.Path != protocol.PathFactor {
		t.Errorf("a forgotten browser was not asked: %s", page.URL)
	}
}

// Step-up: an application, a client or an API wants more than the session has.
func TestStepUp(t *testing.T) {
	s := porticotest.New(t)
	alice := server.DemoPeople[0]
	b := s.NewBrowser()
	if acr, _ := assured(t, s, b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice)); acr != "1" {
		t.Fatalf("acr %s", acr)
	}
	b.Authenticator = s.AddAuthenticator(alice)
	before := claimsOf(t, s.Exchange(porticotest.Web, b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice).URL.Query().Get("code")).Text("id_token"))

	t.Run("RFC 9470 §5 prompt=none does not reach it", func(t *testing.T) {
		got := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none", "acr_values", "2"))
		if code := got.URL.Query().Get("error"); code != "interaction_required" {
			t.Errorf("error %q at %s", code, got.URL)
		}
	})
	t.Run("OIDC Core §3.1.2.1 unknown acr_values are a wish", func(t *testing.T) {
		got := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none", "acr_values", "urn:mace:incommon:iap:silver"))
		if acr, _ := assured(t, s, got); acr != "1" {
			t.Errorf("acr %s", acr)
		}
	})
	t.Run("RFC 9470 §5 who cancels is told so", func(t *testing.T) {
		page := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "acr_values", "2"))
		if page.URL.Path != protocol.PathFactor {
			t.Fatalf("at %s", page.URL)
		}
		got := page.Submit(nil, "decision", "deny")
		if code := got.URL.Query().Get("error"); code != "unmet_authentication_requirements" {
			t.Errorf("error %q at %s", code, got.URL)
		}
	})
	t.Run("RFC 9470 §4 acr_values asks for the factor alone", func(t *testing.T) {
		page := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "acr_values", "phr 2"))
		if page.URL.Path != protocol.PathFactor {
			t.Fatalf("at %s, want the factor and not the password", page.URL)
		}
		answer := page.Submit(map[string]string{"code": b.Authenticator.Code()}, "", "")
		tokens := s.Exchange(porticotest.Web, answer.URL.Query().Get("code"))
		id, access := claimsOf(t, tokens.Text("id_token")), claimsOf(t, tokens.Text("access_token"))
		if id["acr"] != "2" || access["acr"] != "2" || id["sid"] != before["sid"] {
			t.Errorf("ID token %v, access token %v", id, access)
		}
		if id["auth_time"] != before["auth_time"] {
			t.Errorf("auth_time %v, was %v: it is that of the oldest factor", id["auth_time"], before["auth_time"])
		}
		if got := s.Introspect(porticotest.Web, tokens.Text("access_token")); got.Text("acr") != "2" {
			t.Errorf("RFC 9470 §6.2: introspection says acr %q", got.Text("acr"))
		}
	})
	t.Run("OIDC Core §5.5.1.1 what cannot be reached by this person leads to getting it", func(t *testing.T) {
		page := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "acr_values", "phr"))
		if page.URL.Path != protocol.PathEnrol || page.Has("enrol-later") || page.Has("enrol-totp") {
			t.Errorf("at %s: %s", page.URL, page.Text())
		}
	})
	t.Run("max_age and acr_values ask for both factors anew", func(t *testing.T) {
		page := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "acr_values", "2", "max_age", "0"))
		if !page.Has("login-submit") {
			t.Fatalf("at %s", page.URL)
		}
		page = page.Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
		if page.URL.Path != protocol.PathFactor {
			t.Errorf("at %s", page.URL)
		}
		if acr, _ := assured(t, s, page.Submit(map[string]string{"code": b.Authenticator.Code()}, "", "")); acr != "2" {
			t.Errorf("acr %s", acr)
		}
	})
}

// A client and an API may demand a class of everybody who uses them.
func TestClientsAndAPIsDemandAClass(t *testing.T) {
	s := porticotest.New(t)
	bob := server.DemoPeople[1]
	set := func(class string) {
		t.Helper()
		c, err := s.Clients.Get(t.Context(), server.DemoWeb)
		if err != nil {
			t.Fatal(err)
		}
		changed := *c
		changed.MinimumACR = class
		if _, err := s.Clients.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	b := s.NewBrowser()
	if acr, _ := assured(t, s, b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), bob)); acr != "1" {
		t.Fatalf("acr %s", acr)
	}
	set("2")
	if page := b.Get(s.AuthorizeURL(porticotest.Web, "openid")); page.URL.Path != protocol.PathEnrol {
		t.Errorf("a client that demands 2: %s", page.URL)
	}
	b.Authenticator = s.AddAuthenticator(bob)
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	if page.URL.Path != protocol.PathFactor {
		t.Fatalf("at %s", page.URL)
	}
	if acr, _ := assured(t, s, page.Submit(map[string]string{"code": b.Authenticator.Code()}, "", "")); acr != "2" {
		t.Errorf("acr %s", acr)
	}
	set("")
	apis, err := s.APIs.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range apis {
		a.MinimumACR = "phr"
		if err := s.APIs.Update(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if page := b.Get(s.AuthorizeURL(porticotest.Web, "openid orders:read")); page.URL.Path != protocol.PathEnrol {
		t.Errorf("an API that demands phr: %s", page.URL)
	}
	if page := b.Get(s.AuthorizeURL(porticotest.Web, "openid")); page.URL.Path == protocol.PathEnrol {
		t.Errorf("a request for another API: %s", page.URL)
	}
}

// Enrolment is a part of the sign-in and ends in the application.
func TestAPolicyLeadsToAFactorAndBackToTheApplication(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.MFARoles = []string{"staff=2"} }))
	bob := server.DemoPeople[1]
	u, err := s.FindUser(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	u.Roles = append(u.Roles, "staff")
	if _, err := s.Users.Update(context.Background(), *u); err != nil {
		t.Fatal(err)
	}
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": bob, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathEnrol || !page.Has("enrol-totp") || page.Has("enrol-later") {
		t.Fatalf("at %s: %s", page.URL, page.Text())
	}
	if got := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none")).URL.Query().Get("error"); got != "interaction_required" {
		t.Errorf("prompt=none before the enrolment: %q", got)
	}
	page = b.Get("/account/security/app?flow="+url.QueryEscape(page.URL.Query().Get("flow"))).Submit(nil, "decision", "begin")
	app := s.NewAuthenticator(shownKey.FindStringSubmatch(page.Body)[1])
	page = page.Submit(map[string]string{"code": app.Code(), "name": "Phone"}, "decision", "confirm")
	if page.URL.Path == protocol.PathAccountCodes {
		page = page.Submit(nil, "decision", "generate").Submit(nil, "decision", "done")
	}
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	if acr, amr := assured(t, s, page); acr != "2" || strings.Join(amr, " ") != "pwd otp mfa" {
		t.Errorf("acr %s, amr %v", acr, amr)
	}
	if got := b.Get("/account/security/app").Submit(nil, "decision", "remove"); !strings.Contains(got.Body, "last second factor") || !strings.Contains(got.Body, "Phone") {
		t.Errorf("the last factor under a policy was removed: %s", got.Text())
	}
}
