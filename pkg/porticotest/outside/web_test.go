package outside_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// 12.5, 1.16: who may read what from a script.
func TestCORS(t *testing.T) {
	s := porticotest.New(t)
	s.Register(map[string]any{"redirect_uris": []string{"https://app.example/cb"}})
	type who int
	const (
		nobody who = iota
		registered
		everybody
	)
	for path, may := range map[string]who{
		protocol.PathOpenIDConfiguration: everybody, protocol.PathOAuthServer: everybody, protocol.PathJWKS: everybody,
		protocol.PathToken: registered, protocol.PathUserinfo: registered, protocol.PathRevoke: registered,
		protocol.PathRegister: everybody, protocol.PathRegister + "/x": registered,
		protocol.PathAuthorize: nobody, protocol.PathIntrospect: nobody, protocol.PathLogout: nobody, protocol.PathLogin: nobody,
		protocol.PathConsent: nobody, protocol.PathSignup: nobody, protocol.PathLogoutConfirm: nobody, protocol.PathSignedOut: nobody, "/nothing": nobody,
	} {
		for origin, known := range map[string]bool{
			"https://app.example": true, "http://127.0.0.1:4321": true, "https://evil.example": false, "null": false,
			"https://app.example.evil.example": false, "https://evil.example/https://app.example": false, "https://APP.example": false,
			"http://app.example": false, "https://app.example:444": false, "https://app.example/": false, "https://x@app.example": false, "http://localhost.evil.example:80": false, "*": false, "https://app.example, https://evil.example": false,
		} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				t.Run(fmt.Sprintf("12.5 %s %s from %s", method, path, origin), func(t *testing.T) {
					c := call{method: method, path: path, header: []string{"Origin", origin}}
					if method == "OPTIONS" {
						c.header = append(c.header, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
					}
					a := send(t, s, c)
					got := a.header.Get("Access-Control-Allow-Origin")
					want := may == registered && known || may == everybody && origin != "null"
					switch {
					case got == "*" && may == everybody && path != protocol.PathRegister:
					case got == origin && want:
					case got == "" && !want:
					default:
						t.Errorf("Access-Control-Allow-Origin %q", got)
					}
					if a.header.Get("Access-Control-Allow-Credentials") != "" {
						t.Error("with credentials")
					}
					if got != "*" && may != nobody && !slices.Contains(a.header["Vary"], "Origin") {
						t.Errorf("Vary %q", a.header["Vary"])
					}
				})
			}
		}
	}
	off := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.Registration, c.RegistrationTokens = "token", []string{"an-initial-access-token-of-forty-letters"}
	}))
	a := send(t, off, call{method: "POST", path: protocol.PathRegister, header: []string{"Origin", "https://evil.example"}})
	if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("12.5 registration by token answers any page: %q", got)
	}
}

// 12.1, 12.2: what every answer carries, and every page besides.
func TestHeaders(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	pages := map[string]*porticotest.Page{
		"login": b.Get(s.AuthorizeURL(porticotest.Web, "openid profile email")), "error": b.Get(protocol.PathAuthorize),
		"flow unknown": b.Get("/login?flow=x"), "signed out": b.Get(protocol.PathSignedOut), "logout, a bad redirect": b.Get(protocol.PathLogout + "?post_logout_redirect_uri=x"),
		"playground": b.Get(protocol.PathPlayground), "register": b.Get("/register?flow=x"),
		"form_post": b.Get(s.AuthorizeURL(porticotest.Web, "openid", "response_mode", "form_post", "prompt", "none")),
	}
	pages["failed login"] = pages["login"].Submit(map[string]string{"username": "x", "password": "y"}, "", "")
	pages["consent"] = pages["login"].Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	pages["logout"] = b.Get(protocol.PathLogout)
	for name, p := range pages {
		t.Run("12.1 "+name, func(t *testing.T) {
			csp := p.Header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("the policy lacks %s: %s", part, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "form-action") {
				t.Errorf("policy %s", csp)
			}
			for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
				if got := p.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			for _, inline := range []string{"<style", " style=", " onclick=", "javascript:", "<script>"} {
				if strings.Contains(p.Body, inline) {
					t.Errorf("the page holds %s", inline)
				}
			}
			if p.Header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}

// 12.3, promise 7: nothing of Host, Forwarded, X-Forwarded-* or X-Request-Id
// comes back.
func TestForwardedHeadersAreNotBelieved(t *testing.T) {
	s := porticotest.New(t)
	lies := []string{
		"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443", "Forwarded", "host=evil.example;proto=https",
		"X-Original-URL", "/oauth2/jwks", "X-Rewrite-URL", "/evil", "X-Forwarded-Prefix", "/evil", "X-Host", "evil.example", "X-Request-Id", "evil-id", "X-Correlation-Id", "evil-id", "Traceparent", "00-evil0000000000000000000000000000-0000000000000001-01",
	}
	for _, c := range []call{
		{path: protocol.PathOpenIDConfiguration},
		{path: protocol.PathOAuthServer},
		{path: protocol.PathAuthorize, query: authorizeQuery(s)},
		{path: protocol.PathAuthorize, query: authorizeQuery(s, "prompt", "none")},
		{path: protocol.PathAuthorize},
		{path: protocol.PathLogout},
		{path: "/"},
		{path: "/nothing"},
		{method: "POST", path: protocol.PathAuthorize, body: authorizeQuery(s)},
		{method: "POST", path: protocol.PathToken, body: "grant_type=x"},
		{method: "POST", path: protocol.PathRegister, body: `{"redirect_uris":["https://a.example/cb"]}`, header: []string{"Content-Type", "application/json"}},
	} {
		c.header = append(c.header, lies...)
		a := send(t, s, c)
		all := a.body
		for name, values := range a.header {
			all += name + ": " + strings.Join(values, ",") + "\n"
		}
		if strings.Contains(all, "evil") {
			t.Errorf("12.3 %s: %.600s", c.path, all)
		}
	}
}

// 7.1, 7.2: a logout leads nowhere that is not registered for its client.
func TestLogoutRedirects(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	got := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid"))
	good := "http://127.0.0.1/signed-out"
	other := s.Register(map[string]any{"post_logout_redirect_uris": []string{"https://other.example/out"}})
	for _, uri := range []string{
		"https://evil.example", good + "/", good + "?x=1", good + "#x", good + "%00", "http://127.0.0.1:8080/signed-out", "HTTP://127.0.0.1/signed-out", "http://127.0.0.1//signed-out",
		"https://127.0.0.1/signed-out", "//evil.example", "/\\evil.example", "javascript:alert(1)", "https://other.example/out", porticotest.Callback, s.URL, "/login", "http://user@127.0.0.1/signed-out",
	} {
		for name, extra := range map[string][]string{
			"client": {"client_id", server.DemoWeb}, "hint": {"id_token_hint", got.Text("id_token")}, "nobody": nil, "both": {"client_id", server.DemoWeb, "id_token_hint", got.Text("id_token")},
			"mismatch": {"client_id", other.ID, "id_token_hint", got.Text("id_token")},
		} {
			for _, path := range []string{protocol.PathLogout, protocol.PathLogoutConfirm} {
				if path == protocol.PathLogoutConfirm && name == "hint" {
					continue // it takes no hint: as nobody
				}
				for _, cookies := range []string{"", cookieHeader(b)} {
					a := send(t, s, call{path: path, query: pairs(append([]string{"post_logout_redirect_uri", uri, "state", "x"}, extra...)...), header: []string{"Cookie", cookies}})
					if uri == "https://other.example/out" && name == "mismatch" && path == protocol.PathLogoutConfirm {
						continue // there it is other's own
					}
					if a.header.Get("Location") != "" || a.status != http.StatusBadRequest {
						t.Errorf("7.2 %s by %s to %s: %d %q", path, name, uri, a.status, a.header.Get("Location"))
					}
				}
			}
		}
	}
	for name, extra := range map[string]string{"nothing": "", "a client": "client_id=" + server.DemoWeb, "bob's word": "logout_hint=alice@example.com"} {
		if p := b.Get(protocol.PathLogout + "?" + extra); !p.Has("logout-confirm") {
			t.Errorf("7.1 %s ends the session without asking: %s", name, p.Text())
		}
	}
	for name, hint := range map[string]string{"an access token": got.Text("access_token"), "rubbish": "x", "alg none": b64(map[string]any{"alg": "none"}) + "." + strings.Split(got.Text("id_token"), ".")[1] + "."} {
		if p := b.Get(protocol.PathLogout + "?" + url.Values{"id_token_hint": {hint}}.Encode()); p.Status != http.StatusBadRequest {
			t.Errorf("7.1 %s as a hint: %d %s", name, p.Status, p.Text())
		}
	}
	bob := s.NewBrowser()
	bob.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[1])
	if p := bob.Get(protocol.PathLogout + "?" + url.Values{"id_token_hint": {got.Text("id_token")}, "post_logout_redirect_uri": {good}}.Encode()); p.Left {
		t.Error("7.1 alice's hint ends bob's session unasked")
	}
	p := b.Get(protocol.PathLogout + "?" + url.Values{"id_token_hint": {got.Text("id_token")}, "post_logout_redirect_uri": {good}, "state": {"a b&c"}}.Encode())
	if p.URL.String() != good+"?state=a+b%26c" && p.Header.Get("Location") != good+"?state=a+b%26c" {
		t.Errorf("RP-Initiated Logout §3: %d %s", p.Status, p.URL)
	}
}

// 0.4: one address cannot make us keep requests for ever.
func TestOpeningLoginsForEver(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.LimitFactor = 1 }))
	for i := range 700 {
		c := call{path: protocol.PathAuthorize, query: authorizeQuery(s), header: []string{"X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i%250)}}
		if i%2 == 1 {
			c = call{method: "POST", path: protocol.PathAuthorize, body: authorizeQuery(s)}
		}
		a := send(t, s, c)
		if a.status == http.StatusTooManyRequests {
			a.refused(t)
			if a.header.Get("Retry-After") == "" || i < 500 {
				t.Errorf("at %d: %v", i, a.header)
			}
			if q := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "prompt", "none")}); answer(t, q.header.Get("Location")).Get("error") != protocol.ErrLoginRequired {
				t.Errorf("what needs no page is stopped too: %d", q.status)
			}
			return
		}
	}
	t.Error("seven hundred logins were opened by one address")
}

// 14.2: after all kinds of use the log holds nothing that opens anything.
func TestLogHoldsNoSecret(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	made := s.SendJSON("POST", protocol.PathRegister, "", map[string]any{"redirect_uris": []string{porticotest.Callback}, "client_name": "An application", "contacts": []string{"contact@example.com"}})
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid email offline_access", "state", "a-secret-state", "nonce", "a-secret-nonce", "login_hint", "hinted@example.com"))
	_, hidden := form(t, page)
	page.Submit(map[string]string{"username": "alice@example.com", "password": "a-wrong-password-1"}, "", "")
	page.Submit(map[string]string{"username": "typed-the-password-here", "password": ""}, "", "")
	code := s.Code(b, porticotest.Web, "openid email offline_access")
	s.Exchange(porticotest.SPA, code)
	got := s.Exchange(porticotest.Web, code)
	next := s.Refresh(porticotest.Web, got.Text("refresh_token"))
	s.Fetch(protocol.PathUserinfo, next.Text("access_token"))
	s.Fetch(protocol.PathUserinfo+"?access_token="+next.Text("access_token"), "")
	s.Fetch(protocol.PathToken+"?client_secret=a-secret-in-the-query&code="+code, "")
	s.Introspect(porticotest.Machine, next.Text("access_token"))
	send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "id_token_hint", got.Text("id_token")+"x")})
	send(t, s, call{path: "/x%0a{\"level\":\"forged\"}", header: []string{"User-Agent", "agent\u0085 forged", "X-Forwarded-For", "forged", "Cookie", "portico_session=" + cookie(b, "portico_session")}})
	send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs("grant_type", "client_credentials", "client_id", "demo-service", "client_secret", "a-wrong-client-secret")})
	send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs("grant_type", "refresh_token", "refresh_token", next.Text("refresh_token"), "client_id", "unknown\r\nclient")})
	s.Revoke(porticotest.Web, next.Text("refresh_token"))
	cookies := map[string]string{"session": cookie(b, "portico_session"), "browser": cookie(b, "portico_browser"), "known": cookie(b, "portico_known")}
	b.Get(protocol.PathLogout).Submit(nil, "decision", "logout")
	s.Stop()
	text := s.Log.String()
	secrets := map[string]string{
		"code": code, "access token": got.Text("access_token"), "refresh token": got.Text("refresh_token"), "next access token": next.Text("access_token"), "next refresh token": next.Text("refresh_token"),
		"ID token": got.Text("id_token"), "password": server.DemoPassword, "wrong password": "a-wrong-password-1", "password as a name": "typed-the-password-here", "client secret": server.DemoWebSecret,
		"machine secret": server.DemoServiceSecret, "wrong secret": "a-wrong-client-secret", "secret in the query": "a-secret-in-the-query", "registered secret": made.Text("client_secret"),
		"registration token": made.Text("registration_access_token"), "verifier": porticotest.Verifier, "state": "a-secret-state", "nonce": "a-secret-nonce", "form token": hidden.Get("form_token"),
		"flow": page.URL.Query().Get("flow"), "hint": "hinted@example.com", "e-mail": "alice@example.com", "contact": "contact@example.com", "name": "Alice Example", "encryption key": porticotest.EncryptionKey,
		"jti of the access token": strings.Split(got.Text("access_token")+"..", ".")[1],
	}
	for name, value := range cookies {
		secrets["cookie "+name] = value
	}
	for name, value := range secrets {
		if value == "" {
			t.Errorf("nothing to look for: %s", name)
		} else if at := strings.Index(text, value); at >= 0 {
			t.Errorf("14.2 the log holds the %s: ...%s", name, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if !strings.HasPrefix(line, "{") || strings.HasPrefix(line, `{"level":"forged"`) {
			t.Errorf("14.2 a record that is not one line of JSON: %.200s", line)
		}
	}
}
