package session

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/trail"
)

const (
	// CopyLife bounds how old a copy may be that answers for the Store.
	CopyLife = time.Minute
	// DropLife is how long a Cache remembers at least what was dropped. A copy
	// that was read before is past its CopyLife by then.
	DropLife = 2 * CopyLife
)

// Copy is a session as the Store showed it.
type Copy struct {
	Session

	Until time.Time // by when the Store has to be asked again
}

// Cache keeps copies of live sessions in front of the Store, by the
// fingerprint of their cookie. It decides nothing: what it lacks, or cannot
// tell, the Store knows. Implementations pass storagetest.SessionCache. Every
// method fails with fault.Unavailable when the cache cannot be reached.
type Cache interface {
	// Get returns the copy under the fingerprint, or fault.NotFound when
	// there is none, or it is due at now.
	Get(ctx context.Context, hash string, now time.Time) (Copy, error)
	// Put keeps a copy under the fingerprint it carries, in the place of an
	// earlier one. It does nothing, without an error, when the fingerprint was
	// dropped within DropLife: the copy may have been read before.
	Put(ctx context.Context, c Copy, now time.Time) error
	// Drop removes the copies under the fingerprints and keeps others from
	// being put there for DropLife. Repeating it is harmless; fingerprints
	// that are unknown are dropped too, empty ones are ignored.
	Drop(ctx context.Context, hashes []string, now time.Time) error
}

// Results of a look-up, as Config.Looked counts them.
const (
	lookHit  = "hit"
	lookMiss = "miss"
	lookAway = "unavailable"
)

// copyOf returns the copy of a session that stands at now. One whose end the
// revocations know is none: the cache may have lost that it was dropped, by
// failing over or because another process did it. again says whether it is
// worth to put one there.
func (s *Service) copyOf(ctx context.Context, hash string, now time.Time) (c *Copy, again bool) {
	if s.cfg.Cache == nil {
		return nil, false
	}
	found, err := s.cfg.Cache.Get(ctx, hash, now)
	if fault.Is(err, fault.NotFound) {
		return s.looked(ctx, lookMiss, nil, true)
	} else if err != nil {
		return s.looked(ctx, lookAway, nil, false)
	}
	if found.Until.Sub(now) > CopyLife || !found.Live(now) {
		// Written by a clock that is ahead, or over by what the copy knows.
		return s.looked(ctx, lookMiss, nil, true)
	}
	ended, _, err := s.rev.Check(ctx, revocation.Facts{SessionID: found.ID})
	switch {
	case err != nil:
		return s.looked(ctx, lookAway, nil, false)
	case ended:
		return s.looked(ctx, lookMiss, nil, false)
	}
	return s.looked(ctx, lookHit, &found, true)
}

func (s *Service) looked(ctx context.Context, result string, c *Copy, again bool) (*Copy, bool) {
	trail.Set(ctx, "session_cache", result)
	if s.cfg.Looked != nil {
		s.cfg.Looked(result)
	}
	return c, again
}

// keep puts a copy into the cache. That it fails costs a later look at the
// Store and no more.
func (s *Service) keep(ctx context.Context, c Copy) {
	if s.cfg.Cache == nil || c.Hash == "" {
		return
	}
	now := clock.Now()
	if !c.Live(now) || !now.Before(c.Until) || c.Until.Sub(now) > CopyLife {
		return // the reading took long, or the clock stepped meanwhile
	}
	if err := s.cfg.Cache.Put(ctx, c, now); err != nil {
		trail.Set(ctx, "session_cache", lookAway)
	}
}

// dropPatience bounds a drop, which goes on when the client hangs up.
const dropPatience = 5 * time.Second

// forget drops the copies of cookies that are dead in the Store by now. Until
// it has returned nil nobody may hear of their end.
func (s *Service) forget(ctx context.Context, hashes ...string) error {
	if s.cfg.Cache == nil || len(hashes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropPatience)
	defer cancel()
	return s.cfg.Cache.Drop(ctx, hashes, clock.Now())
}
