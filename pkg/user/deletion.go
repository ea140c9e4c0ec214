package user

import (
	"context"
	"errors"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// CodeLastAdministrator is the code of the refusal to let the last
// administrator go.
const CodeLastAdministrator = "last_administrator"

// AskDeletion notes that the person wants their account removed when grace is
// over. Their sessions, grants and tokens end in the same transaction, and
// also runs in it (may be nil; it may run more than once and must have no
// effect outside the database). Who asked before keeps the earlier time.
// fault.Conflict, code CodeLastAdministrator, when nobody could administer
// Portico without them.
func (s *Service) AskDeletion(ctx context.Context, id string, grace time.Duration, also func(ctx context.Context, u User) error) (*User, error) {
	var leaving User
	err := s.sessions.EndOfUser(ctx, id, "", "deletion asked for", func(ctx context.Context) error {
		u, err := s.store.Hold(ctx, id)
		if err != nil {
			return err
		}
		if err := s.dispensable(ctx, u); err != nil {
			return err
		}
		now := clock.Now().UTC().Truncate(time.Microsecond)
		if u.DeleteAt.IsZero() {
			u.DeleteAt = now.Add(grace)
		}
		u.UpdatedAt = now
		leaving = u
		if err := s.store.Update(ctx, u); err != nil || also == nil {
			return err
		}
		return also(ctx, u)
	})
	if err != nil {
		return nil, err
	}
	s.audit.Record(ctx, audit.Event{
		Name: audit.UserDeletionAsked, Actor: id, UserID: id,
		Data: map[string]string{"delete_at": leaving.DeleteAt.Format(time.RFC3339)},
	})
	return &leaving, nil
}

// dispensable refuses to let the last administrator go.
func (s *Service) dispensable(ctx context.Context, u User) error {
	if !u.Administers() {
		return nil
	}
	another, err := s.store.AnotherHas(ctx, Administrator, u.ID)
	if err != nil || another {
		return err
	}
	return fault.New(fault.Conflict, CodeLastAdministrator, "You are the only administrator. Make somebody else one before you go.").
		Under("account somebody else administers Portico").Compare("other administrators", "at least one", "none").
		WithHint("give another person the role %s first", Administrator)
}

// Keep takes back that the person asked for deletion. What ended stays ended.
// Repeating it is harmless.
func (s *Service) Keep(ctx context.Context, id string) error {
	_, err := s.Change(ctx, id, func(_ context.Context, u *User) error {
		if u.DeleteAt.IsZero() {
			return errKept
		}
		u.DeleteAt = time.Time{}
		return nil
	})
	if errors.Is(err, errKept) {
		return nil
	} else if err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserKept, Actor: id, UserID: id})
	return nil
}

// errKept ends a change that has nothing to change.
var errKept = errors.New("user: they stay")

// RemoveDue removes at most limit people whose time has come, and returns how
// many. also runs in the transaction that removes one (may be nil; it may run
// more than once and must have no effect outside the database). One who cannot
// be removed does not keep the others.
func (s *Service) RemoveDue(ctx context.Context, limit int, also func(ctx context.Context, gone User) error) (int, error) {
	due, err := s.store.DueForDeletion(ctx, clock.Now(), limit)
	if err != nil {
		return 0, err
	}
	removed := 0
	var failed []error
	for _, id := range due {
		switch err := s.remove(ctx, id, also); {
		case err == nil:
			removed++
		case !errors.Is(err, errKept):
			failed = append(failed, err)
		}
	}
	return removed, errors.Join(failed...)
}

// remove ends everything of the person first, so that their tokens are dead on
// every instance before the rows that say so are gone. They may change their
// mind until the last moment.
func (s *Service) remove(ctx context.Context, id string, also func(ctx context.Context, gone User) error) error {
	err := s.sessions.EndOfUser(ctx, id, "", "user deleted", func(ctx context.Context) error {
		_, err := s.holdDue(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	err = s.tx.InTx(ctx, func(ctx context.Context) error {
		u, err := s.holdDue(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.Delete(ctx, id); err != nil || also == nil {
			return err
		}
		return also(ctx, u)
	})
	if err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserDeleted, UserID: id})
	return nil
}

func (s *Service) holdDue(ctx context.Context, id string) (User, error) {
	u, err := s.store.Hold(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return u, errKept // another instance was here
	case err != nil:
		return u, err
	case u.DeleteAt.IsZero() || u.DeleteAt.After(clock.Now()):
		return u, errKept
	}
	return u, nil
}
