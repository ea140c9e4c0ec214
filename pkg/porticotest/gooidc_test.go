package porticotest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// goApp is an application written with go-oidc and x/oauth2, as their
// documentation shows it.
type goApp struct {
	oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func newGoApp(t *testing.T, s *porticotest.Server, app porticotest.App, scopes ...string) *goApp {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), s.URL)
	if err != nil {
		t.Fatalf("discovery: %v", err)
	}
	return &goApp{
		Config: oauth2.Config{
			ClientID: app.ID, ClientSecret: app.Secret, Endpoint: provider.Endpoint(),
			RedirectURL: app.RedirectURI, Scopes: append([]string{oidc.ScopeOpenID}, scopes...),
		},
		provider: provider, verifier: provider.Verifier(&oidc.Config{ClientID: app.ID}),
	}
}

// goNonce is sent in every authorization request of a goApp.
const goNonce = "a nonce of go-oidc"

// login takes the browser through the code flow, as alice.
func (a *goApp) login(t *testing.T, s *porticotest.Server) *oauth2.Token {
	t.Helper()
	token, err := a.redeem(t, s, oauth2.VerifierOption(porticotest.Verifier))
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	return token
}

func (a *goApp) redeem(t *testing.T, s *porticotest.Server, opts ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	t.Helper()
	to := a.AuthCodeURL("a state", oidc.Nonce(goNonce), oauth2.S256ChallengeOption(porticotest.Verifier))
	page := s.NewBrowser().SignIn(to, server.DemoPeople[0])
	q := page.URL.Query()
	if q.Get("state") != "a state" || q.Get("code") == "" {
		t.Fatalf("callback %s", page.URL)
	}
	return a.Exchange(t.Context(), q.Get("code"), opts...)
}

// idToken verifies the ID token beside the access token: signature, issuer,
// audience, expiry, nonce, at_hash.
func (a *goApp) idToken(t *testing.T, token *oauth2.Token, nonce string) *oidc.IDToken {
	t.Helper()
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		t.Fatal("no ID token in the answer")
	}
	id, err := a.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("verify the ID token: %v", err)
	}
	if id.AccessTokenHash == "" {
		t.Error("the ID token has no at_hash")
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	if id.Nonce != nonce {
		t.Errorf("nonce %q, want %q", id.Nonce, nonce)
	}
	return id
}

func TestGoOIDC(t *testing.T) {
	s := porticotest.New(t)
	for name, app := range map[string]porticotest.App{"confidential": porticotest.Web, "public": porticotest.SPA} {
		t.Run(name, func(t *testing.T) {
			a := newGoApp(t, s, app, "profile", "email", "orders:read", oidc.ScopeOfflineAccess)
			token := a.login(t, s)
			if token.TokenType != "Bearer" || time.Until(token.Expiry) < 14*time.Minute {
				t.Errorf("token of type %q expires at %s", token.TokenType, token.Expiry)
			}
			id := a.idToken(t, token, goNonce)
			if !slices.Equal(id.Audience, []string{app.ID}) {
				t.Errorf("audience %v, want the client alone", id.Audience)
			}

			info, err := a.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
			if err != nil {
				t.Fatalf("userinfo: %v", err)
			}
			var more struct {
				Name string `json:"name"`
			}
			if err := info.Claims(&more); err != nil {
				t.Fatal(err)
			}
			if info.Subject != id.Subject || info.Email != "alice@example.com" || !info.EmailVerified || more.Name != "Alice Example" {
				t.Errorf("userinfo %+v, %+v; the ID token is about %s", info, more, id.Subject)
			}

			expired := *token
			expired.Expiry = time.Now().Add(-time.Minute)
			next, err := a.TokenSource(t.Context(), &expired).Token()
			if err != nil {
				t.Fatalf("refresh: %v", err)
			}
			if next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken {
				t.Error("the refresh changed nothing")
			}
			if again := a.idToken(t, next, ""); again.Subject != id.Subject || again.IssuedAt.Before(id.IssuedAt) {
				t.Errorf("after the refresh: subject %s issued at %s, want %s at or after %s", again.Subject, again.IssuedAt, id.Subject, id.IssuedAt)
			}
		})
	}
}

func TestGoOIDCVerifiesEveryAlgorithm(t *testing.T) {
	s := porticotest.New(t)
	for _, alg := range []string{"RS256", "ES256", "PS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			a := newGoApp(t, s, s.Register(map[string]any{"id_token_signed_response_alg": alg}))
			token := a.login(t, s)
			a.idToken(t, token, goNonce)
			parsed, err := jose.ParseSignedCompact(token.Extra("id_token").(string), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil || parsed.Signatures[0].Header.KeyID == "" {
				t.Errorf("signed by %+v, %v; want %s with a kid", parsed, err, alg)
			}
		})
	}
}

func TestGoOIDCFollowsANewKey(t *testing.T) {
	s := porticotest.New(t)
	a := newGoApp(t, s, porticotest.Web)
	before := a.login(t, s)
	a.idToken(t, before, goNonce) // the key set is cached now
	if err := s.Keys.Rotate(t.Context(), keyring.IDTokens, "RS256", true); err != nil {
		t.Fatal(err)
	}
	after := a.login(t, s)
	a.idToken(t, after, goNonce)
	a.idToken(t, before, goNonce)
	if k, l := keyID(t, before), keyID(t, after); k == l {
		t.Errorf("both signed with %s", k)
	}
}

func keyID(t *testing.T, token *oauth2.Token) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token.Extra("id_token").(string), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Signatures[0].Header.KeyID
}

func TestGoOIDCRefusals(t *testing.T) {
	s := porticotest.New(t)
	a := newGoApp(t, s, porticotest.Web, oidc.ScopeOfflineAccess)
	for name, tt := range map[string]struct {
		change func(*goApp)
		opts   []oauth2.AuthCodeOption
		code   string
	}{
		"RFC 7636 §4.6 wrong verifier":         {opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(oauth2.GenerateVerifier())}, code: "invalid_grant"},
		"RFC 7636 §4.6 no verifier":            {code: "invalid_grant"},
		"RFC 6749 §4.1.3 another redirect":     {change: func(a *goApp) { a.RedirectURL = "http://127.0.0.1:1/callback" }, opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(porticotest.Verifier)}, code: "invalid_grant"},
		"RFC 6749 §4.1.3 another client":       {change: func(a *goApp) { a.ClientID, a.ClientSecret = porticotest.SPA.ID, "" }, opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(porticotest.Verifier)}, code: "invalid_grant"},
		"RFC 6749 §5.2 wrong secret":           {change: func(a *goApp) { a.ClientSecret = "wrong" }, opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(porticotest.Verifier)}, code: "invalid_client"},
		"RFC 6749 §5.2 unknown client":         {change: func(a *goApp) { a.ClientID = "nobody" }, opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(porticotest.Verifier)}, code: "invalid_client"},
		"RFC 6749 §2.3 no secret of a web app": {change: func(a *goApp) { a.ClientSecret = "" }, opts: []oauth2.AuthCodeOption{oauth2.VerifierOption(porticotest.Verifier)}, code: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			to := a.AuthCodeURL("", oauth2.S256ChallengeOption(porticotest.Verifier))
			code := s.NewBrowser().SignIn(to, server.DemoPeople[0]).URL.Query().Get("code")
			wrong := *a
			if tt.change != nil {
				tt.change(&wrong)
			}
			_, err := wrong.Exchange(t.Context(), code, tt.opts...)
			if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != tt.code {
				t.Errorf("Exchange = %v, want %s", err, tt.code)
			}
			// What failed did not spend the code (RFC 6749 §10.5).
			if _, err := a.Exchange(t.Context(), code, oauth2.VerifierOption(porticotest.Verifier)); err != nil {
				t.Errorf("the right exchange after it: %v", err)
			}
		})
	}

	token := a.login(t, s)
	if _, err := a.verifier.Verify(t.Context(), token.AccessToken); err == nil {
		t.Error("RFC 9068 §5: the access token was taken for an ID token")
	}
	raw := token.Extra("id_token").(string)
	if _, err := a.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: raw})); err == nil {
		t.Error("the ID token opened userinfo")
	}
	other := a.provider.Verifier(&oidc.Config{ClientID: porticotest.SPA.ID})
	if _, err := other.Verify(t.Context(), raw); err == nil {
		t.Error("OIDC Core §3.1.3.7: another client took the ID token")
	}
}

// x/oauth2 tries Basic, then the body, until it knows what the server wants.
func TestGoClientCredentials(t *testing.T) {
	s := porticotest.New(t)
	for name, style := range map[string]oauth2.AuthStyle{
		"autodetect": oauth2.AuthStyleAutoDetect, "in the header": oauth2.AuthStyleInHeader, "in the body": oauth2.AuthStyleInParams,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := clientcredentials.Config{
				ClientID: porticotest.Machine.ID, ClientSecret: porticotest.Machine.Secret, AuthStyle: style,
				TokenURL: s.URL + protocol.PathToken, Scopes: []string{"orders:read"},
			}
			token, err := cfg.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if token.TokenType != "Bearer" || token.RefreshToken != "" {
				t.Errorf("token %+v", token)
			}
			c := verifyAccess(t, s, token.AccessToken)
			if c.Subject != porticotest.Machine.ID || c.ClientID != porticotest.Machine.ID || c.Scope != "orders:read" ||
				!slices.Equal(c.Audience, jwt.Audience{server.DemoAPI}) {
				t.Errorf("claims %+v", c)
			}
		})
	}
	wrong := clientcredentials.Config{ClientID: porticotest.Machine.ID, ClientSecret: "wrong", TokenURL: s.URL + protocol.PathToken}
	_, err := wrong.Token(t.Context())
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != protocol.ErrInvalidClient || refused.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong secret: %v", err)
	}
	above := clientcredentials.Config{ClientID: porticotest.Machine.ID, ClientSecret: porticotest.Machine.Secret, TokenURL: s.URL + protocol.PathToken, Scopes: []string{"openid"}}
	if _, err := above.Token(t.Context()); err == nil {
		t.Error("a machine got an OpenID scope")
	}
}

// The first try of the autodetection fails at a client that registered for
// the body alone: it must not spend the code.
func TestGoAutodetectionKeepsTheCode(t *testing.T) {
	s := porticotest.New(t)
	a := newGoApp(t, s, s.Register(map[string]any{"token_endpoint_auth_method": protocol.AuthSecretPost}))
	a.login(t, s)
	a.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	_, err := a.redeem(t, s, oauth2.VerifierOption(porticotest.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != protocol.ErrInvalidClient {
		t.Errorf("OIDC Registration §2: Basic from a client of client_secret_post: %v", err)
	}
}

// accessClaims are what an API reads.
type accessClaims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// verifyAccess verifies an access token as a resource server does with the
// key set of go-oidc: signature by a published key, typ (RFC 9068 §4), claims.
func verifyAccess(t *testing.T, s *porticotest.Server, token string) accessClaims {
	t.Helper()
	keys := oidc.NewRemoteKeySet(t.Context(), s.URL+protocol.PathJWKS)
	payload, err := keys.VerifySignature(t.Context(), token)
	if err != nil {
		t.Fatalf("verify the access token: %v", err)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if typ := parsed.Signatures[0].Header.ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
		t.Errorf("RFC 9068 §2.1: typ %v, want at+jwt", typ)
	}
	var c accessClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != s.URL || c.ID == "" || c.NotBefore != nil || c.Expiry.Time().Sub(c.IssuedAt.Time()) != 15*time.Minute {
		t.Errorf("RFC 9068 §2.2: claims %+v", c)
	}
	if err := c.Validate(jwt.Expected{Issuer: s.URL, Time: time.Now()}); err != nil {
		t.Errorf("claims %+v: %v", c, err)
	}
	return c
}
