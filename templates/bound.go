package templates

import (
	"net"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Bounds of strangers' text on a page, in characters.
const (
	nameBound     = 64
	sentenceBound = 240
	hostBound     = 64
	urlBound      = 2048 // bytes; a longer URL is not shown
)

// bounded makes a stranger's text fit to stand inside our sentences: at most
// n characters on one line, no control characters, none that change the
// direction of what follows, and no towers of combining marks.
func bounded(s string, n int) string {
	var b strings.Builder
	count, marks, blank := 0, 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			blank = true
			continue
		}
		if r == unicode.ReplacementChar || unicode.IsControl(r) || reorders(r) {
			continue
		}
		if marks = markRun(r, marks); marks > 2 {
			continue
		}
		blank = blank && count > 0
		if count++; blank {
			count++
		}
		if count > n {
			return b.String() + "…"
		}
		if blank {
			b.WriteByte(' ')
		}
		blank = false
		b.WriteRune(r)
	}
	return b.String()
}

func markRun(r rune, marks int) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return marks + 1
	}
	return 0
}

// reorders tells invisible characters that change how others are read:
// directional controls, separators, tags, zero-width blanks. The joiners
// U+200C and U+200D stay, because Persian and emoji need them.
func reorders(r rune) bool {
	switch {
	case r == 0x061c, r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff, r == 0x00ad,
		r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r == 0x2028, r == 0x2029, r >= 0xfff0 && r <= 0xfffb,
		r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return unicode.Is(unicode.Co, r)
}

// entered returns what a person entered, or an application suggested, as a
// form shows it again: as it was, but never more than the field takes, and
// without characters that are not seen.
func entered(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || reorders(r) {
			continue
		}
		if n--; n < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// tail shortens a host from the left: the end says who owns it.
func tail(host string, n int) string {
	if r := []rune(host); len(r) > n {
		return "…" + string(r[len(r)-n:])
	}
	return host
}

// initial returns the letter of a monogram, or "?".
func initial(s string) string {
	for _, r := range bounded(s, nameBound) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

// webURL returns s if it is an absolute https URL, or http on loopback,
// without user-info; else "".
func webURL(s string) string {
	if len(s) > urlBound || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return u.String()
	}
	return ""
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// A destination is where an answer goes, for people.
type destination struct {
	Kind string // host, device, app
	Name string // the host, or the private-use scheme
}

// destinationOf reads a redirect URI: a web host, a loopback address of this
// device (RFC 8252 §7.3), or a private-use scheme (RFC 8252 §7.1).
func destinationOf(redirectURI string) destination {
	u, err := url.Parse(redirectURI)
	switch {
	case err != nil:
		return destination{}
	case u.Scheme != "http" && u.Scheme != "https":
		return destination{Kind: "app", Name: bounded(u.Scheme, nameBound)}
	case loopback(u.Hostname()):
		return destination{Kind: "device"}
	}
	host, err := idna.Punycode.ToASCII(u.Host) // lookalike letters become visible
	if err != nil {
		return destination{}
	}
	return destination{Kind: "host", Name: tail(bounded(host, urlBound), hostBound)}
}
