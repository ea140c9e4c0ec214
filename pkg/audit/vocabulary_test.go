package audit_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// docs/events.md and the constants are the same list.
func TestVocabularyIsDocumented(t *testing.T) {
	code, err := os.ReadFile("audit.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(pattern string, text []byte) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return all
	}
	inCode, inPage := names(`Name = "([a-z_.]+)"`, code), names("(?m)^\\| `([a-z_.]+)` \\|", page)
	if len(inCode) < 20 || !slices.Equal(inCode, inPage) {
		t.Errorf("the code has %v\nthe page has %v", inCode, inPage)
	}
}
