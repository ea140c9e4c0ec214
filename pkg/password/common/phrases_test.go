package common

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nbutton23/zxcvbn-go/frequency"
)

// TestPassphrasesAreTaken draws words as people are told to: at random, from
// an ordinary dictionary.
func TestPassphrasesAreTaken(t *testing.T) {
	var words []string
	for _, w := range frequency.Lists["English"].List[:8000] {
		if len(w) >= 4 && !strings.Contains(w, "ooo") && !strings.Contains(w, "aaa") && !strings.Contains(w, "hhh") {
			words = append(words, w)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{3, 4, 5} {
		const tries = 3000
		refused := 0
		for range tries {
			phrase := make([]string, n)
			for i := range phrase {
				phrase[i] = words[random.IntN(len(words))]
			}
			if slices.Sort(phrase); len(slices.Compact(phrase)) < n {
				continue // the same word twice is not what people are told
			}
			if p := strings.Join(phrase, []string{" ", "-", "", "."}[random.IntN(4)]); Guessable(p) {
				refused++
				t.Logf("%q is refused", p)
			}
		}
		if n == 3 && refused*1000 > 3*tries || n > 3 && refused > 0 {
			t.Errorf("%d of %d phrases of %d words are refused, want at most three in a thousand of three words, which may be read as two when they run together, and none of more", refused, tries, n)
		}
	}
}

// TestRandomPasswordsAreTaken draws what password managers make.
func TestRandomPasswordsAreTaken(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for name, alphabet := range map[string]string{
		"letters and digits": "abcdefghijklmnopqrstuvwxyz0123456789",
		"everything":         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*-_=+.?",
		"hex":                "0123456789abcdef",
	} {
		for range 3000 {
			p := make([]byte, 15)
			for i := range p {
				p[i] = alphabet[random.IntN(len(alphabet))]
			}
			if Guessable(string(p)) {
				t.Errorf("%s: %q is refused", name, p)
			}
		}
	}
}
