package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// Select returns the keys of set that may have made a signature with the
// algorithm alg and the key id kid. An empty kid matches every key: not every
// signer names its key. kid is compared as an opaque string and never used as
// anything else. Keys for encryption, of another algorithm, type or curve are
// left out (RFC 7517 §4.2, §4.4, RFC 8725 §3.1).
func Select(set *jose.JSONWebKeySet, kid, alg string) []jose.JSONWebKey {
	if set == nil {
		return nil
	}
	var found []jose.JSONWebKey
	for _, k := range set.Keys {
		if (kid == "" || k.KeyID == kid) && serves(&k, alg) {
			found = append(found, k)
		}
	}
	return found
}

// serves reports whether k can verify signatures of the algorithm.
func serves(k *jose.JSONWebKey, alg string) bool {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && !SameAlg(k.Algorithm, alg) {
		return false
	}
	switch p := k.Key.(type) {
	case *rsa.PublicKey:
		switch jose.SignatureAlgorithm(alg) {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			return true
		}
	case *ecdsa.PublicKey:
		switch jose.SignatureAlgorithm(alg) { // one curve each (RFC 7518 §3.4)
		case jose.ES256:
			return p.Params().BitSize == 256
		case jose.ES384:
			return p.Params().BitSize == 384
		case jose.ES512:
			return p.Params().BitSize == 521
		}
	case ed25519.PublicKey:
		return SameAlg(alg, string(jose.EdDSA))
	}
	return false
}

// AlgEd25519 is the name that RFC 9864 §2.2 gives to what RFC 8037 calls
// EdDSA: clients write either. Ed25519 is the only curve here, so that the two
// are one algorithm.
const AlgEd25519 = "Ed25519"

// SameAlg reports whether two names mean one algorithm.
func SameAlg(a, b string) bool {
	return a == b || isEdDSA(a) && isEdDSA(b)
}

func isEdDSA(alg string) bool { return alg == AlgEd25519 || alg == string(jose.EdDSA) }
