package account

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Profile serves what people say about themselves.
func (h *Handler) Profile(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccountProfile,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawProfile(w, r, v, templates.Profile{Values: valuesOf(v.User)}, v.User.Locale)
		},
		Take: h.takeProfile,
	})
}

func (h *Handler) drawProfile(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.Profile, locale string) error {
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountProfile), h.form(w, r, v, protocol.PathAccountProfile)
	page.Username, page.Choices = h.Usernames, languages(v.User.Locale, locale)
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// languages are those to choose from: the browser's, ours, and the one that
// the person has, whoever gave it to them.
func languages(have, chosen string) []templates.Choice {
	all := []templates.Choice{{}}
	for _, l := range templates.Languages() {
		all = append(all, templates.Choice{Value: l.Tag(), Words: l.Name()})
	}
	if have != "" && !slices.ContainsFunc(all, func(c templates.Choice) bool { return c.Value == have }) {
		all = append(all, templates.Choice{Value: have, Words: have})
	}
	for i := range all {
		all[i].Chosen = all[i].Value == chosen
	}
	return all
}

// fields are what the form may change, by name. Nothing else of a person is
// reached from here, whatever else is sent.
var fields = map[string]func(*user.User) *string{
	"name":           func(u *user.User) *string { return &u.Name },
	"given_name":     func(u *user.User) *string { return &u.GivenName },
	"middle_name":    func(u *user.User) *string { return &u.MiddleName },
	"family_name":    func(u *user.User) *string { return &u.FamilyName },
	"nickname":       func(u *user.User) *string { return &u.Nickname },
	"username":       func(u *user.User) *string { return &u.Username },
	"birthdate":      func(u *user.User) *string { return &u.Birthdate },
	"website":        func(u *user.User) *string { return &u.Website },
	"picture":        func(u *user.User) *string { return &u.Picture },
	"zoneinfo":       func(u *user.User) *string { return &u.Zoneinfo },
	"phone_number":   func(u *user.User) *string { return &u.PhoneNumber },
	"street_address": func(u *user.User) *string { return &u.Address.StreetAddress },
	"postal_code":    func(u *user.User) *string { return &u.Address.PostalCode },
	"locality":       func(u *user.User) *string { return &u.Address.Locality },
	"region":         func(u *user.User) *string { return &u.Address.Region },
	"country":        func(u *user.User) *string { return &u.Address.Country },
}

// others are fields of a person that are not theirs to set: whoever sends one
// tries something.
var others = []string{
	"id", "sub", "user_id", "email", "email_verified", "phone_number_verified", "roles", "role", "admin", "is_admin", "permissions",
	"disabled", "demo", "password", "terms_version", "terms_accepted_at", "delete_at", "created_at", "updated_at", "verified",
}

func valuesOf(u *user.User) map[string]string {
	values := make(map[string]string, len(fields))
	for name, field := range fields {
		values[name] = *field(u)
	}
	return values
}

// takeProfile saves the form. A field that is not sent stays as it is.
func (h *Handler) takeProfile(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	if tried := foreign(form); tried != "" {
		h.note(r, v, "fields "+tried) // the rest of the form counts
	}
	page := templates.Profile{Values: valuesOf(v.User), Problems: map[string]templates.Problem{}}
	sent := h.sent(form)
	maps.Copy(page.Values, sent)
	locale, chosen := form["locale"]
	if !chosen {
		locale = v.User.Locale
	}
	if !slices.ContainsFunc(languages(v.User.Locale, ""), func(c templates.Choice) bool { return c.Value == locale }) {
		page.Problem, locale = templates.LanguageWrong, v.User.Locale
	}
	trial := *v.User
	apply(&trial, sent, locale)
	h.problems(&trial, v.User, sent, page.Problems)
	if page.Failed() {
		return h.drawProfile(w, r, v, page, locale)
	}
	_, err := h.Users.Change(r.Context(), v.User.ID, func(_ context.Context, u *user.User) error {
		apply(u, sent, locale)
		return nil
	})
	if fault.Is(err, fault.Conflict) { // only a username can be taken: nothing else that names a person was changed
		h.Kit.Refused(r, err)
		page.Problems["username"] = templates.UsernameTaken
		return h.drawProfile(w, r, v, page, locale)
	} else if err != nil {
		return err
	}
	h.record(r, v, audit.Event{Name: audit.UserUpdated})
	return h.done(w, r, protocol.PathAccountProfile, "profile")
}

// foreign returns the names of what is not theirs to set.
func foreign(form web.Fields) string {
	var tried []string
	for name := range form {
		if slices.Contains(others, strings.ToLower(name)) {
			tried = append(tried, name)
		}
	}
	slices.Sort(tried)
	return strings.Join(tried, " ")
}

// sent returns the fields of the form that may be changed, with the line
// breaks that browsers send made one character.
func (h *Handler) sent(form web.Fields) map[string]string {
	sent := map[string]string{}
	for name := range fields {
		value, ok := form[name]
		if !ok || name == "username" && !h.Usernames {
			continue
		}
		sent[name] = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
	}
	return sent
}

// apply writes what was sent. A number that changes is not proven, and the
// address is written out anew.
func apply(u *user.User, sent map[string]string, locale string) {
	phone, address := u.PhoneNumber, u.Address
	for name, value := range sent {
		*fields[name](u) = value
	}
	if u.PhoneNumber != phone {
		u.PhoneNumberVerified = false
	}
	if u.Address != address {
		u.Address.Formatted = written(u.Address)
	}
	u.Locale = locale
}

// written writes an address in lines.
func written(a user.Address) string {
	var lines []string
	for _, line := range []string{a.StreetAddress, strings.TrimSpace(a.PostalCode + " " + a.Locality), a.Region, a.Country} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// problems says for each field that was sent what is wrong with it.
func (h *Handler) problems(trial, have *user.User, sent map[string]string, found map[string]templates.Problem) {
	bounds := templates.ProfileFields()
	for name, value := range sent {
		switch {
		case utf8.RuneCountInString(value) > bounds[name]:
			found[name] = templates.FieldTooLong
		case strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) && (c != '\n' || name != "street_address") }):
			found[name] = templates.Unreadable
		case user.Invisible(value) && value != *fields[name](have):
			found[name] = templates.Unreadable
		case name == "username" && value == "" && h.UsernameRequired:
			found[name] = templates.UsernameMissing
		case name == "username" && value != "" && value != have.Username && fault.CodeOf(user.CheckChoice(value)) == user.CodeReserved:
			found[name] = templates.UsernameReserved
		case name == "username" && value != "" && value != have.Username && user.CheckChoice(value) != nil:
			found[name] = templates.UsernameMalformed
		}
	}
	for name := range found {
		*fields[name](trial) = *fields[name](have)
	}
	// Validate names one field at a time: each is taken back until nothing is
	// wrong.
	for range len(fields) + 1 {
		err := user.Validate(trial)
		if err == nil {
			return
		}
		name := ""
		if details := fault.As(err).Details; len(details) > 0 {
			name = details[0].Field
		}
		field, ok := fields[name]
		if _, tried := sent[name]; !ok || !tried || found[name].Is() {
			name = nearest(name, sent)
			if field, ok = fields[name]; !ok || found[name].Is() {
				return // nothing that was sent; Change says what it is
			}
		}
		found[name] = problemOf(name)
		*field(trial) = *field(have)
	}
}

// nearest returns the field of the form that a problem elsewhere comes from.
func nearest(name string, sent map[string]string) string {
	switch name {
	case "address":
		return longest(sent, "street_address", "locality", "region", "country", "postal_code")
	case "email": // neither address nor username is left
		return "username"
	}
	return ""
}

func longest(sent map[string]string, names ...string) string {
	return slices.MaxFunc(names, func(a, b string) int { return len(sent[a]) - len(sent[b]) })
}

func problemOf(name string) templates.Problem {
	switch name {
	case "website", "picture":
		return templates.URLMalformed
	case "birthdate":
		return templates.BirthdateWrong
	case "zoneinfo":
		return templates.ZoneWrong
	case "username":
		return templates.UsernameMalformed
	}
	return templates.FieldTooLong
}
