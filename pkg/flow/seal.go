package flow

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/portico-id/portico/pkg/secret"
)

// What a flow remembers (who is hinted at, an old ID token, the client's
// state) is sealed under a key that only its id yields, and the id is in the
// browser alone: a dump of the store shows nothing.

func seal(id string, plain []byte) []byte { return sealer(id).Seal("flow", plain) }

func open(id string, sealed []byte) ([]byte, error) { return sealer(id).Open("flow", sealed) }

func sealer(id string) *secret.Sealer {
	key, err := hkdf.Key(sha256.New, []byte(id), nil, "portico flow", secret.KeySize)
	if err != nil {
		panic(err) // only for a key longer than 255 hashes
	}
	s, err := secret.NewSealer(key)
	if err != nil {
		panic(err) // the key has the size that it asks for
	}
	return s
}
