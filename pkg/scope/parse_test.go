package scope_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

func TestParse(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("a ", 101), " ")
	tests := map[string]struct {
		raw  string
		want []string
		code string
	}{
		"RFC 6749 §3.1 without a value":    {raw: ""},
		"one":                              {raw: "openid", want: []string{"openid"}},
		"several":                          {raw: "openid email orders:read", want: []string{"openid", "email", "orders:read"}},
		"twice":                            {raw: "a b a", want: []string{"a", "b"}},
		"every allowed mark":               {raw: "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", want: []string{"!#$%&'()*+,-./:;<=>?@[]^_`{|}~"}},
		"URL":                              {raw: "https://orders.example.test/read", want: []string{"https://orders.example.test/read"}},
		"RFC 6749 §3.3 two spaces":         {raw: "openid  email", code: "invalid_scope"},
		"RFC 6749 §3.3 space in front":     {raw: " openid", code: "invalid_scope"},
		"RFC 6749 §3.3 space behind":       {raw: "openid ", code: "invalid_scope"},
		"RFC 6749 §3.3 a space alone":      {raw: " ", code: "invalid_scope"},
		"RFC 6749 §3.3 quote":              {raw: `open"id`, code: "invalid_scope"},
		"RFC 6749 §3.3 backslash":          {raw: `open\id`, code: "invalid_scope"},
		"RFC 6749 §3.3 tab":                {raw: "openid\temail", code: "invalid_scope"},
		"RFC 6749 §3.3 NUL":                {raw: "openid\x00", code: "invalid_scope"},
		"RFC 6749 §3.3 letter with accent": {raw: "öffnen", code: "invalid_scope"},
		"a name above the bound":           {raw: strings.Repeat("a", 129), code: "invalid_scope"},
		"more names than the bound":        {raw: many, code: "invalid_scope"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := scope.Parse(tt.raw)
			if fault.CodeOf(err) != tt.code || !slices.Equal(got, tt.want) {
				t.Errorf("Parse(%q) = %q, %v; want %q, code %q", tt.raw, got, err, tt.want, tt.code)
			}
		})
	}
}

// Whatever Parse takes is what it says: names within the grammar, each once,
// that parse to themselves.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "openid", "openid email", " a", "a  b", "a b a", "\x00", "ö", `"`, strings.Repeat("a ", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := scope.Parse(raw)
		if err != nil {
			if f := fault.As(err); f.Kind != fault.Invalid || f.Code != "invalid_scope" || got != nil {
				t.Errorf("Parse(%q) = %q, %v", raw, got, err)
			}
			return
		}
		again, err := scope.Parse(strings.Join(got, " "))
		if err != nil || !slices.Equal(again, got) {
			t.Errorf("Parse(%q) = %q, which parses to %q, %v", raw, got, again, err)
		}
		for i, name := range got {
			if !scope.ValidName(name) || slices.Contains(got[:i], name) {
				t.Errorf("Parse(%q) gave %q", raw, name)
			}
		}
	})
}
