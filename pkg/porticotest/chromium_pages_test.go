package porticotest_test

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/static"
)

// speakers are people by their language: pages speak that of the account
// before that of the browser.
var speakers = map[string]string{"en": server.DemoPeople[0], "de": "greta@example.com", "ar": arabic}

// arabic is the address of somebody who reads from right to left.
const arabic = "amina@example.com"

// addSpeakers makes those speakers who are no demo people.
func addSpeakers(t *testing.T, s *porticotest.Server) {
	t.Helper()
	for _, u := range []user.User{
		{Email: speakers["de"], Name: "Greta Beispiel", Locale: "de", Zoneinfo: "Europe/Berlin", EmailVerified: true},
		{Email: arabic, Name: "أمينة العربي", Locale: "ar", Zoneinfo: "Africa/Cairo", EmailVerified: true},
	} {
		if _, err := s.CreateUser(t.Context(), u, server.DemoPassword); err != nil {
			t.Fatal(err)
		}
	}
}

// The pages that a plain login does not come by.
func TestChromiumPages(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	stranger := registerStranger(t, s)
	addSpeakers(t, s)
	for name, tt := range map[string]struct {
		prepare func(tb *tab, who string)
		hosts   []string
		shows   string
	}{
		"register": {shows: "register-submit", prepare: func(tb *tab, _ string) { tb.visit(app.request(s, "prompt", "create")) }},
		"register-error": {shows: "password-problem", prepare: func(tb *tab, _ string) {
			tb.visit(app.request(s, "prompt", "create"))
			tb.fill("name", "Alice", "email", server.DemoPeople[0], "password", "short")
			tb.press("register-submit")
		}},
		"signup-code": {shows: "confirm-submit", prepare: func(tb *tab, who string) { enrol(tb, app.request(s, "prompt", "create"), who) }},
		"signup-code-error": {shows: "code-problem", prepare: func(tb *tab, who string) {
			enrol(tb, app.request(s, "prompt", "create"), who)
			tb.fill("code", "0000 000x")
			tb.press("confirm-submit")
		}},
		"signup-link": {shows: "confirm-submit", prepare: func(tb *tab, who string) {
			email := fresh(who)
			enrol(tb, app.request(s, "prompt", "create"), email)
			tb.visit(s.Letter(email).Link)
		}},
		"signup-done": {shows: "confirm-login", prepare: func(tb *tab, who string) {
			email := fresh(who)
			b := s.NewBrowser() // it asked elsewhere
			b.Get("/register").Submit(map[string]string{"name": "Cleo", "email": email, "password": newcomerSecret}, "", "")
			tb.visit(s.Letter(email).Link)
			tb.press("confirm-submit")
		}},
		"signup-over":     {shows: "confirm-begin", prepare: func(tb *tab, _ string) { tb.visit(s.URL + protocol.PathSignupConfirm + "?link=gone") }},
		"invitation-over": {shows: "confirm-login", prepare: func(tb *tab, _ string) { tb.visit(s.URL + protocol.PathSignup + "?invitation=gone") }},
		"invitation": {shows: "register-submit", prepare: func(tb *tab, who string) {
			_, link, err := s.InviteUser(t.Context(), signup.Ask{Email: fresh(who), Name: "Cleo Example"})
			if err != nil {
				t.Fatal(err)
			}
			tb.visit(link)
		}},
		"recover":      {shows: "recover-submit", prepare: func(tb *tab, _ string) { tb.visit(s.URL + protocol.PathRecover) }},
		"recover-sent": {shows: "recover-back", prepare: func(tb *tab, who string) { forget(tb, s, who) }},
		"reset": {shows: "reset-submit", prepare: func(tb *tab, who string) {
			forget(tb, s, who)
			tb.visit(s.Letter(who).Link)
		}},
		"reset-error": {shows: "password-problem", prepare: func(tb *tab, who string) {
			forget(tb, s, who)
			tb.visit(s.Letter(who).Link)
			tb.fill("password", "short")
			tb.press("reset-submit")
		}},
		"reset-over":      {shows: "reset-again", prepare: func(tb *tab, _ string) { tb.visit(s.URL + protocol.PathRecoverReset + "?link=gone") }},
		"recover-factors": {shows: "recover-factors-submit", prepare: func(tb *tab, who string) { tb.visit(strandedLink(t, s, who)) }},
		"recover-factors-error": {shows: "problem", prepare: func(tb *tab, who string) {
			tb.visit(strandedLink(t, s, who))
			tb.fill("password", "not this one")
			tb.press("recover-factors-submit")
		}},
		"recover-factors-done": {shows: "recover-factors-on", prepare: func(tb *tab, who string) {
			tb.visit(strandedLink(t, s, who))
			tb.fill("password", server.DemoPassword)
			tb.press("recover-factors-submit")
		}},
		"recover-factors-over": {shows: "recover-factors-login", prepare: func(tb *tab, _ string) {
			tb.visit(s.URL + protocol.PathRecoverFactors + "?link=gone")
		}},
		"chooser": {shows: "chooser-other", prepare: func(tb *tab, who string) {
			tb.visit(app.request(s))
			tb.signIn(who)
			tb.visit(app.request(s, "prompt", "select_account"))
		}},
		"login-again": {shows: "login-submit", prepare: func(tb *tab, who string) {
			tb.visit(app.request(s))
			tb.signIn(who)
			tb.visit(app.request(s, "prompt", "login"))
		}},
		"login-stranger": {shows: "login-submit", hosts: []string{stranger.logo}, prepare: func(tb *tab, _ string) {
			tb.visit(s.URL + s.AuthorizeURL(stranger.App, "openid"))
		}},
		"consent-stranger": {shows: "consent-allow", hosts: []string{stranger.logo}, prepare: func(tb *tab, who string) {
			tb.visit(s.URL + s.AuthorizeURL(stranger.App, "openid profile email address phone offline_access roles orders:read orders:write"))
			tb.signIn(who)
		}},
		"error": {shows: "request-id", prepare: func(tb *tab, _ string) {
			tb.visit(app.request(s, "redirect_uri", "https://nowhere.example/"))
		}},
		"not-found": {shows: "request-id", prepare: func(tb *tab, _ string) { tb.visit(s.URL + "/nowhere") }},
		"logout-client": {shows: "logout-confirm", prepare: func(tb *tab, who string) {
			tb.visit(app.request(s))
			tb.signIn(who)
			tb.visit(s.URL + protocol.PathLogout + "?client_id=" + app.ID)
		}},
		"stayed": {shows: "main", prepare: func(tb *tab, who string) {
			tb.visit(app.request(s))
			tb.signIn(who)
			tb.visit(s.URL + protocol.PathLogout)
			tb.press("logout-stay")
		}},
		"playground": {shows: "playground-signin", prepare: func(tb *tab, _ string) { tb.visit(s.URL + protocol.PathPlayground) }},
	} {
		for _, language := range []string{"en", "de", "ar"} {
			t.Run(name+" "+language, func(t *testing.T) {
				tb := newTab(t, append(tt.hosts, s.URL, app.URL)...)
				tb.do(command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
					Headers: network.Headers{"Accept-Language": language},
				}))
				tt.prepare(tb, speakers[language])
				tb.shows(tt.shows)
				if got := evaluate[string](tb, `document.documentElement.lang`); got != language {
					t.Errorf("the page is in %q, want %q", got, language)
				}
				if h1 := evaluate[float64](tb, `document.querySelectorAll("h1").length`); h1 != 1 {
					t.Errorf("%v headings of the first level, want 1", h1)
				}
				// The words differ between languages, the colours do not.
				on := screens
				if language == "de" {
					on = screens[2:3]
				} else if language == "ar" { // right to left
					on = []screen{screens[2], screens[1]}
				}
				for _, one := range on {
					tb.inspect(name+"-"+language, one)
				}
			})
		}
	}
}

// enrol sends the sign-up form of the page at the address.
func enrol(tb *tab, address, email string) {
	tb.t.Helper()
	tb.visit(address)
	tb.fill("name", "Cleo Example", "email", email, "password", newcomerSecret)
	tb.press("register-submit")
}

// fresh returns an address that nobody has, for somebody like who.
func fresh(who string) string { return rand.Text() + "-" + who }

// forget asks for a mail to somebody who forgot their password.
func forget(tb *tab, s *porticotest.Server, who string) {
	tb.t.Helper()
	tb.visit(s.URL + protocol.PathRecover)
	tb.fill("username", who)
	tb.press("recover-submit")
}

// stranger is an application that registered itself with everything that
// makes a page long.
type strangerApp struct {
	porticotest.App
	logo string
}

func registerStranger(t *testing.T, s *porticotest.Server) strangerApp {
	t.Helper()
	logo := httptest.NewServer(static.Icon(nil))
	t.Cleanup(logo.Close)
	app := s.Register(map[string]any{
		"client_name": strings.Repeat("Unbreakable", 9), "logo_uri": logo.URL + "/logo.png",
		"policy_uri": "https://stranger.example/policy", "tos_uri": "https://stranger.example/terms",
		"scope":                      "openid profile email address phone offline_access roles orders:read orders:write",
		"redirect_uris":              []string{"https://" + strings.Repeat("long.", 20) + "stranger.example/callback"},
		"token_endpoint_auth_method": protocol.AuthNone,
	})
	return strangerApp{app, logo.URL}
}

// The first thing a newcomer sees, from the first step to the last: every
// token is verified by the page itself.
func TestChromiumPlayground(t *testing.T) {
	s := porticotest.New(t)
	tb := newTab(t, s.URL)
	tb.visit(s.URL + protocol.PathPlayground)
	tb.ready()
	tb.press("playground-signin")
	tb.signIn(server.DemoPeople[0])
	tb.press("consent-allow")
	tb.ready()
	for _, step := range []struct {
		id     string
		checks int // of the answer and of its tokens
	}{{"code", 13}, {"userinfo", 1}, {"machine", 5}, {"refresh", 10}} {
		if step.id != "code" {
			tb.send(step.id)
		}
		tb.until(fmt.Sprintf(`document.querySelectorAll("#%s .checks li").length >= %d`, step.id, step.checks))
		if bad := evaluate[[]string](tb, `[...document.querySelectorAll("#`+step.id+` .bad")].map(e => e.innerText)`); len(bad) > 0 {
			t.Errorf("step %s: these checks do not hold: %q", step.id, bad)
		}
	}
	tb.send("introspect")
	tb.until(`document.querySelector("#introspect [data-answer]").textContent.includes('"active": true')`)
	tb.send("revoke")
	tb.until(`document.querySelector("#revoke [data-answer]").textContent.includes(" 200 ")`)
	tb.send("introspect")
	tb.until(`document.querySelector("#introspect [data-answer]").textContent.includes('"active": false')`)
	for _, on := range screens {
		tb.inspect("playground-full", on)
	}
	tb.press("playground-signout")
	tb.ready()
	if at := tb.address(); !strings.HasPrefix(at, s.URL+protocol.PathPlayground) {
		t.Errorf("after the sign-out the browser is at %s:\n%s", at, tb.text())
	}
}

// ready waits until the playground has done what it does by itself.
func (tb *tab) ready() {
	tb.t.Helper()
	tb.do(chromedp.WaitReady(chromedp.CSS(`#playground[data-ready="yes"]`)))
}

// send presses the button of a step of the playground.
func (tb *tab) send(step string) {
	tb.t.Helper()
	tb.do(chromedp.Click(chromedp.CSS(`#` + step + ` [data-act] button`)))
}

// The form with everything that an operator can ask for, and the terms at the
// next sign-in.
func TestChromiumTerms(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.TermsURL, c.PrivacyURL, c.TermsVersion = "https://example.test/terms", "https://example.test/privacy", "2026-11"
		c.SignupUsername = config.PresenceOptional
	}))
	app := newWebApp(t, porticotest.Web)
	for name, tt := range map[string]struct {
		prepare func(tb *tab)
		shows   string
	}{
		"terms": {shows: "terms-accept", prepare: func(tb *tab) {
			tb.visit(app.request(s))
			tb.signIn(server.DemoPeople[0])
		}},
		"register-full": {shows: "terms", prepare: func(tb *tab) { tb.visit(s.URL + protocol.PathSignup) }},
		"register-full-error": {shows: "username-problem", prepare: func(tb *tab) {
			tb.visit(s.URL + protocol.PathSignup)
			tb.fill("name", "Cleo", "email", "cleo@example.test", "username", "admin", "password", newcomerSecret)
			tb.do(chromedp.Click("#terms"))
			tb.press("register-submit")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTab(t, s.URL, app.URL)
			tt.prepare(tb)
			tb.shows(tt.shows)
			for _, one := range screens {
				tb.inspect(name, one)
			}
		})
	}
}
