package templates

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/text/language"
)

// usedKeys finds every key of the catalogue that templates and code name, with
// the functions that say them, and those that are built from a scope.
func usedKeys(t *testing.T) map[string]bool {
	used := map[string]bool{}
	said := regexp.MustCompile(`\.(?:T|N|Rich) "([a-z0-9_.]+)"`)
	quoted := regexp.MustCompile(`"((?:language|layout|client|login|password|consent|scope|chooser|register|logout|signedout|back|formpost|problem|error|account|mail|recover|confirm|invite|terms|keep|strength|event|factor|enrol|security|browsers|totp|passkey|passkeys|federation|recoverycode|recoverycodes|onetime|emailcode|sms|ldap|identities)\.[a-z0-9_.]+)"`)
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		find := said
		if strings.HasSuffix(name, ".go") {
			find = quoted
		} else if !strings.HasSuffix(name, ".html") && !strings.HasSuffix(name, ".txt") {
			return nil
		}
		for _, m := range find.FindAllStringSubmatch(string(raw), -1) {
			used[m[1]] = !strings.HasSuffix(m[1], ".html")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"openid", "profile", "email", "address", "phone", "offline_access", "roles"} {
		used["scope."+scope] = true
	}
	letterKeys(t, used)
	return used
}

// letterKeys adds the words of every letter that code sends: mail.<Key>.…,
// for a Key that stands literally in a package that makes letters. Subject and
// lead must be there; a part that English lacks must not be.
func letterKeys(t *testing.T, used map[string]bool) {
	parts := regexp.MustCompile(`^mail\.([a-z0-9_]+)\.(subject|lead|action|code|after)$`)
	sent := map[string]bool{}
	for key := range sentKeys(t) {
		sent[key] = true
		used["mail."+key+".subject"], used["mail."+key+".lead"] = true, true
	}
	for key := range catalogue.all[0].keys {
		m := parts.FindStringSubmatch(key)
		if m != nil && (sent[m[1]] || quotedInPackages(t)[m[1]]) {
			used[key] = true
			used["mail."+m[1]+".subject"], used["mail."+m[1]+".lead"] = true, true
		}
		if fact, ok := strings.CutPrefix(key, "mail.fact."); ok && (quotedInPackages(t)[fact] || slices.Contains(usualFacts, fact)) {
			used[key] = true
		}
	}
}

var usualFacts = []string{FactEmail, FactDevice, FactAddress, FactTime}

// sentKeys are the keys that stand inside of a templates.Letter.
func sentKeys(t *testing.T) map[string]bool {
	keys := map[string]bool{}
	for _, source := range letterSources(t) {
		for _, m := range regexp.MustCompile(`templates\.Letter\{\s*Key:\s*"([a-z0-9_]+)"`).FindAllStringSubmatch(source, -1) {
			keys[m[1]] = true
		}
	}
	return keys
}

// quotedInPackages are the words between quotes in the packages that make
// letters: a key may be chosen before the letter is made.
func quotedInPackages(t *testing.T) map[string]bool {
	words := map[string]bool{}
	for _, source := range letterSources(t) {
		for _, m := range regexp.MustCompile(`"([a-z0-9_]+)"`).FindAllStringSubmatch(source, -1) {
			words[m[1]] = true
		}
	}
	return words
}

// letterSources are the files of the packages that make letters.
func letterSources(t *testing.T) []string {
	t.Helper()
	sources, err := findLetterSources()
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

var findLetterSources = sync.OnceValues(func() ([]string, error) {
	byPackage, makes := map[string][]string{}, map[string]bool{}
	err := fs.WalkDir(os.DirFS("../pkg"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "porticotest/") {
			return err
		}
		raw, err := os.ReadFile(filepath.Join("..", "pkg", name))
		folder := filepath.Dir(name)
		byPackage[folder] = append(byPackage[folder], string(raw))
		makes[folder] = makes[folder] || strings.Contains(string(raw), "templates.Letter{")
		return err
	})
	var found []string
	for folder, sources := range byPackage {
		if makes[folder] {
			found = append(found, sources...)
		}
	}
	return found, err
})

func TestEveryLanguageSaysEverythingAndNothingElse(t *testing.T) {
	used := usedKeys(t)
	if len(used) < 50 {
		t.Fatalf("found %d keys in the templates: the search is broken", len(used))
	}
	for _, w := range catalogue.all {
		for key, isKey := range used {
			if isKey && !w.keys[key] {
				t.Errorf("%s lacks %q", w.tag, key)
			}
		}
		for key := range w.keys {
			if !used[key] {
				t.Errorf("%s has %q, which nothing says", w.tag, key)
			}
		}
	}
}

// TestLanguagesFillTheSamePlaceholders keeps a translation from dropping the
// name of the application, or the number of a wait.
func TestLanguagesFillTheSamePlaceholders(t *testing.T) {
	placeholders := func(w *words, key string) []string {
		raw := everyTopic(t, w)
		line := regexp.MustCompile(`(?s)"` + regexp.QuoteMeta(key) + `": ("[^\n]*"|\{.*?\n  \})`).FindString(raw)
		found := map[string]bool{}
		for _, m := range regexp.MustCompile(`\{\{\.(\w+)\}\}`).FindAllStringSubmatch(line, -1) {
			found[m[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	english := catalogue.all[0]
	for _, w := range catalogue.all[1:] {
		for key := range english.keys {
			if a, b := placeholders(english, key), placeholders(w, key); !slices.Equal(a, b) {
				t.Errorf("%q takes %v in English and %v in %s", key, a, b, w.tag)
			}
		}
	}
}

// everyTopic returns the files of a language, one behind the other.
func everyTopic(t *testing.T, w *words) string {
	t.Helper()
	var all strings.Builder
	topics, err := fs.Glob(messageFiles, "messages/"+w.tag.String()+"/*.json")
	if err != nil || len(topics) == 0 {
		t.Fatalf("%s has no files: %v", w.tag, err)
	}
	for _, name := range topics {
		raw, err := messageFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

func TestNoPageSpeaksTwoLanguages(t *testing.T) {
	de := Negotiate([]string{"de"}, "", "")
	everyText := regexp.MustCompile(`>[^<]*\b(Sign in|Password|Allow|Deny|Continue|account|You|your)\b[^<]*<`)
	for name, page := range samples() {
		if strings.HasSuffix(name, "-hostile") || strings.HasPrefix(name, "error") {
			continue // strangers and faults speak as they do
		}
		drawn := draw(t, Frame{Lang: de}, page)
		if found := everyText.FindString(drawn); found != "" && !strings.Contains(found, "Read your orders") {
			t.Errorf("%s in German says %q", name, found)
		}
	}
}

func TestWaitsAreSaidInSecondsThenMinutes(t *testing.T) {
	english, german := English, Negotiate([]string{"de"}, "", "")
	for wait, want := range map[time.Duration][2]string{
		-time.Hour:              {"Try again in 1 second.", "in 1 Sekunde wieder."},
		0:                       {"Try again in 1 second.", "in 1 Sekunde wieder."},
		1100 * time.Millisecond: {"Try again in 2 seconds.", "in 2 Sekunden wieder."},
		time.Minute:             {"Try again in 60 seconds.", "in 60 Sekunden wieder."},
		61 * time.Second:        {"Try again in 2 minutes.", "in 2 Minuten wieder."},
		15 * time.Minute:        {"Try again in 15 minutes.", "in 15 Minuten wieder."},
	} {
		for i, lang := range []Lang{english, german} {
			v := &view{Frame: Frame{Lang: lang}}
			if got, err := v.Problem(TooMany(wait)); err != nil || !strings.HasSuffix(got, want[i]) {
				t.Errorf("TooMany(%v) in %s = %q, %v; want …%q", wait, lang.Tag(), got, err, want[i])
			}
		}
	}
	v := &view{}
	if got, _ := v.Problem(PasswordTooShort(-3)); !strings.Contains(got, "at least 1 character.") {
		t.Errorf("PasswordTooShort(-3) = %q", got)
	}
}

func TestNegotiatesTheLanguage(t *testing.T) {
	for name, tt := range map[string]struct {
		locales []string
		account string
		accept  string
		want    string
	}{
		"nothing":                       {nil, "", "", "en"},
		"OIDC Core §3.1.2.1 ui_locales": {[]string{"de"}, "en", "en", "de"},
		"a region of a language":        {[]string{"de-CH"}, "", "", "de"},
		"first that is spoken":          {[]string{"tlh", "xh", "de", "en"}, "", "", "de"},
		"order of preference":           {[]string{"en", "de"}, "", "de", "en"},
		"a region goes before another":  {[]string{"de-CH", "en"}, "", "", "de"},
		"none spoken, so the account":   {[]string{"zh", "zh-Hant-TW"}, "de-AT", "en", "de"},
		"none spoken, so the browser":   {[]string{"xh"}, "", "de", "de"},
		"malformed tags":                {[]string{"", "!!", "de_DE_", "\x00", strings.Repeat("de-", 40)}, "", "de", "de"},
		"account":                       {nil, "de", "en", "de"},
		"a region of the account":       {nil, "de-CH", "", "de"},
		"an account nobody speaks":      {nil, "xh-ZA", "de", "de"},
		"a malformed account":           {nil, "de_DE_\x00", "de", "de"},
		"an account above the bound":    {nil, "de-x-" + strings.Repeat("a-", 4000) + "a", "en", "en"},
		"accepted":                      {nil, "", "de-AT,de;q=0.9,en;q=0.8", "de"},
		"accepted, a region first":      {nil, "", "de-AT,en;q=0.8", "de"},
		"accepted, none then one":       {nil, "", "zh-CN,zh;q=0.9,de;q=0.8,en;q=0.7", "de"},
		"weights":                       {nil, "", "de;q=0.2,en;q=0.9", "en"},
		"RFC 9110 §12.4.2 q=0":          {nil, "", "de;q=0", "en"},
		"only others":                   {nil, "", "xh,zu;q=0.8", "en"},
		"malformed header":              {nil, "", "de;q=x,,;;", "en"},
		"near, where nothing is spoken": {[]string{"tlh"}, "gsw", "ko", "en"},
		"near to the account":           {nil, "gsw", "ko", "de"},
		"spoken before near":            {[]string{"gsw"}, "", "en-GB", "en"},
		"anything":                      {nil, "", "*", "en"},
		"above the bound":               {nil, "", "xh;q=0.9," + strings.Repeat("zu;q=0.8,", 1000) + "de", "en"},
		"too many locales":              {append(slices.Repeat([]string{"xh"}, 12), "de"), "", "", "en"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Negotiate(tt.locales, tt.account, tt.accept).Tag(); got != tt.want {
				t.Errorf("Negotiate(%.60q, %.60q, %.60q) = %s, want %s", tt.locales, tt.account, tt.accept, got, tt.want)
			}
		})
	}
}

func TestDirectionFollowsTheScript(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "ltr", "de-CH": "ltr", "ar": "rtl", "ar-EG": "rtl", "he": "rtl", "fa": "rtl", "ur": "rtl", "yi": "rtl", "dv": "rtl",
		"az-Arab": "rtl", "pa-Arab": "rtl", "ar-Latn": "ltr", "ja": "ltr", "und": "ltr",
	} {
		if got := direction(language.MustParse(tag)); got != want {
			t.Errorf("direction(%s) = %s, want %s", tag, got, want)
		}
	}
}

func TestZeroLanguageIsEnglish(t *testing.T) {
	var zero Lang
	if zero.Tag() != "en" || zero.Dir() != "ltr" || zero.Name() != "English" || Languages()[0].Tag() != "en" {
		t.Errorf("the zero language is %s %s %s", zero.Tag(), zero.Dir(), zero.Name())
	}
}

func TestABrokenCatalogueStopsTheStart(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"not JSON":         {"messages/en/login.json": {Data: []byte("{")}},
		"not an object":    {"messages/en/login.json": {Data: []byte(`["a"]`)}},
		"a key twice":      {"messages/en/a.json": {Data: []byte(`{"a.b": "x"}`)}, "messages/en/b.json": {Data: []byte(`{"a.b": "y"}`)}},
		"no language":      {"messages/klingonish-nowhere/a.json": {Data: []byte(`{"a.b": "x"}`)}},
		"broken reference": {"messages/en/login.json": {Data: []byte(`{"a.b": {"other": 3}}`)}},
	} {
		if _, err := loadWords(files, nil); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func TestAMissingMessageIsAnError(t *testing.T) {
	v := &view{}
	if got, err := v.T("login.nothing"); err == nil {
		t.Errorf("a key that nobody wrote says %q", got)
	}
	if _, err := v.T("login.lead", "Client"); err == nil {
		t.Error("a placeholder without a value passed")
	}
	if _, err := v.T("login.lead", 1, 2); err == nil {
		t.Error("a placeholder without a name passed")
	}
}

func TestEveryErrorHasItsWords(t *testing.T) {
	v := &view{}
	for status := 400; status < 600; status++ {
		if got, err := v.ErrorWords(Error{Status: status}); err != nil || got == "" {
			t.Errorf("status %d has no words: %v", status, err)
		}
	}
	general, _ := v.ErrorWords(Error{Status: 500})
	for code := range errorByCode {
		if got, err := v.ErrorWords(Error{Status: 418, Code: code}); err != nil || (got == general && code != "server_error") {
			t.Errorf("code %s says %q, %v", code, got, err)
		}
	}
}
