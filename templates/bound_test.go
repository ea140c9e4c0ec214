package templates

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBoundsNames(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"plain":                {"Acme Travel", "Acme Travel"},
		"empty":                {"", ""},
		"blanks only":          {" \t\n\u00a0 ", ""},
		"blanks inside":        {"  Acme \n\t Travel  ", "Acme Travel"},
		"control characters":   {"A\x00\x01\x02\x1b[31mB\x7f\u0085C", "A[31mB C"},
		"RTL override":         {"gpj\u202e.exe", "gpj.exe"},
		"isolates and marks":   {"a\u2066b\u2067c\u2068d\u2069e\u200ef\u200fg\u061ch", "abcdefgh"},
		"invisible":            {"Pay\u200bPal\ufeff\u2060\u00ad", "PayPal"},
		"line separators":      {"a\u2028b\u2029c", "a b c"},
		"tag characters":       {"a\U000e0041\U000e007fb", "ab"},
		"private use":          {"a\ue000b\U00100000c", "abc"},
		"invalid UTF-8":        {"a\xff\xfeb", "ab"},
		"joiners stay":         {"نمی\u200cخواهم 👩\u200d💻", "نمی\u200cخواهم 👩\u200d💻"},
		"right-to-left script": {"שלום", "שלום"},
		"towers of marks":      {"e" + strings.Repeat("\u0301", 500) + "x", "e\u0301\u0301x"},
		"exactly the bound":    {strings.Repeat("é", 64), strings.Repeat("é", 64)},
		"above the bound":      {strings.Repeat("é", 65), strings.Repeat("é", 64) + "…"},
		"cut at a blank":       {strings.Repeat("a", 63) + " bcd", strings.Repeat("a", 63) + "…"},
		"markup is text":       {`"><b>&`, `"><b>&`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bounded(tt.in, nameBound); got != tt.want {
				t.Errorf("bounded(%.60q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzBounded(f *testing.F) {
	f.Add(hostile)
	f.Add("e\u0301\u0301\u0301 \u202e x")
	f.Fuzz(func(t *testing.T, s string) {
		got := bounded(s, 8)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 9 || strings.ContainsFunc(got, reorders) ||
			strings.ContainsAny(got, "\x00\x01\x02\n\r\t") || got != strings.TrimSpace(got) {
			t.Errorf("bounded(%q) = %q", s, got)
		}
		if once := bounded(got, 9); once != got {
			t.Errorf("bounding %q again gave %q", got, once)
		}
		if e := entered(s, 8); utf8.RuneCountInString(e) > 8 || strings.ContainsFunc(e, reorders) {
			t.Errorf("entered(%q) = %q", s, e)
		}
		if u := webURL(s); u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
			t.Errorf("webURL(%q) = %q", s, u)
		}
	})
}

func TestShowsWebAddressesOnly(t *testing.T) {
	for in, want := range map[string]string{
		"https://acme.example/logo.png?x=1": "https://acme.example/logo.png?x=1",
		"HTTPS://acme.example/":             "https://acme.example/",
		"http://localhost:3000/logo.png":    "http://localhost:3000/logo.png",
		"http://[::1]/x":                    "http://[::1]/x",
		"http://acme.example/logo.png":      "",
		"http://127.0.0.1.evil.example/":    "",
		"javascript:alert(1)":               "",
		"data:image/svg+xml,<svg/>":         "",
		"//acme.example/x":                  "",
		"/local":                            "",
		"https:acme.example":                "",
		"https://":                          "",
		"https://user:pw@acme.example/":     "",
		"https://acme.example/\n":           "",
		"ftp://acme.example/":               "",
		"":                                  "",
		"https://a.example/" + strings.Repeat("x", 3000): "",
	} {
		if got := webURL(in); got != want {
			t.Errorf("webURL(%.60q) = %q, want %q", in, got, want)
		}
	}
}

func TestTellsWhereTheAnswerGoes(t *testing.T) {
	for in, want := range map[string]destination{
		"https://app.example/cb":                                 {"host", "app.example"},
		"https://app.example:8443/cb":                            {"host", "app.example:8443"},
		"http://127.0.0.1:51004/cb":                              {"device", ""},
		"http://[::1]:51004/cb":                                  {"device", ""},
		"http://localhost/cb":                                    {"device", ""},
		"https://localhost.evil.example/":                        {"host", "localhost.evil.example"},
		"com.example.app:/cb":                                    {"app", "com.example.app"},
		"https://аррӏе.com/cb":                                   {"host", "xn--80ak6aa92e.com"},
		"https://" + strings.Repeat("a", 200) + ".evil.example/": {"host", "…" + strings.Repeat("a", 51) + ".evil.example"},
		"://": {},
	} {
		if got := destinationOf(in); got != want {
			t.Errorf("destinationOf(%.80q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestMonograms(t *testing.T) {
	for in, want := range map[string]string{
		"acme": "A", "  \u202e\u2066éclair": "É", "42 things": "4", "日本": "日", "\"><": "?", "": "?", "🙂 smile": "S",
	} {
		if got := initial(in); got != want {
			t.Errorf("initial(%q) = %q, want %q", in, got, want)
		}
	}
}
