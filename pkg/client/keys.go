package client

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds a client's key set: each may be tried for an assertion
// without kid.
const maxKeys = 20

// checkInlineKeys refuses a key set that holds anything but sound public keys
// (security: no private part, no symmetric key, no weak RSA; points are
// checked to be on their curve by the parser).
func checkInlineKeys(raw json.RawMessage) error {
	var outer struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return errors.New("not a JWK Set")
	}
	if len(outer.Keys) == 0 || len(outer.Keys) > maxKeys {
		return fmt.Errorf("%d keys, want 1 to %d", len(outer.Keys), maxKeys)
	}
	for i, one := range outer.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(bytes.TrimSpace(one)); err != nil {
			return fmt.Errorf("key %d cannot be read", i+1)
		}
		if !k.IsPublic() || !k.Valid() {
			return fmt.Errorf("key %d is not a public key", i+1)
		}
		if len(k.KeyID) > 256 {
			return fmt.Errorf("key %d has a kid above 256 bytes", i+1)
		}
		switch p := k.Key.(type) {
		case *rsa.PublicKey:
			if n := p.N.BitLen(); n < 2048 || n > 8192 || p.E < 65537 && p.E != 3 && p.E != 17 {
				return fmt.Errorf("key %d is RSA with %d bits and exponent %d", i+1, n, p.E)
			}
		case *ecdsa.PublicKey, ed25519.PublicKey:
		default:
			return fmt.Errorf("key %d is of a kind that signs nothing here", i+1)
		}
	}
	return nil
}
