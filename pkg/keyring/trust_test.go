package keyring_test

import (
	"testing"

	"github.com/portico-id/portico/pkg/keyring"
)

func TestTrustsFollowsVerify(t *testing.T) {
	ring := open(t, &memory{}, keyring.Config{})
	key, err := ring.Signer(keyring.AccessTokens, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if !ring.Trusts(keyring.AccessTokens, key.KeyID()) {
		t.Error("the signing key is not trusted")
	}
	if ring.Trusts(keyring.IDTokens, key.KeyID()) || ring.Trusts(keyring.AccessTokens, "unknown") {
		t.Error("a key is trusted for another purpose, or one that is not there")
	}
	if err := ring.Revoke(t.Context(), key.KeyID()); err != nil {
		t.Fatal(err)
	}
	if ring.Trusts(keyring.AccessTokens, key.KeyID()) {
		t.Error("a revoked key is trusted")
	}
}
