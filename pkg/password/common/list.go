package common

import _ "embed"

// The list is a Bloom filter over hashes of folded words and phrases. A word
// that is in it is always found; one that is not is found once in more than a
// million (TestFalsePositives). A password is looked up in hundreds of pieces,
// so that one in some thousands looks a little cheaper than it is, and none
// is refused for that alone.
//
//go:generate go test -run TestListIsUpToDate -update .

// probes is how many bits a word has; bitsPerWord of the list for each give
// the rate above.
const probes, bitsPerWord = 23, 34

//go:embed list.bloom
var embedded string

var list = bloom(embedded)

type bloom string

func (b bloom) has(h hash) bool {
	for bit := range h.bits(len(b) * 8) {
		if b[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}

// hash grows by one rune at a time (FNV-1a), so that all words that begin at
// one place cost one step each.
type hash uint64

// Kinds of entries keep a word that is a phrase without its blanks apart.
const (
	kindWord   = 1
	kindPhrase = 2
)

func newHash() hash { return 14695981039346656037 }

func (h hash) add(r rune) hash { return (h ^ hash(uint32(r))) * 1099511628211 }

// as ends the hash of an entry and mixes its bits.
func (h hash) as(kind uint64) hash {
	x := uint64(h) ^ kind<<56
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return hash(x ^ x>>31)
}

// bits yields the places of an entry in a list of size bits.
func (h hash) bits(size int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		at, step := uint32(h), uint32(h>>32)|1
		for range probes {
			if !yield(int(uint64(at) * uint64(size) >> 32)) {
				return
			}
			at += step
		}
	}
}
