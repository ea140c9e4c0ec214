package account

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// writeTo is the person at one of their addresses. They read the language of
// their account, or else that of the page.
func writeTo(r *http.Request, u *user.User, email string) mail.Recipient {
	var locales []string
	if r != nil {
		locales = append(locales, web.Lang(r).Tag())
	}
	to := notice.Owner(u, locales...)
	to.Email = email
	return to
}

// tell sends a notice to an address of the person, in the transaction of ctx.
// Who has no address is not told, and a server without mail tells nobody: what
// the notice is about happens all the same.
func (h *Handler) tell(ctx context.Context, r *http.Request, u *user.User, email string, l templates.Letter) error {
	l.Name = u.Name
	l.Facts = append(l.Facts, notice.Circumstances(ctx)...)
	return post(ctx, h.Letters, writeTo(r, u, email), l)
}

func post(ctx context.Context, letters Letters, to mail.Recipient, l templates.Letter) error {
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
