package password

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the look for a person's words.
const (
	maxPersonBytes = 512 // of one name or address; what stands behind is not looked at
	leastWord      = 3   // characters; shorter words stand in every passphrase by chance
	leastOwn       = 8   // letters and digits that are nobody's name
	mostDigits     = 4   // digits that count among them: a birthday is no secret
	mostWords      = 64  // of one person
)

// personal reports whether little is left of the password without the words
// of its owner: fewer than eight letters and digits. A passphrase that happens
// to hold a name is fine. Its cost grows with the length of both, which are
// bounded.
func personal(form string, person []string) bool {
	var words []string
	for _, p := range person {
		words = append(words, wordsOf(p)...)
	}
	if len(words) == 0 {
		return false
	}
	slices.SortFunc(words, func(a, b string) int { // long ones first: "ann" must not break "hannah"
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	rest, found := bare(form), false
	words = slices.Compact(words)
	for _, w := range words[:min(len(words), mostWords)] {
		if cut := strings.ReplaceAll(rest, w, " "); cut != rest {
			rest, found = cut, true
		}
	}
	letters, digits := 0, 0
	for _, r := range rest {
		if unicode.IsDigit(r) {
			digits++
		} else if r != ' ' {
			letters++
		}
	}
	return found && letters+min(digits, mostDigits) < leastOwn
}

// wordsOf returns the words of a name, address or username, folded, and the
// whole of it: "Ann Example" and "annexample" are the same idea.
func wordsOf(s string) []string {
	if len(s) > maxPersonBytes {
		s = s[:maxPersonBytes]
	}
	words := strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = bare(w)
	}
	words = append(words, bare(s))
	return slices.DeleteFunc(words, func(w string) bool { return len([]rune(w)) < leastWord })
}

// bare returns the letters and digits of s without case and accents.
func bare(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
