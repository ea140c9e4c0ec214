package signup

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Bounds of the form, in bytes.
const (
	maxForm = 16 << 10
	maxName = 200
)

// read checks each field by itself. Only fields that the form has are looked
// at: role, email_verified, sub and whatever else somebody sends is nothing
// that a person may say about themselves.
func (h *Handler) read(ctx context.Context, form web.Fields, inv *Invitation) (page templates.Register, plain string, err error) {
	page.Name, page.NameProblem = readName(form["name"])
	if inv != nil && inv.Email != "" {
		page.Email = inv.Email // who asked them in has said which
	} else {
		page.Email, page.EmailProblem = h.readEmail(form["email"])
	}
	if h.asksUsername() {
		page.Username, page.UsernameProblem = h.readUsername(form["username"])
	}
	if h.asksTerms() {
		if page.Accepted = form["terms"] == "on"; !page.Accepted {
			page.TermsProblem = templates.TermsMissing
		}
	}
	plain = form["password"]
	page.PasswordProblem, err = templates.PasswordProblem(
		h.Passwords.Check(ctx, plain, page.Name, page.Email, page.Username), h.Passwords.MinLength())
	return page, plain, err
}

func readName(typed string) (string, templates.Problem) {
	name := strings.TrimSpace(typed)
	switch {
	case name == "":
		return name, templates.NameMissing
	case len(name) > maxName:
		return name, templates.NameTooLong
	case user.Invisible(name) || user.Validate(&user.User{Username: "x", Name: name}) != nil:
		return name, templates.Unreadable
	}
	return name, templates.Problem{}
}

func (h *Handler) readEmail(typed string) (string, templates.Problem) {
	email := strings.TrimSpace(typed)
	switch {
	case email == "":
		return email, templates.EmailMissing
	case !user.ValidEmail(email) || user.Invisible(email) || strings.ContainsFunc(email, unicode.IsSpace):
		return email, templates.EmailMalformed
	case !h.domainAllowed(email):
		return email, templates.EmailRefused // configuration, and no secret
	}
	return email, templates.Problem{}
}

func (h *Handler) domainAllowed(email string) bool {
	if len(h.Config.Domains) == 0 {
		return true
	}
	domain := domainKey(email[strings.LastIndexByte(email, '@')+1:])
	return slices.ContainsFunc(h.Config.Domains, func(d string) bool { return domainKey(d) == domain })
}

// domainKey returns the one spelling of a domain: its A-labels (RFC 5890).
func domainKey(domain string) string {
	folded := user.Normalise(domain)
	if ascii, err := idna.Punycode.ToASCII(folded); err == nil {
		return ascii
	}
	return folded
}

func (h *Handler) readUsername(typed string) (string, templates.Problem) {
	name := strings.TrimSpace(typed)
	if name == "" {
		if h.Config.Username == Required {
			return name, templates.UsernameMissing
		}
		return name, templates.Problem{}
	}
	return name, usernameProblem(name)
}

// usernameProblem says whether somebody may choose the name. Whether it is
// free is told after the proof of an address only.
func usernameProblem(name string) templates.Problem {
	err := user.CheckChoice(name)
	switch {
	case err == nil:
		return templates.Problem{}
	case fault.CodeOf(err) == user.CodeReserved:
		return templates.UsernameReserved
	}
	return templates.UsernameMalformed
}

func (h *Handler) asksUsername() bool {
	return h.Config.Username == Optional || h.Config.Username == Required
}

func (h *Handler) asksTerms() bool { return h.Config.Terms.Service() != "" }
