// Package templates draws the pages and letters: layout, words, and one struct
// for each page that names every value it shows. It decides nothing and reads
// no request; web.Kit.Render sends what it draws.
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
	"slices"
)

//go:embed layout.html parts.html desk.html login/*.html account/*.html playground/*.html mail/letter.html mail/letter.txt
var files embed.FS

// standard is the set that Portico ships. A template of ours that does not
// parse stops the start.
var standard = mustSet(newSet(files.ReadFile, catalogue, nil))

// A Set is all pages in every language: as Portico ships them, or with an
// operator's own look, templates and words. It is safe for concurrent use.
type Set struct {
	catalogue *dictionary
	pages     map[pageKey]*template.Template // never changes
	letters   map[*words]letters
	look      *Look
	looks     map[string]*Look // of applications that have their own, by client id
}

// reader reads a template by its name.
type reader func(name string) ([]byte, error)

type pageKey struct {
	words *words
	name  string
}

// Standard returns the set that Portico ships.
func Standard() *Set { return standard }

func mustSet(s *Set, err error) *Set {
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return s
}

func newSet(from reader, catalogue *dictionary, assets func(string) (string, bool)) (*Set, error) {
	s := &Set{catalogue: catalogue, pages: map[pageKey]*template.Template{}, letters: map[*words]letters{}, look: &Look{}}
	names, err := fs.Glob(files, "*/*.html")
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == letterHTML })
	for _, w := range catalogue.all {
		if s.letters[w], err = parseLetters(from, w, assets); err != nil {
			return nil, err
		}
		shared := template.New("").Funcs(funcs)
		for _, name := range []string{partsName, deskName, layoutName} {
			if err := parseFile(shared, from, name, w, assets); err != nil {
				return nil, err
			}
		}
		for _, name := range names {
			page, err := shared.Clone()
			if err != nil {
				return nil, err
			}
			if err := parseFile(page, from, name, w, assets); err != nil {
				return nil, err
			}
			s.pages[pageKey{w, name}] = page.Lookup(layoutName)
		}
	}
	return s, nil
}

// The file that every page is drawn by, and those of what pages share.
const (
	layoutName = "layout.html"
	partsName  = "parts.html"
	deskName   = "desk.html"
)

// parseFile adds a file to t, in the language. Errors name file and line.
func parseFile(t *template.Template, from reader, name string, w *words, assets func(string) (string, bool)) error {
	source, err := from(name)
	if err != nil {
		return err
	}
	_, err = t.New(name).Parse(settle(string(source), w, assets))
	return err
}

var (
	saidPlain = regexp.MustCompile(`\{\{\$?\.T "([^"]+)"\}\}`)
	assetPath = regexp.MustCompile(`\{\{\$?\.Asset "([^"]+)"\}\}`)
)

// settle writes into the source what does not depend on the request: messages
// without placeholders, and the names of static files ({{.Asset "app.css"}}),
// which saves a page half of its allocations.
func settle(source string, w *words, assets func(string) (string, bool)) string {
	source = saidPlain.ReplaceAllStringFunc(source, func(call string) string {
		if text, ok := w.plain[saidPlain.FindStringSubmatch(call)[1]]; ok {
			return html.EscapeString(text)
		}
		return call
	})
	return assetPath.ReplaceAllStringFunc(source, func(call string) string {
		name := assetPath.FindStringSubmatch(call)[1]
		path, ok := assetOf(name, assets)
		if !ok {
			panic("templates: no static file " + name) // an operator's were looked for before
		}
		return "{{$.Base}}" + path
	})
}

// Write draws the page as Portico ships it.
func Write(w io.Writer, frame Frame, page Page) error { return standard.Write(w, frame, page) }

// Write draws the page. Nothing is written when it fails, so the caller can
// still answer with an error.
func (s *Set) Write(w io.Writer, frame Frame, page Page) error {
	frame.Lang = s.own(frame.Lang)
	t, ok := s.pages[pageKey{frame.Lang.words, page.Template()}]
	if !ok {
		return fmt.Errorf("templates: no page %q", page.Template())
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, &view{Frame: frame, P: page, Look: s.lookOf(frame.Client)}); err != nil {
		return fmt.Errorf("templates: draw %s: %w", page.Template(), err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// own returns the set's own language of the tag of l, or English: l may come
// from another set, whose words are others.
func (s *Set) own(l Lang) Lang {
	for _, w := range s.catalogue.all {
		if w == l.words {
			return l
		}
	}
	if l.words != nil {
		if w := s.catalogue.of(l.words.tag); w != nil {
			return Lang{words: w}
		}
	}
	return Lang{words: s.catalogue.all[0]}
}
