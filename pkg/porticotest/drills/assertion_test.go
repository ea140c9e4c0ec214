package drills

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// signer is a machine that authenticates with private_key_jwt.
type signer struct {
	t        *testing.T
	id       string
	audience string
	key      *ecdsa.PrivateKey
}

// newSigner registers the machine with its public key.
func newSigner(t *testing.T, s *porticotest.Server) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	app := s.Register(map[string]any{
		"client_name": "A machine with a key", "grant_types": []string{protocol.GrantClientCredentials}, "redirect_uris": []string{},
		"response_types": []string{}, "token_endpoint_auth_method": protocol.AuthPrivateKeyJWT, "scope": "orders:read",
		"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig"}}},
	})
	return &signer{t: t, id: app.ID, audience: s.URL, key: key}
}

// assertion is a new client assertion of our clock (RFC 7523 §3).
func (m *signer) assertion() string {
	m.t.Helper()
	opts := (&jose.SignerOptions{}).WithHeader("kid", "k")
	sig, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: m.key}, opts)
	if err != nil {
		m.t.Fatal(err)
	}
	now := clock.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": m.id, "sub": m.id, "aud": m.audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	jws, err := sig.Sign(claims)
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// form is a token request with the assertion.
func (m *signer) form(assertion string) url.Values {
	return grantForm(protocol.GrantClientCredentials, protocol.ClientID, m.id,
		protocol.ClientAssertionType, protocol.AssertionJWTBearer, protocol.ClientAssertion, assertion)
}

// takenAgain waits until assertions are taken after the replay set was lost:
// from the next whole second on, because iat has no smaller unit. It tries
// once a second; failures are counted.
func (m *signer) takenAgain(s *porticotest.Server) {
	m.t.Helper()
	var tried int64
	soon(m.t, "a new assertion is taken", func() bool {
		now := clock.Now().Unix()
		if now == tried {
			return false
		}
		tried = now
		return s.Send(nobody, protocol.PathToken, m.form(m.assertion())).Status == http.StatusOK
	})
}

// nobody sends a form without any authentication of its own.
var nobody = porticotest.App{}
