package outside_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// call is one request, byte by byte as a stranger may write it.
type call struct {
	method, path, query, body string
	header                    []string // name, value, ...
}

// reply is what came back, redirects not followed.
type reply struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// stranger sends requests without cookies.
var stranger = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       20 * time.Second,
}

const formType = "application/x-www-form-urlencoded"

// send sends the call to the server.
func send(t *testing.T, s *porticotest.Server, c call) reply {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	target := s.URL + c.path
	if c.query != "" {
		target += "?" + c.query
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, target, body)
	if err != nil {
		t.Fatalf("%s %q: %v", c.method, target, err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", formType)
	}
	for i := 0; i+1 < len(c.header); i += 2 {
		switch c.header[i] {
		case "Host":
			req.Host = c.header[i+1]
		case "Content-Type":
			req.Header.Set(c.header[i], c.header[i+1])
		default:
			req.Header.Add(c.header[i], c.header[i+1])
		}
	}
	started := time.Now()
	res, err := stranger.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(raw), time.Since(started)}
}

// slow is longer than any refusal may take, on a busy machine too.
const slow = 5 * time.Second

// internals is what no answer may show: stacks, SQL, files, library words.
var internals = regexp.MustCompile(`goroutine \d|\.go:\d+|panic|runtime error|(?i:\bsqlite|\bpgx|\bredis\b|select .+ from |insert into|constraint failed)|fosite|gorm|go-jose|json: |strconv\.|net/http|/tmp/|/home/|/roo[t]/|dial tcp|connection refused|no such host`)

// refused checks what holds for every refusal: a 4xx, quickly, with nothing
// internal, not cached, and no redirect but to the registered callback.
func (r reply) refused(t *testing.T) {
	t.Helper()
	if to := r.header.Get("Location"); r.status >= 300 && r.status < 400 {
		if !strings.HasPrefix(to, porticotest.Callback+"?") && !strings.HasPrefix(to, porticotest.Callback+"#") {
			t.Errorf("redirect to %q, which is registered nowhere", to)
		}
		if u, err := url.Parse(to); err != nil || u.Query().Get("error") == "" && !strings.Contains(u.Fragment, "error=") {
			t.Errorf("redirect to %q without an error", to)
		}
	} else if r.status < 400 || r.status > 499 {
		t.Errorf("status %d, want a 4xx: %.300s", r.status, r.body)
	}
	r.quiet(t)
	// net/http answers 431 by itself before we see the request.
	if cc := r.header.Get("Cache-Control"); !strings.Contains(cc, "no-store") && r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("Cache-Control %q on a refusal (%d), want no-store", cc, r.status)
	}
}

// quiet checks that nothing internal is told, and that it was told soon.
func (r reply) quiet(t *testing.T) {
	t.Helper()
	told := r.body + r.header.Get("Location") + r.header.Get("WWW-Authenticate")
	if id := r.header.Get("X-Request-Id"); id != "" {
		told = strings.ReplaceAll(told, id, "") // random letters may spell anything
	}
	if found := internals.FindString(told); found != "" {
		t.Errorf("the answer shows %q: %.500s", found, r.body)
	}
	if r.took > slow {
		t.Errorf("took %s", r.took)
	}
	for _, name := range []string{"Server", "X-Powered-By"} {
		if v := r.header.Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// oauthError checks that the refusal is a JSON error of the code.
func (r reply) oauthError(t *testing.T, status int, code string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, `"error":"`+code+`"`) {
		t.Errorf("answer %d %.300s, want %d %s", r.status, r.body, status, code)
	}
	r.refused(t)
}

// endpoint is an address of the public listener, with a call of its kind.
type endpoint struct {
	path    string
	methods string // that it knows, besides OPTIONS
	json    bool   // takes JSON
	page    bool   // answers with HTML
	basic   bool   // takes client authentication
	query   bool   // takes parameters in the query
	params  []string
}

// endpoints are all that take parameters.
var endpoints = []endpoint{
	{path: protocol.PathAuthorize, methods: "GET POST", page: true, query: true, params: []string{
		"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "prompt", "max_age", "display", "ui_locales",
		"claims_locales", "id_token_hint", "login_hint", "acr_values", "claims", "registration", "request", "request_uri",
		"response_mode", "code_challenge", "code_challenge_method", "dpop_jkt", "request_ref",
	}},
	{path: protocol.PathToken, methods: "POST", basic: true, params: []string{
		"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "client_id", "client_secret",
		"client_assertion", "client_assertion_type", "resource", "audience",
	}},
	{path: protocol.PathIntrospect, methods: "POST", basic: true, params: []string{
		"token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type",
	}},
	{path: protocol.PathRevoke, methods: "POST", basic: true, params: []string{
		"token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type",
	}},
	{path: protocol.PathUserinfo, methods: "GET POST", params: []string{"access_token"}},
	{path: protocol.PathRegister, methods: "POST", json: true},
	{path: protocol.PathLogout, methods: "GET POST", page: true, query: true, params: []string{
		"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint",
	}},
	{path: protocol.PathLogoutConfirm, methods: "GET HEAD", page: true, query: true, params: []string{"client_id", "post_logout_redirect_uri", "state"}},
	{path: protocol.PathLogin, methods: "GET HEAD POST", page: true, params: []string{"flow", "username", "password", "form_token"}},
	{path: protocol.PathLogin + "/account", methods: "GET HEAD POST", page: true, params: []string{"flow", "decision"}},
	{path: protocol.PathConsent, methods: "GET HEAD POST", page: true, params: []string{"flow", "decision"}},
	{path: protocol.PathSignup, methods: "GET HEAD POST", page: true, params: []string{"flow", "name", "email", "password", "username", "terms", "invitation"}},
	{path: protocol.PathSignupConfirm, methods: "GET HEAD POST", page: true, params: []string{"flow", "link", "code", "proven", "decision"}},
	{path: protocol.PathTerms, methods: "GET HEAD POST", page: true, params: []string{"flow", "decision"}},
}

// pairs writes parameters in the order given.
func pairs(kv ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(kv); i += 2 {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(kv[i]) + "=" + url.QueryEscape(kv[i+1]))
	}
	return b.String()
}

// authorizeQuery is a good authorization request of the demo client.
func authorizeQuery(s *porticotest.Server, extra ...string) string {
	_, q, _ := strings.Cut(s.AuthorizeURL(porticotest.Web, "openid", extra...), "?")
	return q
}

// basicAuth is the Authorization header of an application.
func basicAuth(app porticotest.App) string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(url.QueryEscape(app.ID), url.QueryEscape(app.Secret))
	return req.Header.Get("Authorization")
}

var requestID = regexp.MustCompile(`[A-Za-z0-9_-]{22}`)

// maskID hides the request id, in which two equal answers differ.
func maskID(body string) string { return requestID.ReplaceAllString(body, "ID") }
