package outside_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// form returns where the first form of a page goes, and its hidden fields.
func form(t *testing.T, p *porticotest.Page) (action string, values url.Values) {
	t.Helper()
	found := formAction.FindStringSubmatch(p.Body)
	if found == nil {
		t.Fatalf("%s has no form:\n%s", p.URL, p.Body)
	}
	values = url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(p.Body, -1) {
		values.Set(f[1], html.UnescapeString(f[2]))
	}
	return html.UnescapeString(found[1]), values
}

// cookieHeader writes what a browser would send.
func cookieHeader(b *porticotest.Browser) string {
	var parts []string
	for _, c := range b.Cookies() {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}

// loginForm opens the login page in a new browser and returns where and what
// its form sends.
func loginForm(t *testing.T, s *porticotest.Server, b *porticotest.Browser) (action string, values url.Values) {
	t.Helper()
	p := b.Get(s.AuthorizeURL(porticotest.Web, "openid profile"))
	action, values = form(t, p)
	values.Set("username", server.DemoPeople[0])
	values.Set("password", server.DemoPassword)
	return action, values
}

// 10.1: nothing that a browser had before a login opens anything after it.
func TestSessionFixation(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	action, values := loginForm(t, s, b)
	before := cookie(b, "portico_session")
	if before != "" {
		t.Errorf("a session before the login: %s", before)
	}
	// An attacker plants a session value of the right shape, and one of their own.
	attacker := s.NewBrowser()
	attacker.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[1])
	planted := cookie(attacker, "portico_session")
	a := send(t, s, call{method: "POST", path: action, body: values.Encode(), header: []string{
		"Cookie", "portico_session=" + planted + "; " + cookieHeader(b), "Origin", s.URL, "Sec-Fetch-Site", "same-origin",
	}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("login: %d %s", a.status, a.body)
	}
	fresh := ""
	for _, line := range a.header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == "portico_session" {
			fresh = c.Value
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(line) > 4096 {
			t.Errorf("10.2 cookie %s", line)
		}
	}
	if fresh == "" || fresh == planted {
		t.Fatalf("10.1 the session after the login is %q", fresh)
	}
	none := func(session string) url.Values {
		a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "prompt", "none"), header: []string{"Cookie", "portico_session=" + session}})
		return answer(t, a.header.Get("Location"))
	}
	if q := none(planted); q.Get("error") != protocol.ErrLoginRequired {
		t.Errorf("10.1 the planted session lives on after it was replaced: %v", q)
	}
	if q := none(fresh); q.Get("error") != protocol.ErrConsentRequired {
		t.Errorf("the new session: %v", q)
	}
	for _, broken := range []string{"", "x", fresh + "x", fresh[:len(fresh)-1], strings.ToUpper(fresh), "%00", `"` + fresh, strings.Repeat("A", 4000), cookie(b, "portico_browser")} {
		if q := none(broken); q.Get("error") != protocol.ErrLoginRequired {
			t.Errorf("10.4 cookie %q: %v", broken, q)
		}
	}
}

// 10.1, 7.3: a new login and a logout leave the old cookie worthless.
func TestOldCookiesAreWorthless(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	tokens := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid"))
	old := cookieHeader(b)
	probe := func(cookies string) string {
		a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "prompt", "none"), header: []string{"Cookie", cookies}})
		return answer(t, a.header.Get("Location")).Get("error")
	}
	if got := probe(old); got != "" {
		t.Fatalf("before: %s", got)
	}
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "login"), server.DemoPeople[0])
	if got := probe(old); got != protocol.ErrLoginRequired {
		t.Errorf("10.1 the cookie before prompt=login still opens: %q", got)
	}
	old = cookieHeader(b)
	b.Get(protocol.PathLogout).Submit(nil, "decision", "logout")
	if got := probe(old); got != protocol.ErrLoginRequired {
		t.Errorf("7.3 the cookie before the logout still opens: %q", got)
	}
	if a := s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("7.3 the access token after the logout: %d", a.Status)
	}
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
	old = cookieHeader(b)
	defer clock.Jump(13 * time.Hour)()
	if got := probe(old); got != protocol.ErrLoginRequired {
		t.Errorf("10.3 after 13 idle hours: %q", got)
	}
}

// 11.5, 1.14: a form counts only from the browser, flow and page it was made
// for.
func TestForgedForms(t *testing.T) {
	s := porticotest.New(t)
	victim, mallory := s.NewBrowser(), s.NewBrowser()
	at, want := loginForm(t, s, victim)
	foreignAt, foreign := loginForm(t, s, mallory)
	otherAt, other := loginForm(t, s, victim) // another tab
	tokenOf := func(v url.Values) string { return v.Get("form_token") }
	if tokenOf(want) == "" {
		for k := range want {
			t.Logf("field %s", k)
		}
		t.Fatal("the form has no token")
	}
	with := func(v url.Values, token string) string {
		c := url.Values{}
		for k, x := range v {
			c[k] = x
		}
		c.Set("form_token", token)
		if token == "" {
			c.Del("form_token")
		}
		return c.Encode()
	}
	same := []string{"Origin", s.URL, "Sec-Fetch-Site", "same-origin"}
	for name, c := range map[string]call{
		"no token":                     {path: at, body: with(want, ""), header: same},
		"the token of another browser": {path: at, body: with(want, tokenOf(foreign)), header: same},
		"the token of another flow":    {path: at, body: with(want, tokenOf(other)), header: same},
		"another flow, this token":     {path: otherAt, body: with(want, tokenOf(want)), header: same},
		"a token cut":                  {path: at, body: with(want, tokenOf(want)[1:]), header: same},
		"the flow of another browser":  {path: foreignAt, body: with(foreign, tokenOf(foreign)), header: same},
		"another site":                 {path: at, body: want.Encode(), header: []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		"another site, old browser":    {path: at, body: want.Encode(), header: []string{"Origin", "https://evil.example"}},
		"a site beside":                {path: at, body: want.Encode(), header: []string{"Origin", "http://evil.127.0.0.1", "Sec-Fetch-Site", "same-site"}},
		"origin null":                  {path: at, body: want.Encode(), header: []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}},
		"origin null alone":            {path: at, body: want.Encode(), header: []string{"Origin", "null"}},
		"another port":                 {path: at, body: want.Encode(), header: []string{"Origin", "http://127.0.0.1:1"}},
	} {
		t.Run("11.5 "+name, func(t *testing.T) {
			c.method = "POST"
			c.header = append(c.header, "Cookie", cookieHeader(victim))
			a := send(t, s, c)
			a.refused(t)
			for _, line := range a.header["Set-Cookie"] {
				if strings.Contains(line, "portico_session=") {
					t.Errorf("a session: %s", line)
				}
			}
		})
	}
	t.Run("1.14 without any cookie", func(t *testing.T) {
		send(t, s, call{method: "POST", path: at, body: want.Encode(), header: same}).refused(t)
	})
	t.Run("1.14 the link in another browser", func(t *testing.T) {
		for _, page := range []string{"/login", "/consent", "/login/account", "/register"} {
			_, q, _ := strings.Cut(at, "?")
			if p := mallory.Get(page + "?" + q); p.Status != http.StatusForbidden || p.Left {
				t.Errorf("%s: %d %s", page, p.Status, p.URL)
			}
		}
	})

	// Consent: the same, with a person signed in.
	p := victim.Post(at, want)
	consentAt, consent := form(t, p)
	consent.Set("decision", "allow")
	for name, c := range map[string]call{
		"no token":      {path: consentAt, body: with(consent, ""), header: same},
		"login's token": {path: consentAt, body: with(consent, tokenOf(want)), header: same},
		"another site":  {path: consentAt, body: consent.Encode(), header: []string{"Origin", "https://evil.example"}},
	} {
		t.Run("11.5 consent "+name, func(t *testing.T) {
			c.method, c.header = "POST", append(c.header, "Cookie", cookieHeader(victim))
			send(t, s, c).refused(t)
		})
	}
	t.Run("12.6 consent by GET", func(t *testing.T) {
		a := send(t, s, call{path: consentAt + "&" + consent.Encode(), header: []string{"Cookie", cookieHeader(victim)}})
		if strings.Contains(a.header.Get("Location"), "code=") {
			t.Error("a GET gave the code")
		}
	})
	t.Run("0.6 the consent sent twenty times gives one code", func(t *testing.T) {
		cookies, codes := cookieHeader(victim), make(chan bool, 20)
		for range cap(codes) {
			go func() {
				req, err := http.NewRequest(http.MethodPost, s.URL+consentAt, strings.NewReader(consent.Encode()))
				if err != nil {
					codes <- false
					return
				}
				req.Header.Set("Content-Type", formType)
				req.Header.Set("Cookie", cookies)
				res, err := stranger.Do(req)
				if err != nil {
					codes <- false
					return
				}
				_ = res.Body.Close()
				codes <- strings.Contains(res.Header.Get("Location"), "code=")
			}()
		}
		n := 0
		for range cap(codes) {
			if <-codes {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d codes, want 1", n)
		}
	})

	// Logout.
	out := victim.Get(protocol.PathLogout)
	action, values := form(t, out)
	values.Set("decision", "logout")
	for name, c := range map[string]call{
		"no token":      {path: action, body: with(values, ""), header: same},
		"login's token": {path: action, body: with(values, tokenOf(want)), header: same},
		"another site":  {path: action, body: values.Encode(), header: []string{"Origin", "https://evil.example"}},
	} {
		t.Run("11.5 logout "+name, func(t *testing.T) {
			c.method, c.header = "POST", append(c.header, "Cookie", cookieHeader(victim))
			send(t, s, c).refused(t)
		})
	}
	if p := victim.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none")); p.URL.Query().Get("code") == "" {
		t.Errorf("a forged form ended the session: %s", p.URL)
	}
}

// tried is what a failed login shows.
func tried(t *testing.T, s *porticotest.Server, username, password string, header ...string) reply {
	t.Helper()
	b := s.NewBrowser()
	at, v := loginForm(t, s, b)
	v.Set("username", username)
	v.Set("password", password)
	return send(t, s, call{method: "POST", path: at, body: v.Encode(), header: append([]string{
		"Cookie", cookieHeader(b), "Origin", s.URL, "Sec-Fetch-Site", "same-origin",
	}, header...)})
}

// perFlow are the parts of a page in which two equal ones differ.
var perFlow = regexp.MustCompile(`flow=[\w-]+|name="form_token" value="[^"]+"`)

// 11.1: unknown, wrong, empty and disabled look the same.
func TestLoginsTellNothing(t *testing.T) {
	s := porticotest.New(t)
	bob, err := s.FindUser(t.Context(), server.DemoPeople[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetUserDisabled(t.Context(), bob.ID, true); err != nil {
		t.Fatal(err)
	}
	mask := func(r reply, name string) string {
		return perFlow.ReplaceAllString(strings.ReplaceAll(r.body, name, "NAME"), "X")
	}
	var want string
	for i, name := range []string{"alice@example.com", "nobody@example.com", "bob@example.com", "xavier"} {
		password := "wrong password"
		if name == "bob@example.com" {
			password = server.DemoPassword // right, but disabled
		}
		a := tried(t, s, name, password)
		got := fmt.Sprint(a.status, len(a.header["Set-Cookie"]), a.header.Get("Cache-Control")) + mask(a, name)
		if i == 0 {
			want = got
			if !strings.Contains(got, "NAME") || a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if got != want {
			t.Errorf("11.1 %s gets another answer:\n%s\n--- others:\n%s", name, got, want)
		}
	}
}

// 11.2: one counter for all spellings, which no header resets.
func TestThrottlePerAccount(t *testing.T) {
	s := porticotest.New(t)
	for name, spellings := range map[string][]string{
		"somebody": {"alice@example.com", "ALICE@example.com", " alice@example.com ", "alice", "Alice", "alice@EXAMPLE.COM", "\talice", "ＡＬＩＣＥ"},
		"nobody":   {"nobody@example.com", "NOBODY@example.com", " nobody@example.com", "Nobody@Example.Com", "nobody@example.com ", "nobody@EXAMPLE.com", "nobody@example.COM", "nObody@example.com"},
	} {
		t.Run("11.2 "+name, func(t *testing.T) {
			limited := false
			for i := range 3 * len(spellings) {
				a := tried(t, s, spellings[i%len(spellings)], fmt.Sprint("guess ", i), "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i),
					"Forwarded", fmt.Sprintf("for=198.51.100.%d", i), "X-Real-IP", fmt.Sprintf("198.51.100.%d", i))
				if a.status == http.StatusTooManyRequests {
					limited = true
					if i > 7 {
						t.Errorf("the brake came only at try %d", i+1)
					}
					if a.header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
					break
				}
			}
			if !limited {
				t.Error("no brake")
			}
		})
	}
	if a := tried(t, s, "alice@example.com", server.DemoPassword); a.status != http.StatusTooManyRequests {
		t.Errorf("11.1 the right password under the brake tells that it is right: %d", a.status)
	}
	if a := tried(t, s, "bob@example.com", server.DemoPassword); a.status != http.StatusSeeOther {
		t.Errorf("11.2 the brake on one account stops another: %d", a.status)
	}
}

// 11.2: the source address is the peer's, whatever the headers say.
func TestForgedAddresses(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.LimitFactor = 1 }))
	limited := 0
	for i := range 25 {
		a := tried(t, s, fmt.Sprintf("nobody%d@example.com", i), "guess", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
		if a.status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("X-Forwarded-For of a stranger made twenty-five tries look like twenty-five people")
	}
}

// 11.3: a password may be long, and is answered quickly when it is too long.
func TestLongPasswords(t *testing.T) {
	s := porticotest.New(t)
	for _, password := range []string{"", strings.Repeat("p", 1024), strings.Repeat("p", 8000), strings.Repeat("pä", 7000), "with\x00NUL", "\xff\xfe"} {
		a := tried(t, s, fmt.Sprintf("nobody%d@example.com", len(password)), password)
		a.quiet(t)
		if a.status >= 500 || a.header.Get("Location") != "" {
			t.Errorf("11.3 %d bytes: %d", len(password), a.status)
		}
	}
}
