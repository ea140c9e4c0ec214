package totp

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// maxTyped bounds what is looked at of a code, in bytes.
const maxTyped = 64

// Normalise returns the six digits of what a person typed: blanks and dashes
// between them, and digits of a full-width keyboard, are fine. Anything else is
// no code.
func Normalise(typed string) (code string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(typed) {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == ' ' || r == '-' || r == '\t':
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == digits
}
