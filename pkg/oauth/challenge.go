package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// Bounds of a code verifier (RFC 7636 §4.1).
const (
	minVerifier = 43
	maxVerifier = 128
)

// validVerifier checks the shape before anything is hashed.
func validVerifier(v string) bool {
	if len(v) < minVerifier || len(v) > maxVerifier {
		return false
	}
	for i := range len(v) {
		b := v[i]
		plain := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		if !plain && strings.IndexByte("-._~", b) < 0 {
			return false
		}
	}
	return true
}

// validChallenge reports whether c is the base64url of 32 bytes, as S256
// makes it.
func validChallenge(c string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(c)
	return err == nil && len(sum) == sha256.Size && len(c) == minVerifier
}

// meetsChallenge reports in constant time whether the verifier is the one
// behind the S256 challenge (RFC 7636 §4.6).
func meetsChallenge(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}
