package static

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServesEveryFileForEverUnderItsDigest(t *testing.T) {
	types := map[string]string{
		"account.css": "text/css; charset=utf-8", "codes.js": "text/javascript; charset=utf-8",
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
		"form-post.js": "text/javascript; charset=utf-8", "passkey.js": "text/javascript; charset=utf-8", "strength.js": "text/javascript; charset=utf-8", "favicon.svg": "image/svg+xml", "logo.svg": "image/svg+xml",
		"favicon.ico": "image/x-icon", "touch.png": "image/png",
		"mailbox.css": "text/css; charset=utf-8", "playground.css": "text/css; charset=utf-8", "playground.js": "text/javascript; charset=utf-8",
		"playground-jwt.js": "text/javascript; charset=utf-8", "playground-http.js": "text/javascript; charset=utf-8",
		"playground-show.js": "text/javascript; charset=utf-8",
	}
	for name := range byName {
		if types[name] == "" {
			t.Errorf("%s is served but not listed here", name)
		}
	}
	named := regexp.MustCompile(`^/static/[a-z-]+\.[0-9a-f]{12}\.[a-z]+$`)
	for name, want := range types {
		p := Path(name)
		if !named.MatchString(p) {
			t.Errorf("Path(%q) = %q, want name.digest.ext below /static/", name, p)
		}
		for _, prefix := range []string{"", "/auth", "/static/x"} {
			w := get(Handler(), "GET", prefix+p)
			if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), byName[name].body) {
				t.Fatalf("GET %s%s = %d with %d bytes", prefix, p, w.Code, w.Body.Len())
			}
			for header, value := range map[string]string{
				"Content-Type": want, "Cache-Control": "public, max-age=31536000, immutable",
				"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Get(header); got != value {
					t.Errorf("GET %s: %s = %q, want %q", p, header, got, value)
				}
			}
		}
	}
}

func TestRefusesEverythingElse(t *testing.T) {
	css := Path("app.css")
	for _, target := range []string{
		"/static/app.css", "/static/", "/static/app.000000000000.css", "/static/../static.go", "/static/files/app.css",
		"/static/x/" + strings.TrimPrefix(css, "/static/"), "/" + strings.TrimPrefix(css, "/static/"), css + "/", "/static/%2e%2e/static.go",
	} {
		w := get(Handler(), "GET", target)
		if w.Code != 404 || w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s = %d %q %q, want an empty 404 that nobody keeps", target, w.Code, w.Body, w.Header().Get("Cache-Control"))
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		w := get(Handler(), method, css)
		if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" || w.Body.Len() != 0 {
			t.Errorf("%s = %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Path of an unknown file did not panic")
		}
	}()
	Path("nothing.css")
}

func TestRevalidatesAndAnswersHead(t *testing.T) {
	css := Path("app.css")
	etag := get(Handler(), "GET", css).Header().Get("ETag")
	if w := get(Handler(), "GET", css, "If-None-Match", etag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("If-None-Match %s = %d with %d bytes, want an empty 304", etag, w.Code, w.Body.Len())
	}
	if w := get(Handler(), "GET", css, "If-None-Match", `"other"`); w.Code != 200 {
		t.Errorf("another ETag = %d, want 200", w.Code)
	}
	if w := get(Handler(), "HEAD", css); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("ETag") != etag {
		t.Errorf("HEAD = %d with %d bytes, ETag %q", w.Code, w.Body.Len(), w.Header().Get("ETag"))
	}
	if w := get(Icon(nil), "GET", "/favicon.ico"); w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=86400" {
		t.Errorf("icon = %d %q", w.Code, w.Header().Get("Cache-Control"))
	}
	if w := get(Icon(nil), "POST", "/favicon.ico"); w.Code != 405 || w.Header().Get("Cache-Control") != "" {
		t.Errorf("POST icon = %d %q", w.Code, w.Header().Get("Cache-Control"))
	}
}

func TestContentDecidesTheName(t *testing.T) {
	a, b := newFile("app.css", []byte("a{}")), newFile("app.css", []byte("b{}"))
	if a.hashed == b.hashed || a.etag == b.etag {
		t.Errorf("two contents share the name %s", a.hashed)
	}
}

func TestIconsAreImages(t *testing.T) {
	if m, err := png.Decode(bytes.NewReader(byName["touch.png"].body)); err != nil || m.Bounds().Dx() != 180 {
		t.Errorf("touch.png: %v", err)
	}
	ico := byName["favicon.ico"].body
	if len(ico) < 22 || binary.LittleEndian.Uint16(ico[2:]) != 1 {
		t.Fatal("favicon.ico is no icon")
	}
	if m, err := png.Decode(bytes.NewReader(ico[binary.LittleEndian.Uint32(ico[18:]):])); err != nil || m.Bounds().Dx() != 32 {
		t.Errorf("favicon.ico: %v", err)
	}
}

func TestNothingComesFromElsewhere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i)url\(|@import|https?://|//[a-z]+\.|fetch\(|XMLHttpRequest|eval\(|innerHTML`)
	for _, name := range []string{"app.css", "app.js", "form-post.js", "strength.js"} {
		if found := elsewhere.Find(byName[name].body); found != nil {
			t.Errorf("%s holds %q", name, found)
		}
	}
	for _, name := range []string{"favicon.svg", "logo.svg"} {
		svg := strings.Replace(string(byName[name].body), `xmlns="http://www.w3.org/2000/svg"`, "", 1)
		if regexp.MustCompile(`(?i)<script|<style|style=|https?:|\son\w+=|<foreignObject`).MatchString(svg) {
			t.Errorf("%s holds more than shapes", name)
		}
	}
}

func TestServesTheOperatorsFilesInASandbox(t *testing.T) {
	logo, icon := NewFile("logo.svg", []byte("<svg/>")), NewFile("own.png", []byte("png"))
	h := Handler(logo)
	w := get(h, "GET", "/auth"+logo.Path())
	if w.Code != 200 || w.Body.String() != "<svg/>" || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("GET %s = %d %q %q", logo.Path(), w.Code, w.Body, w.Header().Get("Content-Type"))
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "; sandbox;") {
		t.Errorf("the operator's picture is served under %q", got)
	}
	if w := get(h, "GET", Path("app.css")); w.Code != 200 {
		t.Errorf("our own file = %d beside the operator's", w.Code)
	}
	for name, w := range map[string]int{"plain name": get(h, "GET", "/static/logo.svg").Code, "another handler": get(Handler(), "GET", logo.Path()).Code} {
		if w != 404 {
			t.Errorf("%s = %d, want 404", name, w)
		}
	}
	if w := get(Icon(&icon), "GET", "/favicon.ico"); w.Body.String() != "png" || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("the operator's icon = %q %q", w.Body, w.Header().Get("Content-Type"))
	}
}
