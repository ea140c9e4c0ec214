package onetime

import (
	"context"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/sms"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// SMS is codes by text message. It is a factor.Sender and a factor.Lister.
type SMS struct{ *Service }

var _ factor.Sender = SMS{}

// Kind implements factor.Method.
func (SMS) Kind() assurance.Factor { return assurance.SMS }

// To implements factor.Sender.
func (s SMS) To(ctx context.Context, u *user.User) (string, error) {
	c, err := s.contact(ctx, u.ID, bySMS)
	if err != nil {
		return "", err
	}
	return sms.Mask(c.Target), nil
}

// Send implements factor.Sender.
func (s SMS) Send(ctx context.Context, a *factor.Attempt) error {
	c, err := s.contact(ctx, a.User.ID, bySMS)
	if err != nil {
		return err
	}
	asked, err := s.text(ctx, a.User, c.Target, bySMS.use, a.Locales)
	if err == nil {
		a.Flow.Code = asked.ID
	}
	return err
}

// text sends a code of the purpose to a number. Messages cost money and bother
// people, so those that one address causes and that one number gets are
// bounded. The code counts once the message was taken: when it cannot be sent,
// an earlier code still works, and the person has spent nothing.
func (s *Service) text(ctx context.Context, u *user.User, number string, p confirm.Purpose, locales []string) (asked confirm.Asked, err error) {
	if err := s.Gate.Take(ctx, s.Rules.SMSAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 text messages per address"); err != nil {
		return asked, err
	}
	key := limit.MailboxKey(s.Fingerprint, number)
	if err := s.Gate.Take(ctx, s.Rules.SMSRecipient, key, "OWASP ASVS 2.4.1 text messages to one number"); err != nil {
		return asked, err
	}
	d, err := s.Proofs.Draft(confirm.Ask{Purpose: p, UserID: u.ID, For: Life, Code: true, Payload: sent{number}})
	if err != nil {
		return asked, err
	}
	text, err := s.words(u, d.Code, locales)
	if err != nil {
		return asked, err
	}
	if err := s.SMS.Send(ctx, sms.Message{ID: d.ID, To: number, Text: text}); err != nil {
		s.unsent(ctx, u, key, err)
		return asked, err
	}
	return d.Asked, s.Proofs.Keep(ctx, d)
}

// unsent notes a message that was not taken. The number is not charged for it;
// the address is, so that nobody hammers what is down.
func (s *Service) unsent(ctx context.Context, u *user.User, key string, cause error) {
	ctx = context.WithoutCancel(ctx)
	if err := s.Gate.Give(ctx, s.Rules.SMSRecipient, key); err != nil {
		trail.Set(ctx, "limit_give", "failed") // the count is only stricter
	}
	reason := fault.CodeOf(cause)
	for _, c := range fault.As(cause).Compared {
		reason = c.Got
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.SMSFailed, UserID: u.ID, Data: map[string]string{"reason": reason}})
}

// words says the code in one line, and once more in the line that lets browsers
// fill it in on our pages, and nowhere else (WICG Origin-bound one-time codes
// §3.2).
func (s *Service) words(u *user.User, code string, locales []string) (string, error) {
	digits := strings.ReplaceAll(code, " ", "")
	lang := s.Words.Negotiate(notice.Owner(u, locales...).Locales, "", "")
	line, err := s.Words.CodeText(lang, digits)
	return line + "\n\n@" + s.Host + " #" + digits, err
}

// Verify implements factor.Method.
func (s SMS) Verify(ctx context.Context, a *factor.Attempt) ([]string, error) {
	c, err := s.contact(ctx, a.User.ID, bySMS)
	if err != nil {
		return nil, err
	}
	return s.verify(ctx, a, bySMS, c.Target, c.Target)
}

// List implements factor.Lister.
func (s SMS) List(ctx context.Context, userID string) ([]factor.Entry, error) {
	return s.list(ctx, userID, bySMS, func(c Contact) (string, error) { return c.Target, nil })
}
