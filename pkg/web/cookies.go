package web

import (
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/secret"
)

// Cookies are the cookies of a browser: the one that knows it before and
// besides any session, the session, who signed in with it before, and the link
// of a mail that was followed. All are
// HttpOnly, SameSite=Lax, Path=/ and without Domain; on https they are Secure
// and carry the __Host- prefix, so that no other host can set them. A broken
// cookie is none.
type Cookies struct {
	secure                                 bool
	browser, session, known, link, trusted string // names
}

// browserLife is how long a browser is known: it outlives sessions, because a
// brake on guessing must not lock out a known device.
const browserLife = 180 * 24 * time.Hour

func newCookies(secure bool) Cookies {
	c := Cookies{secure: secure, browser: "portico_browser", session: "portico_session", known: "portico_known", link: "portico_link", trusted: "portico_trusted"}
	if secure { // __Host- demands Secure and Path=/, so an http issuer goes without
		for _, name := range []*string{&c.browser, &c.session, &c.known, &c.link, &c.trusted} {
			*name = "__Host-" + *name
		}
	}
	return c
}

// Browser returns the browser's token, a secret.BrowserCookie. A browser
// without one, or with a broken one, is given a new one; within one request
// every call returns the same.
func (c Cookies) Browser(w http.ResponseWriter, r *http.Request) string {
	if token := read(r, c.browser, secret.BrowserCookie); token != "" {
		return token
	}
	token := secret.New(secret.BrowserCookie)
	c.set(w, c.browser, token, browserLife)
	r.AddCookie(&http.Cookie{Name: c.browser, Value: token}) // for the next call
	return token
}

// KnownBrowser returns the browser's token, or "" when it has none.
func (c Cookies) KnownBrowser(r *http.Request) string {
	return read(r, c.browser, secret.BrowserCookie)
}

// Session returns the session's token, a secret.SessionCookie, or "". Its
// shape is proven, nothing else: session decides whether it lives.
func (c Cookies) Session(r *http.Request) string {
	return read(r, c.session, secret.SessionCookie)
}

// SetSession gives the browser a session. maxAge 0 ends it with the browser;
// less than a second counts as a second.
func (c Cookies) SetSession(w http.ResponseWriter, token string, maxAge time.Duration) {
	c.set(w, c.session, token, maxAge)
}

// ClearSession takes the session from the browser.
func (c Cookies) ClearSession(w http.ResponseWriter) { c.set(w, c.session, "", -time.Second) }

// Known returns who signed in with the browser before, a secret.KnownDevice,
// or "". Its shape is proven, nothing else.
func (c Cookies) Known(r *http.Request) string {
	return read(r, c.known, secret.KnownDevice)
}

// SetKnown notes who signed in with the browser.
func (c Cookies) SetKnown(w http.ResponseWriter, value string) {
	c.set(w, c.known, value, browserLife)
}

// Link returns the link of a mail that was followed in this browser, a
// secret.ConfirmLink, or "". Its shape is proven, nothing else.
func (c Cookies) Link(r *http.Request) string { return read(r, c.link, secret.ConfirmLink) }

// SetLink takes the link of a mail out of the address of the page, where it
// would be seen in histories and logs. It stays for life at most.
func (c Cookies) SetLink(w http.ResponseWriter, link string, life time.Duration) {
	c.set(w, c.link, link, max(life, time.Second))
}

// ClearLink takes the link from the browser.
func (c Cookies) ClearLink(w http.ResponseWriter) { c.set(w, c.link, "", -time.Second) }

// Trusted returns what shows that the browser is remembered, a
// secret.TrustedBrowser, or "". Its shape is proven, nothing else.
func (c Cookies) Trusted(r *http.Request) string { return read(r, c.trusted, secret.TrustedBrowser) }

// SetTrusted remembers the browser for life: no second factor is asked for.
func (c Cookies) SetTrusted(w http.ResponseWriter, token string, life time.Duration) {
	c.set(w, c.trusted, token, max(life, time.Second))
}

// ClearTrusted forgets that the browser was remembered.
func (c Cookies) ClearTrusted(w http.ResponseWriter) { c.set(w, c.trusted, "", -time.Second) }

// set replaces what this answer said of the cookie before.
func (c Cookies) set(w http.ResponseWriter, name, value string, age time.Duration) {
	cookie := http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode}
	switch {
	case age < 0:
		cookie.MaxAge = -1
	case age > 0:
		cookie.MaxAge = max(1, int(age/time.Second))
	}
	replaceCookie(w.Header(), &cookie)
}

func replaceCookie(h http.Header, cookie *http.Cookie) {
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if old, err := http.ParseSetCookie(line); err != nil || old.Name != cookie.Name {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, cookie.String())
}

// read returns the first well-formed value: on a shared loopback host, or
// after an attack by a neighbour, a browser may send several of one name.
func read(r *http.Request, name string, kind secret.Kind) string {
	for _, cookie := range r.CookiesNamed(name) {
		if _, ok := secret.Unwrap(kind, cookie.Value); ok {
			return cookie.Value
		}
	}
	return ""
}
