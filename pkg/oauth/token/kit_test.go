package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/oauth/clientauth"
	"github.com/portico-id/portico/pkg/oauth/token"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

const (
	issuer    = "https://id.example.test"
	tokenURL  = issuer + protocol.PathToken
	orders    = "https://orders.example.test"
	stock     = "https://stock.example.test"
	callback  = "https://app.example.test/cb"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// kit is a token endpoint over a real SQLite store, with a person who is
// signed in and has agreed.
type kit struct {
	t       testing.TB
	db      *storage.Durable
	live    *liveSet
	ring    *keyring.Ring
	fp      *secret.Fingerprinter
	sealer  *secret.Sealer
	apis    *scope.Service
	clients *client.Service
	grants  *grant.Service
	rev     *revocation.Service
	deps    oauth.Deps
	oauth   *oauth.Provider
	tokens  *oauth.Tokens
	auth    *clientauth.Authenticator
	handler http.Handler
	events  *events
	refused *refusals
	store   *faultyGrants // what the provider sees of the grants
	sql     *statements

	web, spa, service *client.Client
	secrets           map[string]string // by client id
}

// sharedRing is made once: RSA keys take their time, and no test changes it.
var sharedRing = sync.OnceValues(func() (*keyring.Ring, error) {
	sealer, err := secret.NewSealer(make([]byte, secret.KeySize))
	if err != nil {
		return nil, err
	}
	return keyring.Open(context.Background(), newKeyStore(), sealer, keyring.Config{})
})

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{t: t, live: newLiveSet(), events: &events{}, refused: &refusals{}, sql: &statements{}, secrets: map[string]string{}}
	ctx := context.Background()
	db, err := storage.OpenDurable(ctx, "sqlite://"+filepath.Join(t.TempDir(), "test.db"), storage.DurableOptions{OnStatement: k.sql.note})
	k.must(err)
	t.Cleanup(func() { _ = db.Close() })
	k.must(db.Migrate(ctx))
	k.db = db
	k.ring, err = sharedRing()
	k.must(err)
	k.fp = secret.NewFingerprinter([]byte(strings.Repeat("k", 32)))
	k.sealer, err = secret.NewSealer(make([]byte, secret.KeySize))
	k.must(err)
	k.rev = revocation.New(db.Revocations, k.live, db, revocation.Config{})
	k.store = &faultyGrants{Store: db.Grants}
	k.grants = grant.NewService(k.store, k.fp, grant.Config{Revoker: k.rev, Audit: k.events})
	k.clients = client.NewService(db.Clients, k.fp, client.Config{Revoker: k.rev, Grants: db.Grants, Audit: k.events})
	k.apis = scope.NewService(db.APIs, scope.Config{Issuer: issuer})
	k.deps = oauth.Deps{
		Issuer: issuer, Keys: k.ring, Scopes: k.apis, Grants: k.grants, Sealer: k.sealer,
		Users: db.Users, Revocations: k.rev, Audit: k.events,
	}
	k.build(k.deps)
	k.seed()
	return k
}

// build makes the endpoint; tests call it again with other dependencies.
func (k *kit) build(d oauth.Deps) {
	k.oauth = oauth.NewProvider(d)
	k.tokens = oauth.NewTokens(oauth.TokensConfig{Issuer: issuer, Keys: k.ring, Grants: k.grants, Revocations: k.rev})
	k.auth = clientauth.New(clientauth.Config{Clients: k.clients, Issuer: issuer, TokenURL: tokenURL, Audit: k.events})
	edge := &oauth.Edge{Refusals: k.refused}
	k.handler = edge.Handle(token.New(k.auth, k.oauth).Token)
}

// in returns the kit for a subtest.
func (k *kit) in(t testing.TB) *kit {
	c := *k
	c.t = t
	return &c
}

func (k *kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) seed() {
	ctx := context.Background()
	_, err := k.apis.Create(ctx, scope.API{
		Audience: orders, Name: "Orders",
		Scopes: []scope.Scope{{Name: "orders:read"}, {Name: "orders:write"}, {Name: "orders:admin", RequiresRole: "clerk"}},
	})
	k.must(err)
	_, err = k.apis.Create(ctx, scope.API{
		Audience: stock, Name: "Stock", Format: scope.Opaque, RolesInToken: true,
		Scopes: []scope.Scope{{Name: "stock:read"}},
	})
	k.must(err)
	all := []string{"openid", "profile", "email", "offline_access", "roles", "orders:read", "orders:write", "orders:admin", "stock:read"}
	person := []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken}
	k.web = k.client(client.Client{ID: "web", Name: "Web", RedirectURIs: []string{callback}, GrantTypes: person, Scopes: all, Audiences: []string{orders, stock}})
	k.spa = k.client(client.Client{ID: "spa", Name: "SPA", AuthMethod: protocol.AuthNone, RedirectURIs: []string{callback}, GrantTypes: person, Scopes: all})
	k.service = k.client(client.Client{
		ID: "service", Name: "Service", GrantTypes: []string{protocol.GrantClientCredentials},
		Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{orders},
	})
	now := time.Now()
	k.must(k.db.Users.Create(ctx, user.User{
		ID: "alice", Email: "alice@example.test", EmailVerified: true, Name: "Alice", Roles: []string{"clerk"}, CreatedAt: now, UpdatedAt: now,
	}))
	k.session("session-1", now)
	for _, c := range []string{"web", "spa"} {
		k.must(k.db.Consents.Allow(ctx, consent.Consent{
			UserID: "alice", ClientID: c, Scopes: all, Audiences: []string{orders, stock, issuer}, CreatedAt: now, UpdatedAt: now,
		}))
	}
}

func (k *kit) session(id string, now time.Time) {
	k.t.Helper()
	k.must(k.db.Sessions.Create(context.Background(), session.Session{
		ID: id, Hash: "hash-of-" + id, UserID: "alice", AuthTime: now, ACR: "1", AMR: []string{"pwd"},
		CreatedAt: now, LastSeenAt: now, IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(24 * time.Hour),
	}))
}

// client registers a client and remembers its secret.
func (k *kit) client(c client.Client) *client.Client {
	k.t.Helper()
	made, plain, err := k.clients.Create(context.Background(), c)
	k.must(err)
	k.secrets[made.ID] = plain
	return &made
}

// who is alice, signed in.
func who() oauth.Who {
	return oauth.Who{UserID: "alice", SessionID: "session-1", AuthTime: time.Now().Add(-time.Minute), ACR: "1", AMR: []string{"pwd"}}
}

// request is an authorization request of the client that passed its checks.
func (k *kit) request(c *client.Client, scopes string, resources ...string) *flow.Request {
	k.t.Helper()
	a, err := k.apis.Resolve(context.Background(), scope.Ask{Client: c, Scopes: strings.Fields(scopes), Resources: resources})
	k.must(err)
	return &flow.Request{
		ClientID: c.ID, RedirectURI: callback, RedirectURISent: true, ResponseType: "code",
		Scopes: a.Scopes, Audiences: a.Audiences, Resources: resources, Nonce: "n-0S6_WzA2Mj", Challenge: challenge,
	}
}

// code issues a code.
func (k *kit) code(c *client.Client, q *flow.Request) string {
	k.t.Helper()
	values, err := k.oauth.IssueCode(context.Background(), c, q, who())
	k.must(err)
	return values.Get("code")
}

// codeForm redeems a code.
func codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// reply is the answer of the endpoint.
type reply struct {
	status int
	header http.Header
	raw    string
	oauth.TokenAnswer
	Error string `json:"error"`
	Text  string `json:"error_description"`
}

// post sends a token request of the client: Basic when it has a secret, else
// with its id in the body.
func (k *kit) post(c *client.Client, form url.Values) reply {
	k.t.Helper()
	form = cloneForm(form)
	plain, hasSecret := k.secrets[c.ID]
	if !hasSecret || plain == "" {
		form.Set("client_id", c.ID)
	}
	r := httptest.NewRequest(http.MethodPost, tokenURL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if plain != "" {
		r.SetBasicAuth(c.ID, plain)
	}
	return k.send(r)
}

var requests atomic.Int64

func (k *kit) send(r *http.Request) reply {
	k.t.Helper()
	w := httptest.NewRecorder()
	id := "r" + time.Duration(requests.Add(1)).String()
	r = r.WithContext(trail.With(r.Context(), &trail.Trail{ID: id, Remote: netip.MustParseAddr("192.0.2.7")}))
	k.handler.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		k.t.Errorf("answer %q is not JSON: %v", out.raw, err)
	}
	return out
}

func cloneForm(form url.Values) url.Values {
	out := make(url.Values, len(form))
	for name, values := range form {
		out[name] = append([]string(nil), values...)
	}
	return out
}

// good fails the test unless the answer carries a token.
func (k *kit) good(r reply) reply {
	k.t.Helper()
	if r.status != http.StatusOK || r.AccessToken == "" {
		k.t.Fatalf("got %d %s (%s), want a token", r.status, r.raw, k.refused.last())
	}
	return r
}

// bad fails the test unless the answer is the error and the refusal names its
// rule.
func (k *kit) bad(r reply, status int, code, rule string) reply {
	k.t.Helper()
	if r.status != status || r.Error != code {
		k.t.Fatalf("got %d %s (%s), want %d %s", r.status, r.raw, k.refused.last(), status, code)
	}
	if got := k.refused.last(); rule != "" && !strings.Contains(got, rule) {
		k.t.Errorf("refused by %q, want the rule %q", got, rule)
	}
	if r.AccessToken != "" || r.RefreshToken != "" || r.IDToken != "" {
		k.t.Errorf("a refusal carries a token: %s", r.raw)
	}
	return r
}

// claims decodes a JWT without verifying it.
func decodeObject(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is not a JWT", jwt)
	}
	return decodeJSON(t, parts[1])
}

func jwtHeader(t testing.TB, jwt string) map[string]any {
	t.Helper()
	return decodeJSON(t, strings.Split(jwt, ".")[0])
}

func decodeJSON(t testing.TB, segment string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// stands fails the test unless introspection says what is wanted.
func (k *kit) stands(token string, want bool) {
	k.t.Helper()
	_, err := k.tokens.Inspect(context.Background(), token)
	if want && err != nil {
		k.t.Errorf("the token does not stand: %v", err)
	}
	if !want && !fault.Is(err, fault.Unauthenticated) {
		k.t.Errorf("the token stands (%v), want invalid_token", err)
	}
}

// events keeps what was audited.
type events struct {
	mu  sync.Mutex
	all []audit.Event
}

func (e *events) Record(_ context.Context, ev audit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) count(name audit.Name) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.all {
		if ev.Name == name {
			n++
		}
	}
	return n
}

// refusals keeps why requests were refused.
type refusals struct {
	mu  sync.Mutex
	all []explain.Refusal
}

func (s *refusals) Record(_ context.Context, r explain.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r)
}

func (s *refusals) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	r := s.all[len(s.all)-1]
	return r.Rule + " " + r.Cause
}

func consentOf(clientID string, scopes ...string) consent.Consent {
	now := time.Now()
	return consent.Consent{UserID: "alice", ClientID: clientID, Scopes: scopes, Audiences: []string{orders, issuer}, CreatedAt: now, UpdatedAt: now}
}

// grantsOf is the grant service of another installation.
func grantsOf(k *kit, key string) *grant.Service {
	return grant.NewService(k.db.Grants, secret.NewFingerprinter([]byte(strings.Repeat(key, 32))), grant.Config{Revoker: k.rev})
}
