package password

import (
	"strconv"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
)

// Bounds of an imported hash: verifying it may take about a second and
// 256 MiB, because whoever types a password makes us do it.
const (
	maxMemoryKiB  = 256 << 10
	maxPasses     = 16
	maxLanes      = 16
	maxBcryptCost = 15
	maxPBKDF2     = 5_000_000
	maxScryptLog  = 17
	maxScryptR    = 16
	maxScryptP    = 4
)

// CheckImport says whether a hash that another server made can be verified:
// argon2, bcrypt, pbkdf2 or scrypt as a PHC string, at a cost we can bear.
// fault.Invalid otherwise. Store it with Put.
func (s *Service) CheckImport(hash string) error {
	if _, err := s.hasher.decode(hash); err != nil {
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
		return within(params(parts[2]+","+parts[3]), map[string]int{"m": maxMemoryKiB, "t": maxPasses, "p": maxLanes})
	case strings.HasPrefix(name, "pbkdf2"):
		return within(map[string]int{"i": number(parts[2])}, map[string]int{"i": maxPBKDF2})
	case name == "scrypt":
		return within(params(parts[2]), map[string]int{"ln": maxScryptLog, "r": maxScryptR, "p": maxScryptP})
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

// params reads "m=19456,t=2,p=1".
func params(list string) map[string]int {
	got := map[string]int{}
	for pair := range strings.SplitSeq(list, ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
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
