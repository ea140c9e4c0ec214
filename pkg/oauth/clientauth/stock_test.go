package clientauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	josev3 "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// stock is fosite's own client authentication with the key of alg.
func stock(t *testing.T, alg string) func(form url.Values) error {
	t.Helper()
	store := storage.NewMemoryStore()
	store.Clients["jwt"] = &fosite.DefaultOpenIDConnectClient{
		DefaultClient:           &fosite.DefaultClient{ID: "jwt"},
		TokenEndpointAuthMethod: "private_key_jwt", TokenEndpointAuthSigningAlgorithm: alg,
		JSONWebKeys: &josev3.JSONWebKeySet{Keys: []josev3.JSONWebKey{{Key: keyring()[alg].Public(), KeyID: "k1", Use: "sig", Algorithm: alg}}},
	}
	f := &fosite.Fosite{Store: store, Config: &fosite.Config{TokenURL: tokenURL, GlobalSecret: make([]byte, 32)}}
	return func(form url.Values) error {
		r := httptest.NewRequest(http.MethodPost, tokenURL, nil)
		_, err := f.AuthenticateClient(t.Context(), r, form)
		return err
	}
}

// red fails the test when stock fosite does not show the defect (any more).
func red(t *testing.T, shown bool, what string, err error) {
	t.Helper()
	if !shown {
		t.Errorf("stock fosite does not show the defect %q: %v", what, err)
	}
}

func TestAssertionDefects(t *testing.T) {
	kid := map[string]any{"kid": "k1"}
	t.Run("stock takes the sound one", func(t *testing.T) {
		if err := stock(t, "ES256")(assertion(sign(t, "ES256", kid, with("aud", tokenURL)))); err != nil {
			t.Fatalf("the comparison is worth nothing: %v", err)
		}
	})
	t.Run("EdDSA", func(t *testing.T) {
		err := stock(t, "EdDSA")(assertion(sign(t, "EdDSA", kid, with("aud", tokenURL))))
		red(t, err != nil, "EdDSA refused", err)
		a := newAuth(newSeen(), nil, jwtClient(t, "EdDSA", "k1"))
		if _, err := ask(a, assertion(sign(t, "EdDSA", kid, with("aud", tokenURL)))); err != nil {
			t.Error(err)
		}
	})
	t.Run("the issuer as audience", func(t *testing.T) {
		err := stock(t, "ES256")(assertion(sign(t, "ES256", kid, with("aud", issuer))))
		red(t, err != nil, "issuer audience refused", err)
		a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
		if _, err := ask(a, assertion(sign(t, "ES256", kid, with("aud", issuer)))); err != nil {
			t.Error(err)
		}
	})
	t.Run("a year ahead", func(t *testing.T) {
		claims := with("aud", tokenURL, "exp", time.Now().AddDate(1, 0, 0).Unix())
		err := stock(t, "ES256")(assertion(sign(t, "ES256", kid, claims)))
		red(t, err == nil, "no bound of exp", err)
		a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
		if _, err := ask(a, assertion(sign(t, "ES256", kid, claims))); err == nil {
			t.Error("an assertion of a year passes")
		}
	})
	t.Run("an id burnt by a refused assertion", func(t *testing.T) {
		wrong := with("aud", "https://other.example.test")
		right := with("aud", tokenURL, "jti", wrong["jti"])
		server := stock(t, "ES256")
		_ = server(assertion(sign(t, "ES256", kid, wrong)))
		err := server(assertion(sign(t, "ES256", kid, right)))
		red(t, err != nil, "id burnt before the audience check", err)
		a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
		_, _ = ask(a, assertion(sign(t, "ES256", kid, wrong)))
		if _, err := ask(a, assertion(sign(t, "ES256", kid, right))); err != nil {
			t.Error(err)
		}
	})
	t.Run("a header beside the assertion", func(t *testing.T) {
		form := assertion(sign(t, "ES256", kid, with("aud", tokenURL)))
		a := newAuth(newSeen(), nil, jwtClient(t, "ES256", "k1"))
		if _, err := ask(a, form, basic("jwt", "secret-of-jwt")); err == nil {
			t.Error("two methods pass")
		}
	})
}
