package recoverycode

import (
	"context"
	"time"
)

// Store keeps the fingerprints of recovery codes durably. Implementations pass
// storagetest.RecoveryCodes. Methods take part in the transaction that the
// context carries, if any.
type Store interface {
	// Replace removes every code of the person and writes the new ones, in one
	// step. Of concurrent calls one list stays, whole.
	Replace(ctx context.Context, userID string, codes []Code) error
	// OfUser returns the codes of a person, used ones too, in the order of
	// their fingerprints.
	OfUser(ctx context.Context, userID string) ([]Code, error)
	// Use notes that a code of the person was used: of any number of concurrent
	// calls one succeeds. The others, and those for a code that is unknown or
	// somebody else's, are a fault.Conflict.
	Use(ctx context.Context, userID, hash string, now time.Time) error
	// RemoveAll removes every code of the person. Repeating it is harmless.
	RemoveAll(ctx context.Context, userID string) error
}
