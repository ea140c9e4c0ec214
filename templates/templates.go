// Package templates draws the pages: layout, words, and one struct for each
// page that names every value it shows. It decides nothing and reads no
// request; web.Kit.Render sends what it draws.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"io/fs"
	"regexp"

	"github.com/portico-id/portico/static"
)

//go:embed layout.html parts.html desk.html login/*.html account/*.html playground/*.html
var files embed.FS

// pages maps language and name of each page to its parsed template. It is
// filled once, before main, and never changes: a template that does not parse
// stops the start.
var pages = mustParse(files, catalogue)

type pageKey struct {
	words *words
	name  string
}

func mustParse(files fs.FS, catalogue *dictionary) map[pageKey]*template.Template {
	parsed := map[pageKey]*template.Template{}
	for _, w := range catalogue.all {
		layout := template.New("layout").Funcs(funcs)
		must(layout, files, "parts.html", w)
		must(layout, files, "desk.html", w)
		must(layout, files, "layout.html", w)
		names, err := fs.Glob(files, "*/*.html")
		if err != nil {
			panic(err)
		}
		for _, name := range names {
			page := template.Must(layout.Clone())
			must(page, files, name, w)
			parsed[pageKey{w, name}] = page
		}
	}
	return parsed
}

// must parses a file of the binary into t, in the language.
func must(t *template.Template, files fs.FS, name string, w *words) {
	source, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err)
	}
	template.Must(t.Parse(settle(string(source), w)))
}

var (
	saidPlain = regexp.MustCompile(`\{\{\$?\.T "([^"]+)"\}\}`)
	assetPath = regexp.MustCompile(`\{\{\$?\.Asset "([^"]+)"\}\}`)
)

// settle writes into the source what does not depend on the request: messages
// without placeholders, and the names of static files ({{.Asset "app.css"}}),
// which saves a page half of its allocations.
func settle(source string, w *words) string {
	source = saidPlain.ReplaceAllStringFunc(source, func(call string) string {
		if text, ok := w.plain[saidPlain.FindStringSubmatch(call)[1]]; ok {
			return html.EscapeString(text)
		}
		return call
	})
	return assetPath.ReplaceAllStringFunc(source, func(call string) string {
		return "{{$.Base}}" + static.Path(assetPath.FindStringSubmatch(call)[1])
	})
}

// Write draws the page. Nothing is written when it fails, so the caller can
// still answer with an error.
func Write(w io.Writer, frame Frame, page Page) error {
	t, ok := pages[pageKey{frame.Lang.get(), page.Template()}]
	if !ok {
		return fmt.Errorf("templates: no page %q", page.Template())
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, &view{Frame: frame, P: page}); err != nil {
		return fmt.Errorf("templates: draw %s: %w", page.Template(), err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}
