package porticotest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// clientKey is the key of a client for one algorithm.
type clientKey struct {
	alg     string
	private crypto.Signer
}

// rsaKey serves every RSA algorithm of these tests: making one takes time.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newClientKey(t *testing.T, alg string) clientKey {
	t.Helper()
	k := clientKey{alg: alg}
	var err error
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		k.private, err = rsaKey()
	case alg == "EdDSA", alg == "Ed25519":
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
		if curves[alg] == nil {
			t.Fatalf("no key for the advertised algorithm %s", alg)
		}
		k.private, err = ecdsa.GenerateKey(curves[alg], rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// jwks is what the client registers.
func (k clientKey) jwks() map[string]any {
	return map[string]any{"keys": []any{jose.JSONWebKey{Key: k.private.Public(), KeyID: "a key", Use: "sig"}}}
}

// assertion is the form of a client that authenticates by private_key_jwt.
func (k clientKey) assertion(t *testing.T, s *porticotest.Server, app porticotest.App, form url.Values) url.Values {
	t.Helper()
	var key any = k.private
	if k.alg == "Ed25519" { // go-jose knows it by its older name only
		key = fullyNamed{k.private}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.alg), Key: key},
		(&jose.SignerOptions{}).WithHeader("kid", "a key"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: app.ID, Subject: app.ID, Audience: jwt.Audience{s.URL}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	out := url.Values{protocol.ClientAssertionType: {protocol.AssertionJWTBearer}, protocol.ClientAssertion: {token}}
	for name, values := range form {
		out[name] = values
	}
	return out
}

// fullyNamed signs with the algorithm Ed25519 of RFC 9864.
type fullyNamed struct{ crypto.Signer }

func (s fullyNamed) Public() *jose.JSONWebKey { return &jose.JSONWebKey{Key: s.Signer.Public()} }

func (s fullyNamed) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{"Ed25519"} }

func (s fullyNamed) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.Sign(rand.Reader, payload, crypto.Hash(0))
}
