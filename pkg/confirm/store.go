package confirm

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/paging"
)

// Store keeps confirmations durably. Implementations pass
// storagetest.Confirmations. Methods take part in the transaction that the
// context carries, if any.
type Store interface {
	// Create writes a confirmation. Open ones of the same purpose and person
	// end in the same step, reason "replaced"; without a person none does.
	Create(ctx context.Context, c Confirmation) error
	// ByLink returns the confirmation of a fingerprint, ended ones too, or
	// fault.NotFound. An empty fingerprint is fault.NotFound.
	ByLink(ctx context.Context, linkHash string) (Confirmation, error)
	// ByID returns the confirmation, ended ones too, or fault.NotFound.
	ByID(ctx context.Context, id string) (Confirmation, error)
	// Try counts one code of a confirmation that is open at now and has had
	// fewer than most: fault.Conflict otherwise. Concurrent calls are all
	// counted.
	Try(ctx context.Context, id string, most int, now time.Time) error
	// Use ends a confirmation that is open at now, reason "used": of any
	// number of concurrent calls one succeeds, the others get fault.Conflict.
	Use(ctx context.Context, id string, now time.Time) error
	// End ends the confirmation if it is open, for a reason. Repeating it is
	// no error.
	End(ctx context.Context, id, reason string, now time.Time) error
	// EndOfUser ends the open confirmations of a person, of the purposes, or
	// of all when none is named.
	EndOfUser(ctx context.Context, userID, reason string, now time.Time, purposes ...Purpose) error
	// OpenOf returns the open confirmation of a person for the purpose, or
	// fault.NotFound.
	OpenOf(ctx context.Context, userID string, p Purpose, now time.Time) (Confirmation, error)
	// Open returns a page of the open confirmations of a purpose, oldest first.
	Open(ctx context.Context, p Purpose, page paging.Page, now time.Time) ([]Confirmation, error)
	// DeleteExpired removes at most limit confirmations that expired before
	// the time, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error)
}
