package porticotest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// newPassword is what people choose who forgot theirs.
const newPassword = "four words nobody has said"

// Somebody forgot their password in the middle of a sign-in: the mail, the
// link, a new password, and back to the application. What was signed in before
// is over, whoever had it.
func TestAForgottenPassword(t *testing.T) {
	s := porticotest.New(t)
	alice := server.DemoPeople[0]
	thief := s.NewBrowser()
	old := s.Exchange(porticotest.Web, s.Code(thief, porticotest.Web, "openid offline_access orders:read"))
	if a := s.Introspect(porticotest.Machine, old.Text("access_token")); a.JSON["active"] != true {
		t.Fatalf("before: %s", a.Raw)
	}

	b := s.NewBrowser()
	login := b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	ask := b.Get(login.Link("Forgot password"))
	if !ask.Has("recover-submit") {
		t.Fatalf("the login page leads to %s (%d): %s", ask.URL, ask.Status, ask.Text())
	}
	if sent := ask.Submit(map[string]string{"username": alice}, "", ""); sent.Status != http.StatusOK || !strings.Contains(sent.Text(), "mail is on its way") {
		t.Fatalf("asking: %d %s", sent.Status, sent.Text())
	}
	letter := s.Letter(alice)
	if letter.Key != "reset" || !strings.Contains(letter.Text, letter.Link) {
		t.Fatalf("the letter is %+v", letter)
	}
	page := b.Get(letter.Link)
	if page.URL.RawQuery != "" || !page.Has("reset-submit") || page.Value("username") != alice {
		t.Fatalf("the link leads to %s (%d): %s", page.URL, page.Status, page.Text())
	}
	for name, plain := range map[string]string{"a short one": "short", "the address": alice, "the name and a year": "Alice Example 2026"} {
		if again := page.Submit(map[string]string{"password": plain}, "", ""); !again.Has("password-problem") {
			t.Errorf("%s is taken: %d %s", name, again.Status, again.Text())
		}
	}
	done := page.Submit(map[string]string{"password": newPassword}, "", "")
	if done.Status != http.StatusOK || !done.Has("reset-on") {
		t.Fatalf("choosing: %d %s", done.Status, done.Text())
	}
	if told := s.Letter(alice); told.Key != "password_changed" {
		t.Errorf("the owner is told %s", told.Key)
	}

	if a := s.Introspect(porticotest.Machine, old.Text("access_token")); a.JSON["active"] != false {
		t.Errorf("an old access token: %s", a.Raw)
	}
	if a := s.Fetch(protocol.PathUserinfo, old.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo with it: %d", a.Status)
	}
	if a := s.Refresh(porticotest.Web, old.Text("refresh_token")); a.Status != http.StatusBadRequest || a.Text("error") != protocol.ErrInvalidGrant {
		t.Errorf("an old refresh token: %d %s", a.Status, a.Raw)
	}
	if gone := thief.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none")); gone.URL.Query().Get("error") != protocol.ErrLoginRequired {
		t.Errorf("an old session: %s", gone.URL)
	}
	for _, cookie := range b.Cookies() {
		if strings.HasSuffix(cookie.Name, "portico_session") || strings.HasSuffix(cookie.Name, "portico_link") {
			t.Errorf("the browser holds %s after the link", cookie.Name)
		}
	}

	page = b.Get(done.Link("Sign in"))
	if !page.Has("login-submit") {
		t.Fatalf("on leads to %s (%d): %s", page.URL, page.Status, page.Text())
	}
	if refused := page.Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", ""); !refused.Has("problem") {
		t.Errorf("the old password: %s (%d)", refused.URL, refused.Status)
	}
	page = page.Submit(map[string]string{"username": alice, "password": newPassword}, "", "")
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	if !page.Left || page.URL.Query().Get("code") == "" || page.URL.Query().Get("state") != "the state" {
		t.Errorf("the new password leads to %s (%d): %s", page.URL, page.Status, page.Body)
	}

	if over := s.NewBrowser().Get(letter.Link); over.Status != http.StatusGone || !over.Has("reset-again") {
		t.Errorf("the link once more: %d %s", over.Status, over.Text())
	}
	s.Restart() // what was spent stays spent, and the new password holds
	if over := s.NewBrowser().Get(letter.Link); over.Status != http.StatusGone {
		t.Errorf("the link after a restart: %d", over.Status)
	}
	token := strings.TrimPrefix(letter.Link, s.URL+"/recover/reset?link=")
	if log := s.Log.String(); strings.Contains(log, token) || strings.Contains(log, newPassword) || strings.Contains(log, letter.Text) {
		t.Error("the log holds the link, the password or the letter")
	}
}

// Whoever asks for somebody else's link, in the name of another host, gets
// them a link to the issuer: with a path of its own, too.
func TestAForgedHostSteersNoLink(t *testing.T) {
	for name, options := range map[string][]porticotest.Option{"at the root": nil, "below a path": {porticotest.Path("/realms/one")}} {
		t.Run(name, func(t *testing.T) {
			s := porticotest.New(t, options...)
			alice := server.DemoPeople[0]
			b := s.NewBrowser()
			_, form := b.Get(s.URL + "/recover").Form("")
			form.Set("username", alice)
			headers := map[string]string{
				"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81", "X-Host": "evil.example",
				"Forwarded": "host=evil.example;proto=http", "X-Original-URL": "https://evil.example/", "X-Forwarded-Prefix": "/evil",
			}
			for _, host := range []string{"", "evil.example", "evil.example:8080"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/recover", strings.NewReader(form.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = host
				for name, value := range headers {
					req.Header.Set(name, value)
				}
				origin, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), "/")
				req.Header.Set("Origin", "http://"+origin)
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				for _, cookie := range b.Cookies() {
					req.AddCookie(cookie)
				}
				before := len(s.Letters(alice))
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				letters := s.Letters(alice)
				if res.StatusCode != http.StatusOK || len(letters) != before+1 {
					t.Fatalf("host %q: status %d, %d letters", host, res.StatusCode, len(letters))
				}
				if got := letters[0]; !strings.HasPrefix(got.Link, s.URL+"/recover/reset?link=ptl_") || strings.Contains(got.HTML+got.Text, "evil") {
					t.Errorf("host %q: the letter leads to %q", host, got.Link)
				}
			}
			if page := b.Get(s.Letter(alice).Link); !page.Has("reset-submit") || page.URL.String() != s.URL+"/recover/reset" {
				t.Errorf("the link leads to %s (%d)", page.URL, page.Status)
			}
		})
	}
}
