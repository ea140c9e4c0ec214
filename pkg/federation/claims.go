package federation

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// mapped are the claims that a new account takes over, and where they go.
var mapped = map[string]func(*user.User) *string{
	"name":               func(u *user.User) *string { return &u.Name },
	"given_name":         func(u *user.User) *string { return &u.GivenName },
	"family_name":        func(u *user.User) *string { return &u.FamilyName },
	"nickname":           func(u *user.User) *string { return &u.Nickname },
	"preferred_username": func(u *user.User) *string { return &u.Username },
	"picture":            func(u *user.User) *string { return &u.Picture },
	"locale":             func(u *user.User) *string { return &u.Locale },
	"zoneinfo":           func(u *user.User) *string { return &u.Zoneinfo },
	"phone_number":       func(u *user.User) *string { return &u.PhoneNumber },
}

// take writes what the provider says of the person into a new account. What
// the page of the profile would not take is left out: a stranger's server
// wrote it.
func take(u *user.User, p *Provider, claims map[string]any) {
	for name, field := range mapped {
		source := name
		if other := p.Settings.Claims[name]; other != "" {
			source = other
		}
		value := strings.TrimSpace(first(claims[source]))
		if value == "" || !fits(name, value) {
			continue
		}
		trial := user.User{Username: "trial"}
		*field(&trial) = value
		if user.Validate(&trial) == nil {
			*field(u) = value
		}
	}
}

// fits reports whether a person could have written the value into their
// profile.
func fits(name, value string) bool {
	if len(value) > 4*2048 || !utf8.ValidString(value) || strings.ContainsFunc(value, unreadable) || user.Invisible(value) {
		return false
	}
	if name == "preferred_username" {
		return user.CheckChoice(value) == nil
	}
	bound, ok := templates.ProfileFields()[name]
	return !ok || utf8.RuneCountInString(value) <= bound
}

func unreadable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

// first returns the text of a claim, the first of several.
func first(v any) string {
	if all := texts(v); len(all) > 0 {
		return all[0]
	}
	return ""
}

// maxValues bounds the values of one claim that are looked at.
const maxValues = 1000

// texts returns the texts of a claim: one, or those of a list.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v[:min(len(v), maxValues)]
	case []any:
		var all []string
		for _, one := range v[:min(len(v), maxValues)] {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
