package user

import (
	"slices"
	"strings"
	"unicode"

	"github.com/portico-id/portico/pkg/fault"
)

// CodeReserved is the code of a username that nobody may choose.
const CodeReserved = "username_reserved"

// CheckChoice says whether a stranger may choose the username: what Validate
// takes, in the letters of one script, so that none looks like that of
// somebody else, and not a name behind which people expect the operator.
func CheckChoice(name string) error {
	name = strings.TrimSpace(name)
	if !validUsername(name) {
		return refuse("username", "a username has up to 64 letters, digits and . _ -, and begins with a letter or digit")
	}
	if !oneScript(Normalise(name)) {
		return refuse("username", "its letters are of several scripts, so that it may look like another")
	}
	bare := strings.NewReplacer(".", "", "_", "", "-", "").Replace(Normalise(name))
	if slices.Contains(reserved, bare) || strings.HasPrefix(bare, "portico") {
		return fault.New(fault.Conflict, CodeReserved, "This username cannot be chosen.").
			Under("signup the username is not reserved")
	}
	return nil
}

// reserved are names of operators and of things, without . _ and -.
var reserved = []string{
	"abuse", "account", "accounts", "admin", "administrator", "anonymous", "api", "billing", "contact", "help", "helpdesk",
	"hostmaster", "info", "login", "mail", "me", "moderator", "nobody", "noreply", "null", "official", "operator", "owner",
	"postmaster", "register", "root", "security", "self", "signup", "staff", "superuser", "support", "sysadmin", "system",
	"undefined", "user", "webmaster",
}

// together are scripts that one word may mix.
var together = [][]string{
	{"Han", "Hiragana", "Katakana"}, {"Han", "Hangul"}, {"Han", "Bopomofo"},
}

// oneScript reports whether the letters belong to one script, or to those
// that one language mixes (after the highly restrictive level of UTS #39
// §5.2, without its Latin exceptions: they are what lookalikes are made of).
func oneScript(s string) bool {
	var seen []string
	for _, r := range s {
		if script := scriptOf(r); script != "" && !slices.Contains(seen, script) {
			seen = append(seen, script)
		}
	}
	return len(seen) <= 1 || slices.ContainsFunc(together, func(set []string) bool {
		return !slices.ContainsFunc(seen, func(script string) bool { return !slices.Contains(set, script) })
	})
}

// scriptOf returns the name of the script of a letter, or "" for what belongs
// to all of them.
func scriptOf(r rune) string {
	if r < 0x80 {
		if unicode.IsLetter(r) {
			return "Latin"
		}
		return ""
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// Invisible reports whether s holds characters that are not seen but change
// how others are read, such as those that turn the direction. The joiners of
// Persian, Indic scripts and emoji are none.
func Invisible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		if r == '\u200c' || r == '\u200d' {
			return false
		}
		return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
	})
}
