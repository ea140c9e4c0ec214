package password_test

import (
	"testing"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"
)

// vector returns a hash as another server would have made it.
func vector(t *testing.T, format, plain string) string {
	t.Helper()
	makers := map[string]func() (algorithm.Hash, error){
		"pbkdf2-sha256": func() (algorithm.Hash, error) {
			return pbkdf2.New(pbkdf2.WithVariantName("sha256"), pbkdf2.WithIterations(100_000))
		},
		"pbkdf2-sha512": func() (algorithm.Hash, error) {
			return pbkdf2.New(pbkdf2.WithVariantName("sha512"), pbkdf2.WithIterations(100_000))
		},
		"pbkdf2 default": func() (algorithm.Hash, error) {
			return pbkdf2.New(pbkdf2.WithVariantName("sha1"), pbkdf2.WithIterations(100_000))
		},
		"scrypt": func() (algorithm.Hash, error) { return scrypt.New(scrypt.WithLN(4)) },
		"argon2i": func() (algorithm.Hash, error) {
			return argon2.New(argon2.WithVariantI(), argon2.WithM(64), argon2.WithP(1))
		},
	}
	made, err := makers[format]()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := made.Hash(plain)
	if err != nil {
		t.Fatal(err)
	}
	return digest.Encode()
}
