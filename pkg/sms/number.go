package sms

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Digits of a number after the plus. E.164 §6 has at most 15; the shortest in
// use with their country have 8.
const (
	leastDigits = 8
	mostDigits  = 15
	maxTyped    = 64 // bytes
)

// Normalise returns a phone number as E.164 writes it, "+4930123456", from
// what a person typed: blanks, dashes, dots, slashes and brackets do not
// count. It begins with a plus and the country (or 00): without it nobody
// knows where the number is.
func Normalise(typed string) (number string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(typed) {
		switch {
		case r >= '0' && r <= '9', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("./()", r):
		case r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			// marks of direction, which come along when a number is copied
		default:
			return "", false
		}
	}
	digits, found := strings.CutPrefix(b.String(), "+")
	if !found {
		digits, found = strings.CutPrefix(digits, "00")
	}
	if !found || len(digits) < leastDigits || len(digits) > mostDigits || digits[0] == '0' {
		return "", false
	}
	return "+" + digits, true
}

// twoDigits are the country codes of two digits (ITU-T E.164, list of assigned
// country codes); 1 and 7 have one, all others three.
const twoDigits = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"

// Mask returns a number as a page may show it to who has not proven that it is
// theirs: country and last two digits, "+49 … 56".
func Mask(number string) string {
	digits := strings.TrimPrefix(number, "+")
	if len(digits) < leastDigits {
		return "…"
	}
	country := 3
	switch {
	case digits[0] == '1' || digits[0] == '7':
		country = 1
	case strings.Contains(twoDigits, digits[:2]):
		country = 2
	}
	return "+" + digits[:country] + " … " + digits[len(digits)-2:]
}
