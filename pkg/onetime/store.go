package onetime

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
)

// Store keeps durably where codes of people go. Implementations pass
// storagetest.Contacts. Methods take part in the transaction that the context
// carries, if any.
type Store interface {
	// Put writes where codes of the kind go, in place of what was there.
	Put(ctx context.Context, c Contact) error
	// Get returns where they go, or fault.NotFound.
	Get(ctx context.Context, userID string, kind assurance.Factor) (Contact, error)
	// Touch notes the use of a code that went to the target: fault.NotFound
	// when they go elsewhere by now, or nowhere.
	Touch(ctx context.Context, userID string, kind assurance.Factor, target string, now time.Time) error
	// Delete forgets where they go, or is fault.NotFound.
	Delete(ctx context.Context, userID string, kind assurance.Factor) error
}
