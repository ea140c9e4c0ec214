package static

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palettes reads the custom properties of both schemes; what the dark one
// leaves out it has from the light one.
func palettes(t *testing.T) map[string]map[string]string {
	css := string(byName["app.css"].body)
	roots := regexp.MustCompile(`(?s):root\s*\{(.*?)\}`).FindAllStringSubmatch(css, -1)
	if len(roots) != 2 {
		t.Fatalf("%d :root blocks, want a light and a dark one", len(roots))
	}
	read := func(block string, into map[string]string) map[string]string {
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+):\s*(#[0-9a-f]{3,6});`).FindAllStringSubmatch(block, -1) {
			into[m[1]] = m[2]
		}
		return into
	}
	light := read(roots[0][1], map[string]string{})
	dark := map[string]string{}
	for k, v := range light {
		dark[k] = v
	}
	return map[string]map[string]string{"light": light, "dark": read(roots[1][1], dark)}
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("colour %q", colour)
	}
	channel := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

func TestWCAGContrast(t *testing.T) {
	pairs := []struct {
		front, back string
		least       float64
		why         string
	}{
		{"ink", "card", 4.5, "1.4.3 text"},
		{"ink", "paper", 4.5, "1.4.3 brand and hints outside the card"},
		{"ink", "tint", 4.5, "1.4.3 note"},
		{"soft", "card", 4.5, "1.4.3 lead and hints"},
		{"soft", "paper", 4.5, "1.4.3 footer"},
		{"soft", "arch-1", 4.5, "1.4.3 footer on the arch"},
		{"soft", "arch-2", 4.5, "1.4.3 read-only field"},
		{"soft", "arch-3", 4.5, "1.4.3 footer on the outer arch"},
		{"soft", "tint", 4.5, "1.4.3 login in a hovered account"},
		{"accent", "card", 4.5, "1.4.3 links"},
		{"accent", "arch-1", 4.5, "1.4.3 links below the card"},
		{"accent", "tint", 4.5, "1.4.3 show button, monogram"},
		{"accent-strong", "card", 4.5, "1.4.3 hovered links"},
		{"on-accent", "accent", 4.5, "1.4.3 buttons"},
		{"on-accent", "accent-strong", 4.5, "1.4.3 hovered buttons"},
		{"bad", "bad-tint", 4.5, "1.4.3 alert"},
		{"bad", "card", 4.5, "1.4.3 field problem"},
		{"warn", "warn-tint", 4.5, "1.4.3 warning"},
		{"edge", "card", 3, "1.4.11 edge of a control"},
		{"accent", "card", 3, "1.4.11, 2.4.13 focus ring"},
		{"accent", "paper", 3, "2.4.13 focus ring outside the card"},
	}
	for scheme, colours := range palettes(t) {
		for _, p := range pairs {
			a, b := luminance(t, colours[p.front]), luminance(t, colours[p.back])
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < p.least {
				t.Errorf("%s: %s %s on %s %s is %.2f:1, want %.1f:1 (%s)",
					scheme, p.front, colours[p.front], p.back, colours[p.back], got, p.least, p.why)
			}
		}
	}
}

func TestStyleKeepsItsBounds(t *testing.T) {
	css := string(byName["app.css"].body)
	if len(css) > 11_000 {
		t.Errorf("app.css has %d bytes, want at most 11000", len(css))
	}
	physical := regexp.MustCompile(`[;{\s](margin|padding|border)-(left|right|top|bottom)|[;{\s](left|right|top|bottom|width|height):|text-align:\s*(left|right)|float:`)
	if found := physical.FindString(css); found != "" {
		t.Errorf("%q is not right-to-left safe", found)
	}
	for _, want := range []string{":focus-visible", "prefers-reduced-motion", "forced-colors", "min-block-size: 3rem", "font-size: 1rem"} {
		if !strings.Contains(css, want) {
			t.Errorf("app.css has no %q", want)
		}
	}
	used := regexp.MustCompile(`var\(--([a-z0-9-]+)`).FindAllStringSubmatch(css, -1)
	for _, m := range used {
		if !strings.Contains(css, "--"+m[1]+":") {
			t.Errorf("--%s is used and never set", m[1])
		}
	}
}
