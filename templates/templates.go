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
	"sync"
)

//go:embed layout.html parts.html desk.html login/*.html account/*.html playground/*.html mail/letter.html mail/letter.txt
var files embed.FS

// standard is the set that Portico ships. That all of it parses is shown by
// the tests, so a page is parsed when somebody first asks for it: the start
// stays quick, and languages that nobody reads take no memory.
var standard = mustSet(newSet(files.ReadFile, catalogue, nil))

// A Set is all pages in every language: as Portico ships them, or with an
// operator's own look, templates and words. It is safe for concurrent use.
type Set struct {
	catalogue *dictionary
	pages     map[pageKey]lazy[*template.Template] // never changes
	letters   map[*words]lazy[letters]
	look      *Look
	looks     map[string]*Look // of applications that have their own, by client id
}

// lazy parses what it stands for when it is first asked, and remembers.
type lazy[T any] func() (T, error)

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

// newSet returns a set that parses nothing yet.
func newSet(from reader, catalogue *dictionary, assets func(string) (string, bool)) (*Set, error) {
	s := &Set{
		catalogue: catalogue, look: &Look{},
		pages: map[pageKey]lazy[*template.Template]{}, letters: map[*words]lazy[letters]{},
	}
	names, err := fs.Glob(files, "*/*.html")
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == letterHTML })
	for _, w := range catalogue.all {
		s.letters[w] = sync.OnceValues(func() (letters, error) { return parseLetters(from, w, assets) })
		shared := sync.OnceValues(func() (*template.Template, error) { return parseShared(from, w, assets) })
		for _, name := range names {
			s.pages[pageKey{w, name}] = sync.OnceValues(func() (*template.Template, error) {
				return parsePage(shared, from, name, w, assets)
			})
		}
	}
	return s, nil
}

// parseShared parses what every page of a language is drawn with.
func parseShared(from reader, w *words, assets func(string) (string, bool)) (*template.Template, error) {
	shared := template.New("").Funcs(funcs)
	for _, name := range []string{partsName, deskName, layoutName} {
		if err := parseFile(shared, from, name, w, assets); err != nil {
			return nil, err
		}
	}
	return shared, nil
}

func parsePage(shared lazy[*template.Template], from reader, name string, w *words, assets func(string) (string, bool)) (*template.Template, error) {
	base, err := shared()
	if err != nil {
		return nil, err
	}
	page, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if err := parseFile(page, from, name, w, assets); err != nil {
		return nil, err
	}
	return page.Lookup(layoutName), nil
}

// parse parses everything now. The error names file and line.
func (s *Set) parse() error {
	for _, w := range s.catalogue.all {
		if _, err := s.letters[w](); err != nil {
			return err
		}
	}
	for _, page := range s.pages {
		if _, err := page(); err != nil {
			return err
		}
	}
	return nil
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
	draw, ok := s.pages[pageKey{frame.Lang.words, page.Template()}]
	if !ok {
		return fmt.Errorf("templates: no page %q", page.Template())
	}
	t, err := draw()
	if err != nil {
		return fmt.Errorf("templates: parse %s: %w", page.Template(), err)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, &view{Frame: frame, P: page, Look: s.lookOf(frame.Client)}); err != nil {
		return fmt.Errorf("templates: draw %s: %w", page.Template(), err)
	}
	_, err = w.Write(buf.Bytes())
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
