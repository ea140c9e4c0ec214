package outside_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// keyPair is a client's own key.
type keyPair struct {
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func keyPairs(t *testing.T) []keyPair {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []keyPair{
		{jose.RS256, r},
		{jose.RS384, r},
		{jose.PS256, r},
		{jose.PS512, r},
		{jose.ES256, curve(elliptic.P256())},
		{jose.ES384, curve(elliptic.P384())},
		{jose.ES512, curve(elliptic.P521())},
		{jose.EdDSA, ed},
	}
}

func (k keyPair) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.private, KeyID: "the-key"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// 4.3, 4.4: private_key_jwt in every algorithm, and what an assertion must be.
func TestAssertions(t *testing.T) {
	s := porticotest.New(t)
	for i, k := range keyPairs(t) {
		t.Run("4.3 "+string(k.alg), func(t *testing.T) {
			jwk := jose.JSONWebKey{Key: k.private.Public(), KeyID: "the-key", Use: "sig"}
			app := s.Register(map[string]any{
				"token_endpoint_auth_method": "private_key_jwt", "grant_types": []string{"authorization_code", "client_credentials"},
				"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}},
			})
			n := 0
			claims := func(kv ...any) map[string]any {
				n++
				c := map[string]any{"iss": app.ID, "sub": app.ID, "aud": s.URL, "exp": inAMinute(), "iat": time.Now().Unix(), "jti": fmt.Sprintf("%d-%d", i, n)}
				for j := 0; j+1 < len(kv); j += 2 {
					c[kv[j].(string)] = kv[j+1]
					if kv[j+1] == nil {
						delete(c, kv[j].(string))
					}
				}
				return c
			}
			try := func(assertion string, kv ...string) reply {
				return send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs(append([]string{
					"grant_type", "client_credentials",
					"client_assertion_type", protocol.AssertionJWTBearer, "client_assertion", assertion,
				}, kv...)...)})
			}
			good := k.sign(t, claims())
			if a := try(good); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			try(good).oauthError(t, 401, "invalid_client") // 0.6
			if a := try(k.sign(t, claims("aud", s.URL+protocol.PathToken)), "client_id", app.ID); a.status != http.StatusOK {
				t.Errorf("4.4 the token endpoint as audience: %d %s", a.status, a.body)
			}
			if i != 4 {
				return // the claims do not depend on the algorithm
			}
			now := time.Now().Unix()
			for name, c := range map[string]map[string]any{
				"no jti": claims("jti", nil), "an empty jti": claims("jti", ""), "no exp": claims("exp", nil), "expired": claims("exp", now-120), "exp far": claims("exp", now+86400),
				"exp text": claims("exp", "soon"), "exp 1e400": claims("exp", json.RawMessage("1e400")), "exp negative": claims("exp", -1), "iat in the future": claims("iat", now+3600), "nbf in the future": claims("nbf", now+3600),
				"no aud": claims("aud", nil), "another aud": claims("aud", "https://evil.example"), "aud with another": claims("aud", []string{s.URL, "https://evil.example"}),
				"aud with a slash": claims("aud", s.URL+"/"), "aud empty": claims("aud", []string{}), "no iss": claims("iss", nil), "another iss": claims("iss", "x"), "no sub": claims("sub", nil),
				"sub of another": claims("sub", server.DemoWeb), "iss and sub of another": claims("sub", server.DemoWeb, "iss", server.DemoWeb), "sub a list": claims("sub", []string{app.ID}), "jti 10 kB": claims("jti", strings.Repeat("j", 10000)),
			} {
				a := try(k.sign(t, c))
				if a.status != 401 || !strings.Contains(a.body, "invalid_client") {
					t.Errorf("4.4 %s: %d %s", name, a.status, a.body)
				}
			}
			// A refused assertion leaves no trace: its jti is still good.
			c := claims("aud", "https://evil.example")
			try(k.sign(t, c))
			c["aud"] = s.URL
			if a := try(k.sign(t, c)); a.status != http.StatusOK {
				t.Errorf("4.4 a refused assertion burned its jti: %d %s", a.status, a.body)
			}
			for name, assertion := range map[string]string{"of another key": keyPair{k.alg, keyPairs(t)[4].private}.sign(t, claims()), "with a padded signature": k.sign(t, claims()) + "=", "cut": good[:len(good)-4]} {
				if a := try(assertion); a.status != 401 {
					t.Errorf("4.3 %s: %d %s", name, a.status, a.body)
				}
			}
			try(k.sign(t, claims()), "client_id", server.DemoWeb).refused(t)
			if a := send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs("grant_type", "client_credentials", "client_id", app.ID)}); a.status != 401 {
				t.Errorf("4.1 no assertion at all: %d %s", a.status, a.body)
			}
		})
	}
}

// Scope rules of clients and of people.
func TestScopes(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	app := s.Register(map[string]any{"scope": "openid email", "grant_types": []string{"authorization_code", "refresh_token"}})
	code := func(app porticotest.App, scope string, extra ...string) url.Values {
		return b.SignIn(s.AuthorizeURL(app, scope, extra...), server.DemoPeople[0]).URL.Query()
	}
	if q := code(app, "openid profile"); q.Get("error") != "invalid_scope" {
		t.Errorf("above the ceiling: %v", q)
	}
	got := s.Exchange(app, code(app, "openid email nonsense:read")["code"][0])
	if got.Text("scope") != "openid email" {
		t.Errorf("unknown beside openid: %s", got.Raw)
	}
	// A parameter order and an empty parameter change nothing; state and nonce
	// are optional.
	q := code(app, "email openid", "state", "", "nonce", "")
	if q.Has("state") || q.Get("iss") != s.URL || q.Get("code") == "" {
		t.Errorf("without state and nonce: %v", q)
	}
	if got := s.Exchange(app, q.Get("code")); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Raw)
	} else if _, id := decode(t, got.Text("id_token")); id["nonce"] != nil {
		t.Errorf("a nonce that nobody sent: %v", id)
	}
	for scope, want := range map[string]string{"": "orders:read orders:write", "orders:write": "orders:write", "orders:write orders:read": "orders:read orders:write", "nonsense": "", "openid": "", "orders:read nonsense": "", "orders:*": ""} {
		a := token(t, s, porticotest.Machine, "grant_type", "client_credentials", "scope", scope)
		if want == "" {
			a.oauthError(t, http.StatusBadRequest, protocol.ErrInvalidScope)
			continue
		}
		var body struct{ Scope string }
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(body.Scope)
		slices.Sort(words)
		if strings.Join(words, " ") != want {
			t.Errorf("machine, scope %q: %s", scope, a.body)
		}
	}
	for resource, ok := range map[string]bool{server.DemoAPI: true, server.DemoAPI + "/": false, s.URL: true, s.URL + "/": false, "https://other.example": false} {
		a := token(t, s, porticotest.Machine, "grant_type", "client_credentials", "resource", resource)
		if (a.status == http.StatusOK) != ok || !ok && !strings.Contains(a.body, "invalid_target") {
			t.Errorf("RFC 8707 resource %s: %d %s", resource, a.status, a.body)
		}
	}
}

// RFC 8707: resource narrows the audience, at the authorization endpoint and
// again at the token endpoint.
func TestResources(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	aud := func(a *porticotest.Answer) string {
		t.Helper()
		if a.Status != http.StatusOK {
			return fmt.Sprint(a.Status, " ", a.Text("error"))
		}
		_, c := decode(t, a.Text("access_token"))
		return fmt.Sprint(c["aud"])
	}
	two := []string{server.DemoAPI, "http://127.0.0.1:9999/mcp"}
	app := s.Register(map[string]any{})
	query := func(resources ...string) string {
		return s.AuthorizeURL(app, "openid orders:read offline_access") + "&" + url.Values{"resource": resources}.Encode()
	}
	exchange := func(code string, resources ...string) *porticotest.Answer {
		return s.Send(app, protocol.PathToken, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.RedirectURI}, "code_verifier": {app.Verifier}, "resource": resources})
	}
	codeFor := func(resources ...string) string {
		return b.SignIn(query(resources...), server.DemoPeople[0]).URL.Query().Get("code")
	}
	if got := aud(exchange(codeFor(two...))); !strings.Contains(got, two[0]) || !strings.Contains(got, two[1]) {
		t.Errorf("two resources: %s", got)
	}
	if got := aud(exchange(codeFor(two...), two[0])); strings.Contains(got, two[1]) {
		t.Errorf("one of two at the token endpoint: %s", got)
	}
	if got := aud(exchange(codeFor(two[0]), two[1])); got != "400 invalid_target" {
		t.Errorf("another at the token endpoint: %s", got)
	}
	if got := b.Get(query("https://never.example")).URL.Query().Get("error"); got != "invalid_target" {
		t.Errorf("unknown: %s", got)
	}
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf("http://127.0.0.1:%d/x", 1000+i)
	}
	if got := b.Get(query(many...)).URL.Query().Get("error"); got != "invalid_target" {
		t.Errorf("0.4 forty resources: %s", got)
	}
}

// The claims parameter, userinfo in every form, and signed introspection.
func TestClaimsAndSignedAnswers(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	verify := func(raw []byte, alg string, into any) {
		t.Helper()
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(s.Fetch(protocol.PathJWKS, "").Raw, &set); err != nil {
			t.Fatal(err)
		}
		token, err := jwt.ParseSigned(string(raw), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatalf("%.200s: %v", raw, err)
		}
		if err := token.Claims(set, into); err != nil {
			t.Fatal(err)
		}
	}
	ask := `{"userinfo":{"given_name":{"essential":true},"nickname":null,"email":{"value":"x@example.com"}},"id_token":{"auth_time":{"essential":true},"phone_number":null,"acr":{"values":["1","9"]},"unknown":{"essential":true}}}`
	got := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid", "claims", ask))
	_, id := decode(t, got.Text("id_token"))
	if id["phone_number"] == nil || id["auth_time"] == nil || id["acr"] != "1" || id["given_name"] != nil || id["unknown"] != nil {
		t.Errorf("OIDC Core §5.5 ID token %v", id)
	}
	info := s.Fetch(protocol.PathUserinfo, got.Text("access_token"))
	if info.Text("given_name") != "Alice" || info.Text("nickname") != "Ali" || info.JSON["phone_number"] != nil || info.Text("family_name") != "" || info.Text("sub") != id["sub"] {
		t.Errorf("OIDC Core §5.5 userinfo %s", info.Raw)
	}
	for _, alg := range []string{"RS256", "ES256"} {
		app := s.Register(map[string]any{"userinfo_signed_response_alg": alg, "introspection_signed_response_alg": alg})
		got := s.Exchange(app, s.Code(b, app, "openid email"))
		signed := s.Fetch(protocol.PathUserinfo, got.Text("access_token"))
		var c map[string]any
		verify(signed.Raw, alg, &c)
		if !strings.HasPrefix(signed.Header.Get("Content-Type"), "application/jwt") || c["iss"] != s.URL || c["aud"] != app.ID || c["email"] != "alice@example.com" {
			t.Errorf("OIDC Core §5.3.2 %s: %v", alg, c)
		}
		answer := s.Introspect(app, got.Text("access_token"))
		var i map[string]any
		verify(answer.Raw, alg, &i)
		inner, _ := i["token_introspection"].(map[string]any)
		if i["sub"] != nil || i["exp"] != nil || inner["active"] != true || i["aud"] != app.ID {
			t.Errorf("RFC 9701 §5 %v", i)
		}
	}
	for _, alg := range []string{"RS256", "ES256", "PS256", "EdDSA"} {
		app := s.Register(map[string]any{"id_token_signed_response_alg": alg})
		got := s.Exchange(app, s.Code(b, app, "openid"))
		var c map[string]any
		verify([]byte(got.Text("id_token")), alg, &c)
		if c["aud"] != app.ID || c["iss"] != s.URL {
			t.Errorf("ID token by %s: %v", alg, c)
		}
	}
}

// prompt, max_age and auth_time, as a person sees them.
func TestFreshLogins(t *testing.T) {
	s := porticotest.New(t)
	for name, extra := range map[string][]string{"1.9 prompt=login": {"prompt", "login"}, "1.9 max_age=0": {"max_age", "0"}, "prompt=select_account": {"prompt", "select_account"}, "prompt=consent": {"prompt", "consent"}} {
		t.Run(name, func(t *testing.T) {
			b := s.NewBrowser()
			first := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid"))
			_, before := decode(t, first.Text("id_token"))
			p := b.Get(s.AuthorizeURL(porticotest.Web, "openid", extra...))
			wantPage := map[string]string{"login": "login-submit", "select_account": "", "consent": "consent-allow", "0": "login-submit"}[extra[1]]
			if wantPage != "" && !p.Has(wantPage) {
				t.Fatalf("%d %s: %s", p.Status, p.URL, p.Text())
			}
			if p.Left {
				t.Fatal("no page was shown")
			}
			if wantPage != "login-submit" {
				return
			}
			p = p.Submit(map[string]string{"username": "alice@example.com", "password": server.DemoPassword}, "", "")
			again := s.Exchange(porticotest.Web, p.URL.Query().Get("code"))
			_, after := decode(t, again.Text("id_token"))
			if after["auth_time"].(float64) < before["auth_time"].(float64) || after["sid"] != before["sid"] {
				t.Errorf("auth_time %v then %v, sid %v then %v", before["auth_time"], after["auth_time"], before["sid"], after["sid"])
			}
		})
	}
}
