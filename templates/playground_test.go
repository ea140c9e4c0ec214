package templates

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func playgroundPage() Playground {
	return Playground{
		Issuer: "http://localhost:8080", People: []string{"alice@example.com", "bob@example.com"}, Password: "portico-demo-2026",
		Web: DemoClient{"demo-web", "demo-web-secret"}, SPA: DemoClient{ID: "demo-spa"}, Service: DemoClient{"demo-service", "demo-service-secret"},
		API: "https://orders.example.test", Scopes: []string{"orders:read", "orders:write"},
	}
}

func scripts(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../static/files/playground*.js")
	if err != nil || len(files) != 4 {
		t.Fatalf("scripts %v, %v", files, err)
	}
	var all strings.Builder
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

func TestPlaygroundHasWhatItsScriptsUse(t *testing.T) {
	for _, lang := range Languages() {
		d := parse(t, draw(t, Frame{Lang: lang}, playgroundPage()))
		root := d.byID("playground")
		code := scripts(t)
		words := regexp.MustCompile(`(?:word|check)\("([a-z-]+)"`).FindAllStringSubmatch(code, -1)
		words = append(words, regexp.MustCompile(`check\(list, "([a-z]+)"`).FindAllStringSubmatch(code, -1)...)
		words = append(words, regexp.MustCompile(`: "([a-z]+(?:-[a-z]+)*-token)"`).FindAllStringSubmatch(code, -1)...)
		if len(words) < 25 {
			t.Fatalf("found %d words in the scripts: the search is broken", len(words))
		}
		for _, m := range words {
			if attr(root, "data-word-"+m[1]) == "" {
				t.Errorf("%s: the page has no word %q", lang.Tag(), m[1])
			}
		}
		for _, m := range regexp.MustCompile(`(?:step|onClick|onSubmit)\("([a-z-]+)"`).FindAllStringSubmatch(code, -1) {
			if d.byID(m[1]) == nil {
				t.Errorf("the page has no #%s", m[1])
			}
		}
		for _, m := range regexp.MustCompile(`part\((?:step\("[a-z]+"\)|\w+), "([a-z-]+)"`).FindAllStringSubmatch(code, -1) {
			found := false
			for _, n := range d.all {
				found = found || has(n, "data-"+m[1])
			}
			if !found {
				t.Errorf("the page has no [data-%s]", m[1])
			}
		}
	}
}

// Without scripts the page shows how to do every step by hand, and no control
// that would do nothing.
func TestPlaygroundWithoutScripts(t *testing.T) {
	d := parse(t, draw(t, Frame{Base: "/auth"}, playgroundPage()))
	for _, n := range d.named("form", "button", "details") {
		hidden := false
		for p := n; p != nil; p = p.Parent {
			hidden = hidden || has(p, "hidden")
		}
		if !hidden {
			t.Errorf("<%s> is shown and does nothing: %q", n.Data, text(n))
		}
	}
	lines := 0
	for _, n := range d.named("pre") {
		if has(n, "data-curl") {
			lines++
			if !strings.HasPrefix(text(n), "curl -s ") || !strings.Contains(text(n), "http://localhost:8080/") {
				t.Errorf("no curl line: %q", text(n))
			}
		}
	}
	if lines != 7 {
		t.Errorf("%d steps have a curl line, want 7", lines)
	}
	if out := d.byID("playground-signout"); attr(out, "href") != "/auth/oauth2/logout" {
		t.Errorf("the way out leads to %q", attr(out, "href"))
	}
	if len(d.named("noscript")) != 1 {
		t.Error("nothing says what is needed")
	}
}

func TestPlaygroundKeepsTheStrictPolicy(t *testing.T) {
	hostilePage := playgroundPage()
	hostilePage.Issuer, hostilePage.Password, hostilePage.API = hostile, hostile, hostile
	hostilePage.People, hostilePage.Web.Secret, hostilePage.SPA.ID = []string{hostile}, hostile, hostile
	for _, page := range []Page{playgroundPage(), hostilePage} {
		d := parse(t, draw(t, Frame{}, page))
		for _, n := range d.all {
			if n.Data == "style" || n.Data == "script" && (attr(n, "src") == "" || text(n) != "") {
				t.Errorf("an inline <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s %s>", n.Data, a.Key)
				}
			}
		}
		labelled(t, d)
	}
}

func TestPlaygroundAsksForTheScopesOfTheAPI(t *testing.T) {
	p := playgroundPage()
	if got := p.Scope(); got != "openid profile email offline_access orders:read orders:write" {
		t.Errorf("Scope() = %q", got)
	}
	if got := p.Redirect(); got != "http://localhost:8080/playground/callback" {
		t.Errorf("Redirect() = %q", got)
	}
}
