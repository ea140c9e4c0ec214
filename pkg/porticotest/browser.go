package porticotest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// Browser is a browser without JavaScript: it keeps cookies, follows
// redirects within the issuer and submits forms. It stops where a redirect
// leaves the issuer: that is the answer to the application. Several requests
// may go out at once.
type Browser struct {
	tb     testing.TB
	http   *http.Client
	issuer *url.URL
	// Requests counts what was sent, redirects included.
	Requests int
	counting sync.Mutex // guards Requests
	// Header is sent with every request, as a proxy or an extension adds one.
	Header http.Header
	// Authenticator answers the pages that ask for a code of it; nil: none does.
	Authenticator *Authenticator
}

// NewBrowser returns a browser that has never been here.
func (s *Server) NewBrowser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	return &Browser{
		tb: s.tb, issuer: s.issuer,
		http: &http.Client{
			Jar: jar, Transport: s.transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Via makes the next requests of the browser reach another instance of the
// same issuer, as a load balancer may.
func (b *Browser) Via(s *Server) { b.http.Transport = s.transport }

// Page is what the browser shows: a page of the issuer, or the address
// outside of it that a redirect led to.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
	// Left holds when a redirect led away from the issuer: nothing was
	// fetched, and URL is where it led.
	Left bool

	browser *Browser
	parse   sync.Once
	doc     *html.Node
}

// Get opens an address; a path is taken below the issuer.
func (b *Browser) Get(address string) *Page {
	b.tb.Helper()
	u, err := b.issuer.Parse(address)
	if err != nil {
		b.tb.Fatalf("address %q: %v", address, err)
	}
	req, err := http.NewRequestWithContext(b.tb.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.follow(req)
}

// Post sends a form as a page of the issuer would.
func (b *Browser) Post(address string, form url.Values) *Page {
	b.tb.Helper()
	u, err := b.issuer.Parse(address)
	if err != nil {
		b.tb.Fatalf("address %q: %v", address, err)
	}
	req, err := http.NewRequestWithContext(b.tb.Context(), http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		b.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.issuer.Scheme+"://"+b.issuer.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.follow(req)
}

// maxRedirects ends a circle.
const maxRedirects = 10

func (b *Browser) follow(req *http.Request) *Page {
	b.tb.Helper()
	for range maxRedirects {
		b.counting.Lock()
		b.Requests++
		b.counting.Unlock()
		for name, values := range b.Header {
			req.Header[name] = values
		}
		res, err := b.http.Do(req)
		if err != nil {
			b.tb.Fatalf("%s %s: %v", req.Method, req.URL.Redacted(), err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			b.tb.Fatal(err)
		}
		page := &Page{URL: req.URL, Status: res.StatusCode, Header: res.Header, Body: string(body), browser: b}
		if res.StatusCode < 300 || res.StatusCode > 399 || res.Header.Get("Location") == "" {
			return page
		}
		to, err := req.URL.Parse(res.Header.Get("Location"))
		if err != nil {
			b.tb.Fatalf("%s redirects to %q: %v", req.URL.Path, res.Header.Get("Location"), err)
		}
		if to.Host != b.issuer.Host || to.Scheme != b.issuer.Scheme || strings.HasSuffix(to.Path, "/callback") {
			page.URL, page.Left = to, true
			return page
		}
		if req, err = http.NewRequestWithContext(b.tb.Context(), http.MethodGet, to.String(), nil); err != nil {
			b.tb.Fatal(err)
		}
	}
	b.tb.Fatalf("more than %d redirects, last to %s", maxRedirects, req.URL.Path)
	return nil
}

// Cookies returns what the browser would send to the issuer.
func (b *Browser) Cookies() []*http.Cookie { return b.http.Jar.Cookies(b.issuer) }

// Submit fills the form of the page that has the fields, keeps what the page
// filled in, presses the button of the name and value (both may be empty) and
// returns the next page.
func (p *Page) Submit(fields map[string]string, button, value string) *Page {
	p.browser.tb.Helper()
	form := p.form(fields, button)
	if form == nil {
		p.browser.tb.Fatalf("%s (%d) has no form with these fields:\n%s", p.URL.Path, p.Status, p.Text())
	}
	values := url.Values{}
	walk(form, func(n *html.Node) {
		if n.Data == "input" && attr(n, "name") != "" && attr(n, "type") != "checkbox" && attr(n, "type") != "submit" {
			values.Set(attr(n, "name"), attr(n, "value"))
		}
	})
	for k, v := range fields {
		values.Set(k, v)
	}
	if button != "" {
		values.Set(button, value)
	}
	action := attr(form, "action")
	if action == "" {
		action = p.URL.String()
	}
	to, err := p.URL.Parse(action)
	if err != nil {
		p.browser.tb.Fatal(err)
	}
	return p.browser.Post(to.String(), values)
}

// Form returns where the form of the id goes and what the page filled in; no
// action when the page has no such form.
func (p *Page) Form(id string) (action string, values url.Values) {
	values = url.Values{}
	walk(p.tree(), func(n *html.Node) {
		if n.Data != "form" || attr(n, "id") != id {
			return
		}
		action = attr(n, "action")
		walk(n, func(in *html.Node) {
			if in.Data == "input" && attr(in, "name") != "" {
				values.Add(attr(in, "name"), attr(in, "value"))
			}
		})
	})
	return action, values
}

// form finds the form that has all the fields and the button.
func (p *Page) form(fields map[string]string, button string) *html.Node {
	var found *html.Node
	walk(p.tree(), func(n *html.Node) {
		if found != nil || n.Data != "form" || !strings.EqualFold(attr(n, "method"), "post") {
			return
		}
		names := map[string]bool{}
		walk(n, func(in *html.Node) {
			if in.Data == "input" || in.Data == "button" {
				names[attr(in, "name")] = true
			}
		})
		for f := range fields {
			if !names[f] {
				return
			}
		}
		if button == "" || names[button] {
			found = n
		}
	})
	return found
}

// Has reports whether the page holds an element of the id.
func (p *Page) Has(id string) bool {
	found := false
	walk(p.tree(), func(n *html.Node) { found = found || attr(n, "id") == id })
	return found
}

// Value returns the value attribute of the element of the id.
func (p *Page) Value(id string) string {
	value := ""
	walk(p.tree(), func(n *html.Node) {
		if attr(n, "id") == id {
			value = attr(n, "value")
		}
	})
	return value
}

// Link returns the href of the first link whose text contains the words.
func (p *Page) Link(words string) string {
	href := ""
	walk(p.tree(), func(n *html.Node) {
		if href == "" && n.Data == "a" && strings.Contains(text(n), words) {
			href = attr(n, "href")
		}
	})
	return href
}

// Hidden returns what the first field of the name holds, or "".
func (p *Page) Hidden(name string) (value string) {
	walk(p.tree(), func(n *html.Node) {
		if n.Data == "input" && attr(n, "name") == name && value == "" {
			value = attr(n, "value")
		}
	})
	return value
}

// Text returns the words of the page, without tags.
func (p *Page) Text() string { return strings.Join(strings.Fields(text(p.tree())), " ") }

func (p *Page) tree() *html.Node {
	p.parse.Do(func() {
		doc, err := html.Parse(strings.NewReader(p.Body))
		if err != nil {
			p.browser.tb.Fatal(err)
		}
		p.doc = doc
	})
	return p.doc
}

func walk(n *html.Node, visit func(*html.Node)) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode {
			visit(d)
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && (d.Parent == nil || d.Parent.Data != "script" && d.Parent.Data != "style") {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return b.String()
}
