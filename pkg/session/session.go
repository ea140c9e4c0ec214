package session

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// Config holds the limits of sessions. Zero durations take the defaults.
type Config struct {
	Idle         time.Duration // without a request; default 12 hours
	RememberIdle time.Duration // Idle of people who stay signed in; default 14 days
	Absolute     time.Duration // from the first sign-in, whatever happens; default 30 days
	// TokenLife is at least the longest life of an access token: that long
	// the end of a session is remembered against its tokens; default 24 hours.
	TokenLife time.Duration
	// Cache answers for the Store; nil: the Store answers itself.
	Cache Cache
	// Looked hears how the cache was met: hit, miss or unavailable. May be nil.
	Looked func(result string)
}

// touchEvery is how often at most the use of a session is written.
const touchEvery = time.Minute

// maxUserAgent bounds what a browser may write into our rows, in bytes.
const maxUserAgent = 256

// GrantEnder ends what applications got in a session. grant.Store is one.
type GrantEnder interface {
	// RevokeOfSessions ends the grants of some sessions, but for offline ones
	// unless all is set, and returns their ids.
	RevokeOfSessions(ctx context.Context, sessionIDs []string, reason string, all bool, now time.Time) ([]string, error)
	// RevokeOfUser ends the grants of a person, of one client only if clientID
	// is not empty, and returns their ids.
	RevokeOfUser(ctx context.Context, userID, clientID, reason string, now time.Time) ([]string, error)
}

// Revoker makes a revocation hold everywhere. revocation.Service is one.
type Revoker interface {
	// Revoke runs cause in one transaction, writes the entries it returns to
	// the ledger in the same transaction and to the live set, and returns nil
	// only when both hold.
	Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error
	// Check reports whether something with these facts was revoked; an error
	// means that it cannot tell.
	Check(ctx context.Context, f revocation.Facts) (revoked bool, why *revocation.Entry, err error)
}

// Service starts, finds and ends sessions. It is safe for concurrent use.
type Service struct {
	store  Store
	grants GrantEnder
	rev    Revoker
	fp     *secret.Fingerprinter
	audit  audit.Recorder
	cfg    Config
}

// NewService returns a service over the store.
func NewService(store Store, grants GrantEnder, rev Revoker, fp *secret.Fingerprinter, rec audit.Recorder, cfg Config) *Service {
	cfg.Idle = orDefault(cfg.Idle, 12*time.Hour)
	cfg.RememberIdle = orDefault(cfg.RememberIdle, 14*24*time.Hour)
	cfg.Absolute = orDefault(cfg.Absolute, 30*24*time.Hour)
	cfg.TokenLife = orDefault(cfg.TokenLife, 24*time.Hour)
	return &Service{store: store, grants: grants, rev: rev, fp: fp, audit: rec, cfg: cfg}
}

func orDefault(d, standard time.Duration) time.Duration {
	if d <= 0 {
		return standard
	}
	return d
}

// Config returns the limits in force.
func (s *Service) Config() Config { return s.cfg }

// Start says who has just proved who they are, and how.
type Start struct {
	UserID    string
	ACR       string
	AMR       []string // RFC 8176
	UserAgent string   // bounded by the service
	Address   string
	Remember  bool // the person wants to stay signed in
	Trusted   bool // the browser is remembered: no second factor was asked for
	// Replace is the session cookie that the browser sent, if any. Its value
	// is worthless afterwards: a session of the same person goes on under a
	// new cookie (its sid stays, for the applications that know it), one of
	// another person ends.
	Replace string
}

// Start opens a session for a person who has just signed in and returns the
// new cookie value. The value is always new: one that existed before the
// sign-in never becomes signed in (ASVS 7.2.4). It must not run inside a
// transaction: the cache would have what may yet be rolled back.
func (s *Service) Start(ctx context.Context, in Start) (token string, started *Session, err error) {
	old, err := s.replaced(ctx, in.Replace)
	if err != nil {
		return "", nil, err
	}
	if old != nil && old.UserID == in.UserID {
		token, err := s.turn(ctx, old, Renewal{AuthTime: stamp(), ACR: in.ACR, AMR: in.AMR, Remembered: in.Remember, Trusted: in.Trusted})
		if fault.KindOf(err) != fault.Conflict { // it ended or was renewed meanwhile: a new one then
			return token, old, err
		}
	} else if old != nil {
		if err := s.End(ctx, old.ID, "replaced"); err != nil {
			return "", nil, err
		}
	}
	return s.create(ctx, in)
}

// replaced returns the live session behind a cookie that is to be replaced.
// The Store is asked, because much follows from the answer. A cookie that it
// does not know may still have a copy, of a renewal that was not acknowledged.
func (s *Service) replaced(ctx context.Context, token string) (*Session, error) {
	if _, ok := secret.Unwrap(secret.SessionCookie, token); !ok {
		return nil, nil
	}
	hash := s.fp.Of(secret.SessionCookie, token)
	found, err := s.stored(ctx, hash)
	if err == nil && found == nil {
		err = s.forget(ctx, hash)
	}
	return found, err
}

func (s *Service) create(ctx context.Context, in Start) (string, *Session, error) {
	now := stamp()
	token := secret.New(secret.SessionCookie)
	started := &Session{
		ID: secret.ID(), Hash: s.fp.Of(secret.SessionCookie, token),
		UserID: in.UserID, AuthTime: now, ACR: in.ACR, AMR: in.AMR,
		CreatedAt: now, LastSeenAt: now,
		IdleExpiresAt: now.Add(s.idle(in.Remember)), ExpiresAt: now.Add(s.cfg.Absolute),
		UserAgent: clip(in.UserAgent), Address: in.Address, Remembered: in.Remember, Trusted: in.Trusted,
	}
	if err := s.store.Create(ctx, *started); err != nil {
		return "", nil, err
	}
	s.keep(ctx, Copy{*started, now.Add(CopyLife)})
	return token, started, nil
}

// stamp is the time as every engine keeps it, so that a copy equals its row.
func stamp() time.Time { return clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) idle(remembered bool) time.Duration {
	if remembered {
		return s.cfg.RememberIdle
	}
	return s.cfg.Idle
}

// clip bounds a user agent and keeps it one printable line.
func clip(userAgent string) string {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	return fault.Clip(userAgent)
}

// FromToken returns the live session behind a cookie value. An absent,
// broken, unknown, ended or expired one is anonymous: nil and no error. An
// error means that the store could not tell.
func (s *Service) FromToken(ctx context.Context, token string) (*Session, error) {
	if _, ok := secret.Unwrap(secret.SessionCookie, token); !ok {
		return nil, nil
	}
	hash, now := s.fp.Of(secret.SessionCookie, token), stamp()
	found, again := s.copyOf(ctx, hash, now)
	fresh := found == nil
	if fresh {
		stored, err := s.stored(ctx, hash)
		if err != nil || stored == nil {
			return nil, err
		}
		found = &Copy{*stored, now.Add(CopyLife)} // from before it was read
	}
	touched := s.touch(ctx, &found.Session, now)
	if again && (fresh || touched) {
		s.keep(ctx, *found)
	}
	return &found.Session, nil
}

// touch notes the use of a session, at most so often, and reports whether it
// did.
func (s *Service) touch(ctx context.Context, found *Session, now time.Time) bool {
	if now.Sub(found.LastSeenAt) < touchEvery {
		return false
	}
	idle := now.Add(s.idle(found.Remembered))
	if err := s.store.Touch(ctx, found.ID, now, idle); err != nil {
		// Not moving the limit refuses earlier, which is safe.
		trail.Set(ctx, "session_touch", "failed")
		return false
	}
	found.LastSeenAt, found.IdleExpiresAt = now, idle
	return true
}

// stored returns the live session of a cookie's fingerprint from the Store,
// or nil.
func (s *Service) stored(ctx context.Context, hash string) (*Session, error) {
	found, err := s.store.ByHash(ctx, hash)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !found.Live(clock.Now()):
		return nil, nil
	}
	return &found, nil
}

// Get returns the session of a sid, ended ones too, or fault.NotFound.
func (s *Service) Get(ctx context.Context, id string) (*Session, error) {
	found, err := s.store.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// OfUser returns the live sessions of a person, newest first.
func (s *Service) OfUser(ctx context.Context, userID string) ([]Session, error) {
	return s.store.OfUser(ctx, userID, clock.Now())
}
