package porticotest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const badPage = `<!doctype html><html><head><title>Everything wrong</title><link rel="icon" href="data:,"></head><body>
<img src="%s/picture.png"><div id="wide" style="inline-size: 50rem">wide</div>
<script nonce="n">console.error("a complaint"); setTimeout(() => { throw new Error("a mistake"); });</script>
<script nonce="n" src="/absent.js"></script><script>document.title = "not allowed";</script></body></html>`

// A test that watches for problems must see them.
func TestChromiumSeesProblems(t *testing.T) {
	foreign := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(foreign.Close)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'nonce-n'")
		_, _ = fmt.Fprintf(w, badPage, foreign.URL)
	}))
	t.Cleanup(bad.Close)
	tb := newTab(t, bad.URL)
	tb.expect("") // all of them
	tb.visit(bad.URL)
	seen := func(part string) bool {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		return slices.ContainsFunc(tb.problems, func(p string) bool { return strings.Contains(p, part) })
	}
	tb.until(`document.readyState === "complete"`)
	for name, part := range map[string]string{
		"console.error":       "a complaint",
		"an exception":        "a mistake",
		"a foreign request":   "request to " + foreign.URL,
		"an absent file":      "404",
		"a policy violation":  "ContentSecurityPolicyIssue",
		"its line in the log": "Content Security Policy",
	} {
		if !seen(part) {
			t.Errorf("%s was not seen: %q", name, tb.problems)
		}
	}
	if found := strings.Join(tb.axe(), "\n"); !strings.Contains(found, "image-alt") || !strings.Contains(found, "html-has-lang") {
		t.Errorf("axe-core found only %s", found)
	}
	if tb.fits(320) == "" {
		t.Error("a page of 50rem fits 320 pixels")
	}
	if tb.fits(1280) != "" {
		t.Error("a page of 50rem does not fit 1280 pixels")
	}
}
