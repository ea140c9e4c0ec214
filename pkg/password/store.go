package password

import (
	"context"
	"time"
)

// Store keeps password hashes in PHC string format. Implementations pass
// storagetest.Passwords.
type Store interface {
	// Hash returns the stored hash of the person, or fault.NotFound.
	Hash(ctx context.Context, userID string) (string, error)
	// Set writes the hash of the person, replacing any earlier.
	Set(ctx context.Context, userID, hash string, now time.Time) error
	// Swap replaces old by next only while old is still stored, so that a
	// silent rehash never undoes a change: fault.Conflict otherwise.
	Swap(ctx context.Context, userID, old, next string, now time.Time) error
}
