package login

import (
	"context"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/user"
)

// Why an attempt failed: for the operator alone. The person always reads the
// same.
const (
	reasonUnknown   = "no such person"
	reasonWrong     = "wrong password"
	reasonDisabled  = "person is disabled"
	reasonElsewhere = "no directory takes the password"
	reasonWay       = "the application allows no passwords"
)

// attempt returns who signs in. Faults: Unauthenticated for every reason that
// keeps somebody out, so that nobody learns which; Limited after too many
// failures; Unavailable when counters, store, hashing or a directory cannot
// answer; Denied for who is right in a directory and not let in here.
//
// Each try is counted before the password is looked at, so that guesses in
// parallel get no more than guesses one by one, and given back when it was
// right. The counters are the same for people who exist and who do not.
//
// What strangers do from the same address, or with the same password, stops
// nobody on a device that they have used before: it has a counter of its own.
func (h *Handler) attempt(ctx context.Context, v *visit.Visit, d device, username, plain string) (*Arrival, error) {
	tries := h.brake.begin()
	defer tries.end()
	braked := tries.address(ctx)
	if braked != nil && (!fault.Is(braked, fault.Limited) || !d.claims()) {
		return nil, h.throttled(ctx, v, braked)
	}
	u, err := h.Users.ByIdentifier(ctx, username)
	if err != nil && !fault.Is(err, fault.NotFound) {
		tries.giveBack(ctx)
		return nil, err
	}
	account, known := h.brake.account(u, username), u != nil && d.knows(u.ID)
	if !known && braked == nil {
		braked = tries.suspected(ctx, plain)
	}
	if !known && braked != nil {
		return nil, h.stopped(ctx, v, tries, braked)
	}
	if err := tries.account(ctx, account, known, d); err != nil {
		return nil, h.stopped(ctx, v, tries, err)
	}
	found, err := h.verify(ctx, v, u, username, plain)
	if err != nil {
		tries.giveBack(ctx) // nothing was learnt from it
		return nil, err
	}
	if found.reason != "" {
		if !known {
			tries.learn(ctx, plain, account)
		}
		if found.down != nil {
			tries.giveBackSource(ctx)
		}
		return nil, h.failed(ctx, v, u, found)
	}
	tries.giveBack(ctx)
	return found.Arrival, nil
}

// stopped ends an attempt before the password was looked at. A refusal stays
// counted; what could not be asked was no attempt.
func (h *Handler) stopped(ctx context.Context, v *visit.Visit, tries *tries, err error) error {
	if !fault.Is(err, fault.Limited) {
		tries.giveBack(ctx)
		return err
	}
	err = h.throttled(ctx, v, err)
	if down := h.silence(ctx, v); down != nil {
		tries.giveBackSource(ctx)
		return down
	}
	return err
}

// failed notes an attempt that failed, and returns what the person reads.
func (h *Handler) failed(ctx context.Context, v *visit.Visit, u *user.User, found verdict) error {
	e := audit.Event{Name: audit.LoginFailed, ClientID: v.Flow.Request.ClientID, Data: map[string]string{"reason": found.reason}}
	if u != nil {
		e.UserID = u.ID
	}
	h.Audit.Record(ctx, e)
	if found.down != nil {
		return found.down
	}
	err := fault.New(fault.Unauthenticated, "login_failed", "That username and password do not match.").
		Under("OWASP ASVS 6.3.8 the person exists, is not disabled, and the password is right").
		Compare("login", "accepted", found.reason)
	if found.because != nil {
		err.Rule = found.because.Rule
		err.Compared = append(err.Compared, found.because.Compared...)
	}
	return err
}

func (h *Handler) throttled(ctx context.Context, v *visit.Visit, err error) error {
	if !fault.Is(err, fault.Limited) {
		return err
	}
	h.Audit.Record(ctx, audit.Event{
		Name: audit.LoginThrottled, ClientID: v.Flow.Request.ClientID,
		Data: map[string]string{"rule": fault.As(err).Rule},
	})
	return err
}
