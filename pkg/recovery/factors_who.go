package recovery

import (
	"context"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// administrator refuses whoever may not administer Portico.
func (f *Factors) administrator(ctx context.Context, id string) error {
	u, err := f.Users.Get(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil && u.Administers() && !u.Disabled {
		return nil
	}
	return fault.New(fault.Denied, "not_administrator", "Only an administrator opens a way back in.").
		Under("recovery who asks and who approves may administer").Compare("role", user.Administrator, "another person").Because(err).
		WithHint("name somebody who has the role %s and is not disabled", user.Administrator)
}

// stranded returns the person whom a link would help.
func (f *Factors) stranded(ctx context.Context, id string) (*user.User, error) {
	u, err := f.Users.Get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case u.Disabled:
		return nil, fault.New(fault.Denied, "user_disabled", "This person is disabled.").
			Under("recovery the person may sign in").WithHint("enable the person first")
	case len(u.Factors) == 0:
		return nil, fault.New(fault.Conflict, "no_factors", "This person has no second factor, so there is nothing to recover.").
			Under("recovery there is a second factor to remove").
			WithHint("a forgotten password is reset by the person, or with: portico user set-password")
	}
	return u, nil
}

// find returns the request of an id that an operator typed.
func (f *Factors) find(ctx context.Context, id string) (Request, error) {
	r, err := f.Store.ByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return r, fault.Hide(err, fault.NotFound, "recovery_not_found", "There is no such way back in.").
			WithHint("portico user recoveries lists those that are open")
	}
	return r, err
}

// waiting returns the request of an id if it waits for approval.
func (f *Factors) waiting(ctx context.Context, id string) (Request, error) {
	r, err := f.find(ctx, id)
	switch {
	case err != nil:
		return r, err
	case !r.Open(clock.Now()):
		return r, requestOver(&r)
	case r.Approved():
		return r, approved()
	}
	return r, nil
}

// mayApprove holds four eyes: two people who may administer, of whom neither
// is the one that is let in by the second.
func (f *Factors) mayApprove(ctx context.Context, r *Request, by string) error {
	const rule = "recovery another administrator approves"
	switch by {
	case r.AskedBy:
		return fault.New(fault.Denied, "same_administrator", "Another administrator must approve this.").
			Under(rule).Compare("approved_by", "another than who asked", "the same")
	case r.UserID:
		return fault.New(fault.Denied, "own_recovery", "Nobody approves their own way back in.").
			Under(rule).Compare("approved_by", "another than who gets in", "the same")
	}
	return f.administrator(ctx, r.AskedBy)
}

func approved() *fault.Error {
	return fault.New(fault.Conflict, "already_approved", "This was approved already, and its link was shown then.").
		Under("recovery a link is made once").WithHint("ask for a new way back in when the link is lost: the old one ends")
}

// requestOver is the answer to a request that nobody can approve or withdraw.
func requestOver(r *Request) *fault.Error {
	why := r.EndReason
	if why == "" {
		why = "too old, or ended meanwhile"
	}
	return fault.New(fault.Gone, "recovery_over", "This way back in is over.").
		Under("recovery the request is open").Compare("recovery", "open", why)
}
