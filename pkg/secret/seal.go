package secret

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the size of an encryption key in bytes.
const KeySize = chacha20poly1305.KeySize

// ErrUnsealable says that sealed bytes were altered, belong to another
// context, or were sealed under a key that is not configured any more.
var ErrUnsealable = errors.New("secret: sealed value cannot be opened")

// Sealer encrypts small values at rest under the newest of its keys and opens
// what any of them sealed. XChaCha20-Poly1305, whose 192-bit nonce may be
// random for any number of values. It is safe for concurrent use.
type Sealer struct {
	newest string
	keys   map[string][]byte // by key id
}

// NewSealer takes the keys newest first; at least one.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("secret: no encryption key")
	}
	s := &Sealer{keys: make(map[string][]byte, len(keys))}
	for i, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("secret: encryption key %d has %d bytes, want %d", i+1, len(k), KeySize)
		}
		id := keyID(k)
		s.keys[id] = append([]byte(nil), k...)
		if i == 0 {
			s.newest = id
		}
	}
	return s, nil
}

// ParseKeys reads PORTICO_ENCRYPTION_KEYS: base64 (standard or URL alphabet,
// padded or not), comma-separated, newest first. An error names the position
// of the bad key and never its bytes.
func ParseKeys(list string) ([][]byte, error) {
	var keys [][]byte
	for i, part := range strings.Split(list, ",") {
		part = strings.TrimRight(strings.TrimSpace(part), "=")
		part = strings.NewReplacer("+", "-", "/", "_").Replace(part)
		k, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return nil, fmt.Errorf("encryption key %d is not base64", i+1)
		}
		if len(k) != KeySize {
			return nil, fmt.Errorf("encryption key %d has %d bytes, want %d", i+1, len(k), KeySize)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Seal encrypts plain. where names the place it is kept ("keyring/<kid>") and
// is bound to the result: a sealed value moved to another row does not open.
func (s *Sealer) Seal(where string, plain []byte) []byte {
	id := s.newest
	aead, err := chacha20poly1305.NewX(s.keys[id])
	if err != nil {
		panic(err) // the key size was checked in NewSealer
	}
	out := append([]byte(id), randomBytes(aead.NonceSize())...)
	return aead.Seal(out, out[len(id):], plain, []byte(where))
}

// Open decrypts what Seal made for the same place, or returns ErrUnsealable.
func (s *Sealer) Open(where string, sealed []byte) ([]byte, error) {
	if len(sealed) < keyIDLen+chacha20poly1305.NonceSizeX {
		return nil, ErrUnsealable
	}
	key, ok := s.keys[string(sealed[:keyIDLen])]
	if !ok {
		return nil, ErrUnsealable
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, ErrUnsealable
	}
	nonce, box := sealed[keyIDLen:keyIDLen+aead.NonceSize()], sealed[keyIDLen+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, box, []byte(where))
	if err != nil {
		return nil, ErrUnsealable
	}
	return plain, nil
}

// Stale reports whether sealed was made under a key that is not the newest,
// so that rotation can seal it again.
func (s *Sealer) Stale(sealed []byte) bool {
	return len(sealed) < keyIDLen || string(sealed[:keyIDLen]) != s.newest
}

// keyIDLen is the length of a key id in bytes.
const keyIDLen = 8

func keyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("portico key id\x00"), key...))
	return b64.EncodeToString(sum[:6])
}
