package brand

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/static"
	"github.com/portico-id/portico/templates"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const example = "../../examples/branding"

func mustLoad(t *testing.T, dir string) *Brand {
	t.Helper()
	b, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func draw(t *testing.T, b *Brand, frame templates.Frame, page templates.Page) string {
	t.Helper()
	var out strings.Builder
	if err := b.Templates.Write(&out, frame, page); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var (
	digest = regexp.MustCompile(`\.[0-9a-f]{12}\.`)
	form   = regexp.MustCompile(`(?s)<form.*</form>`)
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = form.ReplaceAllString(digest.ReplaceAllString(got, ".DIGEST."), "<form>…</form>") // reviewed in templates
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func TestTheExampleIsAsReviewed(t *testing.T) {
	b := mustLoad(t, example)
	login := templates.Login{Form: templates.Form{Action: "/login", Flow: "ptf_flow", Token: "token"}, Recover: "/recover"}
	golden(t, "login", draw(t, b, templates.Frame{Base: "/auth"}, login))
	golden(t, "login-client", draw(t, b, templates.Frame{Base: "/auth", Client: "harbour-web"}, login))
	golden(t, "signedout", draw(t, b, templates.Frame{Base: "/auth"}, templates.SignedOut{Login: "/login"}))
	letter, err := b.Templates.WriteLetter(templates.Frame{}, templates.Letter{Key: "test"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "letter", letter.Subject+"\n\n"+letter.Text+"\n"+letter.HTML)
	for _, f := range b.Files {
		if strings.HasPrefix(f.Path(), "/static/brand.") {
			w := serve(f, b.Files...)
			golden(t, "style-"+strings.Trim(regexp.MustCompile(`--accent: (#\w+)`).FindStringSubmatch(w.Body.String())[1], "#"), w.Body.String())
		}
	}
}

func serve(f static.File, all ...static.File) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	static.Handler(all...).ServeHTTP(w, httptest.NewRequest("GET", f.Path(), nil))
	return w
}

// Everything that a branded page names is served, under the policy of the
// pages, and nothing else is asked for.
func TestEveryFileThatAPageNamesIsServed(t *testing.T) {
	b := mustLoad(t, example)
	named := regexp.MustCompile(`(?:href|src|srcset)="(/static/[^"]+)"`)
	for _, client := range []string{"", "harbour-web", "unknown"} {
		for _, page := range []templates.Page{templates.Login{}, templates.SignedOut{}, templates.Error{}} {
			found := named.FindAllStringSubmatch(draw(t, b, templates.Frame{Client: client}, page), -1)
			if len(found) < 4 {
				t.Errorf("%T names %d files", page, len(found))
			}
			for _, m := range found {
				w := httptest.NewRecorder()
				static.Handler(b.Files...).ServeHTTP(w, httptest.NewRequest("GET", m[1], nil))
				if w.Code != 200 || w.Header().Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s = %d", m[1], w.Code)
				}
				if own := strings.HasSuffix(m[1], ".svg") && !strings.Contains(m[1], "favicon"); own && !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
					t.Errorf("%s is served under %q", m[1], w.Header().Get("Content-Security-Policy"))
				}
			}
		}
	}
	if b.Icon == nil || b.Icon.Type() != "image/svg+xml" {
		t.Error("the logo does not serve as an icon")
	}
}

func TestNoDirectoryIsPorticosOwnLook(t *testing.T) {
	b := mustLoad(t, "")
	if b.Templates != templates.Standard() || len(b.Files) > 0 || b.Icon != nil || b.Names() != nil {
		t.Errorf("without a directory: %+v", b)
	}
}

// folder writes a directory of files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const drawing = `<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1v1z"/></svg>`

func picture(t *testing.T, side int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	yaml := func(text string) map[string]string { return map[string]string{"brand.yaml": text} }
	logo := func(name, body string) map[string]string {
		return map[string]string{"brand.yaml": "name: Acme\nlogo: " + name, name: body}
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"an unknown key":                    {yaml("name: Acme\ncolour: red"), `brand.yaml:2: there is no key "colour" here; there are accent, accent_dark, clients, favicon`},
		"a key twice":                       {yaml("name: Acme\nname: Acme"), `brand.yaml:2: "name" stands here a second time`},
		"not YAML":                          {yaml("name: [Acme"), "brand.yaml: yaml: line"},
		"a list":                            {yaml("- name"), "brand.yaml:1: want keys with values"},
		"a value that is none":              {yaml("name:"), "brand.yaml:1: name wants one value"},
		"a value that is many":              {yaml("name: [a, b]"), "brand.yaml:1: name wants one value"},
		"an alias":                          {yaml("home: &x https://a.example\nsupport: *x"), "brand.yaml:2: support wants one value"},
		"a name too long":                   {yaml("name: " + strings.Repeat("x", 65)), "brand.yaml:1: name has more than 64 characters"},
		"a name nobody sees":                {yaml("name: \"Acme\\u202e\""), "brand.yaml:1: name holds characters that nobody sees"},
		"a name on two lines":               {yaml("name: \"Acme\\nLtd\""), "name holds characters that nobody sees"},
		"a colour by name":                  {yaml("accent: green"), `brand.yaml:1: accent must be a colour such as "#0b5b4c", in quotes, and not "green"`},
		"a colour that YAML takes away":     {yaml("accent: #0b5b4c"), "brand.yaml:1: accent wants one value"},
		"a colour with a program":           {yaml(`accent: "#0b5b4c;}"`), "accent must be a colour"},
		"a short colour":                    {yaml(`accent: "#abc"`), "accent must be a colour"},
		"WCAG 1.4.3 an accent too light":    {yaml("name: Acme\naccent: \"#ffcc00\""), "brand.yaml:2: accent #ffcc00 on the card (#fffefc) has a contrast of 1.5:1, and links and buttons need 4.5:1: take a darker one"},
		"WCAG 1.4.3 an accent too dark":     {yaml("accent: \"#0b5b4c\"\naccent_dark: \"#0b5b4c\""), "brand.yaml:2: accent_dark #0b5b4c on the dark card (#191f1d) has a contrast of 2.0:1, and links and buttons need 4.5:1: take a lighter one"},
		"just too light":                    {yaml(`accent: "#777777"`), "has a contrast of 4.4:1"},
		"the dark accent alone":             {yaml(`accent_dark: "#7cd4b8"`), "brand.yaml:1: accent_dark needs an accent"},
		"the dark logo alone":               {map[string]string{"brand.yaml": "logo_dark: a.svg", "a.svg": drawing}, "brand.yaml:1: logo_dark needs a logo"},
		"a radius that is none":             {yaml("radius: round"), "brand.yaml:1: radius must be a number of pixels from 0 to 24"},
		"a radius too large":                {yaml("radius: 25"), "radius must be a number"},
		"a radius with a program":           {yaml(`radius: "1px;}"`), "radius must be a number"},
		"a home without TLS":                {yaml("home: http://acme.example/"), "brand.yaml:1: home must be an address that begins with https://"},
		"a home that runs code":             {yaml("home: javascript:alert(1)"), "home must be an address"},
		"a home with a password":            {yaml("support: https://a:b@acme.example/"), "support must be an address"},
		"an unknown key of an application":  {yaml("clients:\n  shop:\n    home: https://a.example"), `brand.yaml:3: there is no key "home" here; there are accent, accent_dark, logo, logo_dark, name`},
		"applications in a list":            {yaml("clients: [shop]"), "brand.yaml:1: want keys with values"},
		"an application twice":              {yaml("clients:\n  shop: {name: A}\n  shop: {name: B}"), `brand.yaml:3: "shop" stands here a second time`},
		"an accent of an application":       {yaml("clients:\n  shop:\n    accent: \"#ffcc00\""), "brand.yaml:3: accent #ffcc00 on the card"},
		"a logo that is not there":          {yaml("logo: logo.svg"), `brand.yaml:1: there is no file "logo.svg" beside brand.yaml`},
		"a logo outside":                    {map[string]string{"brand.yaml": "logo: ../logo.svg"}, `there is no file "../logo.svg" beside brand.yaml`},
		"a logo of another kind":            {yaml("logo: logo.gif"), "brand.yaml:1: logo must name a file that ends in svg, png, webp"},
		"an SVG with a script":              {logo("logo.svg", `<svg><script>alert(1)</script></svg>`), "brand.yaml:2: logo.svg holds <script>"},
		"an SVG with a handler":             {logo("logo.svg", `<svg onload="alert(1)"/>`), "logo.svg holds a script in onload"},
		"an SVG with HTML":                  {logo("logo.svg", `<svg><foreignObject/></svg>`), "logo.svg holds <foreignObject>"},
		"an SVG from elsewhere":             {logo("logo.svg", `<svg xmlns:xlink="x"><image xlink:href="https://a.example/x"/></svg>`), `logo.svg points to "https://a.example/x"`},
		"an SVG with entities":              {logo("logo.svg", `<!DOCTYPE svg [<!ENTITY a "b">]><svg/>`), "logo.svg declares entities"},
		"an SVG cut off":                    {logo("logo.svg", `<svg>`), "logo.svg is no well-formed SVG"},
		"HTML by the name of an SVG":        {logo("logo.svg", `<html/>`), "logo.svg is no SVG picture"},
		"an empty SVG":                      {logo("logo.svg", ``), "logo.svg is no SVG picture"},
		"text by the name of a PNG":         {logo("logo.png", "text"), "logo.png is no PNG picture"},
		"a PNG too large":                   {logo("logo.png", picture(t, 1025)), "logo.png has 1025 × 1025 pixels"},
		"text by the name of a WebP":        {logo("logo.webp", "text and more text"), "logo.webp is no WebP picture"},
		"text by the name of an icon":       {map[string]string{"brand.yaml": "favicon: a.ico", "a.ico": "text"}, "a.ico is no icon"},
		"a picture too large":               {logo("logo.svg", "<svg>"+strings.Repeat(" ", 128<<10)+"</svg>"), "logo.svg has more than 128 KiB"},
		"a file too large":                  {map[string]string{"static/a.css": strings.Repeat(" ", 512<<10+1)}, "static/a.css: has more than 512 KiB"},
		"a file that nothing reads":         {map[string]string{"brand.yml": "name: Acme"}, "brand.yml: nothing reads this; there are brand.yaml,"},
		"a folder that nothing reads":       {map[string]string{"template/login.html": "x"}, "template/login.html: nothing reads this"},
		"folders in folders":                {map[string]string{"a/b/c/d/e": "x"}, "a/b/c/d: not a file that belongs here"},
		"a script":                          {map[string]string{"static/a.js": "alert(1)"}, "static/a.js: a static file is called like header.css"},
		"a static file with a hostile name": {map[string]string{`static/a".css`: ""}, "a static file is called like header.css"},
		"a style from elsewhere":            {map[string]string{"static/a.css": "p {}\n@import 'x';"}, "static/a.css:2: @import would not work"},
		"a style with a picture":            {map[string]string{"static/a.css": "p { background: URL(x.png); }"}, "static/a.css:1: url( would not work"},
		"a static file that is no picture":  {map[string]string{"static/a.png": "text"}, "static/a.png is no PNG picture"},
		"a template that does not parse":    {map[string]string{"templates/login/login.html": "{{define \"content\"}}\n{{if}}{{end}}{{end}}"}, "templates/login/login.html:2: missing value for if"},
		"words without a place":             {map[string]string{"messages/en.json": `{"login.nothing": "x"}`}, `messages/en.json:1: there is no message "login.nothing"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(folder(t, tt.files))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("refused with\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nothing")); err == nil || !strings.Contains(err.Error(), "the directory cannot be opened") {
		t.Errorf("no directory: %v", err)
	}
}

func TestALinkDoesNotLeadOutOfTheDirectory(t *testing.T) {
	outside := folder(t, map[string]string{"logo.svg": drawing})
	dir := folder(t, map[string]string{"brand.yaml": "logo: logo.svg", ".data/logo.svg": drawing})
	if err := os.Symlink(filepath.Join(outside, "logo.svg"), filepath.Join(dir, "logo.svg")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "logo.svg cannot be read") {
		t.Errorf("a link out of the directory: %v", err)
	}
	// As a volume of Kubernetes does it.
	if err := os.Remove(filepath.Join(dir, "logo.svg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(".data", "logo.svg"), filepath.Join(dir, "logo.svg")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err != nil {
		t.Errorf("a link inside of the directory: %v", err)
	}
}

func TestHostileNamesAreEscaped(t *testing.T) {
	name := `"><script>alert(1)</script>{{.}}&`
	b := mustLoad(t, folder(t, map[string]string{"brand.yaml": "name: '" + name + "'\nclients:\n  shop: {name: '<b>Shop'}"}))
	for _, client := range []string{"", "shop"} {
		page := draw(t, b, templates.Frame{Client: client}, templates.Login{})
		letter, err := b.Templates.WriteLetter(templates.Frame{Client: client}, templates.Letter{Key: "test"})
		if err != nil {
			t.Fatal(err)
		}
		for what, drawn := range map[string]string{"page": page, "letter": letter.HTML} {
			if strings.Contains(drawn, "<script>alert") || strings.Contains(drawn, "<b>Shop") {
				t.Errorf("the %s for %q holds markup of the name", what, client)
			}
		}
	}
}

func TestAChangeIsSeenAfterARestart(t *testing.T) {
	dir := folder(t, map[string]string{"brand.yaml": "name: Before"})
	b := mustLoad(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "brand.yaml"), []byte("name: After"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := draw(t, b, templates.Frame{}, templates.Login{}); !strings.Contains(got, "Before") || strings.Contains(got, "After") {
		t.Error("a running server changed its look")
	}
	if got := mustLoad(t, dir).Names(); len(got) != 1 || got[0] != "After" {
		t.Errorf("after a restart: %v", got)
	}
}
