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

// lately is how long an ended session is told again to whoever repeats an end
// that was not acknowledged.
const lately = 10 * time.Minute

// End ends the session of a sid: its row, its grants, and every token issued
// in it. Offline grants stay: a person who signs out wants applications that
// work in their absence to go on. When it returns nil all of that is durable
// and holds on every instance. Repeating it is harmless.
func (s *Service) End(ctx context.Context, id, reason string) error {
	err := s.end(ctx, id, "", reason)
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// EndOne ends a session for the person whose it is, as End does, with its
// offline grants too: who ends another browser's session trusts nothing that
// came through it. One of somebody else, or of nobody, is fault.NotFound and
// nothing changes.
func (s *Service) EndOne(ctx context.Context, userID, id, reason string) error {
	if userID == "" {
		return errNotYours
	}
	err := s.end(ctx, id, userID, reason)
	if errors.Is(err, errNothing) {
		return errNotYours
	}
	return err
}

var errNotYours = fault.New(fault.NotFound, "not_found", "There is no such session.").
	Under("OWASP ASVS 7.5.2 people end their own sessions")

// end ends a session, of one person only if owner is not empty; then offline
// grants end too. errNothing when there is no such session.
func (s *Service) end(ctx context.Context, id, owner, reason string) error {
	var ended Session
	err := s.rev.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		found, err := s.store.ByID(ctx, id)
		if fault.Is(err, fault.NotFound) || err == nil && owner != "" && found.UserID != owner {
			return nil, errNothing
		} else if err != nil {
			return nil, err
		}
		now := clock.Now()
		if _, err := s.store.End(ctx, id, reason, now); err != nil {
			return nil, err
		}
		grants, err := s.grants.RevokeOfSessions(ctx, []string{id}, reason, owner != "", now)
		if err != nil {
			return nil, err
		}
		ended = found
		return s.entries([]string{id}, grants, reason, now), nil
	})
	if committed(err) && ended.EndedAt.IsZero() {
		s.record(ctx, ended.UserID, ended.UserID, id, reason)
	}
	if err != nil {
		return err
	}
	return s.forget(ctx, ended.Hash)
}

// committed reports whether an end stands, acknowledged or not: only the call
// that committed it can tell of it.
func committed(err error) bool { return err == nil || errors.Is(err, revocation.ErrCommitted) }

// EndOthers ends every session of a person but for the one of the sid keep
// (empty: all), with the grants that hang on each, offline ones too, and the
// tokens issued in them. The kept session's grants and tokens live on. When
// it returns nil all of that is durable and holds on every instance.
// Repeating it is harmless.
func (s *Service) EndOthers(ctx context.Context, userID, keep, reason string) error {
	return s.endMany(ctx, userID, userID, reason, func(ctx context.Context, now time.Time) ([]Ended, []revocation.Entry, error) {
		ended, err := s.store.EndOfUser(ctx, userID, keep, reason, now.Add(-lately), now)
		if err != nil {
			return nil, nil, err
		}
		grants, err := s.grants.RevokeOfSessions(ctx, ids(ended), reason, true, now)
		return ended, s.entries(ids(ended), grants, reason, now), err
	})
}

// EndOfUser ends every session of a person but for the one of the sid except
// (may be empty), all their grants, offline ones and those of the excepted
// session too, and every token issued to them so far. also runs in the same
// transaction (may be nil): the change that is the reason, such as a new
// password, holds exactly when the rest does. also may run more than once and
// must have no effect outside the database.
func (s *Service) EndOfUser(ctx context.Context, userID, except, reason string, also func(ctx context.Context) error) error {
	return s.endMany(ctx, "", userID, reason, func(ctx context.Context, now time.Time) ([]Ended, []revocation.Entry, error) {
		if also != nil {
			if err := also(ctx); err != nil {
				return nil, nil, err
			}
		}
		ended, err := s.store.EndOfUser(ctx, userID, except, reason, now.Add(-lately), now)
		if err != nil {
			return nil, nil, err
		}
		grants, err := s.grants.RevokeOfUser(ctx, userID, "", reason, now)
		cutOff := revocation.Entry{Kind: revocation.Subject, ID: userID, NotBefore: now, ExpiresAt: now.Add(s.cfg.TokenLife), Reason: reason}
		return ended, append(s.entries(ids(ended), grants, reason, now), cutOff), err
	})
}

// endMany runs an end of many sessions in one transaction and tells of it.
func (s *Service) endMany(
	ctx context.Context, actor, userID, reason string,
	end func(ctx context.Context, now time.Time) ([]Ended, []revocation.Entry, error),
) error {
	var ended []Ended
	err := s.rev.Revoke(ctx, func(ctx context.Context) (entries []revocation.Entry, err error) {
		ended, entries, err = end(ctx, clock.Now())
		return entries, err
	})
	hashes := make([]string, len(ended))
	for i, e := range ended {
		hashes[i] = e.Hash
		if committed(err) && !e.Before {
			s.record(ctx, actor, userID, e.ID, reason)
		}
	}
	if err != nil {
		return err
	}
	return s.forget(ctx, hashes...)
}

func ids(ended []Ended) []string {
	all := make([]string, len(ended))
	for i, e := range ended {
		all[i] = e.ID
	}
	return all
}

func (s *Service) record(ctx context.Context, actor, userID, id, reason string) {
	s.audit.Record(ctx, audit.Event{
		Name: audit.SessionEnded, Actor: actor, UserID: userID, SessionID: id,
		Data: map[string]string{"reason": reason},
	})
}

// entries are the facts of an end: each session, and each grant for itself,
// because a token signed a moment before the cut-off may reach its owner
// after it.
func (s *Service) entries(sessions, grants []string, reason string, now time.Time) []revocation.Entry {
	expires := now.Add(s.cfg.TokenLife)
	var all []revocation.Entry
	for _, id := range sessions {
		all = append(all, revocation.Entry{Kind: revocation.Session, ID: id, NotBefore: now, ExpiresAt: expires, Reason: reason})
	}
	for _, g := range grants {
		all = append(all, revocation.Entry{Kind: revocation.Grant, ID: g, ExpiresAt: expires, Reason: reason})
	}
	return all
}
