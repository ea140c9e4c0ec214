package porticotest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
)

const spaPage = `<!doctype html><html lang="en" data-issuer="%s" data-client_id="%s"><head><title>A single-page application</title>
<link rel="icon" href="data:,"><script type="module" src="/spa.mjs"></script></head><body><main><h1 id="app">Application</h1></main></body></html>`

// An application without a server: discovery, tokens, userinfo, revocation and
// their refusals are read across origins, and the sign-in is renewed in a
// frame.
func TestChromiumSinglePageApp(t *testing.T) {
	t.Parallel()
	needNode(t)
	s := porticotest.New(t)
	mux := http.NewServeMux()
	script := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			http.ServeFile(w, r, filepath.Join(nodeProject, path))
		}
	}
	mux.HandleFunc("/spa.mjs", script("spa.mjs"))
	mux.HandleFunc("/oauth4webapi.js", script("node_modules/oauth4webapi/build/index.js"))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, spaPage, s.URL, porticotest.SPA.ID)
	})
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)

	tb := newTab(t, s.URL, app.URL)
	tb.expect("status of 401") // the script provokes them
	tb.expect("status of 400")
	tb.expect("/oauth2/introspect")
	tb.expect("CORS")
	tb.expect("NavigationEntryMarkedSkippable") // it leaves without being asked
	tb.visit(s.URL + s.AuthorizeURL(porticotest.App{ID: porticotest.Web.ID, RedirectURI: app.URL + "/callback", Verifier: porticotest.Verifier},
		"openid email offline_access"))
	tb.signIn(server.DemoPeople[0])
	tb.press("consent-allow")
	tb.do(chromedp.Navigate(app.URL))
	tb.shows("consent-allow")
	tb.press("consent-allow")
	tb.until(`!!document.getElementById("app")?.dataset.result`)
	if got := evaluate[string](tb, `document.getElementById("app").dataset.result`); got != "done" {
		t.Error(got)
	}
}
