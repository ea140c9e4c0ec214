// Package templates draws the pages: layout, words, and one struct for each
// page that names every value it shows. It decides nothing and reads no
// request; web.Kit.Render sends what it draws.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"strings"
)

//go:embed layout.html parts.html login/*.html
var files embed.FS

// pages maps the name of each page to its parsed template. It is filled once,
// before main, and never changes: a template that does not parse stops the
// start.
var pages = mustParse(files)

func mustParse(files fs.FS) map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(files, "layout.html", "parts.html"))
	parsed := map[string]*template.Template{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(name, "/") {
			return err
		}
		page, err := template.Must(layout.Clone()).ParseFS(files, name)
		parsed[name] = page
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return parsed
}

// Write draws the page. Nothing is written when it fails, so the caller can
// still answer with an error.
func Write(w io.Writer, frame Frame, page Page) error {
	t, ok := pages[page.Template()]
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
