package templates

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/text/language"
)

// document is a parsed page with the questions that tests ask of it.
type document struct{ all []*html.Node }

func parse(t *testing.T, page string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			d.all = append(d.all, n)
		}
	}
	return d
}

func (d document) named(names ...string) []*html.Node {
	var found []*html.Node
	for _, n := range d.all {
		if slices.Contains(names, n.Data) {
			found = append(found, n)
		}
	}
	return found
}

func (d document) byID(id string) *html.Node {
	for _, n := range d.all {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
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
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// everyPage calls check for each sample in each language.
func everyPage(t *testing.T, check func(t *testing.T, name, page string, d document)) {
	t.Helper()
	for _, lang := range Languages() {
		for name, page := range samples() {
			t.Run(lang.Tag()+"/"+name, func(t *testing.T) {
				drawn := draw(t, Frame{Lang: lang, Base: "/auth"}, page)
				check(t, name, drawn, parse(t, drawn))
			})
		}
	}
}

func TestNothingOfAStrangerBecomesMarkup(t *testing.T) {
	handler := regexp.MustCompile(`^on`)
	everyPage(t, func(t *testing.T, name, page string, d document) {
		for _, n := range d.all {
			for _, a := range n.Attr {
				if a.Key == "style" || handler.MatchString(a.Key) || a.Key == "srcdoc" {
					t.Errorf("<%s %s> is inline script or style", n.Data, a.Key)
				}
			}
		}
		for _, n := range d.named("script") {
			if !strings.HasPrefix(attr(n, "src"), "/auth/static/") || n.FirstChild != nil {
				t.Errorf("a script that is not ours: %s", attr(n, "src"))
			}
		}
		if found := d.named("style", "iframe", "object", "embed", "base"); len(found) > 0 {
			t.Errorf("<%s> has no place on a page", found[0].Data)
		}
		for _, bad := range []string{"no value&gt;", "<no value>", "%!"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page holds %q", bad)
			}
		}
	})
}

func TestEveryAddressIsOursOrPlainHTTPS(t *testing.T) {
	ours := regexp.MustCompile(`^/auth/[a-z]`)
	everyPage(t, func(t *testing.T, name, page string, d document) {
		for _, n := range d.all {
			for _, key := range []string{"href", "src", "action", "formaction"} {
				if !has(n, key) {
					continue
				}
				v := attr(n, key)
				// #ZgotmplZ is html/template's answer to a scheme that runs code.
				if !ours.MatchString(v) && !strings.HasPrefix(v, "https://") && !strings.HasPrefix(v, "otpauth://totp/") && v != "#main" && v != "#ZgotmplZ" && !strings.HasPrefix(v, "%22") {
					t.Errorf("<%s %s=%q>", n.Data, key, v)
				}
			}
			if attr(n, "target") == "_blank" && attr(n, "rel") != "noopener noreferrer" {
				t.Errorf("a new tab keeps hold of this one: %s", attr(n, "href"))
			}
		}
	})
}

func TestStrangersTextIsBoundedAndKeepsItsDirection(t *testing.T) {
	everyPage(t, func(t *testing.T, name, page string, d document) {
		limit := 14 << 10
		if name == "profile-hostile" {
			limit = 18 << 10 // every field of it is a stranger's
		}
		if strings.HasPrefix(name, "formpost") {
			return // what its hidden fields send goes unchanged
		}
		if len(page) > limit {
			t.Errorf("%d bytes, want at most %d", len(page), limit)
		}
		for _, r := range page {
			if reorders(r) || unicode.IsControl(r) && r != '\n' {
				t.Errorf("the page holds %U", r)
			}
		}
	})
}

func TestPagesAreAccessible(t *testing.T) {
	everyPage(t, func(t *testing.T, name, page string, d document) {
		root := d.named("html")[0]
		if lang := attr(root, "lang"); lang == "" || attr(root, "dir") != direction(language.MustParse(lang)) {
			t.Errorf("<html lang=%q dir=%q>", attr(root, "lang"), attr(root, "dir"))
		}
		if got := len(d.named("h1")); got != 1 {
			t.Errorf("%d h1, want one", got)
		}
		for _, n := range d.named("title", "h1", "h2", "button", "a", "label", "p") {
			if text(n) == "" && attr(n, "class") != "fine" {
				t.Errorf("an empty <%s>", n.Data)
			}
		}
		if skip := d.named("a")[0]; attr(skip, "href") != "#main" || d.byID("main") == nil {
			t.Error("the first link does not skip to the content")
		}
		seen := map[string]bool{}
		for _, n := range d.all {
			if id := attr(n, "id"); has(n, "id") && (id == "" || seen[id]) {
				t.Errorf("id %q is empty or taken", id)
			} else {
				seen[id] = true
			}
			for _, ref := range strings.Fields(attr(n, "aria-describedby") + " " + attr(n, "aria-controls")) {
				if d.byID(ref) == nil {
					t.Errorf("<%s> refers to #%s, which is not there", n.Data, ref)
				}
			}
			if attr(n, "aria-invalid") == "true" && attr(d.byID(strings.Fields(attr(n, "aria-describedby"))[0]), "role") != "alert" {
				t.Errorf("#%s is wrong and says not why", attr(n, "id"))
			}
		}
		if focused := slices.DeleteFunc(slices.Clone(d.all), func(n *html.Node) bool { return !has(n, "autofocus") }); name != "register-hostile" && len(focused) > 1 {
			t.Errorf("%d elements want the focus", len(focused))
		}
		labelled(t, d)
	})
}

// labelled checks that each field has a label, and each image a text or none
// on purpose.
func labelled(t *testing.T, d document) {
	for _, n := range d.named("input") {
		if attr(n, "type") == "hidden" || n.Parent.Data == "label" {
			continue
		}
		if !slices.ContainsFunc(d.named("label"), func(l *html.Node) bool { return attr(l, "for") == attr(n, "id") }) {
			t.Errorf("input %q has no label", attr(n, "name"))
		}
		if attr(n, "autocomplete") == "" {
			t.Errorf("input %q does not say its purpose (WCAG 1.3.5)", attr(n, "name"))
		}
	}
	for _, n := range d.named("img") {
		if !has(n, "alt") || attr(n, "referrerpolicy") != "no-referrer" {
			t.Errorf("img %s lacks alt or referrerpolicy", attr(n, "src"))
		}
	}
}

func TestNamesThatOthersRelyOn(t *testing.T) {
	pages := samples()
	page := func(name string) document { return parse(t, draw(t, Frame{}, pages[name])) }
	for _, want := range []struct {
		page, id string
		attrs    map[string]string
		text     string
	}{
		{"login", "username", map[string]string{"name": "username", "autocomplete": "username"}, ""},
		{"login", "password", map[string]string{"name": "password", "autocomplete": "current-password", "type": "password", "value": ""}, ""},
		{"login", "login-submit", map[string]string{"type": "submit"}, "Sign in"},
		{"login", "login-cancel", map[string]string{"name": "decision", "value": "deny"}, "Cancel"},
		{"consent", "consent-allow", map[string]string{"name": "decision", "value": "allow", "type": "submit"}, "Allow"},
		{"consent", "consent-deny", map[string]string{"name": "decision", "value": "deny", "type": "submit"}, "Deny"},
		{"logout", "logout-confirm", map[string]string{"name": "decision", "value": "logout", "type": "submit"}, "Sign out"},
		{"logout", "logout-stay", map[string]string{"name": "decision", "value": "stay"}, "Stay signed in"},
		{"register", "password", map[string]string{"name": "password", "autocomplete": "new-password"}, ""},
		{"register", "email", map[string]string{"name": "email", "type": "email"}, ""},
		{"formpost", "formpost-continue", map[string]string{"type": "submit"}, "Continue"},
	} {
		n := page(want.page).byID(want.id)
		if n == nil {
			t.Errorf("%s has no #%s", want.page, want.id)
			continue
		}
		for key, value := range want.attrs {
			if got := attr(n, key); got != value {
				t.Errorf("%s: #%s %s = %q, want %q", want.page, want.id, key, got, value)
			}
		}
		if want.text != "" && text(n) != want.text {
			t.Errorf("%s: #%s says %q, want %q", want.page, want.id, text(n), want.text)
		}
	}
	for name, words := range map[string]string{
		"login": "Sign in", "error": "cannot continue", "error-over": "cannot continue", "error-hostile": "cannot continue", "signedout": "signed out",
	} {
		if body := text(page(name).byID("main")); !strings.Contains(body, words) {
			t.Errorf("%s does not say %q: %s", name, words, body)
		}
	}
}

func TestFormsWorkWithoutScripts(t *testing.T) {
	everyPage(t, func(t *testing.T, name, page string, d document) {
		for _, form := range d.named("form") {
			if attr(form, "method") != "post" {
				t.Errorf("a form is sent by %q", attr(form, "method"))
			}
			submits := 0
			for n := range form.Descendants() {
				if n.Data == "button" && attr(n, "type") == "submit" {
					submits++
				}
				if n.Data == "button" && attr(n, "type") == "button" && !has(n, "hidden") {
					t.Error("a button that needs a script is shown without one")
				}
			}
			if submits == 0 {
				t.Error("a form cannot be sent")
			}
		}
	})
}

func TestFormPostSendsEveryFieldUnchanged(t *testing.T) {
	fields := []Field{{"code", "x"}, {"state", "\"<>&'\u202e " + strings.Repeat("z", 4000)}, {"state", ""}}
	d := parse(t, draw(t, Frame{}, FormPost{URL: "https://rp.example/cb?a=1&b=2", Fields: fields}))
	var got []Field
	for _, n := range d.named("input") {
		got = append(got, Field{attr(n, "name"), attr(n, "value")})
	}
	if !slices.Equal(got, fields) {
		t.Errorf("sends %v, want %v", got, fields)
	}
	if action := attr(d.byID("formpost"), "action"); action != "https://rp.example/cb?a=1&b=2" {
		t.Errorf("sends to %q", action)
	}
}

func TestPasswordIsNeverShownAgain(t *testing.T) {
	everyPage(t, func(t *testing.T, name, page string, d document) {
		for _, n := range d.named("input") {
			if attr(n, "type") == "password" && has(n, "value") {
				t.Errorf("#%s has a value", attr(n, "id"))
			}
		}
	})
}
