package stage

import (
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Browser calls a handler as a browser would: it keeps cookies and says where
// a form comes from. It follows no redirect.
type Browser struct {
	Handler http.Handler
	// Address is where it calls from; empty: 192.0.2.1.
	Address string

	mu      sync.Mutex
	cookies map[string]string
}

// Answer is what came back.
type Answer struct {
	Status   int
	Header   http.Header
	Body     string
	Location string
}

// Get asks for a local path.
func (b *Browser) Get(path string) Answer { return b.Do(http.MethodGet, path, nil, nil) }

// Post sends a form of our own pages.
func (b *Browser) Post(path string, form url.Values) Answer {
	return b.Do(http.MethodPost, path, form, http.Header{"Origin": {Issuer}, "Sec-Fetch-Site": {"same-origin"}})
}

// Submit sends the form of the page at path, with its hidden fields and what
// the person enters: pairs of name and value.
func (b *Browser) Submit(path string, pairs ...string) Answer {
	page := b.Get(path)
	form := Hidden(page.Body)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.Post(path, form)
}

// Do sends any request. A nil form sends no body.
func (b *Browser) Do(method, path string, form url.Values, header http.Header) Answer {
	r := httptest.NewRequest(method, Issuer+path, nil)
	if form != nil {
		r = httptest.NewRequest(method, Issuer+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(r.Header, header)
	r.RemoteAddr = "192.0.2.1:1234"
	if b.Address != "" {
		r.RemoteAddr = b.Address
	}
	b.mu.Lock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	answer := w.Result()
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			b.SetCookie(c.Name, "")
		} else {
			b.SetCookie(c.Name, c.Value)
		}
	}
	return Answer{Status: w.Code, Header: answer.Header, Body: w.Body.String(), Location: answer.Header.Get("Location")}
}

// SetCookie gives the browser a cookie; an empty value takes it away.
func (b *Browser) SetCookie(name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cookies == nil {
		b.cookies = map[string]string{}
	}
	if value == "" {
		delete(b.cookies, name)
		return
	}
	b.cookies[name] = value
}

// Cookie returns the value of a cookie, or "".
func (b *Browser) Cookie(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies[name]
}

// Names of the cookies on https.
const (
	SessionCookie = "__Host-portico_session"
	BrowserCookie = "__Host-portico_browser"
	KnownCookie   = "__Host-portico_known"
	LinkCookie    = "__Host-portico_link"
)

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// Hidden returns the hidden fields of a page.
func Hidden(page string) url.Values {
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// Alike returns what of an answer may not tell people apart: all but the
// names they typed, what is new in every answer, and the seconds until a
// counter of the address is free again, which pass between two answers.
func Alike(a Answer, typed string) string {
	body := strings.ReplaceAll(a.Body, typed, "NAME")
	body = regexp.MustCompile(`ptf_[A-Za-z0-9_-]+`).ReplaceAllString(body, "FLOW")
	body = regexp.MustCompile(`name="form_token" value="[^"]*"`).ReplaceAllString(body, "TOKEN")
	head := a.Header.Clone()
	head.Del("X-Request-Id")
	head.Del("RateLimit-Reset")
	if quota := head.Get("RateLimit"); quota != "" {
		head.Set("RateLimit", regexp.MustCompile(`;t=\d+`).ReplaceAllString(quota, ""))
	}
	lines := []string{strconv.Itoa(a.Status), body}
	for name, values := range head {
		lines = append(lines, name+": "+strings.Join(values, ","))
	}
	// The order of a map is not part of an answer.
	slices.Sort(lines[2:])
	return strings.Join(lines, "\n")
}
