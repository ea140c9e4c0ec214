package recovery

import (
	"context"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// WayBack is an open link, the request behind it, and whose account it is.
type WayBack struct {
	Person  *user.User
	proof   *confirm.Confirmation
	request Request
}

// ByLink returns the open way back of a link, without spending it. fault.Gone,
// code "link_over", for every other link, and for that of a person who is gone
// or disabled.
func (f *Factors) ByLink(ctx context.Context, link string) (*WayBack, error) {
	c, err := f.Confirm.ByLink(ctx, confirm.RecoverFactors, link)
	if err != nil {
		return nil, err
	}
	var t ticket
	if err := f.Confirm.Payload(c, &t); err != nil {
		return nil, err
	}
	r, err := f.Store.ByID(ctx, t.Request)
	if fault.Is(err, fault.NotFound) || err == nil && !(r.Open(clock.Now()) && r.ConfirmationID == c.ID) {
		return nil, confirm.Over("its request is over").Because(err)
	} else if err != nil {
		return nil, err
	}
	u, err := f.Users.Get(ctx, c.UserID)
	if fault.Is(err, fault.NotFound) {
		return nil, confirm.Over("its person is gone").Because(err)
	} else if err != nil {
		return nil, err
	}
	if u.Disabled {
		return nil, confirm.Over("its person is disabled")
	}
	return &WayBack{Person: u, proof: c, request: r}, nil
}

// Use removes every second factor of the person, for who has proven the first
// one. In one transaction the link is spent, what waits for the person's word
// ends (a change of address that a thief asked for must not outlive it), no
// browser is remembered any more, every session, grant and token ends, and the
// owner is told. Of any number of concurrent calls one succeeds, the others get
// fault.Gone, code "link_over". locales are those of the request.
func (f *Factors) Use(ctx context.Context, w *WayBack, locales ...string) error {
	id := w.Person.ID
	err := f.Sessions.EndOfUser(ctx, id, "", "factors recovered", func(ctx context.Context) error {
		_, err := f.Users.Change(ctx, id, func(ctx context.Context, u *user.User) error {
			if u.Disabled {
				return confirm.Over("its person is disabled")
			}
			if err := f.spend(ctx, w); err != nil {
				return err
			}
			if _, err := f.Store.RemoveFactors(ctx, id); err != nil {
				return err
			}
			u.Factors = nil
			if u.EnrolAskedAt.IsZero() {
				// Time to put it off is for newcomers: who had a factor is asked for
				// another at once.
				u.EnrolAskedAt = u.CreatedAt
			}
			return f.tellUsed(ctx, u, locales...)
		})
		return err
	})
	if err != nil {
		return err
	}
	f.record(ctx, audit.FactorsRecovered, id, &w.request)
	return nil
}

// spend ends the link and its request, and what else waits for the person.
func (f *Factors) spend(ctx context.Context, w *WayBack) error {
	if err := f.Confirm.Use(ctx, w.proof); err != nil {
		return err
	}
	err := f.Store.End(ctx, w.request.ID, confirm.Used, clock.Now())
	if fault.Is(err, fault.Conflict) {
		return confirm.Over("its request is over").Because(err)
	} else if err != nil {
		return err
	}
	return f.Confirm.End(ctx, w.Person.ID, confirm.Withdrawn, confirm.ChangeEmail)
}
