// Package common says whether a password is among the first that anybody
// would try: a common word or two, drawn out with repeats, runs, years and
// digits. It knows nobody in particular and asks nobody else.
package common

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Costs are tenths of a bit: how much a guesser has to try for each piece.
// They are rough on purpose; what matters is that three unrelated words of
// the list are taken, and two, however decorated, hardly ever.
const (
	costWord   = 140 // one of some thirty thousand, the frequent ones first
	costRun    = 60  // abcdef, 4321, aaaaaa
	costKeys   = 70  // qwertyuiop, 1qaz
	costYear   = 70
	costRepeat = 30 // what stood there already, once more
	costLetter = 60 // or any sign outside Latin-1, that belongs to nothing above
	costDigit  = 40
	costSymbol = 20
	costBlank  = 10
	costUpper  = 20 // for all capitals together
	costLeet   = 10 // for a word that is written with digits
	enough     = 3 * costWord
)

const (
	maxRunes = 1024 // what stands behind is not looked at
	minWord  = 3
	maxWord  = 20
	minLeet  = 4  // shorter ones stand in any row of digits
	maxBlock = 32 // the longest block whose repeat is seen
	minBlock = 3  // and the least that counts as one: letters are doubled in many words
)

// Guessable reports whether a password, in its NFKC form, is too common. It
// takes less than a millisecond for the longest one that is taken.
func Guessable(plain string) bool {
	text := fold(plain)
	if len(text) > maxRunes {
		text = text[:maxRunes]
	}
	if phrase(text) {
		return true
	}
	return newPieces(text).cost() < enough-capitals(plain)
}

// fold removes what a guesser tries anyway: case and accents.
func fold(s string) []rune {
	folded := make([]rune, 0, len(s))
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			folded = append(folded, unicode.ToLower(r))
		}
	}
	return folded
}

func capitals(plain string) int {
	if strings.ContainsFunc(plain, unicode.IsUpper) {
		return costUpper
	}
	return 0
}

// phrase reports whether the letters of the text are a phrase that everybody
// knows, whatever stands between and around them.
func phrase(text []rune) bool {
	h := newHash()
	for _, r := range text {
		if unicode.IsLetter(r) {
			h = h.add(r)
		}
	}
	return list.has(h.as(kindPhrase))
}
