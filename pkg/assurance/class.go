package assurance

import (
	"slices"

	"github.com/portico-id/portico/pkg/protocol"
)

// Authentication context classes, as acr names them. Each holds what those
// before it demand.
const (
	// OneFactor is a password, or a sign-in elsewhere that says no more.
	OneFactor = "1"
	// TwoFactors is two different factors, or one that is two: a passkey whose
	// authenticator verified its user.
	TwoFactors = "2"
	// PhishingResistant is TwoFactors with one that answers nobody but us: a
	// passkey (OpenID Connect EAP ACR Values §2).
	PhishingResistant = "phr"
)

var classes = []string{OneFactor, TwoFactors, PhishingResistant}

// Classes returns the classes that can be reached, weakest first.
func Classes() []string { return slices.Clone(classes) }

// Known reports whether the class is one of ours.
func Known(class string) bool { return slices.Contains(classes, class) }

// Reaches reports whether somebody who reached acr has what class demands. A
// class that is not ours is reached by nobody; the empty one by everybody.
func Reaches(acr, class string) bool {
	return class == "" || Known(class) && slices.Index(classes, acr) >= slices.Index(classes, class)
}

// Highest returns the most demanding of some classes; those that are not ours
// demand nothing.
func Highest(of ...string) string {
	highest := ""
	for _, class := range of {
		if Known(class) && (highest == "" || Reaches(class, highest)) {
			highest = class
		}
	}
	return highest
}

// ClassOf returns the class that authentication methods (RFC 8176) amount to.
func ClassOf(amr []string) string {
	has := func(method string) bool { return slices.Contains(amr, method) }
	switch {
	case !has(protocol.AMRMultiple):
		return OneFactor
	case has(protocol.AMRPossession), has(protocol.AMRHardware), has(protocol.AMRSoftware):
		return PhishingResistant
	}
	return TwoFactors
}

// Both returns the methods of a sign-in to which a second factor was added:
// each once, and that they are more than one.
func Both(first, second []string) []string {
	var all []string
	for _, method := range slices.Concat(first, second, []string{protocol.AMRMultiple}) {
		if !slices.Contains(all, method) && method != protocol.AMRMultiple {
			all = append(all, method)
		}
	}
	return append(all, protocol.AMRMultiple)
}

// Told returns the acr that an application is told: of the classes that it
// asked for the strongest that was reached, because it compares what it reads
// with what it asked (OIDC Core §5.5.1.1), else what was reached.
func Told(reached string, asked []string) string {
	told := ""
	for _, class := range asked {
		if Reaches(reached, class) {
			told = Highest(told, class)
		}
	}
	if told == "" {
		return reached
	}
	return told
}
