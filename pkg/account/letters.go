package account

import (
	"context"
	"net/http"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// writeTo is the person at one of their addresses. They read the language of
// their account, or else that of the page.
func writeTo(r *http.Request, u *user.User, email string) mail.Recipient {
	to := mail.Recipient{UserID: u.ID, Email: email, Name: u.Name}
	if u.Locale != "" {
		to.Locales = append(to.Locales, u.Locale)
	}
	if r != nil {
		to.Locales = append(to.Locales, web.Lang(r).Tag())
	}
	return to
}

// tell sends a notice to an address of the person, in the transaction of ctx.
// Who has no address is not told, and a server without mail tells nobody: what
// the notice is about happens all the same.
func (h *Handler) tell(ctx context.Context, r *http.Request, u *user.User, email string, l templates.Letter) error {
	l.Name = u.Name
	l.Facts = append(l.Facts, circumstances(ctx)...)
	return notice(ctx, h.Letters, writeTo(r, u, email), l)
}

func notice(ctx context.Context, letters Letters, to mail.Recipient, l templates.Letter) error {
	if to.Email == "" {
		return nil
	}
	err := letters.Queue(ctx, to, l)
	if fault.CodeOf(err) == codeMailDisabled {
		return nil
	}
	return err
}

// codeMailDisabled is the code of the fault of a server without mail.
const codeMailDisabled = "mail_disabled"

// circumstances tell where a change came from, so that the owner can tell
// whether it was them.
func circumstances(ctx context.Context) []templates.Fact {
	t := trail.From(ctx)
	if t == nil {
		return nil
	}
	d := deviceOf(t.UserAgent)
	facts := []templates.Fact{{Key: templates.FactDevice, Value: strings.Trim(d.Browser+", "+d.OS, ", ")}}
	if t.Remote.IsValid() {
		facts = append(facts, templates.Fact{Key: templates.FactAddress, Value: t.Remote.String()})
	}
	return facts
}
