package templates

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed messages/*/*.json
var messageFiles embed.FS

// words are the messages of one language.
type words struct {
	tag       language.Tag
	localizer *i18n.Localizer
	plain     map[string]string // messages without placeholders, ready to show
	keys      map[string]bool
	counts    map[string]bool     // those that have plural forms
	places    map[string][]string // placeholders of those that have some
}

// dictionary holds every language, English first. It is filled once, before
// main, and never changes.
type dictionary struct {
	all     []*words
	matcher language.Matcher
}

var catalogue = mustLoad(messageFiles)

func mustLoad(files fs.FS) *dictionary {
	d, err := loadWords(files, nil)
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return d
}

// loadWords reads messages/<language>/<topic>.json, and over it an operator's
// own messages/<language>.json.
func loadWords(files fs.FS, own map[string][]byte) (*dictionary, error) {
	folders, err := fs.Glob(files, "messages/*")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(folders, func(a, b string) int { // English first: it is the default
		if path.Base(a) == "en" {
			return -1
		} else if path.Base(b) == "en" {
			return 1
		}
		return strings.Compare(a, b)
	})
	bundle := i18n.NewBundle(language.English)
	d := &dictionary{}
	for _, folder := range folders {
		w, err := loadLanguage(bundle, files, folder)
		if err != nil {
			return nil, err
		}
		d.all = append(d.all, w)
	}
	if err := d.addOwn(bundle, own); err != nil {
		return nil, err
	}
	tags := make([]language.Tag, len(d.all))
	for i, w := range d.all {
		tags[i] = w.tag
	}
	d.matcher = language.NewMatcher(tags)
	return d, nil
}

// loadLanguage reads the topics of one language. A key that two topics have
// is a mistake.
func loadLanguage(bundle *i18n.Bundle, files fs.FS, folder string) (*words, error) {
	tag, err := language.Parse(path.Base(folder))
	if err != nil {
		return nil, fmt.Errorf("templates: %s is no language: %w", folder, err)
	}
	w := newWords(bundle, tag)
	topics, err := fs.Glob(files, folder+"/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range topics {
		if err := w.load(bundle, files, name); err != nil {
			return nil, fmt.Errorf("templates: %s: %w", name, err)
		}
	}
	return w, nil
}

func newWords(bundle *i18n.Bundle, tag language.Tag) *words {
	return &words{
		tag: tag, localizer: i18n.NewLocalizer(bundle, tag.String()), plain: map[string]string{}, keys: map[string]bool{},
		counts: map[string]bool{}, places: map[string][]string{},
	}
}

func (w *words) load(bundle *i18n.Bundle, files fs.FS, name string) error {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return err
	}
	// The library reads the language from the name of a file.
	if _, err := bundle.ParseMessageFileBytes(raw, "topic."+w.tag.String()+".json"); err != nil {
		return err
	}
	for key := range maps.Keys(entries) {
		if w.keys[key] {
			return fmt.Errorf("%q stands in another file too", key)
		}
		w.note(key, entries[key])
	}
	return nil
}

// note remembers what kind of message the key has.
func (w *words) note(key string, value json.RawMessage) {
	w.keys[key] = true
	var text string
	if json.Unmarshal(value, &text) != nil {
		w.counts[key] = true
	} else if !strings.Contains(text, "{{") {
		w.plain[key] = text
	}
	for _, m := range placeholder.FindAllSubmatch(value, -1) {
		if name := string(m[1]); !slices.Contains(w.places[key], name) {
			w.places[key] = append(w.places[key], name)
		}
	}
}

// say returns the message of the key. Values fill its placeholders and count
// chooses its plural form; the result is text, escaped by the template. A key
// that this language lacks is said in English.
func (w *words) say(key string, data map[string]any, count int) (string, error) {
	if text, ok := w.plain[key]; ok {
		return text, nil
	}
	cfg := &i18n.LocalizeConfig{MessageID: key, TemplateData: data}
	if count > 0 {
		cfg.PluralCount = count
		cfg.TemplateData = withCount(data, count)
	}
	text, err := w.localizer.Localize(cfg)
	if text == "" {
		return "", fmt.Errorf("templates: message %q in %s: %w", key, w.tag, err)
	}
	return text, nil
}

func withCount(data map[string]any, count int) map[string]any {
	out := maps.Clone(data)
	if out == nil {
		out = map[string]any{}
	}
	out["Count"] = count
	return out
}
