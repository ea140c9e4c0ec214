package templates

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// ours returns a file as Portico ships it, changed.
func ours(t *testing.T, name string, pairs ...string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(pairs...).Replace(string(raw))
	if changed == string(raw) && len(pairs) > 0 {
		t.Fatalf("%s holds none of %q", name, pairs)
	}
	return []byte(changed)
}

func file(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body)} }

func contents(files fstest.MapFS) map[string][]byte {
	read := map[string][]byte{}
	for name, f := range files {
		read[name] = f.Data
	}
	return read
}

func TestAnOperatorReplacesTemplatesWordsAndLook(t *testing.T) {
	set, err := New(Own{
		Look:  Look{Name: "Acme", Logo: "/static/logo.svg", LogoDark: "/static/dark.svg", Style: "/static/brand.css", Home: "https://acme.example/", Support: "https://acme.example/help"},
		Looks: map[string]Look{"shop": {Name: "Shop <b>", Style: "/static/shop.css"}},
		Files: contents(fstest.MapFS{
			"templates/login/login.html": {Data: ours(t, "login/login.html", `<p class="lead">`, `<p class="lead acme"><img src="{{.Asset "own.png"}}" alt="">`)},
			"messages/en.json":           file(`{"login.title": "Come in", "problem.wait_seconds": {"one": "Wait {{.Count}} second.", "other": "Wait {{.Count}} seconds."}}`),
			"messages/de-AT.json":        file(german(t)),
		}),
		Assets: func(name string) (string, bool) { return "/static/own.abc.png", name == "own.png" },
	})
	if err != nil {
		t.Fatal(err)
	}
	drawn := func(frame Frame) string {
		var b strings.Builder
		if err := set.Write(&b, frame, samples()["login-again"]); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	own, shop := drawn(Frame{Base: "/auth"}), drawn(Frame{Base: "/auth", Client: "shop"})
	for _, want := range []string{
		`<title>Problem: Come in · Acme</title>`, `<img src="/auth/static/logo.svg"`, `<source srcset="/auth/static/dark.svg" media="(prefers-color-scheme: dark)">`,
		`<link rel="stylesheet" href="/auth/static/brand.css">`, `<a href="https://acme.example/"><bdi>Acme</bdi></a>`, `<a href="https://acme.example/help">Help</a>`,
		`<p class="lead acme"><img src="/auth/static/own.abc.png" alt="">`,
	} {
		if !strings.Contains(own, want) {
			t.Errorf("the page has no %s:\n%s", want, own)
		}
	}
	for _, want := range []string{`· Shop &lt;b&gt;</title>`, `href="/auth/static/shop.css"`, `<p class="lead acme">`} {
		if !strings.Contains(shop, want) {
			t.Errorf("the page of the application has no %s", want)
		}
	}
	if strings.Contains(shop, "brand.css") || strings.Contains(shop, "acme.example/help") {
		t.Error("the page of the application wears two looks")
	}
	if got := set.Negotiate([]string{"de-AT"}, "", ""); got.Tag() != "de-AT" || !strings.Contains(drawn(Frame{Lang: got}), "Servus") {
		t.Errorf("the new language is not spoken: %s", got.Tag())
	}
	if got := drawn(Frame{Lang: Negotiate([]string{"de"}, "", "")}); !strings.Contains(got, `lang="de"`) || !strings.Contains(got, "lead acme") {
		t.Error("a language of the standard set is not found in another")
	}
	letter, err := set.WriteLetter(Frame{}, Letter{Key: "test"})
	if err != nil || !strings.Contains(letter.Text, "\n-- \nAcme\n") || !strings.Contains(letter.HTML, "<bdi>Acme</bdi>") {
		t.Errorf("the letter does not bear the name: %v %s", err, letter.Text)
	}
	if got := draw(t, Frame{}, samples()["login"]); strings.Contains(got, "Come in") || strings.Contains(got, "acme\"") {
		t.Error("the standard set changed")
	}
}

// german is a whole language: ours, in one file, with one word changed.
func german(t *testing.T) string {
	t.Helper()
	var parts []string
	for _, w := range catalogue.all {
		if w.tag.String() == "de" {
			for _, topic := range regexp.MustCompile(`(?s)\{\n(.*?)\n\}`).FindAllStringSubmatch(everyTopic(t, w), -1) {
				parts = append(parts, topic[1])
			}
		}
	}
	return strings.Replace("{"+strings.Join(parts, ",\n")+"}", `"Anmelden"`, `"Servus"`, 1)
}

func TestRefusesWhatWouldBreakAPage(t *testing.T) {
	page := func(pairs ...string) fstest.MapFS {
		return fstest.MapFS{"templates/login/login.html": {Data: ours(t, "login/login.html", pairs...)}}
	}
	words := func(body string) fstest.MapFS { return fstest.MapFS{"messages/en.json": file(body)} }
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"a template that nobody draws":    {fstest.MapFS{"templates/login/nothing.html": file("x")}, "templates/login/nothing.html: no template of Portico has that name; there are layout.html, parts.html, "},
		"a template of the playground":    {fstest.MapFS{"templates/playground/playground.html": file("x")}, "no template of Portico has that name"},
		"does not parse":                  {page(`{{template "hidden" .P.Form}}`, "{{if}}"), "templates/login/login.html:17: missing value for if"},
		"a function that is not there":    {page(`{{entered .P.Username 320}}`, "{{safe .P.Username}}"), `templates/login/login.html:20: function "safe" not defined`},
		"a field that is not there":       {page(`.P.OfferCancel`, `.P.Nothing`), "templates/login/login.html:44:"},
		"a part that is not there":        {page(`{{template "reveal" .}}`, `{{template "nothing" .}}`), `"nothing"`},
		"ends inside of an attribute":     {page(`<p class="lead">`, `<p class="lead>`), "templates/login/login.html: "},
		"a message that is not there":     {page(`.T "login.cancel"`, `.T "login.nothing"`), `templates/login/login.html:45: there is no message "login.nothing"`},
		"a static file that is not there": {page(`<p class="lead">`, `<p class="lead"><img src="{{.Asset "x.png"}}" alt="">`), `templates/login/login.html:5: there is no static file "x.png"`},
		"no password":                     {page(`name="password"`, `name="pass"`), `templates/login/login.html: draws no <input type="password" id="password" name="password">, which the page needs`},
		"no id":                           {page(`id="username" `, ""), `draws no <input type="text" id="username" name="username">`},
		"no form token":                   {page(`{{template "hidden" .P.Form}}`, ""), `draws no <input type="hidden" name="`},
		"sent elsewhere":                  {page(`action="{{.At .P.Action}}"`, `action="https://evil.example/"`), `draws no <form method="post"`},
		"sent by GET":                     {page(`method="post"`, `method="get"`), `draws no <form method="post"`},
		"no way to refuse":                {page(`value="deny"`, `value="no"`), `draws no <button id="login-cancel" name="decision" value="deny">`},
		"no token in a part":              {fstest.MapFS{"templates/parts.html": {Data: ours(t, "parts.html", `name="form_token"`, `name="token"`)}}, "templates/parts.html: login/login.html: draws no"},
		"no content in the layout":        {fstest.MapFS{"templates/layout.html": file(`<html>{{template "title" .}}</html>`)}, "draws no <form"},
		"inline style":                    {page(`<p class="lead">`, `<p style="color:red">`), "<p style> does not work under the Content-Security-Policy"},
		"a style element":                 {page(`<p class="lead">`, `<style>p{}</style><p>`), "<style> does not work"},
		"an inline script":                {page(`<p class="lead">`, `<script>alert(1)</script><p>`), "a <script> that is not a file of static/ does not work"},
		"a handler":                       {page(`<p class="lead">`, `<p onclick="x()">`), "<p onclick> does not work"},
		"a style of another server":       {page(`<p class="lead">`, `<link rel="stylesheet" href="https://cdn.example/x.css"><p>`), "a stylesheet of another server"},

		"a letter without its link":        {fstest.MapFS{"templates/mail/letter.html": {Data: ours(t, "mail/letter.html", `{{.URL}}`, "", `{{- with .URL}}`, `{{- with ""}}`)}}, `templates/mail/letter.html: the letter "`},
		"a letter without its code":        {fstest.MapFS{"templates/mail/letter.html": {Data: ours(t, "mail/letter.html", `{{.Code}}`, "")}}, `does not show 1234 5678`},
		"a text without its link":          {fstest.MapFS{"templates/mail/letter.txt": file("{{.Greeting}}\n{{.Code}}")}, `templates/mail/letter.txt: the letter "`},
		"a text that does not parse":       {fstest.MapFS{"templates/mail/letter.txt": file("{{.Greeting}}\n{{if}}")}, "templates/mail/letter.txt:2: missing value for if"},
		"a text with a field of no letter": {fstest.MapFS{"templates/mail/letter.txt": file("{{.Greeting}}\n{{.Nothing}}")}, "templates/mail/letter.txt:2:2: executing"},

		"an unknown message":              {words("{\n \"login.title\": \"x\",\n \"login.nothing\": \"x\"\n}"), `messages/en.json:3: there is no message "login.nothing"`},
		"a message twice":                 {words("{\"login.title\": \"x\",\n\"login.title\": \"y\"}"), `messages/en.json:2: "login.title" stands in line 1 too`},
		"not JSON":                        {words("{\n\"login.title\" \"x\"}"), "messages/en.json:2: not JSON"},
		"not an object":                   {words(`["x"]`), "messages/en.json:1: want an object of messages"},
		"cut off":                         {words(`{"login.title": "x"`), "messages/en.json:1: not JSON"},
		"an empty message":                {words(`{"login.title": " "}`), `messages/en.json:1: "login.title" says nothing`},
		"a number":                        {words(`{"login.title": 3}`), `"login.title" must be a text`},
		"plural forms without a count":    {words(`{"login.title": {"other": "x"}}`), `"login.title" must be a text`},
		"a count without forms":           {words(`{"problem.wait_seconds": "x"}`), `"problem.wait_seconds" counts: it needs a text for each of one, other`},
		"a form that is missing":          {words(`{"problem.wait_seconds": {"other": "x"}}`), `"problem.wait_seconds" lacks the form "one"`},
		"a form that is none":             {words(`{"problem.wait_seconds": {"one": "x", "other": "x", "three": "x"}}`), `has a form "three"`},
		"a placeholder nobody fills":      {words(`{"login.lead": "to {{.Shop}}"}`), `"login.lead" cannot fill {{.Shop}}; it knows {{.Client}}`},
		"a placeholder where there is no": {words(`{"login.title": "{{.Client}}"}`), `"login.title" cannot fill {{.Client}}; it knows no placeholder`},
		"a program in a message":          {words(`{"login.lead": "{{printf .Client}}"}`), "nothing else between braces"},
		"a control character":             {words(`{"login.title": "a\u0001b"}`), "holds a control character"},
		"a language that is none":         {fstest.MapFS{"messages/klingonish-nowhere.json": file("{}")}, "messages/klingonish-nowhere.json: the name is no language tag"},
		"a new language with holes":       {fstest.MapFS{"messages/it.json": file(`{"login.title": "Accedi"}`)}, "messages/it.json: a new language must say everything: it lacks"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(Own{Files: contents(tt.files)}); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "html/template") {
				t.Errorf("refused with\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestEveryPageIsTriedAndEveryPartOfItDrawn(t *testing.T) {
	names, err := fs.Glob(files, "*/*.html")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == letterHTML })
	for _, page := range drawable {
		names = slices.DeleteFunc(names, func(name string) bool { return name == page.Template() })
		for i, sample := range samplesOf(page)[:2] {
			var b strings.Builder
			if err := Write(&b, Frame{}, sample); err != nil {
				t.Errorf("sample %d of %T cannot be drawn: %v", i, page, err)
			}
		}
	}
	if len(names) > 0 {
		t.Errorf("an operator's %v would not be tried: add the page to drawable", names)
	}
}

// The mark is the operator's logo where there is one: the part needs the view.
func TestTheMarkKnowsWhoseItIs(t *testing.T) {
	bare := regexp.MustCompile(`\{\{-? ?template "(mark|own)"( \$)? ?-?\}\}`)
	for _, pattern := range []string{"*.html", "*/*.html"} {
		names, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no templates: %v", err)
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if found := bare.FindSubmatch(raw); found != nil && len(found[2]) == 0 {
				t.Errorf(`%s: write {{template "%s" .}}`, name, found[1])
			}
		}
	}
}
