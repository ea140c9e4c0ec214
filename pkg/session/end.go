package session

import (
	"context"
	"errors"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// errNothing ends a transaction that found nothing to change.
var errNothing = errors.New("session: nothing to end")

// End ends the session of a sid: its row, its grants but for offline ones,
// and every token issued in it. When it returns nil all of that is durable
// and holds on every instance. Repeating it is harmless.
func (s *Service) End(ctx context.Context, id, reason string) error {
	var ended Session
	err := s.rev.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		found, err := s.store.ByID(ctx, id)
		if fault.Is(err, fault.NotFound) {
			return nil, errNothing
		} else if err != nil {
			return nil, err
		}
		now := clock.Now()
		if _, err := s.store.End(ctx, id, reason, now); err != nil {
			return nil, err
		}
		grants, err := s.grants.RevokeOfSession(ctx, id, reason, false, now)
		if err != nil {
			return nil, err
		}
		ended = found
		return s.entries(revocation.Session, id, grants, reason, now), nil
	})
	if errors.Is(err, errNothing) {
		return nil
	} else if err != nil {
		return err
	}
	if ended.EndedAt.IsZero() {
		s.audit.Record(ctx, audit.Event{
			Name: audit.SessionEnded, Actor: ended.UserID,
			UserID: ended.UserID, SessionID: id, Data: map[string]string{"reason": reason},
		})
	}
	return nil
}

// EndOfUser ends every session of a person but for the one of the sid except
// (may be empty), all their grants, offline ones too, and every token issued
// to them so far. also runs in the same transaction (may be nil): the change
// that is the reason, such as a new password, holds exactly when the rest
// does. also may run more than once and must have no effect outside the
// database.
func (s *Service) EndOfUser(ctx context.Context, userID, except, reason string, also func(ctx context.Context) error) error {
	var ended []string
	err := s.rev.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		if also != nil {
			if err := also(ctx); err != nil {
				return nil, err
			}
		}
		now := clock.Now()
		var err error
		if ended, err = s.store.EndOfUser(ctx, userID, except, reason, now); err != nil {
			return nil, err
		}
		grants, err := s.grants.RevokeOfUser(ctx, userID, "", reason, now)
		if err != nil {
			return nil, err
		}
		return s.entries(revocation.Subject, userID, grants, reason, now), nil
	})
	if err != nil {
		return err
	}
	for _, id := range ended {
		s.audit.Record(ctx, audit.Event{
			Name: audit.SessionEnded, UserID: userID, SessionID: id,
			Data: map[string]string{"reason": reason},
		})
	}
	return nil
}

// entries are the facts of an end: the cut-off, and each grant for itself,
// because a token signed a moment before the cut-off may reach its owner
// after it.
func (s *Service) entries(kind revocation.Kind, id string, grants []string, reason string, now time.Time) []revocation.Entry {
	expires := now.Add(s.cfg.TokenLife)
	all := []revocation.Entry{{Kind: kind, ID: id, NotBefore: now, ExpiresAt: expires, Reason: reason}}
	for _, g := range grants {
		all = append(all, revocation.Entry{Kind: revocation.Grant, ID: g, ExpiresAt: expires, Reason: reason})
	}
	return all
}
