package porticotest_test

import (
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/portico-id/portico/pkg/porticotest"
)

// meter is what the page says of a new password.
const meter = `(() => {
	const box = document.querySelector(".strength"), value = box.querySelector("meter").value;
	return box.hidden ? "hidden" : value + " " + box.querySelector("[role=status]").textContent;
})()`

// TestChromiumStrength types passwords and reads what the meter says. The tab
// notes every request: none leaves while somebody types.
func TestChromiumStrength(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.visit(app.request(s, "prompt", "create"))
	if got := evaluate[string](tb, meter); got != "hidden" {
		t.Errorf("an empty field shows a meter: %s", got)
	}
	for typed, want := range map[string]string{
		"short":                        "0 Too short",
		"aaaaaaaaaaaaaaaaaaaa":         "1 Easy to guess",
		"qwertyuiopasdfghjkl":          "1 Easy to guess",
		"123456789012345":              "1 Easy to guess",
		"passwordpassword":             "1 Easy to guess",
		"Password12345678":             "2 Could be stronger: add a word",
		"vyxo qupa rimbe":              "3 Good",
		"teapot orbit velvet ladder 7": "4 Very good",
	} {
		tb.fill("password", typed)
		if got := evaluate[string](tb, meter); got != want {
			t.Errorf("after %q the page says %q, want %q", typed, got, want)
		}
	}
	if polite := evaluate[string](tb, `document.querySelector(".strength [role=status]").getAttribute("aria-live")`); polite != "polite" {
		t.Errorf("the words are told as %q", polite)
	}
	for _, sc := range screens {
		tb.inspect("register-strength", sc)
	}
	tb.do(command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "de"}}))
	tb.visit(app.request(s, "prompt", "create"))
	tb.fill("password", "aaaaaaaaaaaaaaaaaaaa")
	if got := evaluate[string](tb, meter); got != "1 Leicht zu erraten" {
		t.Errorf("in German the page says %q", got)
	}
}

func TestChromiumPasswordFieldWithoutJavaScript(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.scripts(false)
	tb.visit(app.request(s, "prompt", "create"))
	for _, class := range []string{"strength", "reveal"} {
		if tb.hasVisible(class) {
			t.Errorf("a %s that only scripts serve is shown", class)
		}
	}
	tb.fill("name", "Cleo", "email", "cleo@example.test", "password", "password12345678")
	tb.press("register-submit")
	tb.expect("This password is too easy to guess.")
}
