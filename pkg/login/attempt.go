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
	reasonUnknown  = "no such person"
	reasonWrong    = "wrong password"
	reasonDisabled = "person is disabled"
)

// attempt returns who signs in. Faults: Unauthenticated for every reason that
// keeps somebody out, so that nobody learns which; Limited after too many
// failures; Unavailable when counters, store or hashing cannot answer.
//
// Each try is counted before the password is looked at, so that guesses in
// parallel get no more than guesses one by one, and given back when it was
// right. The counters are the same for people who exist and who do not.
//
// What strangers do from the same address, or with the same password, stops
// nobody on a device that they have used before: it has a counter of its own.
func (h *Handler) attempt(ctx context.Context, v *visit.Visit, d device, username, plain string) (*user.User, error) {
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
	reason, err := h.verify(ctx, u, plain)
	if err != nil {
		tries.giveBack(ctx) // nothing was learnt from it
		return nil, err
	}
	if reason != "" {
		if !known {
			tries.learn(ctx, plain, account)
		}
		return nil, h.failed(ctx, v, u, reason)
	}
	tries.giveBack(ctx)
	return u, nil
}

// stopped ends an attempt before the password was looked at. A refusal stays
// counted; what could not be asked was no attempt.
func (h *Handler) stopped(ctx context.Context, v *visit.Visit, tries *tries, err error) error {
	if !fault.Is(err, fault.Limited) {
		tries.giveBack(ctx)
	}
	return h.throttled(ctx, v, err)
}

// verify returns why the person may not enter, or "". It spends the same for
// people who exist, who do not, and who are disabled.
func (h *Handler) verify(ctx context.Context, u *user.User, plain string) (reason string, err error) {
	if u == nil {
		return reasonUnknown, h.Passwords.VerifyNobody(ctx, plain)
	}
	right, err := h.Passwords.Verify(ctx, u.ID, plain)
	switch {
	case err != nil:
		return "", err
	case !right:
		return reasonWrong, nil
	case u.Disabled:
		return reasonDisabled, nil
	}
	return "", nil
}

func (h *Handler) failed(ctx context.Context, v *visit.Visit, u *user.User, reason string) error {
	e := audit.Event{Name: audit.LoginFailed, ClientID: v.Flow.Request.ClientID, Data: map[string]string{"reason": reason}}
	if u != nil {
		e.UserID = u.ID
	}
	h.Audit.Record(ctx, e)
	return fault.New(fault.Unauthenticated, "login_failed", "That username and password do not match.").
		Under("OWASP ASVS 6.3.8 the person exists, is not disabled, and the password is right").
		Compare("login", "accepted", reason)
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
