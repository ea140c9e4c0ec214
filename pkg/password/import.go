package password

import (
	"errors"
	"strconv"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
)

// Bounds of an imported hash: verifying it may take about a second and
// 256 MiB, because whoever types a password makes us do it.
const (
	maxMemoryKiB  = 256 << 10
	maxWorkKiB    = 1 << 20 // memory times passes
	maxPasses     = 64
	maxLanes      = 16
	maxBcryptCost = 14
	maxPBKDF2     = 2_000_000
	maxScryptLog  = 18
	maxScryptR    = 32
	maxScryptP    = 16
	leastKey      = 16 // bytes: a shorter one is met by chance, or was cut
)

// errShort refuses a hash that many passwords would match.
var errShort = errors.New("password: the hash has too few bytes")

// CheckImport says whether a hash that another server made can be verified:
// argon2, bcrypt, pbkdf2 or scrypt as a PHC string, at a cost we can bear.
// fault.Invalid otherwise. Store it with Put.
func (s *Service) CheckImport(hash string) error {
	digest, err := s.hasher.decode(hash)
	if err == nil && len(digest.Key()) < leastKey {
		err = errShort
	}
	if err != nil {
		return fault.Hide(err, fault.Invalid, "password_hash_unreadable",
			"This password hash is not argon2, bcrypt, pbkdf2 or scrypt in PHC format, or its cost is too high.")
	}
	return nil
}

// affordable reads the cost parameters of a PHC string that already decoded.
// It comes before any hashing: what is stored may have been imported.
func affordable(phc string) error {
	parts := strings.Split(phc, "$")
	switch name := parts[1]; {
	case strings.HasPrefix(name, "argon2"):
		p := params(parts[2] + "," + parts[3])
		if err := within(p, map[string]int{"m": maxMemoryKiB, "t": maxPasses, "p": maxLanes}); err != nil {
			return err
		}
		return within(map[string]int{"work": p["m"] * p["t"]}, map[string]int{"work": maxWorkKiB})
	case strings.HasPrefix(name, "pbkdf2"):
		return within(map[string]int{"i": number(parts[2])}, map[string]int{"i": maxPBKDF2})
	case name == "scrypt":
		p := params(parts[2])
		if err := within(p, map[string]int{"ln": maxScryptLog, "r": maxScryptR, "p": maxScryptP}); err != nil {
			return err
		}
		memory := p["r"] << p["ln"] >> 3 // KiB: 128 bytes times N times r (RFC 7914 §2)
		return within(map[string]int{"m": max(memory, 1), "work": max(memory*p["p"], 1)}, map[string]int{"m": maxMemoryKiB, "work": maxMemoryKiB * 2})
	case name == "bcrypt-sha256":
		return within(params(parts[2]), map[string]int{"r": maxBcryptCost})
	default: // bcrypt: 2, 2a, 2b, 2x, 2y
		return within(map[string]int{"c": number(parts[2])}, map[string]int{"c": maxBcryptCost})
	}
}

func within(got, most map[string]int) error {
	for name, limit := range most {
		if n, ok := got[name]; !ok || n < 1 || n > limit {
			return errCostly
		}
	}
	return nil
}

// params reads "m=19456,t=2,p=1". A name that comes twice has no good value:
// the library might believe the other one.
func params(list string) map[string]int {
	got := map[string]int{}
	for pair := range strings.SplitSeq(list, ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			if _, twice := got[name]; twice {
				value = ""
			}
			got[name] = number(value)
		}
	}
	return got
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
