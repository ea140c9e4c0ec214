package limit

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// Rules are the limits of the product, as configured. Those per address are
// already scaled.
type Rules struct {
	LoginAccount    Rule // failed logins of one account
	LoginAddress    Rule // failed logins of one address
	SignupAddress   Rule // sign-up forms of one address
	RecoveryAddress Rule // recovery forms of one address
	AccountAddress  Rule // changes to accounts from one address
	MailAddress     Rule // mails that one address causes
	MailRecipient   Rule // mails that strangers cause to one recipient
	Code            Rule // wrong codes of one account
}

// Standard are the rules when nothing is configured.
func Standard() Rules {
	const quarter = 15 * time.Minute
	return Rules{
		LoginAccount:    Rule{Name: "login-account", Max: 5, Window: quarter},
		LoginAddress:    Rule{Name: "login-address", Max: 20, Window: quarter},
		SignupAddress:   Rule{Name: "signup-address", Max: 100, Window: quarter},
		RecoveryAddress: Rule{Name: "recovery-address", Max: 100, Window: quarter},
		AccountAddress:  Rule{Name: "account-address", Max: 100, Window: quarter},
		MailAddress:     Rule{Name: "mail-address", Max: 30, Window: quarter},
		MailRecipient:   Rule{Name: "mail-recipient", Max: 10, Window: time.Hour},
		Code:            Rule{Name: "code", Max: 10, Window: quarter},
	}
}

// Gate counts attempts and refuses those that are too many. It is safe for
// concurrent use.
type Gate struct{ Store Store }

// Take counts one attempt of key. fault.Limited under the clause when it is
// one too many, with the time to wait; fault.Unavailable when the counters
// cannot be reached.
func (g Gate) Take(ctx context.Context, rule Rule, key, clause string) error {
	got, err := g.Store.Take(ctx, rule, key, clock.Now())
	if err != nil || got.Allowed {
		return err
	}
	return fault.New(fault.Limited, "rate_limited", "There were too many attempts. Wait a little and try again.").
		Under(clause).Compare(rule.Name, "at most "+strconv.Itoa(rule.Max)+" in "+rule.Window.String(), "more").
		After(max(got.RetryAfter, time.Second))
}

// Remote returns the key of where the request of ctx comes from.
func Remote(ctx context.Context) string {
	if t := trail.From(ctx); t != nil {
		return AddressKey(t.Remote)
	}
	return AddressKey(netip.Addr{})
}
