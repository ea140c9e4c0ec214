package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/secret"
)

func TestCookieAttributes(t *testing.T) {
	session, link := secret.New(secret.SessionCookie), secret.New(secret.ConfirmLink)
	for issuer, prefix := range map[string]string{
		"https://id.example": "__Host-", "https://id.example/auth": "__Host-", "http://localhost:8080": "", "http://127.0.0.1:8080/x": "",
	} {
		c := newRig(t, issuer).Cookies
		for name, tt := range map[string]struct {
			set    func(http.ResponseWriter)
			name   string
			maxAge int
			value  string
		}{
			"session until the browser closes": {func(w http.ResponseWriter) { c.SetSession(w, session, 0) }, "portico_session", 0, session},
			"session for a day":                {func(w http.ResponseWriter) { c.SetSession(w, session, 24*time.Hour) }, "portico_session", 86400, session},
			"session for less than a second":   {func(w http.ResponseWriter) { c.SetSession(w, session, time.Millisecond) }, "portico_session", 1, session},
			"session taken away":               {func(w http.ResponseWriter) { c.ClearSession(w) }, "portico_session", -1, ""},
			"link of a mail":                   {func(w http.ResponseWriter) { c.SetLink(w, link, time.Minute) }, "portico_link", 60, link},
			"link of a mail, at its end":       {func(w http.ResponseWriter) { c.SetLink(w, link, 0) }, "portico_link", 1, link},
			"link of a mail taken away":        {func(w http.ResponseWriter) { c.ClearLink(w) }, "portico_link", -1, ""},
			"browser":                          {func(w http.ResponseWriter) { c.Browser(w, request("GET", "/")) }, "portico_browser", 180 * 86400, "?"},
		} {
			w := httptest.NewRecorder()
			tt.set(w)
			cookies := w.Result().Cookies()
			if len(cookies) != 1 {
				t.Fatalf("%s, %s: %d cookies", issuer, name, len(cookies))
			}
			got := cookies[0]
			if got.Name != prefix+tt.name || got.Path != "/" || got.Domain != "" || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode ||
				got.Secure != (prefix != "") || got.MaxAge != tt.maxAge || (tt.value != "?" && got.Value != tt.value) {
				t.Errorf("%s, %s: %s", issuer, name, w.Header().Get("Set-Cookie"))
			}
			if len(w.Header().Get("Set-Cookie")) > 4096 {
				t.Errorf("%s, %s: larger than browsers keep", issuer, name)
			}
		}
	}
}

func TestABrokenCookieIsNone(t *testing.T) {
	c := newRig(t, "https://id.example").Cookies
	good, session := secret.New(secret.BrowserCookie), secret.New(secret.SessionCookie)
	for name, header := range map[string]string{
		"absent":            "",
		"empty":             "__Host-portico_browser=; __Host-portico_session=",
		"cut":               "__Host-portico_browser=" + good[:len(good)-1] + "; __Host-portico_session=" + session[:20],
		"altered":           "__Host-portico_browser=" + flip(good) + "; __Host-portico_session=" + flip(session),
		"of the other kind": "__Host-portico_browser=" + session + "; __Host-portico_session=" + good,
		"without prefix":    "portico_browser=" + good + "; portico_session=" + session,
		"huge":              "__Host-portico_browser=" + strings.Repeat("a", 8000) + "; __Host-portico_session=" + strings.Repeat("a", 8000),
		"not a cookie":      ";;==,\"\x7f",
		"in quotes":         "__Host-portico_browser=\"x\"; __Host-portico_session=\"x\"",
	} {
		r, w := request("GET", "/", "Cookie", header), httptest.NewRecorder()
		if got := c.Session(r); got != "" {
			t.Errorf("%s: session %q", name, got)
		}
		if got := c.KnownBrowser(r); got != "" {
			t.Errorf("%s: known browser %q", name, got)
		}
		first, second := c.Browser(w, r), c.Browser(w, r)
		if _, ok := secret.Unwrap(secret.BrowserCookie, first); !ok || first != second || first == good {
			t.Errorf("%s: minted %q, then %q", name, first, second)
		}
		if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].Value != first {
			t.Errorf("%s: sets %v", name, w.Header()["Set-Cookie"])
		}
	}
}

// flip alters one character of the payload.
func flip(s string) string {
	b := []byte(s)
	if b[10] == 'A' {
		b[10] = 'B'
	} else {
		b[10] = 'A'
	}
	return string(b)
}

func TestAGoodCookieIsKept(t *testing.T) {
	c := newRig(t, "https://id.example").Cookies
	browser, session := secret.New(secret.BrowserCookie), secret.New(secret.SessionCookie)
	r := request("GET", "/", "Cookie", "__Host-portico_browser=garbage; __Host-portico_browser="+browser+"; x=y; __Host-portico_session="+session)
	w := httptest.NewRecorder()
	if got := c.Browser(w, r); got != browser || len(w.Header()["Set-Cookie"]) != 0 {
		t.Errorf("Browser = %q, sets %v", got, w.Header()["Set-Cookie"])
	}
	if c.KnownBrowser(r) != browser || c.Session(r) != session {
		t.Error("a good cookie behind a broken one is not found")
	}
}

func TestTheLastWordOnACookieCounts(t *testing.T) {
	c := newRig(t, "https://id.example").Cookies
	w := httptest.NewRecorder()
	browser := c.Browser(w, request("GET", "/"))
	c.SetSession(w, "first", 0)
	c.SetSession(w, "second", time.Hour)
	c.ClearSession(w)
	c.SetSession(w, "third", 0)
	var got []string
	for _, cookie := range w.Result().Cookies() {
		got = append(got, cookie.Name+"="+cookie.Value)
	}
	if len(got) != 2 || got[0] != "__Host-portico_browser="+browser || got[1] != "__Host-portico_session=third" {
		t.Errorf("sets %v", got)
	}
}
