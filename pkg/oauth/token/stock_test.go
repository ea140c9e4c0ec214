package token_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
)

// stockServer is fosite as its documentation wires it: all factories, its own
// memory store and its default configuration. Each defect that the engine
// closes is shown on it first, so that the tests prove what they claim.
type stockServer struct {
	t        *testing.T
	store    *storage.MemoryStore
	provider fosite.OAuth2Provider
	config   *fosite.Config
}

const stockSecret = "stock-secret-with-some-length"

// newStock composes fosite over outer, which wraps the memory store when a
// test steps between its calls. key signs everything; nil makes an RSA key.
func newStock(t *testing.T, key any, outer func(*storage.MemoryStore) any) *stockServer {
	t.Helper()
	if key == nil {
		made, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key = made
	}
	s := &stockServer{t: t, store: storage.NewMemoryStore()}
	s.config = &fosite.Config{
		GlobalSecret: []byte(strings.Repeat("g", 32)), IDTokenIssuer: issuer, AccessTokenIssuer: issuer,
		TokenURL: tokenURL, HashCost: 4, ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
	}
	// Its Config fills these on first use without a lock; two requests at once
	// would end the test run instead of showing what they are for.
	s.config.GetSecretsHasher(t.Context())
	s.config.GetJWKSFetcherStrategy(t.Context())
	hash, err := (&fosite.BCrypt{Config: s.config}).Hash(t.Context(), []byte(stockSecret))
	if err != nil {
		t.Fatal(err)
	}
	s.store.Clients["web"] = &fosite.DefaultClient{
		ID: "web", Secret: hash, RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes: []string{"code"}, Scopes: []string{"openid", "offline", "orders:read", "orders:write"},
	}
	var held any = s.store
	if outer != nil {
		held = outer(s.store)
	}
	getter := func(context.Context) (any, error) { return key, nil }
	strategy := &compose.CommonStrategy{
		CoreStrategy:               compose.NewOAuth2JWTStrategy(getter, compose.NewOAuth2HMACStrategy(s.config), s.config),
		OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(getter, s.config),
		Signer:                     &jwt.DefaultSigner{GetPrivateKey: getter},
	}
	s.provider = compose.Compose(s.config, held, strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2RefreshTokenGrantFactory,
		compose.OpenIDConnectExplicitFactory, compose.OpenIDConnectRefreshFactory, compose.OAuth2PKCEFactory,
		compose.OAuth2StatelessJWTIntrospectionFactory)
	return s
}

// stockSession serves both of fosite's session interfaces.
type stockSession struct {
	*openid.DefaultSession
	claims *jwt.JWTClaims
	header *jwt.Headers
}

func newStockSession() *stockSession {
	s := &stockSession{DefaultSession: openid.NewDefaultSession(), claims: &jwt.JWTClaims{Subject: "alice"}, header: &jwt.Headers{}}
	s.Subject, s.Claims.Subject = "alice", "alice"
	s.Claims.AuthTime = time.Now().Add(-time.Minute)
	return s
}

func (s *stockSession) GetJWTClaims() jwt.JWTClaimsContainer { return s.claims }
func (s *stockSession) GetJWTHeader() *jwt.Headers           { return s.header }

func (s *stockSession) Clone() fosite.Session {
	c := *s
	inner := *s.DefaultSession
	inner.ExpiresAt = maps.Clone(inner.ExpiresAt)
	ids, ats := *s.Claims, *s.claims
	inner.Claims, c.claims, c.DefaultSession = &ids, &ats, &inner
	return &c
}

// authorize answers an authorization request of alice, or its error.
func (s *stockServer) authorize(form url.Values) (code string, err error) {
	r := httptest.NewRequest(http.MethodGet, "/auth?"+form.Encode(), nil)
	ar, err := s.provider.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		return "", err
	}
	for _, scope := range ar.GetRequestedScopes() {
		ar.GrantScope(scope)
	}
	resp, err := s.provider.NewAuthorizeResponse(r.Context(), ar, newStockSession())
	if err != nil {
		return "", err
	}
	return resp.GetCode(), nil
}

func (s *stockServer) code(form url.Values) string {
	s.t.Helper()
	code, err := s.authorize(form)
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

func stockAuthorize() url.Values {
	return url.Values{
		"client_id": {"web"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid offline orders:read orders:write"},
		"state": {"some-long-state"}, "nonce": {"some-long-nonce"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
}

// token posts to the token endpoint as web.
func (s *stockServer) token(form url.Values) reply {
	s.t.Helper()
	return s.send(form.Encode(), stockSecret)
}

func (s *stockServer) send(body, secret string) reply {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, tokenURL, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", secret)
	w := httptest.NewRecorder()
	ctx := r.Context()
	ar, err := s.provider.NewAccessRequest(ctx, r, newStockSession())
	if err != nil {
		s.provider.WriteAccessError(ctx, w, ar, err)
	} else {
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
		resp, err := s.provider.NewAccessResponse(ctx, ar)
		if err != nil {
			s.provider.WriteAccessError(ctx, w, ar, err)
		} else {
			s.provider.WriteAccessResponse(ctx, w, ar, resp)
		}
	}
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		s.t.Errorf("answer %q is not JSON: %v", out.raw, err)
	}
	return out
}

// red fails the test when stock fosite does not show the defect (any more):
// then the engine's own guard may be without a purpose.
func red(t *testing.T, shown bool, what string, got any) {
	t.Helper()
	if !shown {
		t.Errorf("stock fosite does not show the defect %q: %v", what, got)
	}
}
