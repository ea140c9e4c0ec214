package oauth

import (
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
)

// TokenHash returns the left half of the hash of a token or code, for at_hash,
// c_hash and s_hash, by the hash of the algorithm that signs the ID token
// (OIDC Core §3.1.3.6): SHA-256, 384 or 512 by the number in its name, and for
// EdDSA the hash that Ed25519 uses, SHA-512.
func TokenHash(alg, token string) (string, error) {
	sum, err := hashOf(alg, []byte(token))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]), nil
}

func hashOf(alg string, b []byte) ([]byte, error) {
	switch {
	case alg == "EdDSA" || alg == "Ed25519":
		sum := sha512.Sum512(b)
		return sum[:], nil
	case alg == "Ed448": // RFC 8032 §5.2: SHAKE256 with 114 bytes
		return sha3.SumSHAKE256(b, 114), nil
	case len(alg) == 5 && strings.HasSuffix(alg, "256"):
		sum := sha256.Sum256(b)
		return sum[:], nil
	case len(alg) == 5 && strings.HasSuffix(alg, "384"):
		sum := sha512.Sum384(b)
		return sum[:], nil
	case len(alg) == 5 && strings.HasSuffix(alg, "512"):
		sum := sha512.Sum512(b)
		return sum[:], nil
	default:
		return nil, fmt.Errorf("oauth: no token hash for algorithm %q", alg)
	}
}
