package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/templates"
)

const strict = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

// TestHeadersOfEveryAnswer is the table of security headers: each kind of
// answer, good and bad, carries all of them.
func TestHeadersOfEveryAnswer(t *testing.T) {
	k := newRig(t, "https://id.example/auth")
	page := func(w http.ResponseWriter, r *http.Request) error {
		return k.Render(w, r, 200, templates.Login{Client: &templates.Client{Name: "x"}})
	}
	logo := func(w http.ResponseWriter, r *http.Request) error {
		return k.Render(w, r, 200, templates.Login{Client: &templates.Client{Name: "x", LogoURL: "https://cdn.example:8443/l.png"}})
	}
	broken := errors.New("pq: connection refused at 10.0.0.7")
	html, jsonType := "text/html; charset=utf-8", "application/json"
	for name, tt := range map[string]struct {
		handler                 http.Handler
		request                 *http.Request
		status                  int
		contentType, cache, csp string
	}{
		"page":             {k.Pages(page), request("GET", "/login"), 200, html, "no-store", strict},
		"page with a logo": {k.Pages(logo), request("GET", "/login"), 200, html, "no-store", strings.Replace(strict, "img-src 'self'", "img-src 'self' https://cdn.example:8443", 1)},
		"open page":        {k.OpenPages(page), request("GET", "/login"), 200, html, "no-store", strict},
		"redirect":         {k.Pages(func(w http.ResponseWriter, r *http.Request) error { return k.SeeOther(w, r, "/consent") }), post("/login", ""), 303, "", "no-store", strict},
		"error page":       {k.Pages(failing(broken)), request("GET", "/login"), 500, html, "no-store", strict},
		"panic in a page":  {k.Pages(func(http.ResponseWriter, *http.Request) error { panic("boom") }), request("GET", "/login"), 500, html, "no-store", strict},
		"cross-site POST":  {k.Pages(page), post("/login", "", "Sec-Fetch-Site", "cross-site"), 403, html, "no-store", strict},
		"JSON":             {k.API(func(w http.ResponseWriter, _ *http.Request) error { WriteJSON(w, 200, 1); return nil }), request("GET", "/api"), 200, jsonType, "no-store", strict},
		"JSON error":       {k.API(failing(broken)), request("GET", "/api"), 500, jsonType, "no-store", strict},
		"cached then failed": {k.API(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Content-Type", "text/html")
			return broken
		}), request("GET", "/api"), 500, jsonType, "no-store", strict},
		"unknown path, person":  {k.Unknown(), request("GET", "/x", "Accept", "text/html,*/*"), 404, html, "no-store", strict},
		"unknown path, program": {k.Unknown(), request("GET", "/x", "Accept", "application/json"), 404, jsonType, "no-store", strict},
		"public document": {k.Headers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("Content-Type", jsonType)
			w.WriteHeader(200)
		})), request("GET", "/.well-known/x"), 200, jsonType, "public, max-age=60", strict},
		"too long":      {http.NotFoundHandler(), request("GET", "/?"+strings.Repeat("x", 17<<10)), 414, jsonType, "no-store", strict},
		"TRACE":         {http.NotFoundHandler(), request("TRACE", "/"), 405, jsonType, "no-store", strict},
		"panic outside": {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }), request("GET", "/"), 500, jsonType, "no-store", strict},
		"private page": {k.Pages(func(w http.ResponseWriter, r *http.Request) error {
			Policy{Private: true, Connect: true}.Set(w.Header())
			return logo(w, r)
		}), request("GET", "/account"), 200, html, "no-store", "default-src 'none'; script-src 'self'; style-src 'self'; " +
			"img-src 'self' https://cdn.example:8443; connect-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(k.Outer(tt.handler), tt.request)
			want := map[string]string{
				"Content-Type": tt.contentType, "Cache-Control": tt.cache, "Content-Security-Policy": tt.csp,
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
				"Strict-Transport-Security": "max-age=31536000",
				"Permissions-Policy":        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
			}
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			for header, value := range want {
				if got := w.Header().Get(header); got != value {
					t.Errorf("%s = %q, want %q", header, got, value)
				}
			}
			if id := w.Header().Get("X-Request-Id"); len(id) != 22 {
				t.Errorf("X-Request-Id = %q", id)
			}
			if w.Header().Get("ETag") != "" && tt.status >= 400 {
				t.Error("an error kept the ETag of the good answer")
			}
		})
	}
}

func TestAPageIsKeptByNobodyWhereverItIsDrawn(t *testing.T) {
	k := newRig(t, "https://id.example")
	w := httptest.NewRecorder()
	if err := k.Render(w, request("GET", "/"), 200, templates.SignedOut{}); err != nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v, Cache-Control %q", err, w.Header().Get("Cache-Control"))
	}
	w = httptest.NewRecorder()
	if err := k.Render(w, request("GET", "/"), 200, nowhere{}); fault.KindOf(err) != fault.Internal || len(w.Header()) != 0 || w.Body.Len() != 0 {
		t.Errorf("a page that cannot be drawn: %v, wrote %v %q", err, w.Header(), w.Body)
	}
}

type nowhere struct{}

func (nowhere) Template() string { return "nowhere.html" }

func TestNoHSTSOnLoopback(t *testing.T) {
	k := newRig(t, "http://localhost:8080")
	if got := serve(k.Outer(k.Unknown()), request("GET", "http://localhost:8080/")).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("an http issuer sends HSTS %q", got)
	}
}

func TestFormActionNeverOnFlowPages(t *testing.T) {
	if p := (Policy{Images: []string{"https://a.example/x"}, Connect: true}).String(); strings.Contains(p, "form-action") {
		t.Errorf("browsers would stop the redirect after the form: %s", p)
	}
}

func TestAStrangersHostCannotEndTheDirective(t *testing.T) {
	for _, image := range []string{
		"https://a.example;script-src *", "https://a.example,b", "https://a example/", "https://*/x", "https://*.example/x",
		"https://'unsafe-inline'/", "javascript:alert(1)", "data:image/png;base64,AA", "//a.example/x", "/local", "", "https://", "https://ä.example/",
		"https://a.example\nX-Evil: 1",
	} {
		if got := (Policy{Images: []string{image}}).String(); got != strict {
			t.Errorf("image %q gives %s", image, got)
		}
	}
	got := Policy{Images: []string{"https://A.example/1?x", "https://a.example:443/2", "http://localhost:3000/l"}}.String()
	if want := strings.Replace(strict, "img-src 'self'", "img-src 'self' https://a.example http://localhost:3000", 1); got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
}

func TestRetryAfterIsWholeSeconds(t *testing.T) {
	k := newRig(t, "https://id.example")
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"unavailable":            {fault.New(fault.Unavailable, "x", "x"), "5"},
		"limited for a while":    {fault.New(fault.Limited, "x", "x").After(1500e6), "2"},
		"limited for a moment":   {fault.New(fault.Limited, "x", "x").After(1), "1"},
		"limited, negative":      {fault.New(fault.Limited, "x", "x").After(-1), "5"},
		"denied has none":        {fault.New(fault.Denied, "x", "x").After(1e9), ""},
		"a stranger's own error": {errors.New("x"), ""},
	} {
		if got := serve(k.API(failing(tt.err)), request("GET", "/")).Header().Get("Retry-After"); got != tt.want {
			t.Errorf("%s: Retry-After %q, want %q", name, got, tt.want)
		}
	}
}
