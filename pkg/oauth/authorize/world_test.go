package authorize_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth/authorize"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/web"
)

const (
	issuer    = "https://id.example.test/tenant"
	shopBack  = "https://shop.test/cb?from=portico&x=%2F"
	orders    = "https://orders.example.test"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
)

var (
	errDown   = fault.New(fault.Unavailable, "temporarily_unavailable", "Try again in a moment.")
	errAbsent = fault.New(fault.NotFound, "not_found", "There is no such thing.")
	errLost   = fault.New(fault.Conflict, "conflict", "Somebody was first.")
)

// world is the endpoint with everything around it in memory.
type world struct {
	t        testing.TB
	kit      *web.Kit
	flows    *flow.Service
	records  *records
	clients  clients
	apis     *apis
	sessions *sessions
	users    users
	consents *consents
	codes    *codes
	hints    hints
	health   *health
	next     *dispatcher
	finisher *authorize.Finisher
	refused  *refused
	handler  http.Handler
	pkce     bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, records: &records{m: map[string]flow.Record{}}, clients: testClients(), apis: &apis{list: testAPIs()},
		sessions: &sessions{m: map[string]session.Session{}}, consents: &consents{}, codes: &codes{}, hints: testHints(),
		health: &health{}, refused: &refused{},
		users: users{
			"alice": {ID: "alice", Email: "alice@example.com", Roles: []string{"clerk"}},
			"bob":   {ID: "bob", Email: "bob@example.com"},
			"gone":  {ID: "gone", Disabled: true},
		},
	}
	w.build()
	return w
}

func (w *world) build() {
	iss, err := url.Parse(issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	w.kit, err = web.New(web.Config{
		Issuer: iss, FormKey: bytes.Repeat([]byte{1}, 32), Explain: w.refused, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.flows = flow.NewService(w.records, secret.NewFingerprinter(bytes.Repeat([]byte{7}, 32)), flow.Config{})
	w.next = &dispatcher{flows: w.flows}
	w.finisher = authorize.NewFinisher(authorize.FinisherDeps{
		Issuer: issuer, Kit: w.kit, Clients: w.clients, Scopes: scope.NewService(w.apis, scope.Config{Issuer: issuer, CacheTTL: time.Nanosecond}),
		Flows: w.flows, Sessions: w.sessions, Users: w.users, Consents: w.consents, Codes: w.codes, Health: w.health,
	})
	h := authorize.New(authorize.Deps{Finisher: w.finisher, Dispatcher: w.next, Hints: w.hints, PKCERequired: w.pkce})
	w.handler = w.kit.Trail(w.kit.OpenPages(h.Authorize))
}

// browser is a person's browser with its two cookies.
type browser struct{ browser, session string }

// signIn starts a session of the person and returns the browser that has it.
func (w *world) signIn(userID string, ago time.Duration) browser {
	b := browser{browser: secret.New(secret.BrowserCookie), session: secret.New(secret.SessionCookie)}
	now := time.Now()
	w.sessions.m[b.session] = session.Session{
		ID: "sid-" + userID, UserID: userID, AuthTime: now.Add(-ago), ACR: "1", AMR: []string{"pwd"},
		IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(24 * time.Hour),
	}
	return b
}

func (b browser) cookies(r *http.Request) {
	if b.browser != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-portico_browser", Value: b.browser})
	}
	if b.session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-portico_session", Value: b.session})
	}
}

func (w *world) do(r *http.Request, b browser) *http.Response {
	w.t.Helper()
	b.cookies(r)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Result()
}

func (w *world) get(params url.Values, b browser) *http.Response {
	w.t.Helper()
	return w.do(httptest.NewRequest(http.MethodGet, "https://id.example.test/oauth2/authorize?"+params.Encode(), nil), b)
}

// good is a request that nothing is wrong with; with changes it: pairs of name
// and value, where an empty value takes the parameter away.
func good(with ...string) url.Values {
	v := url.Values{
		"client_id": {"shop"}, "redirect_uri": {shopBack}, "response_type": {"code"}, "scope": {"openid email"},
		"state": {"s t&a=te"}, "nonce": {"n"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(with); i += 2 {
		if with[i+1] == "" {
			v.Del(with[i])
		} else {
			v.Set(with[i], with[i+1])
		}
	}
	return v
}

func testClients() clients {
	zero := 0
	all := []string{"openid", "email", "offline_access", "orders:read", "orders:admin"}
	code, refresh := []string{"authorization_code"}, []string{"authorization_code", "refresh_token"}
	return clients{
		"shop":   {ID: "shop", Name: "Shop", AuthMethod: "client_secret_basic", RedirectURIs: []string{shopBack, "https://shop.test/other", "com.example.shop:/cb"}, GrantTypes: refresh, ResponseTypes: []string{"code"}, Scopes: all, Audiences: []string{orders}},
		"spa":    {ID: "spa", AuthMethod: "none", PKCEOptional: true, RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]/cb"}, GrantTypes: code, Scopes: all},
		"old":    {ID: "old", AuthMethod: "client_secret_basic", PKCEOptional: true, RedirectURIs: []string{"https://old.test/cb"}, GrantTypes: code, Scopes: all},
		"own":    {ID: "own", AuthMethod: "client_secret_basic", SkipConsent: true, RedirectURIs: []string{"https://own.test/cb"}, GrantTypes: refresh, Scopes: all},
		"strict": {ID: "strict", AuthMethod: "client_secret_basic", DefaultMaxAge: &zero, DefaultACRValues: []string{"1"}, RedirectURIs: []string{"https://strict.test/cb"}, GrantTypes: code, Scopes: all},
		"robot":  {ID: "robot", AuthMethod: "client_secret_basic", RedirectURIs: []string{"https://robot.test/cb"}, GrantTypes: []string{"client_credentials"}, Scopes: all},
		"token":  {ID: "token", AuthMethod: "client_secret_basic", RedirectURIs: []string{"https://token.test/cb"}, GrantTypes: code, ResponseTypes: []string{"id_token"}, Scopes: all},
		"off":    {ID: "off", Disabled: true, RedirectURIs: []string{"https://off.test/cb"}, GrantTypes: code, Scopes: all},
	}
}

func testAPIs() []scope.API {
	return []scope.API{{Audience: orders, Format: scope.JWT, Scopes: []scope.Scope{
		{Name: "orders:read"}, {Name: "orders:admin", RequiresRole: "clerk"},
	}}}
}

// answer reads where an application was answered.
func answer(t *testing.T, res *http.Response) (place string, params url.Values) {
	t.Helper()
	loc := res.Header.Get("Location")
	u, err := url.Parse(loc)
	if err != nil || res.StatusCode != http.StatusSeeOther || loc == "" {
		t.Fatalf("status %d, Location %q; want a redirect", res.StatusCode, loc)
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	params, err = url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	return u.String(), params
}

func body(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var errBroken = errors.New("dial tcp 10.0.0.1:5432: connect refused")
