package templates

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// lettersOf are the letters that the catalogue has words for, each with
// everything that its words can show.
func lettersOf(t *testing.T) map[string]Letter {
	t.Helper()
	english, found := catalogue.all[0], map[string]Letter{}
	raw := everyTopic(t, english)
	for key := range english.keys {
		name, ok := strings.CutSuffix(key, ".subject")
		if !ok || !strings.HasPrefix(name, "mail.") {
			continue
		}
		l := Letter{
			Key: strings.TrimPrefix(name, "mail."), Name: "Alice Keller", Values: map[string]string{},
			Facts: []Fact{
				{FactEmail, "alice@example.com"},
				{FactDevice, "Firefox on Linux"},
				{FactAddress, "203.0.113.7"},
				{FactTime, "28 November 2026, 14:05 UTC"},
			},
		}
		if english.keys[name+".action"] {
			l.URL = "https://id.example.com/confirm?link=ptl_sample"
		}
		if english.keys[name+".code"] {
			l.Code = "1234 5678"
		}
		for _, m := range regexp.MustCompile(`"`+regexp.QuoteMeta(name)+`\.[a-z]+": "([^\n]*)"`).FindAllStringSubmatch(raw, -1) {
			for _, p := range regexp.MustCompile(`\{\{\.(\w+)\}\}`).FindAllStringSubmatch(m[1], -1) {
				if p[1] != "Brand" {
					l.Values[p[1]] = p[1] + "-value"
				}
			}
		}
		found[l.Key] = l
	}
	return found
}

func drawLetter(t *testing.T, frame Frame, l Letter) Drawn {
	t.Helper()
	return drawLetterAs(t, "", frame, l)
}

// drawLetterAs draws in the name of an operator.
func drawLetterAs(t *testing.T, brand string, frame Frame, l Letter) Drawn {
	t.Helper()
	set := *standard
	if test := letterSet(); slices.Contains(test.catalogue.all, frame.Lang.words) {
		set = *test
	}
	set.look = &Look{Name: brand}
	d, err := set.WriteLetter(frame, l)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// golden compares a drawn letter with the reviewed one.
func golden(t *testing.T, name string, d Drawn) {
	t.Helper()
	got := fmt.Sprintf("Subject: %s\n\n%s\n%s", d.Subject, d.Text, d.HTML)
	file := filepath.Join("testdata", "letters", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it with: go test ./templates -run Letters -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func TestLettersAreAsReviewed(t *testing.T) {
	all := lettersOf(t)
	for _, lang := range Languages() {
		for key, l := range all {
			t.Run(lang.Tag()+"/"+key, func(t *testing.T) { golden(t, key+"."+lang.Tag(), drawLetter(t, Frame{Lang: lang}, l)) })
		}
	}
	golden(t, "layout.ar", drawLetter(t, Frame{Lang: arabic()}, full))
	golden(t, "layout-hostile.ar", drawLetterAs(t, hostile, Frame{Lang: arabic()}, hostileLetter))
	files, err := filepath.Glob("testdata/letters/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		key, _, _ := strings.Cut(filepath.Base(file), ".")
		if _, known := all[key]; !known && !strings.HasPrefix(key, "layout") {
			t.Errorf("%s belongs to no letter", file)
		}
	}
}

// letterSet has two languages of this test, with letters that have every part
// and hardly any.
var letterSet = sync.OnceValue(func() *Set {
	d, err := loadWords(fstest.MapFS{
		"messages/en/mail.json": {Data: []byte(`{
			"mail.greeting": "Hello {{.Name}},", "mail.greeting_plain": "Hello,", "mail.open": "Open:", "mail.footer": "{{.Brand}}",
			"mail.bare.subject": "Bare", "mail.bare.lead": "Nothing else.", "mail.mute.subject": "Mute", "mail.hole.subject": "{{.Hole}}", "mail.hole.lead": "x"}`)},
		"messages/ar/mail.json": {Data: []byte(`{
			"mail.greeting": "مرحبًا {{.Name}}،", "mail.greeting_plain": "مرحبًا،",
			"mail.open": "إذا لم يعمل الزر، افتح هذا العنوان:", "mail.footer": "وصلتك هذه الرسالة لأن أحدهم استخدم عنوانك في {{.Brand}}.",
			"mail.fact.device": "الجهاز",
			"mail.full.subject": "{{.Client}} يطلب تأكيد عنوانك", "mail.full.lead": "يريد {{.Client}} أن يتأكد من أن العنوان لك.",
			"mail.full.action": "تأكيد العنوان", "mail.full.code": "أو أدخل هذا الرمز:", "mail.full.after": "إن لم تطلب ذلك من {{.Client}} فتجاهل الرسالة."}`)},
	}, nil)
	if err != nil {
		panic(err)
	}
	return mustSet(newSet(files.ReadFile, d, nil))
})

func bare() Lang { return Lang{words: letterSet().catalogue.all[0]} }

func arabic() Lang { return Lang{words: letterSet().catalogue.all[1]} }

var (
	full = Letter{
		Key: "full", Name: "أليس", URL: "https://id.example.com/confirm?link=ptl_sample&x=1", Code: "1234 5678",
		Values: map[string]string{"Client": "Acme Travel"}, Facts: []Fact{{FactDevice, "Firefox on Linux"}, {FactTime, ""}},
	}
	hostileLetter = Letter{
		Key: "full", Name: hostile, URL: `https://id.example.com/"><script>`, Code: hostile,
		Values: map[string]string{"Client": hostile}, Facts: []Fact{{FactDevice, hostile}},
	}
)

func TestLetterTextIsCompleteByItself(t *testing.T) {
	d := drawLetterAs(t, "Example", Frame{Lang: arabic()}, full)
	for _, want := range []string{full.URL, full.Code, "أليس", "Acme Travel", "تأكيد العنوان", "الجهاز: Firefox on Linux", "\n-- \nExample\n"} {
		if !strings.Contains(d.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, d.Text)
		}
	}
	if d.Lang != "ar" || strings.Contains(d.Text, "<") {
		t.Errorf("language %s, text:\n%s", d.Lang, d.Text)
	}
	short := drawLetter(t, Frame{Lang: bare()}, Letter{Key: "bare"})
	if want := "Hello,\n\nNothing else.\n\n-- \nPortico\nPortico\n"; short.Text != want {
		t.Errorf("text %q, want %q", short.Text, want)
	}
}

func TestLetterShowsLinkAndCode(t *testing.T) {
	d := parse(t, drawLetter(t, Frame{Lang: arabic()}, full).HTML)
	if root := d.named("html")[0]; attr(root, "dir") != "rtl" || attr(root, "lang") != "ar" {
		t.Errorf("<html lang=%q dir=%q>", attr(root, "lang"), attr(root, "dir"))
	}
	links := d.named("a")
	if len(links) != 2 || attr(links[0], "href") != full.URL || text(links[0]) != "تأكيد العنوان" || text(links[1]) != full.URL {
		t.Errorf("%d links: the button and the address itself are wanted", len(links))
	}
	if !slices.ContainsFunc(d.named("p"), func(n *html.Node) bool {
		return attr(n, "class") == "code" && text(n) == full.Code && attr(n, "dir") == "ltr"
	}) {
		t.Error("the code does not stand alone")
	}
	for _, n := range d.named("table") {
		if attr(n, "role") != "presentation" {
			t.Error("a table of the layout is read out as one")
		}
	}
}

// Nothing is fetched when a mail is opened: that would tell when and where.
func TestLetterFetchesNothing(t *testing.T) {
	for name, l := range map[string]Letter{"full": full, "hostile": hostileLetter} {
		drawn := drawLetterAs(t, hostile, Frame{Lang: arabic()}, l)
		if found := parse(t, drawn.HTML).named("img", "script", "link", "iframe", "form", "base", "object"); len(found) > 0 {
			t.Errorf("%s holds <%s>", name, found[0].Data)
		}
		if strings.Contains(drawn.HTML, "url(") || strings.Contains(drawn.HTML, "@import") {
			t.Errorf("%s fetches by style", name)
		}
	}
}

func TestStrangersTextInLetters(t *testing.T) {
	d := drawLetterAs(t, hostile, Frame{Lang: arabic()}, hostileLetter)
	for what, s := range map[string]string{"text": d.Text, "HTML": d.HTML, "subject": d.Subject} {
		for _, r := range s {
			if reorders(r) || unicode.IsControl(r) && r != '\n' {
				t.Errorf("the %s holds %U", what, r)
			}
		}
		if len(s) > 14<<10 {
			t.Errorf("the %s has %d bytes", what, len(s))
		}
	}
	if strings.ContainsAny(d.Subject, "\r\n") || len([]rune(d.Subject)) > subjectBound+1 {
		t.Errorf("subject of %d characters: %q", len([]rune(d.Subject)), d.Subject)
	}
}

// A name is chosen by whoever signs up, and the address may be a victim's.
func TestNamesThatAreMoreThanNamesAreNotSpoken(t *testing.T) {
	for name, want := range map[string]string{
		"Alice Keller":              "Alice Keller",
		"  J. R. R. Tolkien ":       "J. R. R. Tolkien",
		"Dr. Who Jr.":               "Dr. Who Jr.",
		"Anne-Marie O’Neill":        "Anne-Marie O’Neill",
		"李小龍":                       "李小龍",
		"":                          "",
		"win at https://evil.test":  "",
		"visit evil.test now":       "",
		"evil。test":                 "",
		"bob@evil.test":             "",
		"[click](evil)":             "",
		"<b>Alice</b>":              "",
		"Alice\r\nBcc: eve@evil.ex": "",
		"Alice\r\nSubject x":        "Alice Subject x",
	} {
		if got := addressee(name); got != want {
			t.Errorf("addressee(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestLetterRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		lang Lang
		l    Letter
	}{
		"a letter without words":             {bare(), Letter{Key: "nothing"}},
		"no key":                             {bare(), Letter{}},
		"no lead":                            {bare(), Letter{Key: "mute"}},
		"a link without words":               {bare(), Letter{Key: "bare", URL: "https://id.example.com/"}},
		"a code without words":               {bare(), Letter{Key: "bare", Code: "1234 5678"}},
		"a fact without a label":             {bare(), Letter{Key: "bare", Facts: []Fact{{"weather", "fine"}}}},
		"a placeholder without a value":      {bare(), Letter{Key: "hole"}},
		"a link that runs code":              {arabic(), Letter{Key: "full", URL: "javascript:alert(1)", Values: full.Values}},
		"a link without a host":              {arabic(), Letter{Key: "full", URL: "/confirm", Values: full.Values}},
		"a link in the clear to the world":   {arabic(), Letter{Key: "full", URL: "http://id.example.com/", Values: full.Values}},
		"a link with somebody else's header": {arabic(), Letter{Key: "full", URL: "https://id.example.com/\r\nBcc: x", Values: full.Values}},
	} {
		if d, err := letterSet().WriteLetter(Frame{Lang: tt.lang}, tt.l); err == nil {
			t.Errorf("%s: drawn as %q", name, d.Subject)
		}
	}
	if _, err := letterSet().WriteLetter(Frame{Lang: bare()}, Letter{Key: "hole", Values: map[string]string{"Hole": "<no value>"}}); err != nil {
		t.Errorf("a value that looks like a hole: %v", err)
	}
}
