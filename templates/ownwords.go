package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// addOwn reads an operator's messages/<language>.json over the catalogue.
// Words of a language that is there replace ours; a language that is new must
// be complete, or its pages would speak two.
func (d *dictionary) addOwn(bundle *i18n.Bundle, files map[string][]byte) error {
	if len(files) == 0 {
		return nil
	}
	english := d.all[0].shape()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "messages/") {
			continue
		}
		tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
		if err != nil {
			return fmt.Errorf("%s: the name is no language tag such as fr or pt-BR", name)
		}
		w, fresh := d.of(tag), false
		if w == nil {
			w, fresh = newWords(bundle, tag), true
		}
		if err := w.replace(bundle, english, files[name]); err != nil {
			return fmt.Errorf("%s%w", name, err)
		}
		if fresh {
			if err := w.complete(english); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			d.all = append(d.all, w)
		}
	}
	return nil
}

// shape is what messages of a language look like, while its words may change.
func (w *words) shape() *words {
	return &words{tag: w.tag, keys: maps.Clone(w.keys), counts: maps.Clone(w.counts), places: maps.Clone(w.places)}
}

func (d *dictionary) of(tag language.Tag) *words {
	for _, w := range d.all {
		if w.tag == tag {
			return w
		}
	}
	return nil
}

// complete refuses a language that lacks words.
func (w *words) complete(english *words) error {
	var missing []string
	for key := range english.keys {
		if !w.keys[key] {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("a new language must say everything: it lacks %d messages, such as %s; take messages/en of this release as the list",
		len(missing), strings.Join(missing[:min(len(missing), 3)], ", "))
}

// replace takes an operator's words. Errors begin with the line: ":12: …".
func (w *words) replace(bundle *i18n.Bundle, english *words, raw []byte) error {
	own, err := readOwn(raw)
	if err != nil {
		return err
	}
	for _, e := range own {
		if err := english.fits(w.tag, e); err != nil {
			return fmt.Errorf(":%d: %w", e.line, err)
		}
		delete(w.plain, e.key)
		w.note(e.key, e.value)
	}
	if _, err := bundle.ParseMessageFileBytes(raw, "own."+w.tag.String()+".json"); err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

// entry is one message of an operator's file.
type entry struct {
	key   string
	value json.RawMessage
	line  int
}

// readOwn reads the entries in their order, each key once.
func readOwn(raw []byte) ([]entry, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	line := func() int { return 1 + bytes.Count(raw[:dec.InputOffset()], []byte("\n")) }
	broken := func(err error) error { return fmt.Errorf(":%d: not JSON: %w", line(), err) }
	if t, err := dec.Token(); err != nil {
		return nil, broken(err)
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf(":%d: want an object of messages", line())
	}
	var own []entry
	seen := map[string]int{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, broken(err)
		}
		e := entry{key: t.(string), line: line()} //nolint:forcetypeassert // a key of an object is a string
		if err := dec.Decode(&e.value); err != nil {
			return nil, broken(err)
		}
		if before, ok := seen[e.key]; ok {
			return nil, fmt.Errorf(":%d: %q stands in line %d too", e.line, e.key, before)
		}
		seen[e.key] = e.line
		own = append(own, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, broken(err)
	}
	return own, nil
}

var (
	placeholder = regexp.MustCompile(`\{\{\.(\w+)\}\}`)
	forms       = map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
)

// fits reports whether the entry can stand in for our message of the key.
func (w *words) fits(tag language.Tag, e entry) error {
	if !w.keys[e.key] {
		return fmt.Errorf("there is no message %q", e.key)
	}
	texts := map[string]string{}
	var text string
	switch {
	case json.Unmarshal(e.value, &text) == nil && !w.counts[e.key]:
		texts[""] = text
	case !w.counts[e.key]:
		return fmt.Errorf("%q must be a text", e.key)
	case json.Unmarshal(e.value, &texts) != nil || len(texts) == 0:
		return fmt.Errorf("%q counts: it needs a text for each of %s", e.key, strings.Join(countForms(tag), ", "))
	default:
		if err := formsOf(tag, texts); err != nil {
			return fmt.Errorf("%q %w", e.key, err)
		}
	}
	for _, text := range texts {
		if err := w.sound(e.key, text); err != nil {
			return fmt.Errorf("%q %w", e.key, err)
		}
	}
	return nil
}

// countForms are the plural forms that whole numbers take in the language
// (CLDR cardinal rules), as far as anybody counts here.
func countForms(tag language.Tag) []string {
	var needed []string
	for i := range 1000 {
		if form := forms[plural.Cardinal.MatchPlural(tag, i, 0, 0, 0, 0)]; !slices.Contains(needed, form) {
			needed = append(needed, form)
		}
	}
	slices.Sort(needed)
	return needed
}

func formsOf(tag language.Tag, texts map[string]string) error {
	for _, form := range append(countForms(tag), "other") {
		if _, ok := texts[form]; !ok {
			return fmt.Errorf("lacks the form %q", form)
		}
	}
	for form := range texts {
		known := false
		for _, name := range forms {
			known = known || name == form
		}
		if !known {
			return fmt.Errorf("has a form %q, which no language has", form)
		}
	}
	return nil
}

// sound refuses a text that says nothing, or needs what nobody tells it.
func (w *words) sound(key, text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("says nothing")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return errors.New("holds a control character")
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		known := w.places[key]
		if strings.HasPrefix(key, "mail.") {
			known = append(slices.Clone(known), "Brand") // every letter has it
		}
		if !slices.Contains(known, m[1]) {
			return fmt.Errorf("cannot fill {{.%s}}; it knows %s", m[1], listed(known))
		}
	}
	if strings.Contains(placeholder.ReplaceAllString(text, ""), "{{") {
		return errors.New("may hold placeholders such as {{.Client}}, and nothing else between braces")
	}
	return nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no placeholder"
	}
	return "{{." + strings.Join(names, "}}, {{.") + "}}"
}
