package user_test

import (
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

func TestUsernamesThatStrangersMayChoose(t *testing.T) {
	for name, want := range map[string]fault.Kind{
		"cleo": fault.None, "Cleo.Example-1": fault.None, "7up": fault.None, "  cleo ": fault.None,
		"иван": fault.None, "さくら桜サクラ": fault.None, "김철수": fault.None, "naïve": fault.None, "محمد": fault.None, "iván99": fault.None,
		"": fault.Invalid, ".cleo": fault.Invalid, "cleo@example.test": fault.Invalid, "cl eo": fault.Invalid, "cleo\x00": fault.Invalid,
		"cleo\u202e": fault.Invalid, "cl\u200beo": fault.Invalid, "<b>": fault.Invalid, strings.Repeat("x", 65): fault.Invalid,
		"сleo":                      fault.Invalid, // the first letter is Cyrillic
		"аdmin":                     fault.Invalid,
		"cleο":                      fault.Invalid, // the last one is Greek
		"paypal桜":                   fault.Invalid,
		"admin":                     fault.Conflict,
		"ADMIN":                     fault.Conflict,
		"a.d-m_in":                  fault.Conflict,
		"ａｄｍｉｎ":                     fault.Conflict, // full width
		"root":                      fault.Conflict,
		"Support":                   fault.Conflict,
		"portico":                   fault.Conflict,
		"portico-team":              fault.Conflict,
		"Port.ico_security":         fault.Conflict,
		"administrators-of-nothing": fault.None,
	} {
		if err := user.CheckChoice(name); fault.KindOf(err) != want {
			t.Errorf("CheckChoice(%q) = %v, want kind %v", name, err, want)
		}
	}
}

func TestInvisibleCharacters(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "Cleo Example": false, "نمی\u200cخواهم": false, "👩\u200d💻": false, "O’Brien": false,
		"Cleo\u202e": true, "C\u200bleo": true, "\ufeffCleo": true, "a\u2028b": true, "soft\u00adhyphen": true, "\ue000": true,
	} {
		if got := user.Invisible(s); got != want {
			t.Errorf("Invisible(%q) = %v, want %v", s, got, want)
		}
	}
}

func FuzzCheckChoice(f *testing.F) {
	for _, s := range []string{"cleo", "аdmin", "a.d-m_in", "さくら", "ａｄｍｉｎ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if user.CheckChoice(s) != nil {
			return
		}
		u := user.User{Username: s}
		if err := user.Validate(&u); err != nil {
			t.Errorf("%q may be chosen and not be kept: %v", s, err)
		}
		if strings.Contains(u.Username, "@") || user.Invisible(u.Username) {
			t.Errorf("%q may be chosen", s)
		}
	})
}
