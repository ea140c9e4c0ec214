package introspect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
)

const (
	issuer = "https://id.example"
	orders = "https://orders.example"
)

var (
	errDown = fault.New(fault.Unavailable, "temporarily_unavailable", "down")
	refresh = secret.New(secret.RefreshToken)
)

// world is everything behind the endpoint.
type world struct {
	caller  client.Client
	auth    error
	tokens  map[string]oauth.Token
	failing error // of every inspection
	servers map[string]string
	apis    error
}

func newWorld() *world {
	issued := time.Unix(1_800_000_000, 0)
	access := oauth.Token{
		Use: oauth.UseAccess, TokenType: "Bearer", Subject: "u1", UserID: "u1", ClientID: "web", GrantID: "g1", SessionID: "s1",
		JTI: "j1", Scopes: []string{"openid", "orders:read"}, Audiences: []string{orders, issuer},
		IssuedAt: issued, ExpiresAt: issued.Add(15 * time.Minute), AuthTime: issued.Add(-time.Minute), ACR: "1",
		Claims: json.RawMessage(`{"roles":["boss"],"permissions":["read"],"gid":"g1"}`),
	}
	machine := oauth.Token{
		Use: oauth.UseAccess, TokenType: "Bearer", Subject: "service", ClientID: "service", JTI: "j2",
		Audiences: []string{orders}, IssuedAt: issued, ExpiresAt: issued.Add(time.Minute), Claims: json.RawMessage(`{}`),
	}
	bound := machine
	bound.TokenType, bound.JKT = "DPoP", "thumb"
	return &world{
		caller: client.Client{ID: "web", AuthMethod: protocol.AuthSecretBasic},
		tokens: map[string]oauth.Token{
			"access": access, "machine": machine, "bound": bound,
			refresh: {
				Use: oauth.UseRefresh, TokenType: "Bearer", Subject: "u1", UserID: "u1", ClientID: "web", GrantID: "g1",
				Scopes: []string{"openid"}, Audiences: []string{orders}, IssuedAt: issued, ExpiresAt: issued.Add(24 * time.Hour),
			},
		},
		servers: map[string]string{"orders-api": orders},
	}
}

func (w *world) Authenticate(context.Context, *http.Request, url.Values) (*client.Client, error) {
	if w.auth != nil {
		return nil, w.auth
	}
	return &w.caller, nil
}

func (w *world) Inspect(_ context.Context, token string) (*oauth.Token, error) {
	return w.find(token, oauth.UseAccess)
}

func (w *world) InspectRefresh(_ context.Context, token string) (*oauth.Token, error) {
	return w.find(token, oauth.UseRefresh)
}

func (w *world) find(token, use string) (*oauth.Token, error) {
	if w.failing != nil {
		return nil, w.failing
	}
	t, ok := w.tokens[token]
	if !ok || t.Use != use {
		return nil, fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	}
	return &t, nil
}

func (w *world) MayIntrospect(_ context.Context, clientID string, audiences []string) (bool, error) {
	return slices.Contains(audiences, w.servers[clientID]), w.apis
}

// keyStore keeps keys in memory, as much as a ring needs that never rotates.
type keyStore struct {
	keyring.Store
	keys []keyring.Key
}

func (s *keyStore) List(context.Context) ([]keyring.Key, error) { return slices.Clone(s.keys), nil }

func (s *keyStore) Add(_ context.Context, k keyring.Key, _ time.Time) error {
	s.keys = append(s.keys, k)
	return nil
}

var ring = sync.OnceValue(func() *keyring.Ring {
	sealer, err := secret.NewSealer(make([]byte, secret.KeySize))
	if err != nil {
		panic(err)
	}
	r, err := keyring.Open(context.Background(), &keyStore{}, sealer, keyring.Config{})
	if err != nil {
		panic(err)
	}
	return r
})

func post(w *world, form string, header ...string) *http.Response {
	r := httptest.NewRequest("POST", "/oauth2/introspect", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return serve(w, r)
}

func serve(w *world, r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	h := New(Config{Issuer: issuer, Auth: w, Tokens: w, APIs: w, Keys: ring()})
	(&oauth.Edge{}).Handle(h.Introspect).ServeHTTP(rec, r)
	return rec.Result()
}

func decode(t *testing.T, res *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatalf("answer is no JSON: %v", err)
	}
	return m
}

var inactive = map[string]any{"active": false}

var activeAccess = map[string]any{
	"active": true, "scope": "openid orders:read", "client_id": "web", "token_type": "Bearer", "token_use": "access_token",
	"sub": "u1", "aud": []any{orders, issuer}, "iss": issuer, "jti": "j1", "iat": float64(1_800_000_000), "exp": float64(1_800_000_900),
	"auth_time": float64(1_799_999_940), "acr": "1", "sid": "s1", "roles": []any{"boss"}, "permissions": []any{"read"},
}

func TestTellsThoseWhomItConcerns(t *testing.T) {
	for name, tt := range map[string]struct {
		caller, token, hint string
		want                map[string]any
	}{
		"RFC 7662 §2.2 the client it was issued to":     {"web", "access", "", activeAccess},
		"RFC 7662 §4 a resource server of its audience": {"orders-api", "access", "", activeAccess},
		"RFC 7662 §2.1 a wrong hint hides nothing":      {"web", "access", "refresh_token", activeAccess},
		"RFC 7662 §2.1 an unknown hint hides nothing":   {"web", "access", "banana", activeAccess},
		"client credentials: members without a value are left out": {"service", "machine", "", map[string]any{
			"active": true, "client_id": "service", "token_type": "Bearer", "token_use": "access_token", "sub": "service",
			"aud": orders, "iss": issuer, "jti": "j2", "iat": float64(1_800_000_000), "exp": float64(1_800_000_060),
		}},
		"RFC 9449 §6.2 key-bound": {"service", "bound", "", map[string]any{
			"active": true, "client_id": "service", "token_type": "DPoP", "token_use": "access_token", "sub": "service",
			"aud": orders, "iss": issuer, "jti": "j2", "iat": float64(1_800_000_000), "exp": float64(1_800_000_060),
			"cnf": map[string]any{"jkt": "thumb"},
		}},
		"refresh token, to its client": {"web", refresh, "access_token", map[string]any{
			"active": true, "scope": "openid", "client_id": "web", "token_use": "refresh_token", "sub": "u1", "aud": orders, "iss": issuer,
			"iat": float64(1_800_000_000), "exp": float64(1_800_086_400),
		}},
		"RFC 6749 §1.5 refresh token, to a resource server": {"orders-api", refresh, "", inactive},
		"security §5.6 another client":                      {"other", "access", "", inactive},
		"security §5.6 another client, refresh token":       {"other", refresh, "", inactive},
		"unknown token":                     {"web", "garbage", "", inactive},
		"unknown token of the refresh kind": {"web", secret.New(secret.RefreshToken), "", inactive},
		"an authorization code":             {"web", secret.New(secret.AuthorizationCode), "", inactive},
		"something like a JWT":              {"web", "eyJhbGciOiJub25lIn0.e30.", "", inactive},
		"very long":                         {"web", strings.Repeat("a", 16000), "", inactive},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.caller.ID = tt.caller
			form := url.Values{"token": {tt.token}}
			if tt.hint != "" {
				form.Set("token_type_hint", tt.hint)
			}
			res := post(w, form.Encode())
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("answer %d %v", res.StatusCode, res.Header)
			}
			if diff := cmp.Diff(tt.want, decode(t, res)); diff != "" {
				t.Errorf("answer differs:\n%s", diff)
			}
		})
	}
}

func TestWhatDoesNotStandIsInactive(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Invalid, fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Gone, fault.TooLarge} {
		w := newWorld()
		w.failing = fault.New(kind, "invalid_token", "revoked")
		if diff := cmp.Diff(inactive, decode(t, post(w, "token=access"))); diff != "" {
			t.Errorf("kind %v:\n%s", kind, diff)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		form   string
		status int
		code   string
	}{
		"RFC 7662 §2.1 no token":                {nil, "", 400, "invalid_request"},
		"RFC 7662 §2.1 empty token":             {nil, "token=", 400, "invalid_request"},
		"RFC 6749 §3.2 token twice":             {nil, "token=access&token=access", 400, "invalid_request"},
		"RFC 7662 §2.1 without authentication":  {func(w *world) { w.auth = fault.New(fault.Unauthenticated, "invalid_client", "no") }, "token=access", 401, "invalid_client"},
		"RFC 7662 §4 a public client":           {func(w *world) { w.caller.AuthMethod = protocol.AuthNone }, "token=access", 401, "invalid_client"},
		"authentication comes before the token": {func(w *world) { w.auth = fault.New(fault.Unauthenticated, "invalid_client", "no") }, "", 401, "invalid_client"},
		"design §4.3 Redis is down":             {func(w *world) { w.failing = errDown }, "token=access", 503, "temporarily_unavailable"},
		"design §4.3 SQL is down":               {func(w *world) { w.caller.ID, w.apis = "orders-api", errDown }, "token=access", 503, "temporarily_unavailable"},
		"design §4.3 clients cannot be read":    {func(w *world) { w.auth = errDown }, "token=access", 503, "temporarily_unavailable"},
		"an error that nobody described":        {func(w *world) { w.failing = errors.New("SELECT") }, "token=access", 500, "server_error"},
		"a conflict is no answer":               {func(w *world) { w.failing = fault.New(fault.Conflict, "conflict", "x") }, "token=access", 500, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if tt.change != nil {
				tt.change(w)
			}
			res := post(w, tt.form)
			m := decode(t, res)
			if res.StatusCode != tt.status || m["error"] != tt.code {
				t.Errorf("answer %d %v, want %d %s", res.StatusCode, m, tt.status, tt.code)
			}
			if _, says := m["active"]; says {
				t.Errorf("a refusal says whether the token is active: %v", m)
			}
			if (tt.status == 401) != (res.Header.Get("WWW-Authenticate") != "") || (tt.status == 503) != (res.Header.Get("Retry-After") != "") {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestRefusesOtherRequests(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		res := serve(newWorld(), httptest.NewRequest(method, "/oauth2/introspect", nil))
		if res.StatusCode != 405 || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s = %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
	for _, target := range []string{"/?token=access", "/?client_secret=x"} {
		r := httptest.NewRequest("POST", target, strings.NewReader(""))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if res := serve(newWorld(), r); res.StatusCode != 400 {
			t.Errorf("%s = %d", target, res.StatusCode)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"token":"access"}`))
	r.Header.Set("Content-Type", "application/json")
	if res := serve(newWorld(), r); res.StatusCode != 400 {
		t.Errorf("JSON body = %d", res.StatusCode)
	}
}

func TestSignedAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		registered, accept string
		token, alg         string
		want               map[string]any
	}{
		"RFC 9701 §4 by Accept, RS256 by default": {"", "application/token-introspection+jwt", "access", "RS256", activeAccess},
		"RFC 9701 §4 among others":                {"", "text/html, application/token-introspection+jwt;q=0.5", "access", "RS256", activeAccess},
		"RFC 9701 §6 by registration":             {"ES256", "", "access", "ES256", activeAccess},
		"RFC 9701 §6 registration chooses alg":    {"ES256", "application/token-introspection+jwt", "access", "ES256", activeAccess},
		"RFC 9701 §5 inactive tells nothing more": {"ES256", "", "garbage", "ES256", inactive},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.caller.IntrospectionAlg = tt.registered
			res := post(w, "token="+tt.token, "Accept", tt.accept)
			raw, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/token-introspection+jwt" || res.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("answer %d %v, %v", res.StatusCode, res.Header, err)
			}
			payload, header, err := ring().Verify(keyring.Answers, string(raw))
			if err != nil || header.Alg != tt.alg || header.Typ != "token-introspection+jwt" {
				t.Fatalf("verify: %+v, %v", header, err)
			}
			var got map[string]any
			if err := json.Unmarshal(payload, &got); err != nil {
				t.Fatal(err)
			}
			if iat, _ := got["iat"].(float64); time.Since(time.Unix(int64(iat), 0)).Abs() > time.Minute {
				t.Errorf("iat is %v", got["iat"])
			}
			delete(got, "iat")
			if diff := cmp.Diff(map[string]any{"iss": issuer, "aud": "web", "token_introspection": tt.want}, got); diff != "" {
				t.Errorf("claims differ:\n%s", diff)
			}
		})
	}
	for _, accept := range []string{"", "*/*", "application/json", "application/token-introspection+jwt;q=0", "application/*", ";;;"} {
		if res := post(newWorld(), "token=access", "Accept", accept); res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q = %s", accept, res.Header.Get("Content-Type"))
		}
	}
	w := newWorld()
	w.caller.IntrospectionAlg = "ES384"
	if res := post(w, "token=access"); res.StatusCode != 500 {
		t.Errorf("without a key for the algorithm: %d", res.StatusCode)
	}
}
