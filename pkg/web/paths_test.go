package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/templates"
)

func TestLocalPaths(t *testing.T) {
	for s, want := range map[string]bool{
		"/": true, "/login": true, "/login?flow=a&b=%2F%2Fx&u=https://a.example/": true, "/a/b/": true, "/%C3%A4": true, "/a%20b": true, "/a:b": true, "/@x": true,
		"": false, "login": false, "//evil.example": false, `/\evil.example`: false, `\/evil.example`: false, "///evil.example": false,
		"/%2Fevil.example": false, "/%5Cevil.example": false, `/a\b`: false, "/%5c%5cevil": false,
		"https://evil.example": false, "https:/evil.example": false, "javascript:alert(1)": false, "//evil@x": false,
		"/a/../b": false, "/..": false, "/./a": false, "/%2e%2e/a": false, "/a//b": false, "/a/%2e": false,
		"/a\r\nSet-Cookie: x=y": false, "/a%0d%0aX": false, "/a\x00": false, "/a%00": false, "/a b": false, "/ä": false, "/a\u2028": false, "\t/a": false,
		"/a#frag": false, "/%zz": false, "/" + strings.Repeat("a", maxLocalPath): false,
	} {
		if got := SafeLocalPath(s); got != want {
			t.Errorf("SafeLocalPath(%.60q) = %v, want %v", s, got, want)
		}
	}
}

// FuzzSafeLocalPath reads what passes the way a browser would: against our
// own address it must stay on our host.
func FuzzSafeLocalPath(f *testing.F) {
	for _, s := range []string{"/login?x", "//a", "/%2e%2e/", `/\a`, "/a/../b"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://id.example/login")
	f.Fuzz(func(t *testing.T, s string) {
		if !SafeLocalPath(s) {
			return
		}
		u, err := base.Parse(s)
		if err != nil || u.Host != "id.example" || u.Scheme != "https" || strings.Contains(u.Path, "..") && strings.Contains("/"+u.Path+"/", "/../") {
			t.Errorf("SafeLocalPath(%q) passed and leads to %v, %v", s, u, err)
		}
	})
}

func TestSeeOther(t *testing.T) {
	k := newRig(t, "https://id.example/auth")
	w := serve(k.Pages(func(w http.ResponseWriter, r *http.Request) error { return k.SeeOther(w, r, "/consent?flow=a&x=%26") }), post("/auth/login", "password=x"))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/auth/consent?flow=a&x=%26" || w.Body.Len() != 0 {
		t.Errorf("%d %q %q", w.Code, w.Header().Get("Location"), w.Body)
	}
	for _, path := range []string{"//evil.example", "https://evil.example", "", "/a\r\nX: y"} {
		w := serve(k.Pages(func(w http.ResponseWriter, r *http.Request) error { return k.SeeOther(w, r, path) }), post("/login", ""))
		if w.Code != 500 || w.Header().Get("Location") != "" {
			t.Errorf("SeeOther(%q) = %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestTheOtherLoopbackNameIsSentToTheIssuers(t *testing.T) {
	const at = "http://localhost:8080"
	for name, tt := range map[string]struct{ issuer, method, url, want string }{
		"127.0.0.1":                {at, "GET", "http://127.0.0.1:8080/oauth2/authorize?a=1&b=%20%2F", at + "/oauth2/authorize?a=1&b=%20%2F"},
		"HEAD":                     {at, "HEAD", "http://127.0.0.1:8080/login", at + "/login"},
		"[::1]":                    {at, "GET", "http://[::1]:8080/login", at + "/login"},
		"127.0.0.2":                {at, "GET", "http://127.0.0.2:8080/login", at + "/login"},
		"escaped path":             {at, "GET", "http://127.0.0.1:8080/a%2Fb", at + "/a%2Fb"},
		"path of another host":     {at, "GET", "http://127.0.0.1:8080//evil.example/x", at + "//evil.example/x"},
		"issuer by address":        {"http://127.0.0.1:8080", "GET", "http://localhost:8080/login", "http://127.0.0.1:8080/login"},
		"issuer by IPv6":           {"http://[::1]:8080/auth", "GET", "http://localhost:8080/auth/login", "http://[::1]:8080/auth/login"},
		"default port":             {"http://localhost", "GET", "http://127.0.0.1/login", "http://localhost/login"},
		"default port, named":      {"http://localhost:80", "GET", "http://127.0.0.1/login", "http://localhost/login"},
		"the issuer's own name":    {at, "GET", "http://localhost:8080/login", ""},
		"own name in capitals":     {at, "GET", "http://LOCALHOST:8080/login", ""},
		"POST passes":              {at, "POST", "http://127.0.0.1:8080/login", ""},
		"another port (a proxy)":   {at, "GET", "http://127.0.0.1:9999/login", ""},
		"another host":             {at, "GET", "http://portico.lan:8080/login", ""},
		"lookalike":                {at, "GET", "http://127.0.0.1.evil.example:8080/login", ""},
		"issuer not on loopback":   {"https://id.example", "GET", "http://127.0.0.1/login", ""},
		"issuer https on loopback": {"https://localhost:8443", "GET", "https://127.0.0.1:8443/login", "https://localhost:8443/login"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newRig(t, tt.issuer)
			page := k.Pages(func(w http.ResponseWriter, r *http.Request) error {
				k.Cookies.Browser(w, r)
				return k.Render(w, r, 200, templates.SignedOut{})
			})
			r := request(tt.method, tt.url)
			r.Header.Set("X-Forwarded-Host", "evil.example")
			w := serve(page, r)
			if got := w.Header().Get("Location"); got != tt.want {
				t.Errorf("Location %q, want %q", got, tt.want)
			}
			if redirected := w.Code == http.StatusFound; redirected != (tt.want != "") || redirected == (w.Header().Get("Set-Cookie") != "") {
				t.Errorf("%d with cookie %q", w.Code, w.Header().Get("Set-Cookie"))
			}
		})
	}
}

func TestAnAbsoluteRequestLineCannotSteerTheRedirect(t *testing.T) {
	k := newRig(t, "http://localhost:8080")
	r := request("GET", "http://127.0.0.1:8080/")
	r.URL = &url.URL{Scheme: "http", Opaque: "evil.example/x"} // "GET http:evil.example/x"
	if w := serve(k.LoopbackName(k.Unknown()), r); w.Header().Get("Location") != "" {
		t.Errorf("Location %q", w.Header().Get("Location"))
	}
}
