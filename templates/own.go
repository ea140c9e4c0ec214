package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/portico-id/portico/static"
)

// Own is what an operator puts in place of Portico's.
type Own struct {
	// Look is the server's, Looks are those of applications by client id.
	Look  Look
	Looks map[string]Look
	// Files are templates/…, which replace ours of the same name, and
	// messages/<language>.json.
	Files map[string][]byte
	// Assets finds the path of an operator's static file by its name, for
	// {{.Asset "name"}}; nil: there are none.
	Assets func(name string) (path string, ok bool)
}

// New returns a set with an operator's own look, templates and words. What
// would leave people before a broken page is refused: a template that does not
// parse, that fails to draw a page, or whose form lacks a field. Errors begin
// with file and line.
func New(o Own) (*Set, error) {
	s, err := own(o)
	if err != nil {
		return nil, err
	}
	s.look, s.looks = &o.Look, map[string]*Look{}
	for id, look := range o.Looks {
		s.looks[id] = &look
	}
	return s, nil
}

func own(o Own) (*Set, error) {
	templates, messages, err := ownNames(o.Files)
	if err != nil {
		return nil, err
	}
	if len(templates)+len(messages) == 0 {
		s := *standard // its pages never change
		return &s, nil
	}
	words := catalogue
	if len(messages) > 0 {
		if words, err = loadWords(messageFiles, o.Files); err != nil {
			return nil, err
		}
	}
	for _, name := range templates {
		if err := examine(string(o.Files[ownFolder+name]), words, o.Assets); err != nil {
			return nil, fmt.Errorf("%s%s%w", ownFolder, name, err)
		}
	}
	over := func(name string) ([]byte, error) {
		if source, ok := o.Files[ownFolder+name]; ok {
			return source, nil
		}
		return files.ReadFile(name)
	}
	s, err := newSet(over, words, o.Assets)
	if err == nil {
		err = s.parse()
	}
	if err != nil {
		return nil, located(err)
	}
	return s, s.try(templates)
}

const ownFolder = "templates/"

// ownNames lists the operator's templates, by the names they replace, and
// messages.
func ownNames(own map[string][]byte) (templates, messages []string, err error) {
	ours := replaceable()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if short, ok := strings.CutPrefix(name, ownFolder); ok {
			if !slices.Contains(ours, short) {
				return nil, nil, fmt.Errorf("%s: no template of Portico has that name; there are %s", name, strings.Join(ours, ", "))
			}
			templates = append(templates, short)
		} else if strings.HasPrefix(name, "messages/") {
			messages = append(messages, name)
		}
	}
	return templates, messages, nil
}

// replaceable are the templates that an operator may replace.
var replaceable = sync.OnceValue(func() []string {
	names := []string{layoutName, partsName, deskName}
	pages, _ := fs.Glob(files, "*/*.html")
	names = append(names, letterText)
	return append(names, slices.DeleteFunc(pages, func(name string) bool { return strings.HasPrefix(name, "playground/") })...)
})

var saidKey = regexp.MustCompile(`\.(?:T|N|Rich) "([^"]*)"`)

// examine finds in the source of a template what no drawn sample would show
// for sure: messages and static files that nobody has. Errors begin with the
// line: ":12: …".
func examine(source string, w *dictionary, assets func(string) (string, bool)) error {
	for i, line := range strings.Split(source, "\n") {
		for _, m := range saidKey.FindAllStringSubmatch(line, -1) {
			if !w.all[0].keys[m[1]] {
				return fmt.Errorf(":%d: there is no message %q", i+1, m[1])
			}
		}
		for _, m := range assetPath.FindAllStringSubmatch(line, -1) {
			if _, ok := assetOf(m[1], assets); !ok {
				return fmt.Errorf(":%d: there is no static file %q", i+1, m[1])
			}
		}
	}
	return nil
}

// assetOf finds a static file, the operator's first.
func assetOf(name string, assets func(string) (string, bool)) (string, bool) {
	if assets != nil {
		if path, ok := assets(name); ok {
			return path, true
		}
	}
	return static.Find(name)
}

var templateError = regexp.MustCompile(`(?s)^(?:html/)?template: ?(.*)$`)

// located turns an error of a template into one that begins with its file,
// as the operator knows it, and line.
func located(err error) error {
	if err == nil {
		return nil
	}
	if m := templateError.FindStringSubmatch(err.Error()); m != nil {
		return errors.New(ownFolder + m[1])
	}
	return err
}
