package password

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"golang.org/x/text/unicode/norm"
)

const saltBytes, keyBytes = 16, 32

// hasher makes argon2id hashes at one cost and reads hashes of every format
// that may have been imported. It holds no state that changes.
type hasher struct {
	make   *argon2.Hasher
	read   *crypt.Decoder
	prefix string           // "$argon2id$v=19$m=…,t=…,p=…$": what an up-to-date hash begins with
	nobody algorithm.Digest // matches nothing, at the configured cost
}

func newHasher(cfg Config) (*hasher, error) {
	made, err := argon2.New(argon2.WithVariantID(), argon2.WithM(cfg.MemoryKiB), argon2.WithT(cfg.Passes),
		argon2.WithP(cfg.Lanes), argon2.WithS(saltBytes), argon2.WithK(keyBytes))
	if err != nil {
		return nil, fmt.Errorf("password: argon2id costs: %w", err)
	}
	h := &hasher{make: made, read: crypt.NewDecoder()}
	for _, register := range []func(algorithm.DecoderRegister) error{
		argon2.RegisterDecoder, bcrypt.RegisterDecoder, pbkdf2.RegisterDecoder, scrypt.RegisterDecoderScrypt,
	} {
		if err := register(h.read); err != nil {
			return nil, fmt.Errorf("password: register a format: %w", err)
		}
	}
	memory := cfg.MemoryKiB - cfg.MemoryKiB%uint32(4*cfg.Lanes) // RFC 9106 §3.2: m' is a multiple of 4p
	h.prefix = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$", memory, cfg.Passes, cfg.Lanes)
	nobody := make([]byte, saltBytes+keyBytes)
	_, _ = rand.Read(nobody) // never fails: crypto/rand ends the process instead
	b64 := base64.RawStdEncoding
	h.nobody, err = h.read.Decode(h.prefix + b64.EncodeToString(nobody[:saltBytes]) + "$" + b64.EncodeToString(nobody[saltBytes:]))
	return h, err
}

// hash returns the PHC string of a password in its NFKC form, so that every
// keyboard's way of writing it is the same (NIST SP 800-63B §3.1.1.2).
func (h *hasher) hash(plain string) (string, error) {
	digest, err := h.make.Hash(norm.NFKC.String(plain))
	if err != nil {
		return "", fmt.Errorf("password: hash: %w", err)
	}
	return digest.Encode(), nil
}

// outdated reports whether stored was made in another format or at another
// cost than a new hash would be.
func (h *hasher) outdated(stored string) bool { return !strings.HasPrefix(stored, h.prefix) }

// match reports whether plain is the password behind stored. An error means
// that stored cannot be read.
func (h *hasher) match(stored, plain string) (bool, error) {
	digest, err := h.decode(stored)
	if err != nil {
		return false, err
	}
	return try(digest, plain), nil
}

// burn spends what match spends.
func (h *hasher) burn(plain string) { try(h.nobody, plain) }

// try compares the NFKC form, then, where it differs, what was typed: an
// importing server may have hashed it as it was.
func try(digest algorithm.Digest, plain string) bool {
	form := norm.NFKC.String(plain)
	right := matches(digest, form)
	if form != plain {
		right = matches(digest, plain) || right
	}
	return right
}

func matches(digest algorithm.Digest, plain string) bool {
	if b, ok := digest.(*bcrypt.Digest); ok && !strings.HasPrefix(b.Encode(), "$bcrypt-sha256$") && len(plain) > bcrypt.PasswordInputSizeMax {
		return false // bcrypt would look at the first 72 bytes only
	}
	right, err := digest.MatchAdvanced(plain)
	return right && err == nil
}

// errCostly refuses a hash whose verification would take too much.
var errCostly = errors.New("password: the hash asks for too much memory or time")

func (h *hasher) decode(stored string) (algorithm.Digest, error) {
	if len(stored) > 512 {
		return nil, errCostly
	}
	digest, err := h.read.Decode(stored)
	if err != nil {
		return nil, fmt.Errorf("password: stored hash: %w", err)
	}
	if err := affordable(stored); err != nil {
		return nil, err
	}
	return digest, nil
}
