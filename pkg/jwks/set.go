package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of a stranger's key set.
const (
	maxKeys = 20
	maxSet  = 256 << 10 // bytes
	maxKID  = 256       // bytes
	minRSA  = 2048      // bits
	maxRSA  = 8192      // bits: more makes each signature check dear
)

// publicMembers are what is read of a key. Certificates (x5c) are left out:
// nothing is decided by them and parsing them costs.
var publicMembers = []string{"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"}

// privateMembers show that somebody published what must stay with them
// (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// ParseSet reads a JWK Set (RFC 7517 §5) that a stranger published: at most 20
// keys, all public, RSA of 2048 to 8192 bits with a sane exponent, points on
// their curve. Keys of a type or curve that is not in use here are left out,
// as the section says; one that is broken, weak or private refuses the whole
// set, and so does a set in which no key is left.
func ParseSet(raw []byte) (*jose.JSONWebKeySet, error) {
	if len(raw) > maxSet {
		return nil, fmt.Errorf("jwks: %d bytes, at most %d are taken", len(raw), maxSet)
	}
	var outer map[string]json.RawMessage // a struct would match KEYS as well
	var members []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &outer); err != nil {
		return nil, errors.New("jwks: not a JSON object")
	}
	if err := json.Unmarshal(outer["keys"], &members); err != nil {
		return nil, errors.New("jwks: no list of keys")
	}
	if len(members) > maxKeys {
		return nil, fmt.Errorf("jwks: %d keys, at most %d are taken", len(members), maxKeys)
	}
	set := &jose.JSONWebKeySet{}
	for i, m := range members {
		key, known, err := parseKey(m)
		if err != nil {
			return nil, fmt.Errorf("jwks: key %d: %w", i+1, err)
		}
		if known {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("jwks: no key that can be used")
	}
	return set, nil
}

// parseKey reads one key. known is false for a type or curve not in use here.
func parseKey(m map[string]json.RawMessage) (key jose.JSONWebKey, known bool, err error) {
	kty, crv := text(m["kty"]), text(m["crv"])
	for _, name := range privateMembers {
		if _, has := m[name]; has {
			return key, false, fmt.Errorf("it carries %s, which is not for publication", name)
		}
	}
	switch {
	case kty == "oct":
		return key, false, errors.New("it is symmetric")
	case kty == "RSA",
		kty == "EC" && (crv == "P-256" || crv == "P-384" || crv == "P-521"),
		kty == "OKP" && crv == "Ed25519":
	case kty == "":
		return key, false, errors.New("it has no type")
	default:
		return key, false, nil
	}
	public := make(map[string]json.RawMessage, len(publicMembers))
	for _, name := range publicMembers {
		if v, has := m[name]; has {
			public[name] = v
		}
	}
	plain, err := json.Marshal(public)
	if err != nil {
		return key, false, errors.New("it is not JSON")
	}
	if err := key.UnmarshalJSON(plain); err != nil {
		return key, false, errors.New("it cannot be read")
	}
	return key, true, checkKey(&key)
}

// text returns a JSON string, or "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func checkKey(k *jose.JSONWebKey) error {
	if !k.Valid() || !k.IsPublic() {
		return errors.New("it is not a valid public key")
	}
	if len(k.KeyID) > maxKID || len(k.Algorithm) > maxKID || len(k.Use) > maxKID {
		return fmt.Errorf("a member is longer than %d bytes", maxKID)
	}
	switch p := k.Key.(type) {
	case *rsa.PublicKey:
		return checkRSA(p)
	case *ecdsa.PublicKey:
		// ECDH checks the point against its curve.
		if _, err := p.ECDH(); err != nil {
			return errors.New("its point is not on the curve")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	default:
		return errors.New("it is of a type that signs nothing")
	}
}

func checkRSA(p *rsa.PublicKey) error {
	if bits := p.N.BitLen(); bits < minRSA || bits > maxRSA {
		return fmt.Errorf("its modulus has %d bits, want %d to %d", bits, minRSA, maxRSA)
	}
	if p.N.Bit(0) == 0 {
		return errors.New("its modulus is even")
	}
	// 1 and even exponents make a signature anybody's; huge ones make checking
	// it dear.
	if p.E != 3 && p.E != 17 && (p.E < 65537 || p.E > 1<<31-1) || p.E%2 == 0 {
		return fmt.Errorf("its exponent is %d", p.E)
	}
	return nil
}
