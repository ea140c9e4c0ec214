package onetime

import (
	"context"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Email is codes by e-mail. It is a factor.Sender and a factor.Lister.
type Email struct{ *Service }

var _ factor.Sender = Email{}

// Kind implements factor.Method.
func (Email) Kind() assurance.Factor { return assurance.Email }

// address returns the proven address of a person, or fault.Unavailable: a
// mailbox that nobody proved is no factor.
func address(u *user.User) (string, error) {
	if u.Email == "" || !u.EmailVerified {
		return "", nowhere("the address of the account is not proven")
	}
	return u.Email, nil
}

// To implements factor.Sender.
func (e Email) To(_ context.Context, u *user.User) (string, error) {
	to, err := address(u)
	return maskEmail(to), err
}

// maskEmail shows the ends of the local part: "a…e@example.com".
func maskEmail(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return ""
	}
	local := []rune(email[:at])
	if len(local) < 3 {
		return string(local[:1]) + "…" + email[at:]
	}
	return string(local[0]) + "…" + string(local[len(local)-1]) + email[at:]
}

// Send implements factor.Sender. The mail leaves from the outbox.
func (e Email) Send(ctx context.Context, a *factor.Attempt) error {
	to, err := address(a.User)
	if err != nil {
		return err
	}
	if _, err := e.contact(ctx, a.User.ID, byEmail); err != nil {
		return err
	}
	asked, err := e.mail(ctx, a.User, to, byEmail.use, a.Locales)
	if err == nil {
		a.Flow.Code = asked.ID
	}
	return err
}

// mail asks for a code of the purpose and puts it into the outbox, in one
// transaction. Mails that one address causes and that one mailbox gets are
// bounded.
func (s *Service) mail(ctx context.Context, u *user.User, to string, p confirm.Purpose, locales []string) (asked confirm.Asked, err error) {
	if err := s.Gate.Take(ctx, s.Rules.MailAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 mails per address"); err != nil {
		return asked, err
	}
	if err := s.Gate.Take(ctx, s.Rules.MailRecipient, limit.MailboxKey(s.Fingerprint, to), "OWASP ASVS 2.4.1 mails to one recipient"); err != nil {
		return asked, err
	}
	err = s.Tx.InTx(ctx, func(ctx context.Context) (err error) {
		asked, err = s.Proofs.Ask(ctx, confirm.Ask{Purpose: p, UserID: u.ID, For: Life, Code: true, Payload: sent{to}})
		if err != nil {
			return err
		}
		letter := templates.Letter{Key: "factor_code", Name: u.Name, Code: asked.Code, Facts: notice.Circumstances(ctx)}
		return s.Letters.Queue(ctx, notice.Owner(u, locales...), letter)
	})
	return asked, err
}

// Verify implements factor.Method.
func (e Email) Verify(ctx context.Context, a *factor.Attempt) ([]string, error) {
	to, err := address(a.User)
	if err != nil {
		return nil, err
	}
	return e.verify(ctx, a, byEmail, to, "")
}

// List implements factor.Lister.
func (e Email) List(ctx context.Context, userID string) ([]factor.Entry, error) {
	return e.list(ctx, userID, byEmail, func(Contact) (string, error) {
		u, err := e.Users.Get(ctx, userID)
		if err != nil {
			return "", err
		}
		return u.Email, nil
	})
}
