package recoverycode

import (
	"crypto/rand"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// alphabet has no letters that are taken for each other when they are read
// aloud or written by hand: i, l, o and u are missing.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Size of a code: twelve characters of five bits are sixty.
const (
	length = 12
	group  = 4
)

// newCode returns a code, each as likely as any other.
func newCode() string {
	random := make([]byte, length)
	_, _ = rand.Read(random) // never fails: it ends the process instead
	for i, b := range random {
		random[i] = alphabet[b%byte(len(alphabet))] // 256 is a multiple of 32
	}
	return string(random)
}

// Show writes a code in groups that can be read aloud: "x7kq-2m4p-9tzc".
func Show(code string) string {
	var b strings.Builder
	for i, r := range code {
		if i > 0 && i%group == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxTyped bounds what is looked at of a code, in bytes.
const maxTyped = 128

// Normalise returns the code of what a person typed: blanks, dashes and case
// do not count, letters of a full-width keyboard are fine, an o is a zero, and
// i and l are ones. Anything else is no code.
func Normalise(typed string) (code string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	var b strings.Builder
	for _, r := range strings.ToLower(norm.NFKC.String(typed)) {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
		case r == 'o':
			b.WriteByte('0')
		case r == 'i' || r == 'l':
			b.WriteByte('1')
		case strings.ContainsRune(alphabet, r):
			b.WriteRune(r)
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == length
}
