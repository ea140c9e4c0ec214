package intake

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Whether a hash can be verified, and at a cost we can bear, is not decided
// here: password.Service.CheckImport reads what these functions write.

// ab64 is how PBKDF2 hashes are written: base64 with a dot for the plus.
var ab64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding)

func pbkdf2PHC(name string, iterations int, salt, key []byte) string {
	return fmt.Sprintf("$%s$%d$%s$%s", name, iterations, ab64.EncodeToString(salt), ab64.EncodeToString(key))
}

// readPBKDF2 takes $pbkdf2-sha512$i=100000,l=64$salt$hash, as the PHC string
// format has it, or with a bare number of iterations.
func readPBKDF2(s string) (string, error) {
	bad := errors.New("this pbkdf2 hash is no PHC string, such as $pbkdf2-sha512$i=…,l=…$salt$hash")
	parts := strings.Split(s, "$")
	if len(parts) != 5 || parts[0] != "" {
		return "", bad
	}
	switch parts[1] {
	case "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha224", "pbkdf2-sha256", "pbkdf2-sha384", "pbkdf2-sha512":
	default:
		return "", unknownHash(parts[1])
	}
	iterations, length, ok := pbkdf2Costs(parts[2])
	if !ok {
		return "", bad
	}
	salt, err := base64Of(parts[3])
	if err != nil {
		return "", err
	}
	key, err := base64Of(parts[4])
	if err != nil {
		return "", err
	}
	if length != 0 && length != len(key) {
		return "", fmt.Errorf("l is %d and the hash has %d bytes", length, len(key))
	}
	return pbkdf2PHC(parts[1], iterations, salt, key), nil
}

func pbkdf2Costs(s string) (iterations, length int, ok bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, 0, true
	}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
			return 0, 0, false
		case name == "i" && iterations == 0:
			iterations = n
		case name == "l" && length == 0:
			length = n
		default:
			return 0, 0, false
		}
	}
	return iterations, length, iterations > 0
}

// argon2PHC writes the parameters of an argon2 hash, which come as texts.
func argon2PHC(kind, version, memory string, passes int, lanes string, salt, key []byte) (string, error) {
	if kind != "id" && kind != "i" && kind != "d" {
		return "", fmt.Errorf("argon2 of the type %.20q is not known", kind)
	}
	if version != "1.3" && version != "19" {
		return "", fmt.Errorf("argon2 of the version %.20q cannot be verified", version)
	}
	m, err := strconv.Atoi(memory)
	if err != nil {
		return "", errors.New("argon2 needs its memory")
	}
	p, err := strconv.Atoi(lanes)
	if err != nil {
		return "", errors.New("argon2 needs its parallelism")
	}
	raw := base64.RawStdEncoding
	return fmt.Sprintf("$argon2%s$v=19$m=%d,t=%d,p=%d$%s$%s", kind, m, passes, p, raw.EncodeToString(salt), raw.EncodeToString(key)), nil
}

func scryptPHC(n, r, p int, salt, key []byte) (string, error) {
	if n < 2 || bits.OnesCount(uint(n)) != 1 {
		return "", errors.New("the cost of scrypt is a power of two")
	}
	raw := base64.RawStdEncoding
	return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s$%s", bits.TrailingZeros(uint(n)), r, p, raw.EncodeToString(salt), raw.EncodeToString(key)), nil
}

func bcryptPHC(s string) (string, error) {
	if !strings.HasPrefix(s, "$2") {
		return "", errors.New("this bcrypt hash does not begin with $2")
	}
	return s, nil
}

// decode reads a salt or a hash; nothing said means utf8.
func decode(encoding, s string) ([]byte, error) {
	switch encoding {
	case "base64":
		return base64Of(s)
	case "hex":
		b, err := hex.DecodeString(s)
		if err != nil {
			return nil, errors.New("a hash or salt is no hex")
		}
		return b, nil
	case "utf8", "":
		return []byte(s), nil
	}
	return nil, fmt.Errorf("the encoding %.20q is not known", encoding)
}

// base64Of reads any of the spellings of base64.
func base64Of(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/", ".", "+").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, errors.New("a hash or salt is no base64")
	}
	return b, nil
}

func unknownHash(name string) error {
	return fmt.Errorf("password hashes of the kind %q are not taken: they are too fast to be safe, or not known", clip(name))
}
