package templates

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// drawable lists every page, so that an operator's templates are tried with
// each. A page that is missing here fails a test.
var drawable = []Page{
	Login{},
	Consent{},
	Chooser{},
	Register{},
	Logout{},
	SignedOut{},
	Error{},
	FormPost{},
	Overview{},
	Profile{},
	EmailPage{},
	Prove{},
	Proven{},
	ProofOver{},
	ChangePassword{},
	Sessions{},
	Applications{},
	History{},
	DataPage{},
	Delete{},
	Leaving{},
	Keep{},
	SignupCode{},
	SignupLink{},
	SignupName{},
	SignupDone{},
	SignupOver{},
	AcceptTerms{},
	Recover{},
	RecoverSent{},
	Reset{},
	ResetOver{},
	ResetDone{},
	SecondFactor{},
	Enrol{},
	Security{},
	Browsers{},
	Apps{},
	RecoveryCodes{},
	EmailCodes{},
	TextCodes{},
	Passkeys{},
	RecoverFactors{},
	RecoverFactorsOver{},
	FactorsRecovered{},
	ProveLink{},
	Identities{},
	Playground{},
	Mailbox{},
	MailboxMail{},
}

// try draws every page with samples, and compares it with ours: each control
// of our form must be there, and nothing that the Content-Security-Policy
// would keep from working. own are the templates that the operator replaced.
func (s *Set) try(own []string) error {
	for _, page := range drawable {
		for _, sample := range samplesOf(page) {
			var ours bytes.Buffer
			if standard.Write(&ours, Frame{}, sample) != nil {
				continue // nobody draws it so
			}
			for i, lang := range s.Languages() {
				var theirs bytes.Buffer
				if err := s.Write(&theirs, Frame{Lang: lang}, sample); err != nil {
					return blamed(tried(err), page.Template(), own)
				}
				if i > 0 {
					continue // the same controls in every language
				}
				if err := compare(ours.Bytes(), theirs.Bytes()); err != nil {
					return fmt.Errorf("%s: %w", culprit(page.Template(), own), err)
				}
			}
		}
	}
	return s.tryLetters(own)
}

// tryLetters draws every letter with all that its words can show: the link and
// the code must be there, in HTML and in text.
func (s *Set) tryLetters(own []string) error {
	english := catalogue.all[0]
	for subject := range english.keys {
		name, ok := strings.CutSuffix(subject, ".subject")
		if !ok {
			continue
		}
		l := english.sampleLetter(strings.TrimPrefix(name, "mail."))
		for _, lang := range s.Languages() {
			drawn, err := s.WriteLetter(Frame{Lang: lang}, l)
			if err != nil {
				return blamed(tried(err), letterHTML, own)
			}
			for _, want := range []string{l.URL, l.Code} {
				if !strings.Contains(drawn.HTML, html.EscapeString(want)) {
					return fmt.Errorf("%s: the letter %q does not show %s", culprit(letterHTML, own), l.Key, want)
				} else if !strings.Contains(drawn.Text, want) {
					return fmt.Errorf("%s: the letter %q does not show %s", culprit(letterText, own), l.Key, want)
				}
			}
		}
	}
	return nil
}

// sampleLetter is a letter with everything that its words can show.
func (w *words) sampleLetter(key string) Letter {
	l := Letter{Key: key, Name: "Alice", Values: map[string]string{}}
	if w.keys["mail."+key+".action"] {
		l.URL = "https://id.example.com/sample"
	}
	if w.keys["mail."+key+".code"] {
		l.Code = "1234 5678"
	}
	for _, part := range []string{"subject", "lead", "action", "code", "after"} {
		for _, place := range w.places["mail."+key+"."+part] {
			l.Values[place] = "sample"
		}
	}
	for _, fact := range []string{FactEmail, FactDevice, FactAddress, FactTime} {
		l.Facts = append(l.Facts, Fact{fact, "sample"})
	}
	return l
}

// tried takes our own words off an error of drawing.
func tried(err error) error {
	if _, cause, ok := strings.Cut(err.Error(), ": html/template"); ok {
		return located(fmt.Errorf("html/template%s", cause)) //nolint:err113 // only shown
	}
	if _, cause, ok := strings.Cut(err.Error(), ": template: "); ok {
		return located(fmt.Errorf("template: %s", cause)) //nolint:err113 // only shown
	}
	return err
}

// blamed leaves an error that names an operator's file as it is, and adds the
// file to one that was found where our file takes theirs in.
func blamed(err error, page string, own []string) error {
	for _, name := range own {
		if strings.HasPrefix(err.Error(), ownFolder+name) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", culprit(page, own), err)
}

// culprit names the operator's file behind a page that is not as it must be.
func culprit(page string, own []string) string {
	if slices.Contains(own, page) || len(own) == 0 {
		return ownFolder + page
	}
	return ownFolder + strings.Join(own, ", "+ownFolder) + ": " + page
}

// samplesOf returns a page with everything in it, with everything but what is
// only said to be so, and with nothing.
func samplesOf(page Page) []Page {
	kind := reflect.TypeOf(page)
	full, plain := reflect.New(kind), reflect.New(kind)
	fill(full.Elem(), "", true)
	fill(plain.Elem(), "", false)
	samples := make([]Page, 0, 3)
	for _, v := range []reflect.Value{full.Elem(), plain.Elem(), reflect.Zero(kind)} {
		samples = append(samples, v.Interface().(Page)) //nolint:forcetypeassert // it came from a Page
	}
	return samples
}

// fill puts a value of its kind into everything that v holds. name is that of
// the field: addresses need to look like some.
func fill(v reflect.Value, name string, truth bool) {
	switch v.Interface().(type) {
	case Problem:
		v.Set(reflect.ValueOf(FormExpired))
		return
	case Happened:
		v.Set(reflect.ValueOf(Happened{Name: strings.TrimPrefix(eventKeys[0], "event."), Client: "sample", Address: "sample"}))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("/sample")
		if strings.Contains(name, "URL") || strings.Contains(name, "URI") {
			v.SetString("https://app.example.com/sample")
		}
	case reflect.Bool:
		v.SetBool(truth)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(2)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, truth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, truth)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), f.Name, truth)
			}
		}
	default: // nothing that a page shows
	}
}

// compare refuses a page that lacks a control of ours, or that holds what the
// policy of every page keeps from working.
func compare(ours, theirs []byte) error {
	want, _ := controls(ours)
	got, bad := controls(theirs)
	if bad != "" {
		return fmt.Errorf("%s does not work under the Content-Security-Policy of the pages; put style into a file of static/", bad)
	}
	for _, c := range want {
		if !slices.Contains(got, c) {
			return fmt.Errorf("draws no %s, which the page needs", c)
		}
	}
	return nil
}

// controls lists the forms of a page and what they send, and finds what the
// policy forbids.
func controls(page []byte) (found []string, bad string) {
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return nil, err.Error()
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if c := control(n); c != "" {
			found = append(found, c)
		}
		if b := forbidden(n); b != "" && bad == "" {
			bad = b
		}
	}
	return found, bad
}

// control writes a form or a control as a template would, without what may be
// styled; "" for any other element.
func control(n *html.Node) string {
	var keys []string
	switch n.Data {
	case "form":
		keys = []string{"method", "action"}
	case "input":
		keys = []string{"type", "id", "name"}
		if t := attribute(n, "type"); t == "hidden" || t == "checkbox" || t == "radio" {
			keys = []string{"type", "name", "value"}
		}
	case "button":
		if attribute(n, "type") != "submit" {
			return ""
		}
		keys = []string{"id", "name", "value"}
	case "select", "textarea":
		keys = []string{"id", "name"}
	default:
		return ""
	}
	var b strings.Builder
	b.WriteString("<" + n.Data)
	for _, key := range keys {
		if v := attribute(n, key); v != "" {
			fmt.Fprintf(&b, " %s=%q", key, v)
		}
	}
	return b.String() + ">"
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// forbidden names what of the element the policy keeps from working.
func forbidden(n *html.Node) string {
	switch {
	case n.Data == "style", n.Data == "iframe", n.Data == "object", n.Data == "embed", n.Data == "base":
		return "<" + n.Data + ">"
	case n.Data == "script" && (n.FirstChild != nil || !strings.HasPrefix(attribute(n, "src"), "/")):
		return "a <script> that is not a file of static/"
	case n.Data == "link" && attribute(n, "rel") == "stylesheet" && !strings.HasPrefix(attribute(n, "href"), "/"):
		return "a stylesheet of another server"
	}
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			return fmt.Sprintf("<%s %s>", n.Data, a.Key)
		}
	}
	return ""
}
