package onetime

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// Offer sends a code to the address of the account, which Confirm takes.
// Faults: Unavailable when the address is not proven, or there is no mail;
// Limited.
func (e Email) Offer(ctx context.Context, u *user.User, locales ...string) error {
	to, err := address(u)
	if err == nil {
		_, err = e.mail(ctx, u, to, byEmail.enrol, locales)
	}
	return err
}

// Confirm turns codes by e-mail on, when the code is the one that was sent to
// the address which the account still has. Faults: Unauthenticated when it is
// wrong; Gone when it is over; Limited.
func (e Email) Confirm(ctx context.Context, c factor.Change, code string) error {
	return e.confirm(ctx, c, byEmail, code, func(u *user.User, to string) (target string, err error) {
		if now, err := address(u); err != nil || now != to {
			return "", confirm.Over("the account has another address by now")
		}
		return "", nil
	})
}

// Waiting returns where the code went that Confirm waits for; empty: for none.
func (e Email) Waiting(ctx context.Context, userID string) (string, error) {
	return e.waiting(ctx, userID, byEmail)
}

// Remove turns codes by e-mail off: fault.NotFound when they are not on;
// fault.Conflict, code "last_factor", as factor.Keeper says.
func (e Email) Remove(ctx context.Context, c factor.Change) error { return e.remove(ctx, c, byEmail) }

// Offer sends a code to the number, as sms.Normalise returns it. Faults:
// Unavailable when it cannot be sent; Limited.
func (s SMS) Offer(ctx context.Context, u *user.User, number string, locales ...string) error {
	_, err := s.text(ctx, u, number, bySMS.enrol, locales)
	return err
}

// Confirm makes the number to which the code was sent that of the person's
// codes, in place of any other, and their proven phone number. Faults as those
// of Email.Confirm.
func (s SMS) Confirm(ctx context.Context, c factor.Change, code string) error {
	return s.confirm(ctx, c, bySMS, code, func(u *user.User, to string) (target string, err error) {
		u.PhoneNumber, u.PhoneNumberVerified = to, true
		return to, nil
	})
}

// Waiting returns the number that waits for Confirm; empty: none does.
func (s SMS) Waiting(ctx context.Context, userID string) (string, error) {
	return s.waiting(ctx, userID, bySMS)
}

// Remove turns codes by text message off, as Email.Remove. The person keeps
// the number in their profile.
func (s SMS) Remove(ctx context.Context, c factor.Change) error { return s.remove(ctx, c, bySMS) }

func (s *Service) waiting(ctx context.Context, userID string, w way) (string, error) {
	c, err := s.Proofs.Of(ctx, userID, w.enrol)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	var went sent
	if err := s.Proofs.Payload(c, &went); fault.Is(err, fault.Gone) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return went.To, nil
}

// confirm adds the factor, in the transaction that spends the code. Wrong
// codes count for the person over all codes, besides those that each bears.
// accept looks at the person, held, and returns what is kept of where the code
// went.
func (s *Service) confirm(ctx context.Context, c factor.Change, w way, code string, accept func(u *user.User, to string) (string, error)) error {
	rule, key := s.Rules.Code, "user:"+c.UserID
	if err := s.Gate.Take(ctx, rule, key, "OWASP ASVS 6.6.3 codes per account"); err != nil {
		return err
	}
	pending, err := s.Proofs.Of(ctx, c.UserID, w.enrol)
	if fault.Is(err, fault.NotFound) {
		return over(confirm.Over("none is waited for").Because(err))
	} else if err != nil {
		return err
	}
	proven, err := s.Proofs.ByCode(ctx, w.enrol, pending.ID, code)
	if err != nil {
		return over(err)
	}
	if err := s.Gate.Give(context.WithoutCancel(ctx), rule, key); err != nil {
		trail.Set(ctx, "limit_give", "failed") // the count is only stricter
	}
	var went sent
	if err := s.Proofs.Payload(proven, &went); err != nil {
		return over(err)
	}
	c.Kind = w.kind
	return over(s.Keeper.Add(ctx, c, func(ctx context.Context, u *user.User) error {
		target, err := accept(u, went.To)
		if err != nil {
			return err
		}
		if err := s.Proofs.Use(ctx, proven); err != nil {
			return err
		}
		if err := s.Proofs.End(ctx, u.ID, confirm.Replaced, w.use); err != nil {
			return err
		}
		return s.Store.Put(ctx, Contact{UserID: u.ID, Kind: w.kind, Target: target, CreatedAt: clock.Now().UTC().Truncate(time.Microsecond)})
	}))
}

func (s *Service) remove(ctx context.Context, c factor.Change, w way) error {
	c.Kind = w.kind
	return s.Keeper.Remove(ctx, c, func(ctx context.Context, u *user.User) (int, error) {
		if err := s.Store.Delete(ctx, u.ID, w.kind); err != nil {
			return 0, err
		}
		return 0, s.Proofs.End(ctx, u.ID, confirm.Withdrawn, w.use, w.enrol)
	})
}
