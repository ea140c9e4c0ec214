package totp

import (
	"context"
	"time"
)

// Store keeps authenticator apps durably. Implementations pass
// storagetest.TOTPs. Methods take part in the transaction that the context
// carries, if any.
type Store interface {
	// Create writes a confirmed app.
	Create(ctx context.Context, a App) error
	// OfUser returns the apps of a person, oldest first.
	OfUser(ctx context.Context, userID string) ([]App, error)
	// Spend notes that a code of the time step was used: of any number of
	// concurrent calls for one step one succeeds, the others, and those for
	// older steps, are a fault.Conflict.
	Spend(ctx context.Context, id string, step int64, now time.Time) error
	// Rename gives an app of the person another name, or is fault.NotFound.
	Rename(ctx context.Context, userID, id, name string) error
	// Delete removes an app of the person, or is fault.NotFound.
	Delete(ctx context.Context, userID, id string) error
}
