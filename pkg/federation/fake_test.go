package federation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

const (
	clientID     = "portico at the provider"
	clientSecret = "a secret of sixteen or more characters"
	callback     = stage.Issuer + "/login/callback/elsewhere"
	state        = "state"
	verifier     = "a verifier of at least forty-three characters, as it must be"
)

// provider is an OpenID provider in this process whose every answer can be
// bent. It checks what a provider checks: client, code, verifier, redirect.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	key    crypto.Signer
	kid    string
	alg    jose.SignatureAlgorithm
	grants map[string]url.Values // what was asked, by code
	asked  map[string]*atomic.Int32

	metadata func(m map[string]any)
	claims   func(c map[string]any)
	header   map[jose.HeaderKey]any
	sign     func(payload []byte) string // instead of the key
	answer   func(a map[string]string)   // of the authorization endpoint
	userinfo map[string]any
	serve    map[string]http.HandlerFunc // instead of what is at a path
	sent     http.Header                 // of the last token request
	form     url.Values
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{
		key: key, kid: "first", alg: jose.ES256, grants: map[string]url.Values{}, serve: map[string]http.HandlerFunc{},
		asked: map[string]*atomic.Int32{},
	}
	paths := map[string]http.HandlerFunc{
		"/.well-known/openid-configuration": p.discovery, "/keys": p.keys, "/token": p.token, "/userinfo": p.info,
	}
	for path := range paths {
		p.asked[path] = &atomic.Int32{}
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := p.asked[r.URL.Path]; n != nil {
			n.Add(1)
		}
		p.mu.Lock()
		bent := p.serve[r.URL.Path]
		p.mu.Unlock()
		if bent != nil {
			bent(w, r)
		} else if h := paths[r.URL.Path]; h != nil {
			h(w, r)
		} else {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"userinfo_endpoint": p.URL + "/userinfo", "end_session_endpoint": p.URL + "/logout?keep=this",
		"id_token_signing_alg_values_supported": []string{"ES256"},
	}
	if p.metadata != nil {
		p.metadata(m)
	}
	writeJSON(w, m)
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.kid, Use: "sig"}}})
}

// use makes the provider sign by another key.
func (p *provider) use(t testing.TB, alg jose.SignatureAlgorithm, kid string) {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case jose.RS256, jose.PS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.alg, p.kid = key, alg, kid
}

// authorize is what the provider does at the address that Begin returned: it
// returns the answer.
func (p *provider) authorize(t testing.TB, address string) map[string]string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.URL+"/authorize?") {
		t.Fatalf("the browser is sent to %q (%v)", address, err)
	}
	q := u.Query()
	for name, want := range map[string]string{"client_id": clientID, "redirect_uri": callback, "response_type": "code", "state": state, "code_challenge_method": "S256"} {
		if q.Get(name) != want {
			t.Errorf("the request has %s=%q, want %q", name, q.Get(name), want)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := fmt.Sprintf("code %d", len(p.grants))
	p.grants[code] = q
	a := map[string]string{"code": code, "state": q.Get("state")}
	if p.answer != nil {
		p.answer(a)
	}
	return a
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.sent, p.form = r.Header.Clone(), r.PostForm
	asked := p.grants[r.PostForm.Get("code")]
	delete(p.grants, r.PostForm.Get("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if asked == nil || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != r.PostForm.Get("redirect_uri") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"<b>whatever it says</b>"}`))
		return
	}
	writeJSON(w, map[string]any{"access_token": "the access token", "token_type": "Bearer", "id_token": p.idToken(asked.Get("nonce"))})
}

func (p *provider) standard() map[string]any {
	now := clock.Now().Unix()
	return map[string]any{
		"iss": p.URL, "aud": clientID, "sub": "subject", "exp": now + 300, "iat": now,
		"email": "ann@example.test", "email_verified": true, "name": "Ann Example",
	}
}

func (p *provider) idToken(nonce string) string {
	c := p.standard()
	c["nonce"] = nonce
	if p.claims != nil {
		p.claims(c)
	}
	return p.signed(c)
}

func (p *provider) signed(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if p.sign != nil {
		return p.sign(payload)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return signBy(jose.SigningKey{Algorithm: p.alg, Key: p.key}, p.kid, p.header, payload)
}

func signBy(key jose.SigningKey, kid string, header map[jose.HeaderKey]any, payload []byte) string {
	o := (&jose.SignerOptions{}).WithHeader("kid", kid)
	maps.Copy(o.ExtraHeaders, header)
	signer, err := jose.NewSigner(key, o)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return raw
}

func (p *provider) info(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer the access token" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	writeJSON(w, p.userinfo)
}

// elsewhere adds the provider to the stage, as change wants it.
func elsewhere(t testing.TB, s *stage.Stage, p *provider, change ...func(*federation.Provider)) *federation.Provider {
	t.Helper()
	add := federation.Provider{ID: "elsewhere", Kind: federation.OIDC, Settings: federation.Settings{Issuer: p.URL, ClientID: clientID, Create: true}}
	for _, f := range change {
		f(&add)
	}
	made, err := s.Federation.Create(t.Context(), add, clientSecret)
	if err != nil {
		t.Fatalf("add the provider: %v", err)
	}
	return made
}

// signIn goes to the provider and back.
func signIn(t testing.TB, s *stage.Stage, p *provider) (*federation.Person, error) {
	t.Helper()
	up, _, err := s.Federation.Upstream(t.Context(), "elsewhere")
	if err != nil {
		return nil, err
	}
	to, err := up.Begin(t.Context(), state, "the nonce", verifier, callback)
	if err != nil {
		return nil, err
	}
	return up.Finish(t.Context(), p.authorize(t, to), "the nonce", verifier, callback)
}

// newRequest returns a request with the headers of the last token request.
func newRequest(p *provider) *http.Request { return &http.Request{Header: p.sent} }
