package recovery

import (
	"context"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// tellAsked tells the person that an administrator opened a way into their
// account: when, and not who, from where or with what, because the letter may
// be read by whoever took the account over.
func (f *Factors) tellAsked(ctx context.Context, u *user.User) error {
	var when []templates.Fact
	for _, fact := range notice.Circumstances(ctx) {
		if fact.Key == templates.FactTime {
			when = append(when, fact)
		}
	}
	return f.tell(ctx, u, templates.Letter{Key: "factor_recovery_asked", URL: f.URL(protocol.PathAccountHistory), Facts: when})
}

// tellUsed tells the person that their second factors are gone.
func (f *Factors) tellUsed(ctx context.Context, u *user.User, locales ...string) error {
	return f.tell(ctx, u, templates.Letter{Key: "factors_recovered", URL: f.URL(protocol.PathAccountSecurity), Facts: notice.Circumstances(ctx)}, locales...)
}

// tell queues a letter in the transaction of ctx. Who has no address is not
// told, and a server without mail tells nobody: nobody is left outside for it.
func (f *Factors) tell(ctx context.Context, u *user.User, l templates.Letter, locales ...string) error {
	if u.Email == "" {
		return nil
	}
	l.Name = u.Name
	err := f.Letters.Queue(ctx, notice.Owner(u, locales...), l)
	if fault.CodeOf(err) == mail.CodeDisabled {
		return nil
	}
	return err
}
