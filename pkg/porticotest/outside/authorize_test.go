package outside_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// 1.1, 1.2: nothing but a registered redirect URI is ever answered.
func TestRedirectsOnlyToRegistered(t *testing.T) {
	s := porticotest.New(t)
	for _, uri := range []string{
		"http://127.0.0.1:80@evil.example/callback", "http://127.0.0.1@evil.example/callback", "http://user@127.0.0.1:1/callback",
		"http://127.0.0.1:1/callback#", "http://127.0.0.1:1/callback#x", "http://127.0.0.1:1/callback?", "http://127.0.0.1:1/callback?x=1",
		"http://127.0.0.1:1/callback/", "http://127.0.0.1:1/callback/../callback", "http://127.0.0.1:1/%63allback", "http://127.0.0.1:1//callback",
		"http://127.0.0.1:1/Callback", "HTTP://127.0.0.1:1/callback", "http:/127.0.0.1:1/callback", "http:127.0.0.1/callback",
		"http://127.0.0.1:1\\@evil.example/callback", "http://127.0.0.1\\.evil.example/callback", "http:\\\\127.0.0.1\\callback",
		"http://127.0.0.1.evil.example/callback", "http://evil.example/http://127.0.0.1/callback", "http://evil.example?http://127.0.0.1/callback",
		"http://localhost/callback", "http://localhost:1/callback", "http://LOCALHOST/callback", "http://[::1]/callback", "http://[::1]:1/callback",
		"http://[::ffff:127.0.0.1]/callback", "http://127.1/callback", "http://127.0.0.2/callback", "http://2130706433/callback", "http://0x7f.0.0.1/callback",
		"http://0177.0.0.1/callback", "http://127.0.0.1:/callback", "http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback",
		"http://127.0.0.1:080/callback", "http://127.0.0.1:+80/callback", "http://127.0.0.1:8 0/callback", "http://127.0.0.1:99999999999999999999/callback",
		"http://[127.0.0.1]/callback", "http://127.0.0.1%2eevil.example/callback", "https://127.0.0.1/callback", "https://127.0.0.1:1/callback",
		"//127.0.0.1/callback", "/callback", "callback", "javascript:alert(1)//http://127.0.0.1/callback", "data:text/html,x", "http://127.0.0.1/callback ",
		" http://127.0.0.1/callback", "http://127.0.0.1:1/callback;x", "http://127.0.0.1:1/callback%00", "http://127.0.0.1:1/callback%0d%0aX:y",
		"http://127.0.0.1:1/call%2562ack", "http://127.0.0.1:1/callback%23", "http://127.0.0.1:٣/callback", "http://127.0.0.1：80/callback",
		s.URL + "/playground/callback?", s.URL + "/playground/callback/", strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/playground/callback",
		s.URL, s.URL + "/", "urn:ietf:wg:oauth:2.0:oob", "null", "about:blank", "file:///etc/passwd", "ws://127.0.0.1/callback",
	} {
		for _, mode := range []string{"", "fragment", "form_post"} {
			t.Run("1.2 "+uri+" "+mode, func(t *testing.T) {
				for _, extra := range [][]string{{}, {"prompt", "none"}, {"response_type", "nonsense"}} {
					a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s,
						append([]string{"redirect_uri", uri, "response_mode", mode}, extra...)...)})
					if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || strings.Contains(a.body, "<form") {
						t.Errorf("%d to %q, want our own page: %.300s", a.status, a.header.Get("Location"), a.body)
					}
					if !strings.Contains(a.body, "cannot continue") {
						t.Errorf("the page does not say that it cannot continue")
					}
					a.refused(t)
				}
			})
		}
	}
	for _, uri := range []string{"http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", s.URL + "/playground/callback"} {
		a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "redirect_uri", uri, "prompt", "none")})
		if !strings.HasPrefix(a.header.Get("Location"), uri+"?") {
			t.Errorf("RFC 8252 §7.3 %s: %d %q", uri, a.status, a.header.Get("Location"))
		}
	}
	// "localhost" is a name and gets no free port (RFC 8252 §8.3); [::1] does.
	app := s.Register(map[string]any{"redirect_uris": []string{"http://localhost:7000/cb?a=b", "http://[::1]/cb"}})
	for uri, ok := range map[string]bool{
		"http://localhost:7000/cb?a=b": true, "http://localhost:7001/cb?a=b": false, "http://localhost/cb?a=b": false, "http://127.0.0.1:7000/cb?a=b": false,
		"http://[::1]:4711/cb": true, "http://[::1]/cb": true, "http://[0:0:0:0:0:0:0:1]/cb": false, "http://[::1%25lo]/cb": false, "http://[::1]:4711/cb?": false,
	} {
		a := send(t, s, call{path: protocol.PathAuthorize, query: pairs("prompt", "none", "client_id", app.ID, "redirect_uri", uri, "response_type", "code", "scope", "openid")})
		if got := strings.HasPrefix(a.header.Get("Location"), uri); got != ok {
			t.Errorf("1.2 %s: answered %v, want %v (%d %s)", uri, got, ok, a.status, a.header.Get("Location"))
		}
	}
}

// 1.1: a client that is not known here is no better than no client.
func TestUnknownClientsGetOurPage(t *testing.T) {
	s := porticotest.New(t)
	var length int
	for _, id := range []string{"", "nobody", "DEMO-WEB", "demo-web ", "demo-web%00", "demo-we", "demo-web'--", "../demo-web", "demo-web/", "*", "%"} {
		a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "client_id", id)})
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("client %q: %d %q", id, a.status, a.header.Get("Location"))
		}
		if id == "" {
			continue
		}
		if length != 0 && len(a.body) != length {
			t.Errorf("client %q: a page of %d bytes, others have %d: the page repeats or tells something", id, len(a.body), length)
		}
		length = len(a.body)
	}
}

// answer reads what an authorization redirect says to the application.
func answer(t *testing.T, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	if u.Fragment != "" {
		v, _ := url.ParseQuery(u.EscapedFragment())
		return v
	}
	return u.Query()
}

// Every refusal that goes to the application carries error, iss and exactly
// the state that was sent.
func TestAuthorizationErrors(t *testing.T) {
	s := porticotest.New(t)
	challenge := porticotest.Challenge(porticotest.Verifier)
	tests := map[string]struct {
		extra []string
		want  string
	}{
		"1.5 no challenge":                          {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"1.5 plain":                                 {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"1.5 no method means plain":                 {[]string{"code_challenge_method", ""}, "invalid_request"},
		"1.5 s256 in small letters":                 {[]string{"code_challenge_method", "s256"}, "invalid_request"},
		"1.5 a method alone":                        {[]string{"code_challenge", ""}, "invalid_request"},
		"1.5 a short challenge":                     {[]string{"code_challenge", challenge[:42]}, "invalid_request"},
		"1.5 a long challenge":                      {[]string{"code_challenge", challenge + "A"}, "invalid_request"},
		"1.5 a padded challenge":                    {[]string{"code_challenge", challenge[:42] + "="}, "invalid_request"},
		"1.5 a challenge in base64":                 {[]string{"code_challenge", challenge[:42] + "+"}, "invalid_request"},
		"1.6 token":                                 {[]string{"response_type", "token"}, "unsupported_response_type"},
		"1.6 id_token":                              {[]string{"response_type", "id_token"}, "unsupported_response_type"},
		"1.6 code id_token":                         {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"1.6 code token":                            {[]string{"response_type", "code token"}, "unsupported_response_type"},
		"1.6 none":                                  {[]string{"response_type", "none"}, "unsupported_response_type"},
		"1.6 code code":                             {[]string{"response_type", "code code"}, "unsupported_response_type"},
		"1.6 Code":                                  {[]string{"response_type", "Code"}, "unsupported_response_type"},
		"1.6 absent":                                {[]string{"response_type", ""}, "invalid_request"},
		"1.8 none login":                            {[]string{"prompt", "none login"}, "invalid_request"},
		"1.8 consent none":                          {[]string{"prompt", "consent none"}, "invalid_request"},
		"1.8 an unknown prompt":                     {[]string{"prompt", "nothing"}, "invalid_request"},
		"1.8 None":                                  {[]string{"prompt", "None"}, "invalid_request"},
		"1.8 none of nobody":                        {[]string{"prompt", "none"}, "login_required"},
		"1.9 max_age negative":                      {[]string{"max_age", "-1"}, "invalid_request"},
		"1.9 max_age a fraction":                    {[]string{"max_age", "1.5"}, "invalid_request"},
		"1.9 max_age with exponent":                 {[]string{"max_age", "1e3"}, "invalid_request"},
		"1.9 max_age NaN":                           {[]string{"max_age", "NaN"}, "invalid_request"},
		"1.9 max_age blank":                         {[]string{"max_age", " 1"}, "invalid_request"},
		"1.9 max_age hex":                           {[]string{"max_age", "0x10"}, "invalid_request"},
		"1.10 a hint that is no token":              {[]string{"id_token_hint", "x"}, "invalid_request"},
		"1.10 an unsigned hint":                     {[]string{"id_token_hint", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}, "invalid_request"},
		"OIDC Core §6.1 request":                    {[]string{"request", "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"},
		"OIDC Core §6.2 request_uri":                {[]string{"request_uri", "http://127.0.0.1:9/x"}, "request_uri_not_supported"},
		"OIDC Core §7.2.1 registration":             {[]string{"registration", "{}"}, "registration_not_supported"},
		"OIDC Core §5.5 claims no JSON":             {[]string{"claims", "{"}, "invalid_request"},
		"OIDC Core §5.5 claims a list":              {[]string{"claims", "[]"}, "invalid_request"},
		"OIDC Core §5.5 claims of a wrong type":     {[]string{"claims", `{"id_token":{"acr":5}}`}, "invalid_request"},
		"OIDC Core §5.5 claims too deep":            {[]string{"claims", strings.Repeat(`{"id_token":`, 150) + "1" + strings.Repeat("}", 150)}, "invalid_request"},
		"1.11 an essential acr that nobody reaches": {[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:high"]}}}`}, "unmet_authentication_requirements"},
		"RFC 6749 §3.3 only a blank":                {[]string{"scope", " "}, "invalid_scope"},
		"RFC 6749 §3.3 a quote":                     {[]string{"scope", `openid "x"`}, "invalid_scope"},
		"RFC 6749 §3.3 a backslash":                 {[]string{"scope", `openid a\b`}, "invalid_scope"},
		"RFC 6749 §3.3 not ASCII":                   {[]string{"scope", "openid ordërs"}, "invalid_scope"},
		"RFC 6749 §3.3 unknown without openid":      {[]string{"scope", "nonsense"}, "invalid_scope"},
		"RFC 8707 §2 an unknown resource":           {[]string{"resource", "https://other.example"}, "invalid_target"},
		"RFC 8707 §2 a fragment":                    {[]string{"resource", "https://orders.example.test#x"}, "invalid_target"},
		"RFC 8707 §2 relative":                      {[]string{"resource", "orders"}, "invalid_target"},
		"RFC 8707 §2 with a slash":                  {[]string{"resource", "https://orders.example.test/"}, "invalid_target"},
		"RFC 8707 §2 in capitals":                   {[]string{"resource", "https://ORDERS.example.test"}, "invalid_target"},
		"response_mode unknown":                     {[]string{"response_mode", "smoke"}, "invalid_request"},
		"response_mode web_message":                 {[]string{"response_mode", "web_message"}, "invalid_request"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, state := range []string{"", `a b&iss=https://evil.example#"<>'%0d%0a&code=1`, "ключ"} {
				a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, append(tt.extra, "state", state)...)})
				to := a.header.Get("Location")
				got := answer(t, to)
				if got.Get("error") != tt.want || got.Get("iss") != s.URL || len(got["iss"]) != 1 || got.Get("code") != "" {
					t.Errorf("%d %s, want %s", a.status, to, tt.want)
				}
				if got.Get("state") != state || got.Has("state") != (state != "") {
					t.Errorf("1.7 state %q came back as %q", state, got["state"])
				}
				a.refused(t)
			}
		})
	}
}

// The fragment and the form get errors as well as codes.
func TestErrorsInEveryResponseMode(t *testing.T) {
	s := porticotest.New(t)
	state := `"><script>alert(1)</script>&x=1`
	a := send(t, s, call{path: protocol.PathAuthorize, query: authorizeQuery(s, "prompt", "none", "response_mode", "fragment", "state", state)})
	if got := answer(t, a.header.Get("Location")); !strings.HasPrefix(a.header.Get("Location"), porticotest.Callback+"#") || got.Get("error") != "login_required" || got.Get("state") != state {
		t.Errorf("fragment: %s", a.header.Get("Location"))
	}
	p := s.NewBrowser().Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none", "response_mode", "form_post", "state", state))
	if strings.Contains(p.Body, "<script>alert") || !strings.Contains(p.Body, `action="`+porticotest.Callback+`"`) || !strings.Contains(p.Body, "login_required") {
		t.Errorf("form_post: %s", p.Body)
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(p.Header.Get("Content-Security-Policy"), part) {
			t.Errorf("12.1 the form_post page lacks %s: %s", part, p.Header.Get("Content-Security-Policy"))
		}
	}
}

// 1.8, 1.9, 1.10: who is signed in is an answer only to whom it was asked.
func TestPromptsAndHints(t *testing.T) {
	s := porticotest.New(t)
	alice, bob := s.NewBrowser(), s.NewBrowser()
	tokens := s.Exchange(porticotest.Web, s.Code(alice, porticotest.Web, "openid profile offline_access"))
	bob.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[1])
	hint := tokens.Text("id_token")
	other := s.Register(map[string]any{"token_endpoint_auth_method": "client_secret_basic"})
	foreign := s.Exchange(other, s.Code(alice, other, "openid")).Text("id_token")
	forged := hint[:len(hint)-6] + "AAAAAA"
	tests := map[string]struct {
		b     *porticotest.Browser
		extra []string
		want  string // error, or "" for a code
	}{
		"none of who has allowed it":       {alice, []string{"prompt", "none", "scope", "openid profile"}, ""},
		"none with more scope":             {alice, []string{"prompt", "none", "scope", "openid email"}, "consent_required"},
		"none with more claims":            {alice, []string{"prompt", "none", "claims", `{"userinfo":{"phone_number":null}}`}, "consent_required"},
		"none with another resource":       {alice, []string{"prompt", "none", "resource", server.DemoAPI}, "consent_required"},
		"none with max_age 0":              {alice, []string{"prompt", "none", "max_age", "0"}, "login_required"},
		"none with a large max_age":        {alice, []string{"prompt", "none", "max_age", "99999999999999999999"}, ""},
		"none with her hint":               {alice, []string{"prompt", "none", "id_token_hint", hint}, ""},
		"1.10 none with the hint of alice": {bob, []string{"prompt", "none", "id_token_hint", hint}, "login_required"},
		"1.10 a hint of another client":    {alice, []string{"prompt", "none", "id_token_hint", foreign}, "invalid_request"},
		"1.10 a forged hint":               {alice, []string{"prompt", "none", "id_token_hint", forged}, "invalid_request"},
		"1.10 an access token as a hint":   {alice, []string{"prompt", "none", "id_token_hint", tokens.Text("access_token")}, "invalid_request"},
		"1.10 a refresh token as a hint":   {alice, []string{"prompt", "none", "id_token_hint", tokens.Text("refresh_token")}, "invalid_request"},
		"sub of somebody else":             {bob, []string{"prompt", "none", "claims", `{"id_token":{"sub":{"value":"` + subOf(t, hint) + `"}}}`}, "login_required"},
		"1.11 acr_values nobody reaches":   {alice, []string{"prompt", "none", "acr_values", "urn:high 9"}, ""},
		"1.12 none at a new client":        {alice, []string{"prompt", "none", "client_id", server.DemoSPA}, "consent_required"},
		"none, a login_hint of anybody":    {alice, []string{"prompt", "none", "login_hint", "bob@example.com"}, ""},
		"none and select_account":          {alice, []string{"prompt", "none select_account"}, "invalid_request"},
		"none and none":                    {alice, []string{"prompt", "none none"}, ""},
		"scope in another order and twice": {alice, []string{"prompt", "none", "scope", "profile openid profile"}, ""},
		"unknown scopes beside openid":     {alice, []string{"prompt", "none", "scope", "openid nonsense:all"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := tt.b.Get(s.AuthorizeURL(porticotest.Web, "openid", tt.extra...))
			if q := p.URL.Query(); !p.Left || q.Get("error") != tt.want || (q.Get("code") == "") == (tt.want == "") {
				t.Errorf("%d %s, want error %q", p.Status, p.URL, tt.want)
			}
		})
	}
	for _, prompt := range []string{"login", "select_account", "consent", "create", "login consent", "consent login select_account"} {
		t.Run("1.9 prompt="+prompt+" shows a page", func(t *testing.T) {
			p := alice.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", prompt))
			if p.Left || p.Status != http.StatusOK {
				t.Fatalf("%d %s", p.Status, p.URL)
			}
			// Editing the address skips nothing: the flow knows what is missing.
			for _, path := range []string{"/login", "/login/account", "/consent", "/register"} {
				q := alice.Get(path + "?" + p.URL.RawQuery)
				if q.Left && q.URL.Query().Get("code") != "" {
					t.Errorf("%s gives a code", path)
				}
			}
			// Nor does the address asked for, with the prompt taken away.
			if p := alice.Get(p.URL.Path + "?" + p.URL.RawQuery + "&prompt=none"); p.Left && p.URL.Query().Get("code") != "" {
				t.Error("a code for prompt=none beside the flow")
			}
		})
	}
}
