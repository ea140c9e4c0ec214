package common

import (
	"strings"
	"unicode"
)

// pieces cuts a text into what is cheapest for a guesser. best[i] is the least
// that the first i runes cost; places that cost enough are not looked at any
// further, so a good password is done after its first words.
type pieces struct {
	text []rune
	leet [][]rune // the text with digits read as letters; none without any
	best []int
}

const never = 1 << 30

func newPieces(text []rune) *pieces {
	p := &pieces{text: text, leet: unleet(text), best: make([]int, len(text)+1)}
	for i := range p.best[1:] {
		p.best[i+1] = never
	}
	return p
}

// cost returns what the whole text costs, or never when it is enough.
func (p *pieces) cost() int {
	runs, keys, blocks := runsOf(p.text), keysOf(p.text), blocksOf(p.text)
	for i := range p.text {
		if p.best[i] >= enough {
			continue
		}
		p.reach(i, i+1, single(p.text[i]))
		p.words(i, p.text, minWord, costWord)
		for _, text := range p.leet {
			p.words(i, text, minLeet, costWord+costLeet)
		}
		p.stretch(i, runs[i], 3, costRun)
		p.stretch(i, keys[i], 3, costKeys)
		p.year(i)
		for k := 1; k <= min(i, maxBlock); k++ {
			if same := int(blocks[k-1][i]); same >= max(k, minBlock) {
				for _, n := range []int{max(k, minBlock), same / k * k, same} { // once, as often as it goes, and what is begun
					p.reach(i, i+n, costRepeat)
				}
			}
		}
	}
	return p.best[len(p.text)]
}

func (p *pieces) reach(from, to, cost int) {
	p.best[to] = min(p.best[to], p.best[from]+cost)
}

// words tries every word of the list that begins at i.
func (p *pieces) words(i int, text []rune, least, cost int) {
	h := newHash()
	for j, r := range text[i:min(i+maxWord, len(text))] {
		h = h.add(r)
		if j+1 >= least && list.has(h.as(kindWord)) {
			p.reach(i, i+j+1, cost)
		}
	}
}

// stretch takes a run of n, or all but its last two: they may begin a word.
func (p *pieces) stretch(i, n, least, cost int) {
	for shorter := range 3 {
		if n-shorter >= least {
			p.reach(i, i+n-shorter, cost)
		}
	}
}

func (p *pieces) year(i int) {
	if i+4 > len(p.text) {
		return
	}
	if y := string(p.text[i : i+4]); (strings.HasPrefix(y, "19") || strings.HasPrefix(y, "20")) && digit(p.text[i+2]) && digit(p.text[i+3]) {
		p.reach(i, i+4, costYear)
	}
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

func single(r rune) int {
	switch {
	case r == ' ':
		return costBlank
	case unicode.IsDigit(r):
		return costDigit
	case r > unicode.MaxLatin1 || unicode.IsLetter(r):
		return costLetter // there are as many emoji as anybody could want
	}
	return costSymbol
}

var leetLetters = map[rune]string{
	'0': "o", '1': "il", '3': "e", '4': "a", '5': "s", '7': "t", '8': "b", '9': "g",
	'@': "a", '$': "s", '!': "i", '+': "t", '€': "e", '|': "l",
}

// unleet returns the readings of a text whose words are written with digits.
// A one is an i or an l.
func unleet(text []rune) [][]rune {
	var first, second []rune
	for i, r := range text {
		letters := leetLetters[r]
		if letters == "" {
			continue
		}
		if first == nil {
			first, second = append(first, text...), append(second, text...)
		}
		first[i], second[i] = rune(letters[0]), rune(letters[len(letters)-1])
	}
	if first == nil {
		return nil
	}
	return [][]rune{first, second}
}
