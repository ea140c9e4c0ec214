package clientauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth/clientauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// keyring holds one key for each algorithm of private_key_jwt.
var keyring = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	check(err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	keys := map[string]crypto.Signer{"ES256": p256, "ES384": p384, "ES512": p521, "EdDSA": ed, "Ed25519": ed}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = rsaKey
	}
	return keys
})

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// publicSet is the JWK Set of the key for alg.
func publicSet(t testing.TB, alg, kid string) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: keyring()[alg].Public(), KeyID: kid, Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sign writes an assertion with the header members besides alg.
func sign(t testing.TB, alg string, header map[string]any, claims map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for name, v := range header {
		opts = opts.WithHeader(jose.HeaderKey(name), v)
	}
	var key any = keyring()[alg]
	if alg == "Ed25519" { // go-jose knows it by its older name only
		key = fullyNamed{keyring()[alg]}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fullyNamed signs with the algorithm Ed25519 of RFC 9864.
type fullyNamed struct{ crypto.Signer }

func (s fullyNamed) Public() *jose.JSONWebKey { return &jose.JSONWebKey{Key: s.Signer.Public()} }
func (s fullyNamed) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{"Ed25519"}
}

func (s fullyNamed) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.Sign(rand.Reader, payload, crypto.Hash(0))
}

// sound are claims that pass.
func sound() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": "jwt", "sub": "jwt", "aud": issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
}

func with(pairs ...any) map[string]any {
	c := sound()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(c, pairs[i].(string))
			continue
		}
		c[pairs[i].(string)] = pairs[i+1]
	}
	return c
}

func assertion(token string) url.Values {
	return url.Values{"client_assertion_type": {protocol.AssertionJWTBearer}, "client_assertion": {token}}
}

// seen is a replay.Store in memory.
type seen struct {
	mu     sync.Mutex
	ids    map[string]bool
	issued []time.Time
	down   error
}

func newSeen() *seen { return &seen{ids: map[string]bool{}} }

func (s *seen) Claim(_ context.Context, namespace, id string, issued, _, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	if s.ids[namespace+"|"+id] {
		return fault.New(fault.Conflict, "seen", "Seen.")
	}
	s.ids[namespace+"|"+id] = true
	s.issued = append(s.issued, issued)
	return nil
}

// fetched is a KeySource over one set.
type fetched struct {
	keys []jose.JSONWebKey
	err  error
}

func (f *fetched) Keys(context.Context, string, string, string) ([]jose.JSONWebKey, error) {
	return f.keys, f.err
}

func jwtClient(t testing.TB, alg, kid string) *client.Client {
	return &client.Client{ID: "jwt", AuthMethod: protocol.AuthPrivateKeyJWT, JWKS: publicSet(t, alg, kid)}
}

func newAuth(replay *seen, keys clientauth.KeySource, list ...*client.Client) *clientauth.Authenticator {
	return clientauth.New(clientauth.Config{Clients: newClients(list...), Issuer: issuer, TokenURL: tokenURL, Replay: replay, Keys: keys})
}

func TestAssertionsOfEveryAlgorithm(t *testing.T) {
	for _, alg := range client.AssertionAlgs {
		t.Run(alg, func(t *testing.T) {
			a := newAuth(newSeen(), nil, jwtClient(t, alg, "k1"))
			for _, header := range []map[string]any{{"kid": "k1"}, nil, {"typ": "JWT"}, {"typ": "client-authentication+jwt", "kid": "k1"}} {
				if c, err := ask(a, assertion(sign(t, alg, header, sound()))); err != nil || c.ID != "jwt" {
					t.Errorf("header %v: %v, %v", header, c, err)
				}
			}
			form := assertion(sign(t, alg, nil, sound()))
			form.Set("client_id", "jwt")
			if _, err := ask(a, form); err != nil {
				t.Errorf("with client_id: %v", err)
			}
		})
	}
}

// RFC 9864 renamed one algorithm: a client may have registered the older name
// and sign with the newer one, and the reverse. Nothing else is that lenient.
func TestAssertionsOfEd25519ByBothNames(t *testing.T) {
	for _, tt := range []struct {
		registered, key, signed string
		ok                      bool
	}{
		{"EdDSA", "EdDSA", "Ed25519", true},
		{"Ed25519", "Ed25519", "EdDSA", true},
		{"", "EdDSA", "Ed25519", true},
		{"EdDSA", "Ed25519", "EdDSA", true},
		{"ES256", "EdDSA", "Ed25519", false},
		{"Ed25519", "ES256", "ES256", false},
	} {
		c := jwtClient(t, tt.key, "k1")
		c.AuthSigningAlg = tt.registered
		c.JWKS = json.RawMessage(strings.Replace(string(c.JWKS), `"use"`, `"alg":"`+tt.key+`","use"`, 1))
		_, err := ask(newAuth(newSeen(), nil, c), assertion(sign(t, tt.signed, nil, sound())))
		if (err == nil) != tt.ok {
			t.Errorf("registered %q with a key of %s, signed %s: %v", tt.registered, tt.key, tt.signed, err)
		}
	}
	// Another key of the same kind.
	c := jwtClient(t, "EdDSA", "k1")
	other, _, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	c.JWKS, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: other, KeyID: "k1"}}})
	check(err)
	if _, err := ask(newAuth(newSeen(), nil, c), assertion(sign(t, "Ed25519", nil, sound()))); err == nil {
		t.Error("a signature of another key was taken")
	}
}

func TestAssertionClaims(t *testing.T) {
	a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
	now := time.Now()
	good := map[string]map[string]any{
		"FAPI 2 the issuer as one string":    with(),
		"RFC 7523 §3 the token endpoint":     with("aud", tokenURL),
		"an array of us":                     with("aud", []string{issuer, tokenURL}),
		"no iat":                             with("iat", nil),
		"a clock that is ahead":              with("iat", now.Add(30*time.Second).Unix(), "nbf", now.Add(30*time.Second).Unix()),
		"ten minutes":                        with("exp", now.Add(10*time.Minute).Unix()),
		"a number with a fraction of zero":   with("exp", json.RawMessage(jsonInt(now.Add(time.Minute))+".0")),
		"claims that nobody needs":           with("name", "x", "x", map[string]any{"y": []int{1}}),
		"a jti as long as it may be":         with("jti", strings.Repeat("j", 256)),
		"an nbf that has passed":             with("nbf", now.Add(-time.Hour).Unix()),
		"an iat of long ago, but a near exp": with("iat", now.Add(-time.Hour).Unix()),
	}
	for name, claims := range good {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(a, assertion(sign(t, "ES256", nil, claims))); err != nil {
				t.Error(err, fault.As(err).Rule)
			}
		})
	}
	bad := map[string]struct {
		claims map[string]any
		rule   string
	}{
		"another iss":                    {with("iss", "other"), "iss and sub"},
		"no iss":                         {with("iss", nil), "iss and sub"},
		"no sub":                         {with("sub", nil), "sub is there"},
		"an empty sub":                   {with("sub", ""), "sub is there"},
		"no aud":                         {with("aud", nil), "aud is this server"},
		"an empty aud":                   {with("aud", []string{}), "aud is this server"},
		"another server":                 {with("aud", "https://other.example.test"), "aud is this server"},
		"another server besides":         {with("aud", []string{issuer, "https://other.example.test"}), "aud is this server"},
		"a slash more":                   {with("aud", issuer+"/"), "aud is this server"},
		"an empty string besides":        {with("aud", []string{issuer, ""}), "aud is this server"},
		"aud as a number":                {with("aud", 7), "has its type"},
		"aud with a number":              {with("aud", []any{issuer, 7}), "has its type"},
		"no exp":                         {with("exp", nil), "exp is there"},
		"expired":                        {with("exp", now.Add(-time.Second).Unix()), "has not expired"},
		"a year":                         {with("exp", now.AddDate(1, 0, 0).Unix()), "exp is near"},
		"twelve minutes":                 {with("exp", now.Add(12*time.Minute).Unix()), "exp is near"},
		"exp as a string":                {with("exp", "9999999999"), "has its type"},
		"exp with a fraction":            {with("exp", float64(now.Unix())+60.5), "has its type"},
		"exp beyond time":                {with("exp", json.RawMessage("1e300")), "has its type"},
		"exp beyond reason":              {with("exp", json.RawMessage("1e999999999")), "has its type"},
		"a negative exp":                 {with("exp", -1), "has its type"},
		"exp null":                       {with("exp", json.RawMessage("null")), "has its type"},
		"exp true":                       {with("exp", true), "has its type"},
		"nbf in the future":              {with("nbf", now.Add(2*time.Minute).Unix()), "nbf has passed"},
		"iat in the future":              {with("iat", now.Add(2*time.Minute).Unix()), "iat is not in the future"},
		"no jti":                         {with("jti", nil), "jti is there"},
		"an empty jti":                   {with("jti", ""), "jti is there"},
		"a jti without end":              {with("jti", strings.Repeat("j", 257)), "jti is there"},
		"jti as a number":                {with("jti", 7), "has its type"},
		"an unknown client":              {with("iss", "nobody", "sub", "nobody"), "client is known"},
		"more claims than anybody needs": {crowded(), "JSON object"},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			_, err := ask(a, assertion(sign(t, "ES256", nil, tt.claims)))
			if f := fault.As(err); f == nil || f.Code != "invalid_client" || !strings.Contains(f.Rule, tt.rule) {
				t.Errorf("got %v, rule %q; want %q", err, ruleOf(err), tt.rule)
			}
		})
	}
}

// crowded are claims with a hundred that nobody needs.
func crowded() map[string]any {
	c := sound()
	for range 100 {
		c[rand.Text()] = 1
	}
	return c
}

func ruleOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Rule
}

func jsonInt(at time.Time) string {
	raw, _ := json.Marshal(at.Unix())
	return string(raw)
}

func TestAssertionHeaders(t *testing.T) {
	replay := newSeen()
	a := newAuth(replay, nil, jwtClient(t, "ES256", "k1"))
	jwk := jose.JSONWebKey{Key: keyring()["ES256"].Public(), KeyID: "k1"}
	for name, header := range map[string]map[string]any{
		"RFC 8725 §3.10 jku":      {"jku": "https://evil.example.test/jwks"},
		"RFC 8725 §3.10 x5u":      {"x5u": "https://evil.example.test/x5u"},
		"RFC 8725 §3.10 jwk":      {"jwk": jwk},
		"RFC 8725 §3.10 x5c":      {"x5c": []string{"MIIB"}},
		"RFC 7515 §4.1.11 crit":   {"crit": []string{"exp"}, "exp": 1},
		"RFC 7797 b64":            {"b64": true},
		"RFC 8725 §3.11 typ":      {"typ": "at+jwt"},
		"an unknown member":       {"x": "y"},
		"another kid":             {"kid": "k2"},
		"a kid that is a path":    {"kid": "../../../../dev/null"},
		"a kid that is a query":   {"kid": "' OR 1=1 --"},
		"a kid without end":       {"kid": strings.Repeat("k", 300)},
		"a kid that is no string": {"kid": 7},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(a, assertion(rawSign(t, header, sound())))
			if fault.CodeOf(err) != "invalid_client" {
				t.Errorf("got %v", err)
			}
		})
	}
	if len(replay.ids) != 0 {
		t.Errorf("refused assertions left %v", replay.ids)
	}
}

// rawSign signs with ES256 and any header, also such as the library refuses
// to write.
func rawSign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	h := map[string]any{"alg": "ES256"}
	maps.Copy(h, header)
	return rawSignText(t, encode(t, h), encode(t, claims))
}

func rawSignText(t testing.TB, head, body string) string {
	t.Helper()
	digest := crypto.SHA256.New()
	digest.Write([]byte(head + "." + body))
	r, s, err := ecdsa.Sign(rand.Reader, keyring()["ES256"].(*ecdsa.PrivateKey), digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func encode(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func text(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestAssertionForms(t *testing.T) {
	a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
	head, body := text(`{"alg":"ES256"}`), encode(t, sound())
	good := rawSignText(t, head, body)
	parts := strings.Split(good, ".")
	hs := text(`{"alg":"HS256"}`)
	for name, token := range map[string]string{
		"empty segments": "..", "one segment": "abc", "two": parts[0] + "." + parts[1], "four": good + ".x", "five": "a.b.c.d.e",
		"RFC 8725 §3.1 none": text(`{"alg":"none"}`) + "." + body + ".", "RFC 8725 §3.1 none with a signature": rawSignText(t, text(`{"alg":"none"}`), body),
		"RFC 8725 §3.1 HS256": hs + "." + body + "." + parts[2], "no alg": rawSignText(t, text(`{}`), body), "alg as a number": rawSignText(t, text(`{"alg":256}`), body),
		"RFC 7515 §4 alg twice": rawSignText(t, text(`{"alg":"ES256","alg":"ES256"}`), body), "another signature": parts[0] + "." + parts[1] + "." + parts[2][1:] + "A",
		"RFC 7519 §4 sub twice": rawSignText(t, head, text(`{"sub":"jwt","sub":"jwt"}`)), "an array": rawSignText(t, head, text(`[]`)), "a trailing object": rawSignText(t, head, text(`{"sub":"jwt"}{}`)),
		"not base64url": "%%." + parts[1] + "." + parts[2], "padded": parts[0] + "=." + parts[1] + "." + parts[2], "JSON serialization": `{"payload":"x","signatures":[]}`,
		"not UTF-8": rawSignText(t, head, text("{\"sub\":\"\xff\"}")), "deep": rawSignText(t, head, text(`{"sub":`+strings.Repeat("[", 4000))), "large": head + "." + strings.Repeat("A", 9000) + ".AA",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(a, assertion(token)); fault.CodeOf(err) != "invalid_client" {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := ask(a, assertion(good)); err != nil {
		t.Errorf("the honest one: %v", err)
	}
	form := assertion(rawSignText(t, head, encode(t, sound())))
	form.Set("client_id", "other")
	if _, err := ask(a, form); fault.CodeOf(err) != "invalid_client" {
		t.Errorf("RFC 7521 §4.2 another client_id gives %v", err)
	}
}

func TestAssertionIsUsedOnce(t *testing.T) {
	replay := newSeen()
	other := jwtClient(t, "ES256", "k1")
	other.ID = "jwt2"
	a := newAuth(replay, nil, jwtClient(t, "ES256", "k1"), other)
	claims := sound()
	token := sign(t, "ES256", nil, claims)
	for name, broken := range map[string]map[string]any{
		"another aud": with("jti", claims["jti"], "aud", "https://other.example.test"),
		"expired":     with("jti", claims["jti"], "exp", time.Now().Add(-time.Minute).Unix()),
	} {
		if _, err := ask(a, assertion(sign(t, "ES256", nil, broken))); err == nil {
			t.Fatal(name, "passes")
		}
	}
	if len(replay.ids) != 0 {
		t.Error("a refused assertion leaves a trace")
	}
	// Another client with the same id burns nothing.
	if _, err := ask(a, assertion(sign(t, "ES256", nil, with("iss", "jwt2", "sub", "jwt2", "jti", claims["jti"])))); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(a, assertion(token)); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(a, assertion(token)); !strings.Contains(ruleOf(err), "used once") {
		t.Errorf("a replay gives %v", err)
	}
	replay.issued = nil
	exp := time.Now().Add(time.Minute).Truncate(time.Second)
	if _, err := ask(a, assertion(sign(t, "ES256", nil, with("iat", nil, "exp", exp.Unix())))); err != nil {
		t.Fatal(err)
	}
	if at := replay.issued[0]; !at.Before(exp.Add(-10 * time.Minute)) {
		t.Errorf("an assertion without iat counts as made at %v", at)
	}
}

func TestFiftyRacingAssertionsYieldOneWinner(t *testing.T) {
	a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
	token := sign(t, "ES256", nil, sound())
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 50 {
		wg.Go(func() {
			if _, err := ask(a, assertion(token)); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

func TestAssertionDependenciesDown(t *testing.T) {
	replay := newSeen()
	replay.down = fault.New(fault.Unavailable, "down", "Down.")
	if _, err := ask(newAuth(replay, nil, jwtClient(t, "ES256", "k1")), assertion(sign(t, "ES256", nil, sound()))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("replay set down: %v", err)
	}
	none := clientauth.New(clientauth.Config{Clients: newClients(jwtClient(t, "ES256", "k1")), Issuer: issuer})
	if _, err := ask(none, assertion(sign(t, "ES256", nil, sound()))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no replay set: %v", err)
	}
	remote := &client.Client{ID: "jwt", AuthMethod: protocol.AuthPrivateKeyJWT, JWKSURI: "https://app.example.test/jwks"}
	for name, tt := range map[string]struct {
		keys clientauth.KeySource
		kind fault.Kind
	}{
		"no source":     {nil, fault.Unavailable},
		"source down":   {&fetched{err: fault.New(fault.Unavailable, "keys_unavailable", "Down.")}, fault.Unavailable},
		"no such key":   {&fetched{err: fault.New(fault.NotFound, "key_not_found", "None.")}, fault.Unauthenticated},
		"another's key": {&fetched{keys: []jose.JSONWebKey{{Key: keyring()["ES384"].Public()}}}, fault.Unauthenticated},
		"the key":       {&fetched{keys: []jose.JSONWebKey{{Key: keyring()["ES384"].Public()}, {Key: keyring()["ES256"].Public()}}}, fault.None},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(newAuth(newSeen(), tt.keys, remote), assertion(sign(t, "ES256", nil, sound())))
			if fault.KindOf(err) != tt.kind {
				t.Errorf("got %v, want kind %v", err, tt.kind)
			}
		})
	}
}

func TestRegisteredAssertionAlgIsTheOnlyOne(t *testing.T) {
	c := jwtClient(t, "RS256", "k1")
	c.AuthSigningAlg = "PS256"
	a := newAuth(newSeen(), nil, c)
	if _, err := ask(a, assertion(sign(t, "RS256", nil, sound()))); !strings.Contains(ruleOf(err), "registered") {
		t.Errorf("RS256 gives %v", err)
	}
	if _, err := ask(a, assertion(sign(t, "PS256", nil, sound()))); err != nil {
		t.Errorf("PS256 gives %v", err)
	}
}

func TestKeysForEncryptionVerifyNothing(t *testing.T) {
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: keyring()["ES256"].Public(), Use: "enc"}}})
	check(err)
	c := &client.Client{ID: "jwt", AuthMethod: protocol.AuthPrivateKeyJWT, JWKS: raw}
	if _, err := ask(newAuth(newSeen(), nil, c), assertion(sign(t, "ES256", nil, sound()))); fault.CodeOf(err) != "invalid_client" {
		t.Errorf("got %v", err)
	}
}
