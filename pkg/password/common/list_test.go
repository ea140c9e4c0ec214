package common

import (
	"bytes"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nbutton23/zxcvbn-go/frequency"
)

var update = flag.Bool("update", false, "write list.bloom again")

// build makes the list from the frequency lists of zxcvbn, which are sorted
// by how often each word was seen, and from words.txt, which has what they
// lack.
func build(t *testing.T) (bits []byte, words, phrases []string) {
	t.Helper()
	set := map[string]bool{}
	add := func(name string, most int) {
		all := frequency.Lists[name].List
		if len(all) == 0 {
			t.Fatalf("there is no list %s", name)
		}
		for _, w := range all[:min(most, len(all))] {
			set[w] = true
		}
	}
	add("Passwords", 1<<20)
	add("English", 20_000)
	add("MaleNames", 1<<20)
	add("FemaleNames", 2000)
	add("Surname", 5000)
	raw, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.Contains(line, " "):
			phrases = append(phrases, line)
		default:
			set[line] = true
		}
	}
	kept := map[string]bool{}
	for w := range set {
		if f := fold(w); len(f) >= minWord && len(f) <= maxWord {
			kept[string(f)] = true
		}
	}
	words = slices.Sorted(maps.Keys(kept))
	bits = make([]byte, (len(words)+len(phrases))*bitsPerWord/8+1)
	for _, w := range words {
		set1(bits, hashOf(fold(w)).as(kindWord))
	}
	for _, p := range phrases {
		set1(bits, hashOf(slices.DeleteFunc(fold(p), func(r rune) bool { return !unicode.IsLetter(r) })).as(kindPhrase))
	}
	return bits, words, phrases
}

func hashOf(text []rune) hash {
	h := newHash()
	for _, r := range text {
		h = h.add(r)
	}
	return h
}

func set1(bits []byte, h hash) {
	for bit := range h.bits(len(bits) * 8) {
		bits[bit/8] |= 1 << (bit % 8)
	}
}

func TestListIsUpToDate(t *testing.T) {
	bits, words, _ := build(t)
	if *update {
		if err := os.WriteFile("list.bloom", bits, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(bits, []byte(embedded)) {
		t.Error("list.bloom is not what the lists make of it: run go generate ./pkg/password/common")
	}
	if len(words) < 20_000 || len(embedded) > 160<<10 {
		t.Errorf("%d words in %d bytes", len(words), len(embedded))
	}
}

func TestEveryWordIsFound(t *testing.T) {
	_, words, phrases := build(t)
	for _, w := range words {
		if !list.has(hashOf(fold(w)).as(kindWord)) {
			t.Errorf("%q is missing", w)
		}
	}
	for _, p := range phrases {
		for _, spelling := range []string{p, strings.ReplaceAll(p, " ", ""), strings.ToUpper(p) + "!", "1 " + strings.ReplaceAll(p, " ", "-")} {
			if !Guessable(spelling) {
				t.Errorf("%q passes", spelling)
			}
		}
	}
	for _, w := range frequency.Lists["Passwords"].List {
		if !Guessable(w) || !Guessable(w+w) || !Guessable(strings.ToUpper(w)+"2026!") {
			t.Errorf("%q passes, alone or drawn out", w)
		}
	}
}

// TestFalsePositives states the rate: at most one strange word in a million is
// taken for a common one.
func TestFalsePositives(t *testing.T) {
	set := 0
	for _, b := range []byte(embedded) {
		for ; b != 0; b &= b - 1 {
			set++
		}
	}
	if rate := math.Pow(float64(set)/float64(len(embedded)*8), probes); rate > 1e-6 {
		t.Errorf("by its bits the list takes %.2g of all strange words for its own, want at most 1e-6", rate)
	}
	random := rand.New(rand.NewPCG(1, 2))
	const tries = 500_000
	found := 0
	for range tries {
		h := newHash()
		for range 14 { // no word of the list by chance
			h = h.add(rune('a' + random.IntN(26)))
		}
		if list.has(h.as(kindWord)) {
			found++
		}
	}
	if found > 3 {
		t.Errorf("%d of %d strange words are in the list", found, tries)
	}
}
