package templates

import (
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"
	texttemplate "text/template"
	"unicode"
)

// letters are the layouts of a mail in one language.
type letters struct {
	html *template.Template
	text *texttemplate.Template
}

// The layouts of every mail.
const (
	letterHTML = "mail/letter.html"
	letterText = "mail/letter.txt"
)

func parseLetters(from reader, w *words, assets func(string) (string, bool)) (letters, error) {
	page := template.New("")
	if err := parseFile(page, from, letterHTML, w, assets); err != nil {
		return letters{}, err
	}
	source, err := from(letterText)
	if err != nil {
		return letters{}, err
	}
	text, err := texttemplate.New(letterText).Parse(string(source))
	return letters{html: page.Lookup(letterHTML), text: text}, err
}

// subjectBound is the most characters of a subject: mail clients show fewer,
// and a header line must end (RFC 5322 §2.1.1).
const subjectBound = 120

// WriteLetter draws the letter. A link that is not ours to send, and words
// that the catalogue lacks for what the letter shows, are errors.
func (s *Set) WriteLetter(frame Frame, l Letter) (Drawn, error) {
	frame.Lang = s.own(frame.Lang)
	v := &letterView{view: view{Frame: frame, Look: s.lookOf(frame.Client)}, l: l}
	out := Drawn{Lang: frame.Lang.Tag()}
	if l.URL != "" && webURL(l.URL) == "" {
		return Drawn{}, fmt.Errorf("templates: letter %q has a link that is no web address", l.Key)
	}
	subject, err := v.words("subject")
	if err != nil {
		return Drawn{}, err
	}
	out.Subject = bounded(plain.Replace(subject), subjectBound)
	var text, page strings.Builder
	layout, err := s.letters[frame.Lang.words]()
	if err != nil {
		return Drawn{}, fmt.Errorf("templates: parse the letters: %w", err)
	}
	if err := layout.text.Execute(&text, v); err != nil {
		return Drawn{}, fmt.Errorf("templates: draw letter %q: %w", l.Key, err)
	}
	if err := layout.html.Execute(&page, v); err != nil {
		return Drawn{}, fmt.Errorf("templates: draw letter %q: %w", l.Key, err)
	}
	out.Text, out.HTML = text.String(), page.String()
	return out, nil
}

// letterView is what the layouts of a mail see.
type letterView struct {
	view
	l Letter
}

var (
	plain  = strings.NewReplacer(markOpen, "", markClose, "")
	marked = regexp.MustCompile(markOpen + "[^" + markClose + "]*" + markClose)
)

// words says a part of the letter, its values between marks. A placeholder
// without a value is an error: nobody should get a mail with a hole in it.
func (v *letterView) words(part string) (string, error) {
	data := map[string]any{"Brand": v.mark(v.BrandName())}
	for name, value := range v.l.Values {
		data[name] = v.mark(value)
	}
	key := fmt.Sprintf("mail.%s.%s", v.l.Key, part)
	text, err := v.Lang.get().say(key, data, 0)
	if err == nil && strings.Contains(marked.ReplaceAllString(text, ""), "<no value>") {
		err = fmt.Errorf("templates: message %q has a placeholder without a value", key)
	}
	return text, err
}

func (v *letterView) mark(value string) string {
	return markOpen + bounded(value, sentenceBound) + markClose
}

// Has reports whether the letter has that part.
func (v *letterView) Has(part string) bool {
	return v.Lang.get().keys[fmt.Sprintf("mail.%s.%s", v.l.Key, part)]
}

// Plain says a part as text, Styled as HTML whose values stand out.
func (v *letterView) Plain(part string) (string, error) {
	text, err := v.words(part)
	return plain.Replace(text), err
}

// Styled says a part as HTML.
func (v *letterView) Styled(part string) (template.HTML, error) {
	text, err := v.words(part)
	return template.HTML(emphasis.Replace(html.EscapeString(text))), err //nolint:gosec // escaped, then only our own tags
}

// Greeting says hello.
func (v *letterView) Greeting() (string, error) {
	if name := addressee(v.l.Name); name != "" {
		return v.T("mail.greeting", "Name", name)
	}
	return v.T("mail.greeting_plain")
}

// StyledGreeting says hello as HTML. The direction of the name changes
// nothing around it.
func (v *letterView) StyledGreeting() (template.HTML, error) {
	name := addressee(v.l.Name)
	if name == "" {
		text, err := v.T("mail.greeting_plain")
		return template.HTML(html.EscapeString(text)), err //nolint:gosec // escaped
	}
	text, err := v.T("mail.greeting", "Name", markOpen+name+markClose)
	return template.HTML(isolation.Replace(html.EscapeString(text))), err //nolint:gosec // escaped, then only our own tags
}

var isolation = strings.NewReplacer(markOpen, "<bdi>", markClose, "</bdi>")

// addressee returns a name to greet with, or "" for one that is more than a
// name. Whoever signs up chooses it and may give the address of a victim: a
// name that mail clients would show as a link must not be brought to them in
// our name.
func addressee(name string) string {
	name = bounded(name, nameBound)
	runes := []rune(name)
	for i, r := range runes {
		if strings.ContainsRune(`/\:@<>[]|`, r) || dot(r) && i+1 < len(runes) && !unicode.IsSpace(runes[i+1]) {
			return ""
		}
	}
	return name
}

// dot tells full stops that programs take for the one of a domain (UTS 46).
func dot(r rune) bool { return r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61' }

// Footer tells why the mail came.
func (v *letterView) Footer() (string, error) { return v.T("mail.footer", "Brand", v.BrandName()) }

// Light returns the colours of a light letter, Dark those of a dark one.
func (v *letterView) Light() Colours { return v.Look.Light.or(lightColours) }

// Dark returns the colours of a dark letter.
func (v *letterView) Dark() Colours { return v.Look.Dark.or(darkColours) }

// URL returns where the button leads, or "".
func (v *letterView) URL() string { return webURL(v.l.URL) }

// Code returns the code, or "".
func (v *letterView) Code() string { return bounded(v.l.Code, nameBound) }

// circumstance is a fact under its label.
type circumstance struct{ Label, Value string }

// Facts returns the circumstances that are known.
func (v *letterView) Facts() ([]circumstance, error) {
	var out []circumstance
	for _, f := range v.l.Facts {
		value := bounded(f.Value, sentenceBound)
		if value == "" {
			continue
		}
		label, err := v.T(fmt.Sprintf("mail.fact.%s", f.Key))
		if err != nil {
			return nil, err
		}
		out = append(out, circumstance{label, value})
	}
	return out, nil
}
