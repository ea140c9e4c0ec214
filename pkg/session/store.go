package session

import (
	"context"
	"time"
)

// Session is one signed-in browser.
type Session struct {
	ID   string // sid: what tokens and lists name; opens nothing
	Hash string // fingerprint of the cookie's secret

	UserID   string
	AuthTime time.Time // when the person last proved who they are
	ACR      string
	AMR      []string // RFC 8176

	CreatedAt     time.Time
	LastSeenAt    time.Time
	IdleExpiresAt time.Time
	ExpiresAt     time.Time // absolute
	EndedAt       time.Time // zero: alive
	EndReason     string

	UserAgent string // bounded
	Address   string
	// Remembered is set when the person asked to stay signed in: the session
	// has the longer idle limit, and outlives the browser's closing.
	Remembered bool
	// Trusted is set when the browser is remembered, so that no second factor
	// was asked for: a policy is content, a request for a stronger sign-in is not.
	Trusted bool
}

// CookieLife is how long the browser is to keep the cookie, in whole seconds;
// zero: until it closes.
func (s *Session) CookieLife(now time.Time) time.Duration {
	if !s.Remembered {
		return 0
	}
	return max(s.ExpiresAt.Sub(now)+time.Second-1, time.Second).Truncate(time.Second)
}

// Renewal gives a session a new cookie, and says how the person proved who
// they are.
type Renewal struct {
	ID      string
	OldHash string // fingerprint of the cookie that is replaced
	Hash    string // of the new one
	At      time.Time

	AuthTime time.Time
	ACR      string
	AMR      []string

	IdleExpiresAt time.Time
	Remembered    bool
	Trusted       bool
}

// Ended is a session that is over.
type Ended struct {
	ID, Hash string
	// Before is set when it was over before the call that returns it.
	Before bool
}

// Live reports whether the session stands at now.
func (s *Session) Live(now time.Time) bool {
	return s.EndedAt.IsZero() && now.Before(s.IdleExpiresAt) && now.Before(s.ExpiresAt)
}

// Store keeps sessions durably. Implementations pass storagetest.Sessions.
// Methods take part in the transaction that the context carries, if any.
type Store interface {
	// Create writes a new session.
	Create(ctx context.Context, s Session) error
	// ByHash returns the session of a cookie fingerprint, ended ones too, or
	// fault.NotFound. An empty fingerprint is fault.NotFound.
	ByHash(ctx context.Context, hash string) (Session, error)
	// ByID returns the session, or fault.NotFound.
	ByID(ctx context.Context, id string) (Session, error)
	// Touch moves the idle limit and last seen time of a session that is live
	// at lastSeen; any other stays as it is, without an error.
	Touch(ctx context.Context, id string, lastSeen, idleExpires time.Time) error
	// Renew gives a session that is live at the time of the renewal a new
	// cookie fingerprint and what the renewal says, and notes that it was
	// seen; the old cookie is dead at once. fault.Conflict if it is over, or
	// has another cookie than the old one by now: of any number of concurrent
	// calls one succeeds.
	Renew(ctx context.Context, r Renewal) error
	// End ends the session and reports whether this call did; an unknown or
	// ended one is no error.
	End(ctx context.Context, id, reason string, now time.Time) (bool, error)
	// EndOfUser ends the sessions of a person but for the one whose id is
	// except (may be empty). It returns them together with those that had
	// ended since the time, so that whoever repeats a call that was lost on
	// the way learns of the same sessions.
	EndOfUser(ctx context.Context, userID, except, reason string, since, now time.Time) ([]Ended, error)
	// OfUser returns the live sessions of a person, newest first.
	OfUser(ctx context.Context, userID string, now time.Time) ([]Session, error)
	// DeleteExpired removes at most limit sessions that ended or passed their
	// absolute limit before the time, and returns how many. One that is only
	// idle stays until then: refresh looks at it.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error)
}
