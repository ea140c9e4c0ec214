package grant

import (
	"context"
	"time"
)

// Store keeps grants durably. Implementations pass storagetest.Grants.
// Methods take part in the transaction that the context carries, if any.
// Times are compared with the caller's clock, never the database's.
type Store interface {
	// Create writes a new grant with its code.
	Create(ctx context.Context, g Grant) error
	// ByCode returns the grant of a code, spent, expired and revoked ones
	// too, or fault.NotFound. An empty fingerprint is fault.NotFound.
	ByCode(ctx context.Context, codeHash string) (Grant, error)
	// ByID returns the grant, or fault.NotFound.
	ByID(ctx context.Context, id string) (Grant, error)
	// Standing returns the grant with the state of its person, session and
	// consent, in one statement, or fault.NotFound.
	Standing(ctx context.Context, id string) (Standing, error)

	// OfUser returns the grants of a person that can still be used at now: by
	// their code or their refresh token, newest first.
	OfUser(ctx context.Context, userID string, now time.Time) ([]Grant, error)

	// Redeem spends the code in one statement. Of any number of concurrent
	// calls exactly one succeeds; the others get fault.Conflict and change
	// nothing, as does a code that is expired or of a revoked grant. The
	// generation of the refresh token stays what Create wrote.
	Redeem(ctx context.Context, r Redemption) error
	// Rotate spends the refresh token OldHash in one statement; the generation
	// grows by one. Of any number of concurrent calls exactly one succeeds; the
	// others get fault.Conflict and change nothing, as does a grant that is
	// revoked or past its limits.
	Rotate(ctx context.Context, r Rotation) error

	// Revoke ends the grant. It reports whether this call ended it; an
	// unknown or ended grant is no error: the wanted state already holds.
	Revoke(ctx context.Context, id, reason string, now time.Time) (bool, error)
	// RevokeOfSessions ends the grants of some sessions, but for offline ones
	// unless all is set, and returns their ids.
	RevokeOfSessions(ctx context.Context, sessionIDs []string, reason string, all bool, now time.Time) ([]string, error)
	// RevokeOfUser ends the grants of a person, of one client only if clientID
	// is not empty, and returns their ids.
	RevokeOfUser(ctx context.Context, userID, clientID, reason string, now time.Time) ([]string, error)
	// RevokeOfClient ends all grants of a client.
	RevokeOfClient(ctx context.Context, clientID, reason string, now time.Time) error

	// PutToken writes an opaque access token.
	PutToken(ctx context.Context, t OpaqueToken) error
	// Token returns an opaque access token, expired ones too, or
	// fault.NotFound. An empty fingerprint is fault.NotFound.
	Token(ctx context.Context, hash string) (OpaqueToken, error)
	// DeleteToken removes an opaque access token; repeating it is no error.
	DeleteToken(ctx context.Context, hash string) error

	// DeleteExpired removes at most limit grants and tokens that nothing can
	// use any more and returns how many. A spent code stays as long as any
	// token from it may live, so that its reuse is seen.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
}
