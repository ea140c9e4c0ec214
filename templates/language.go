package templates

import (
	"strings"

	"golang.org/x/text/language"
)

// A Lang is a language that the pages speak. The zero Lang is English.
type Lang struct{ words *words }

// English is spoken when nothing else is asked for, and by tools.
var English = Lang{words: catalogue.all[0]}

// Tag returns the BCP 47 tag for the lang attribute.
func (l Lang) Tag() string { return l.get().tag.String() }

// Dir returns the value of the dir attribute: "ltr" or "rtl".
func (l Lang) Dir() string { return direction(l.get().tag) }

// Name returns the language's name in itself.
func (l Lang) Name() string { return l.get().plain["language.name"] }

func (l Lang) get() *words {
	if l.words == nil {
		return catalogue.all[0]
	}
	return l.words
}

// direction follows the script, so that a region or a script subtag counts.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Mand", "Samr":
		return "rtl"
	}
	return "ltr"
}

// Languages returns every language that Portico ships, English first.
func Languages() []Lang { return standard.Languages() }

// Languages returns every language of the set, English first.
func (s *Set) Languages() []Lang {
	langs := make([]Lang, len(s.catalogue.all))
	for i, w := range s.catalogue.all {
		langs[i] = Lang{words: w}
	}
	return langs
}

// Bounds of what a request may say about languages: negotiation costs time
// for each tag.
const (
	maxPreferences  = 12
	maxAcceptLength = 256
)

// Negotiate picks one of the languages that Portico ships, as Set.Negotiate
// does.
func Negotiate(uiLocales []string, account, acceptLanguage string) Lang {
	return standard.Negotiate(uiLocales, account, acceptLanguage)
}

// Negotiate picks the language: the first of uiLocales that the catalogue
// speaks (OIDC Core §3.1.2.1 ui_locales, in the order of preference), else the
// account's, else the best of the Accept-Language header, else English. Where
// nobody asks for a language that we speak, the nearest to one that was asked
// for is spoken: German to readers of Alemannic. Malformed tags are passed
// over.
func (s *Set) Negotiate(uiLocales []string, account, acceptLanguage string) Lang {
	wanted := append(parsed(uiLocales), parsed([]string{account})...)
	wanted = append(wanted, accepted(acceptLanguage)...)
	for _, near := range []bool{false, true} {
		for _, tag := range wanted {
			if l, ok := s.match(tag, near); ok {
				return l
			}
		}
	}
	return Lang{words: s.catalogue.all[0]}
}

// maxTag bounds a language tag, in bytes (BCP 47 §4.4.1 asks for no more).
const maxTag = 35

func parsed(locales []string) []language.Tag {
	var tags []language.Tag
	for _, s := range locales[:min(len(locales), maxPreferences)] {
		if s == "" || len(s) > maxTag {
			continue
		}
		if tag, err := language.Parse(s); err == nil {
			tags = append(tags, tag)
		}
	}
	return tags
}

// match finds the language of the tag, whatever its region; or, with near, one
// that its readers are known to read. One tag at a time, or an exact match
// would win over a region that is asked for first.
func (s *Set) match(tag language.Tag, near bool) (Lang, bool) {
	_, i, confidence := s.catalogue.matcher.Match(tag)
	if confidence < language.High {
		return English, false
	}
	l := Lang{words: s.catalogue.all[i]}
	wanted, _ := tag.Base()
	found, _ := l.words.tag.Base()
	return l, near || wanted == found
}

// accepted reads the header in the order of its weights, without what is not
// acceptable (q=0, RFC 9110 §12.4.2).
func accepted(header string) []language.Tag {
	if len(header) > maxAcceptLength {
		header = header[:maxAcceptLength]
		header = header[:strings.LastIndexByte(header, ',')+1]
	}
	tags, _, err := language.ParseAcceptLanguage(strings.TrimRight(header, ", "))
	if err != nil {
		return nil
	}
	return tags[:min(len(tags), maxPreferences)]
}
