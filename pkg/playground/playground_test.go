package playground

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/web"
)

func serve(t *testing.T, method, target string) *http.Response {
	t.Helper()
	issuer, err := url.Parse("http://localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	kit, err := web.New(web.Config{Issuer: issuer, FormKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{
		Pages: kit, Issuer: issuer.String(), People: []string{"alice@example.com"}, Password: "portico-demo-2026",
		Web: Client{"demo-web", "demo-web-secret"}, SPA: Client{ID: "demo-spa"}, Service: Client{"demo-service", "demo-service-secret"},
		API: "https://orders.example.test", Scopes: []string{"orders:read"},
	})
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	w := httptest.NewRecorder()
	kit.Pages(h.Page).ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageMayCallItsOwnServerAndNothingElse(t *testing.T) {
	res := serve(t, "GET", "/playground")
	if res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %d %v", res.StatusCode, res.Header)
	}
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
	if got := res.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
	page := read(t, res)
	for _, text := range []string{"alice@example.com", "portico-demo-2026", "demo-service-secret", "http://localhost:8080/playground/callback"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not show %q", text)
		}
	}
}

// The code in the address is for the script alone: the page is the same for
// every answer.
func TestAnswerInTheAddressIsNotReflected(t *testing.T) {
	page := read(t, serve(t, "GET", "/playground/callback?code=ptac_secret&state=%22%3E%3Cscript%3E&error=%3Cb%3E"))
	for _, text := range []string{"ptac_secret", "<b>", `"><script>`} {
		if strings.Contains(page, text) {
			t.Errorf("the page holds %q of its address", text)
		}
	}
}

func TestRefusesOtherMethods(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if res := serve(t, method, "/playground"); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s = %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}
