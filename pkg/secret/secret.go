// Package secret makes and keeps bearer secrets: mint them, fingerprint them
// for storage, compare fingerprints, seal what must be read back later.
// It knows nothing of what a secret opens.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// A Kind is the namespace of a secret. It is the visible prefix, so that
// secret scanners recognise a leak, and it is part of the fingerprint, so
// that a secret of one kind never passes as another.
type Kind string

// Kinds. The prefix never changes: scanners and databases know it.
const (
	ClientSecret      Kind = "ptc"   // client_secret made by Portico
	AuthorizationCode Kind = "ptac"  // RFC 6749 §1.3.1
	RefreshToken      Kind = "ptrt"  // RFC 6749 §1.5
	OpaqueAccessToken Kind = "ptat"  // RFC 6749 §1.4, when an API asks for opaque tokens
	RegistrationToken Kind = "ptrat" // RFC 7592 registration access token
	InitialAccess     Kind = "ptiat" // RFC 7591 §3 initial access token
	SessionCookie     Kind = "pts"   // a signed-in browser
	BrowserCookie     Kind = "ptb"   // a browser before and besides any session
	KnownDevice       Kind = "ptd"   // who signed in with a browser before
	FlowID            Kind = "ptf"   // one interactive request
	PendingRequest    Kind = "ptq"   // a stored authorization or logout POST
	UpstreamState     Kind = "ptu"   // a browser that is at a provider, and comes back
	UpstreamNonce     Kind = "ptun"  // the nonce of a sign-in at a provider
	UpstreamVerifier  Kind = "ptuv"  // its code verifier
	ConfirmLink       Kind = "ptl"   // the link of a mail: sign-up, invitation, reset, change of address
	TrustedBrowser    Kind = "ptt"   // a browser that is not asked for a second factor
	Ceremony          Kind = "ptw"   // one use of a passkey that was asked for
	RecoveryCode      Kind = "ptrc"  // of the list for who lost their factors; only its fingerprint has the kind
	ConfirmCode       Kind = "ptcd"  // the code of a mail; only its fingerprint has the kind
)

// entropy is the size of a secret in bytes: 256 bits.
const entropy = 32

var b64 = base64.RawURLEncoding

// New mints a secret: prefix, underscore, 256 random bits and a checksum of
// 32 bits, all in the base64url alphabet, because many clients do not encode
// Basic credentials.
func New(kind Kind) string { return Wrap(kind, randomBytes(entropy)) }

// Wrap writes payload in the shape of a secret of the kind, with checksum.
func Wrap(kind Kind, payload []byte) string {
	body := b64.EncodeToString(payload)
	return string(kind) + "_" + body + checksum(string(kind)+"_"+body)
}

// Unwrap returns the payload of a well-formed secret of the kind. It proves
// shape and checksum only, and costs less than any lookup; use it to refuse
// garbage before a store is asked.
func Unwrap(kind Kind, s string) (payload []byte, ok bool) {
	rest, found := strings.CutPrefix(s, string(kind)+"_")
	if !found || len(rest) <= sumLen || len(s) > 512 {
		return nil, false
	}
	body, sum := rest[:len(rest)-sumLen], rest[len(rest)-sumLen:]
	if sum != checksum(string(kind)+"_"+body) {
		return nil, false
	}
	payload, err := b64.Strict().DecodeString(body)
	return payload, err == nil
}

// ID returns a random identifier of 128 bits in the base64url alphabet. It is
// not a secret. It begins with a letter or digit, so that a shell does not
// take it for a flag.
func ID() string {
	for {
		if id := b64.EncodeToString(randomBytes(16)); id[0] != '-' && id[0] != '_' {
			return id
		}
	}
}

// sumLen is the length of a checksum: 4 bytes in base64url.
const sumLen = 6

func checksum(s string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(s)))
	return b64.EncodeToString(sum[:])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

// Fingerprinter turns secrets into what may be stored: a keyed SHA-256. The
// key is random, made once, sealed at rest, and never rotated: a stolen
// database without it cannot be searched for a guessed secret.
// It is safe for concurrent use.
type Fingerprinter struct{ key []byte }

// NewFingerprinter takes a key of at least 32 bytes.
func NewFingerprinter(key []byte) *Fingerprinter {
	if len(key) < entropy {
		panic("secret: fingerprint key is shorter than 32 bytes")
	}
	return &Fingerprinter{key: append([]byte(nil), key...)}
}

// Of returns the fingerprint of s as a secret of the kind: 43 characters of
// base64url.
func (f *Fingerprinter) Of(kind Kind, s string) string {
	return b64.EncodeToString(f.sum(kind, s))
}

// Tag returns the first 16 bytes of the keyed hash of s: enough to prove that
// Portico made s, for values whose older versions are no longer stored.
func (f *Fingerprinter) Tag(kind Kind, s string) []byte { return f.sum(kind, s)[:16] }

func (f *Fingerprinter) sum(kind Kind, s string) []byte {
	h := hmac.New(sha256.New, f.key)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(s))
	return h.Sum(nil)
}

// Equal compares two fingerprints or tags in constant time.
func Equal[T ~string | ~[]byte](a, b T) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
