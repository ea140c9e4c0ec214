package passkey

import (
	"context"
	"time"
)

// Store keeps passkeys durably. Implementations pass storagetest.Passkeys.
// Methods take part in the transaction that the context carries, if any.
type Store interface {
	// Create writes a passkey: fault.Conflict when anybody has one with its
	// credential id.
	Create(ctx context.Context, p Passkey) error
	// OfUser returns the passkeys of a person, oldest first, suspended ones too.
	OfUser(ctx context.Context, userID string) ([]Passkey, error)
	// ByCredential returns the passkey of a credential id, a suspended one too,
	// or fault.NotFound.
	ByCredential(ctx context.Context, credentialID string) (Passkey, error)
	// Use notes that the passkey answered at now, with its new counter and
	// whether it is backed up. It succeeds while the counter is old and the
	// passkey is not suspended: of any number of concurrent calls that raise the
	// same old counter one does, the others are a fault.Conflict.
	Use(ctx context.Context, id string, old, count uint32, backedUp bool, now time.Time) error
	// Suspend keeps the passkey from answering. Of any number of calls one
	// succeeds, the others are a fault.Conflict.
	Suspend(ctx context.Context, id string, now time.Time) error
	// Rename gives a passkey of the person another name, or is fault.NotFound.
	Rename(ctx context.Context, userID, id, name string) error
	// Delete removes a passkey of the person, or is fault.NotFound.
	Delete(ctx context.Context, userID, id string) error
}
