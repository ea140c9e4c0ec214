package brand

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-id/portico/static"
)

func TestWCAGContrast(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#ffffff", "#ffffff", 1}, {"#767676", "#ffffff", 4.54}, {"#0000ff", "#ffffff", 8.59}} {
		if got := contrast(parseColour(tt.a), parseColour(tt.b)); got < tt.want-.01 || got > tt.want+.01 {
			t.Errorf("contrast(%s, %s) = %.3f, want %.2f", tt.a, tt.b, got, tt.want)
		}
	}
}

// The grounds are those of the stylesheet.
func TestGroundsAreThoseOfThePages(t *testing.T) {
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, httptest.NewRequest("GET", static.Path("app.css"), nil))
	roots := regexp.MustCompile(`(?s):root\s*\{(.*?)\}`).FindAllStringSubmatch(w.Body.String(), 2)
	for i, s := range []scheme{light, dark} {
		for name, c := range map[string]colour{"card": s.card, "arch-1": s.arch, "soft": s.soft} {
			if !strings.Contains(roots[i][1], "--"+name+": "+c.String()+";") {
				t.Errorf("%s %s is not %s in app.css", s.word, name, c)
			}
		}
	}
}

// Whatever accent is taken, everything that is made of it can be read.
func TestEveryTakenAccentIsReadable(t *testing.T) {
	steps := []uint8{0, 40, 80, 120, 160, 200, 255}
	taken := 0
	for _, r := range steps {
		for _, g := range steps {
			for _, b := range steps {
				p, err := paletteOf(settings{accent: value{colour{r, g, b}.String(), 1}})
				if err != nil {
					continue
				}
				taken++
				for _, x := range []struct {
					s scheme
					t tones
				}{{light, p.light}, {dark, p.dark}} {
					for what, pair := range map[string][2]colour{
						"link": {x.t.accent, x.s.card}, "link below the card": {x.t.accent, x.s.arch}, "hovered link": {x.t.strong, x.s.card},
						"button": {x.t.on, x.t.accent}, "hovered button": {x.t.on, x.t.strong},
						"monogram": {x.t.accent, x.t.tint}, "hint on the tint": {x.s.soft, x.t.tint},
					} {
						if got := contrast(pair[0], pair[1]); got < readable {
							t.Errorf("accent %s: %s %s on %s is %.2f:1", p.light.accent, what, pair[0], pair[1], got)
						}
					}
				}
			}
		}
	}
	if taken < 50 {
		t.Errorf("only %d accents were taken", taken)
	}
}

func TestStyleIsRightToLeftSafe(t *testing.T) {
	physical := regexp.MustCompile(`[;{\s](margin|padding|border)-(left|right|top|bottom)|[;{\s](left|right|top|bottom|width|height):|text-align:\s*(left|right)|float:|#[0-9a-f]{3}`)
	if found := physical.FindString(style); found != "" {
		t.Errorf("%q turns around with no language, or follows no scheme", found)
	}
}
