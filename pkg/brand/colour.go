package brand

import (
	_ "embed" // the stylesheet
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/portico-id/portico/templates"
)

// colour is an sRGB colour.
type colour struct{ r, g, b uint8 }

func parseColour(s string) colour {
	n, _ := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32) // its form was checked
	return colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}
}

// String writes the colour as CSS does.
func (c colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// mix returns c with a share of another.
func (c colour) mix(other colour, share float64) colour {
	channel := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (float64(b)-float64(a))*share)) }
	return colour{channel(c.r, other.r), channel(c.g, other.g), channel(c.b, other.b)}
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(v uint8) float64 {
		if s := float64(v) / 255; s > 0.04045 {
			return math.Pow((s+0.055)/1.055, 2.4)
		} else {
			return s / 12.92
		}
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// readable is the least contrast of text (WCAG 2.2 §1.4.3).
const readable = 4.5

// comfortable leaves room for a tint that is seen.
const comfortable = 6.5

// scheme is what the pages are of in light or in dark, as in app.css: an
// accent must be read on each ground.
type scheme struct {
	word           string
	card, arch     colour // grounds of links
	soft           colour // text that stands on the tint
	ink, deep      colour // text for the accent, the better of the two
	towards        colour // where a hovered accent goes: away from the ground
	strength, tint float64
}

var (
	light = scheme{
		word: "card", card: parseColour("#fffefc"), arch: parseColour("#fbfaf6"), soft: parseColour("#55605b"),
		ink: parseColour("#ffffff"), deep: parseColour("#17201d"), towards: colour{}, strength: .25, tint: .11,
	}
	dark = scheme{
		word: "dark card", card: parseColour("#191f1d"), arch: parseColour("#141a18"), soft: parseColour("#a6b2ac"),
		ink: parseColour("#ffffff"), deep: parseColour("#0c100f"), towards: colour{255, 255, 255}, strength: .3, tint: .16,
	}
)

// tones are an accent with what stands around it in one scheme.
type tones struct{ accent, strong, on, tint colour }

// of derives the tones. It refuses an accent that cannot be read.
func (s scheme) of(accent colour) (tones, error) {
	for _, ground := range []colour{s.card, s.arch} {
		if got := contrast(accent, ground); got < readable {
			change := "darker"
			if s.word == dark.word {
				change = "lighter"
			}
			// Rounded down: 4.49 must not be said to be 4.5.
			return tones{}, fmt.Errorf("%s on the %s (%s) has a contrast of %.1f:1, and links and buttons need %.1f:1: take a %s one",
				accent, s.word, ground, math.Floor(got*10)/10, readable, change)
		}
	}
	t := tones{accent: accent, strong: accent.mix(s.towards, s.strength), on: s.ink}
	if contrast(s.deep, accent) > contrast(s.ink, accent) {
		t.on = s.deep
	}
	for share := s.tint; ; share -= .01 { // ends at the card itself, where both are read
		t.tint = s.card.mix(accent, max(share, 0))
		if share <= 0 || contrast(accent, t.tint) >= readable && contrast(s.soft, t.tint) >= readable {
			return t, nil
		}
	}
}

// palette is what an operator's accent makes of both schemes; zero tones are
// Portico's.
type palette struct {
	light, dark tones
	set         bool
}

// paletteOf derives all colours from the accent. Without one for dark pages it
// is made lighter until it can be read there.
func paletteOf(s settings) (palette, error) {
	if s.accent.text == "" {
		return palette{}, nil
	}
	p := palette{set: true}
	accent := parseColour(s.accent.text)
	var err error
	if p.light, err = light.of(accent); err != nil {
		return p, fmt.Errorf(":%d: accent %w", s.accent.line, err)
	}
	if s.accentDark.text != "" {
		if p.dark, err = dark.of(parseColour(s.accentDark.text)); err != nil {
			return p, fmt.Errorf(":%d: accent_dark %w", s.accentDark.line, err)
		}
		return p, nil
	}
	for share := 0.0; ; share += .05 { // white is read
		lighter := accent.mix(dark.ink, min(share, 1))
		if p.dark, err = dark.of(lighter); err == nil && contrast(lighter, dark.card) >= comfortable {
			return p, nil
		}
	}
}

//go:embed style.css
var style string

// css writes the stylesheet that stands behind app.css.
func (p palette) css(radius string) string {
	var b strings.Builder
	var first []string
	if p.set {
		first = p.light.properties()
	}
	if radius != "" {
		first = append(first, "--round: "+radius+"px")
	}
	b.WriteString(style)
	if len(first) > 0 {
		fmt.Fprintf(&b, ":root { %s; }\n", strings.Join(first, "; "))
	}
	if p.set {
		fmt.Fprintf(&b, "@media (prefers-color-scheme: dark) { :root { %s; } }\n", strings.Join(p.dark.properties(), "; "))
	}
	return b.String()
}

func (t tones) properties() []string {
	return []string{
		"--accent: " + t.accent.String(), "--accent-strong: " + t.strong.String(), "--on-accent: " + t.on.String(), "--tint: " + t.tint.String(),
	}
}

// letter are the colours of mails; none are Portico's.
func (t tones) letter() templates.Colours {
	if t == (tones{}) {
		return templates.Colours{}
	}
	return templates.Colours{Accent: t.accent.String(), On: t.on.String(), Tint: t.tint.String()}
}
