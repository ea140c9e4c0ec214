package porticotest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screen is what a person looks at.
type screen struct {
	name          string
	width, height int64
	phone, dark   bool
}

var screens = []screen{
	{"desktop-light", 1280, 800, false, false},
	{"desktop-dark", 1280, 800, false, true},
	{"phone-light", 390, 844, true, false},
	{"phone-dark", 390, 844, true, true},
}

// on turns the tab into the screen.
func (tb *tab) on(s screen) {
	tb.t.Helper()
	opts := []chromedp.EmulateViewportOption{}
	if s.phone {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait, chromedp.EmulateScale(2))
	}
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	tb.do(chromedp.EmulateViewport(s.width, s.height, opts...), command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}, // pictures show pages at rest
		},
	}))
}

// command runs a command of the protocol.
func command[P, R any](cmd cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cmd, params)
		return err
	})
}

// inspect looks at the page on the screen with axe-core, then on the smallest
// phone for anything that must be scrolled sideways.
func (tb *tab) inspect(page string, s screen) {
	tb.t.Helper()
	tb.on(s)
	tb.picture(page, s)
	for _, finding := range tb.axe() {
		tb.t.Errorf("axe-core on %s, %s: %s", page, s.name, finding)
	}
	if what := tb.fits(320); what != "" {
		tb.t.Errorf("%s must be scrolled sideways on a screen of 320 pixels: %s", page, what)
	}
	tb.on(s)
}

// fits returns which elements reach past the edge of a window of the width;
// nothing when the page need not be scrolled sideways.
func (tb *tab) fits(width int64) string {
	tb.t.Helper()
	tb.do(chromedp.EmulateViewport(width, 640))
	return evaluate[string](tb, `document.scrollingElement.scrollWidth <= innerWidth ? "" :
		[...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
			.map(e => e.tagName + "#" + e.id + "." + e.className).join(" ") || "something"`)
}

// axe returns the findings of axe-core, best practices included.
func (tb *tab) axe() []string {
	tb.t.Helper()
	source, err := os.ReadFile(filepath.Join(nodeProject, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		tb.t.Fatal("axe-core is not installed: run 'make node'")
	}
	evaluate[string](tb, string(source)+`;"loaded"`)
	return evaluate[[]string](tb, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v =>
		v.id + ": " + v.help + " " + v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary).join(" | ")))`, chromedp.EvalAwaitPromise)
}

// picture writes what the screen shows when somebody wants to look at it:
// PORTICO_TEST_SCREENSHOTS names the folder.
func (tb *tab) picture(page string, s screen) {
	tb.t.Helper()
	dir := os.Getenv("PORTICO_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	// The window grows to the page. A picture of what is beyond the window is
	// shifted where the page reads from right to left.
	whole := s
	whole.height = max(s.height, evaluate[int64](tb, `document.documentElement.scrollHeight`))
	tb.on(whole)
	defer tb.on(s)
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s.png", page, s.name)), png, 0o600); err != nil {
		tb.t.Fatal(err)
	}
}

// inJSON writes what the browser said in one line.
func inJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
