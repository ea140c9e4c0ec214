package authorize_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/oauth/authorize"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
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

type clients map[string]*client.Client

func (c clients) Get(_ context.Context, id string) (*client.Client, error) {
	if id == "down" {
		return nil, errDown
	}
	if found, ok := c[id]; ok {
		return found, nil
	}
	return nil, errAbsent
}

type apis struct {
	scope.Store
	list []scope.API
	down error
}

func (a *apis) All(context.Context) ([]scope.API, error) { return a.list, a.down }

type sessions struct {
	m    map[string]session.Session // by cookie
	down error
}

func (s *sessions) FromToken(_ context.Context, token string) (*session.Session, error) {
	found, ok := s.m[token]
	if s.down != nil || !ok || !found.Live(time.Now()) {
		return nil, s.down
	}
	return &found, nil
}

func (s *sessions) Get(_ context.Context, id string) (*session.Session, error) {
	for _, found := range s.m {
		if found.ID == id {
			return &found, s.down
		}
	}
	return nil, errAbsent
}

type users map[string]*user.User

func (u users) Get(_ context.Context, id string) (*user.User, error) {
	if found, ok := u[id]; ok {
		return found, nil
	}
	return nil, errAbsent
}

type consents struct {
	covered bool
	down    error
	asked   int
}

func (c *consents) Covers(context.Context, string, *client.Client, *flow.Request) (bool, error) {
	c.asked++
	return c.covered, c.down
}

// codes counts what was issued.
type codes struct {
	mu     sync.Mutex
	issued []flow.Request
	who    []oauth.Who
	fail   error
}

func (c *codes) IssueCode(_ context.Context, _ *client.Client, q *flow.Request, who oauth.Who) (url.Values, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return nil, c.fail
	}
	c.issued, c.who = append(c.issued, *q), append(c.who, who)
	return url.Values{"code": {"the-code"}}, nil
}

func (c *codes) last(t *testing.T) flow.Request {
	t.Helper()
	if len(c.issued) == 0 {
		t.Fatal("no code was issued")
	}
	return c.issued[len(c.issued)-1]
}

type hints map[string]string // payload by token

func testHints() hints {
	claims := func(iss, aud, sub string) string {
		return `{"iss":"` + iss + `","aud":` + aud + `,"sub":"` + sub + `","sid":"old-sid","exp":1}`
	}
	return hints{
		"of-alice":      claims(issuer, `"shop"`, "alice"),
		"of-bob":        claims(issuer, `["shop"]`, "bob"),
		"other-aud":     claims(issuer, `"old"`, "alice"),
		"no-aud":        claims(issuer, `[]`, "alice"),
		"odd-aud":       claims(issuer, `{"a":1}`, "alice"),
		"other-iss":     claims("https://evil.test", `"shop"`, "alice"),
		"no-sub":        claims(issuer, `"shop"`, ""),
		"logout-token":  claims(issuer, `"shop"`, "alice"),
		"not-an-object": `"text"`,
	}
}

func (h hints) VerifyHint(token string) ([]byte, keyring.Header, error) {
	payload, ok := h[token]
	if !ok {
		return nil, keyring.Header{}, fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.").Under("signature")
	}
	typ := "JWT"
	if token == "logout-token" {
		typ = "logout+jwt"
	}
	return []byte(payload), keyring.Header{Typ: typ}, nil
}

type health struct{ down error }

func (h *health) Ping(context.Context) error { return h.down }

// dispatcher stands for the pages: it saves the flow and shows the login.
type dispatcher struct {
	flows *flow.Service
	last  *flow.Flow
	fail  error
}

func (d *dispatcher) Next(w http.ResponseWriter, r *http.Request, f *flow.Flow) error {
	if d.fail != nil {
		return d.fail
	}
	if err := d.flows.Save(r.Context(), f); err != nil {
		return err
	}
	d.last = f
	w.Header().Set("Location", "/login?flow="+f.ID)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

type refused struct{ list []*fault.Error }

func (r *refused) Refused(_ context.Context, _ *http.Request, f *fault.Error) {
	r.list = append(r.list, f)
}

// records keeps the contract of flow.Store.
type records struct {
	mu   sync.Mutex
	m    map[string]flow.Record
	down error
}

func (s *records) Put(_ context.Context, key string, rec flow.Record, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.m[key]
	if ok && !now.Before(have.ExpiresAt) {
		have = flow.Record{}
	}
	if s.down != nil {
		return s.down
	}
	if have.Version != rec.Version-1 {
		return errLost
	}
	rec.Value = slices.Clone(rec.Value)
	s.m[key] = rec
	return nil
}

func (s *records) Get(_ context.Context, key string, now time.Time) (flow.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.m[key]
	if s.down != nil {
		return rec, s.down
	}
	if !ok || !now.Before(rec.ExpiresAt) {
		return flow.Record{}, errAbsent
	}
	return rec, nil
}

func (s *records) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	rec, err := s.Get(ctx, key, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[key]; err == nil && !ok {
		return flow.Record{}, errAbsent
	}
	delete(s.m, key)
	return rec, err
}

func (s *records) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.m)
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

func has(m url.Values) []string { return slices.Sorted(maps.Keys(m)) }

var errBroken = errors.New("dial tcp 10.0.0.1:5432: connect refused")
