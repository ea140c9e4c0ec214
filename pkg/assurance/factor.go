package assurance

import (
	"slices"
	"strings"
)

// Factor is a kind of second factor. They are stored: never change one.
type Factor string

// Kinds of second factor, those first that protect best and are quickest to
// use.
const (
	Passkey      Factor = "passkey"
	TOTP         Factor = "totp"
	SMS          Factor = "sms"
	Email        Factor = "email"
	RecoveryCode Factor = "recovery_code" // for who lost the others: alone it is none
)

var factors = []Factor{Passkey, TOTP, SMS, Email, RecoveryCode}

// Factors returns every kind, best first.
func Factors() []Factor { return slices.Clone(factors) }

// Reach returns the class that the factor leads to, after a first one.
func (f Factor) Reach() string {
	if f == Passkey {
		return PhishingResistant
	}
	return TwoFactors
}

// Usable returns those kinds of a person's factors that the server takes, best
// first.
func Usable(has []string, taken []Factor) []Factor {
	var usable []Factor
	for _, f := range factors {
		if f != RecoveryCode && slices.Contains(has, string(f)) && slices.Contains(taken, f) {
			usable = append(usable, f)
		}
	}
	return usable
}

// Attainable reports whether one of the factors leads to the class, or none is
// needed for it.
func Attainable(class string, usable []Factor) bool {
	return Reaches(OneFactor, class) || reachable(class, usable)
}

func reachable(class string, usable []Factor) bool {
	return slices.ContainsFunc(usable, func(f Factor) bool { return Reaches(f.Reach(), class) })
}

// ParseRoles reads demands of roles, each "role=class".
func ParseRoles(list []string) (map[string]string, bool) {
	roles := map[string]string{}
	for _, one := range list {
		role, class, found := strings.Cut(one, "=")
		if !found || role == "" || !Known(class) {
			return nil, false
		}
		roles[role] = Highest(roles[role], class)
	}
	return roles, true
}
