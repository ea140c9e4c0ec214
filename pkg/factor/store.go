package factor

import (
	"context"
	"time"
)

// Browser is one that is remembered: its person is not asked for a second
// factor.
type Browser struct {
	ID        string // names it in lists; opens nothing
	Hash      string // fingerprint of its cookie
	UserID    string
	UserAgent string // bounded
	Address   string
	CreatedAt time.Time
	UsedAt    time.Time
	ExpiresAt time.Time
}

// Store keeps remembered browsers durably. Implementations pass
// storagetest.Browsers. Methods take part in the transaction that the context
// carries, if any.
type Store interface {
	// Remember writes a browser and forgets those of the person that are over
	// or, beyond most, were not used for longest.
	Remember(ctx context.Context, b Browser, most int) error
	// ByHash returns the browser of a fingerprint, expired ones too, or
	// fault.NotFound.
	ByHash(ctx context.Context, hash string) (Browser, error)
	// Touch notes the use of a browser.
	Touch(ctx context.Context, id string, now time.Time) error
	// Of returns the browsers of a person that are not over, latest used first.
	Of(ctx context.Context, userID string, now time.Time) ([]Browser, error)
	// Forget removes a browser of the person, or is fault.NotFound.
	Forget(ctx context.Context, userID, id string) error
	// ForgetAll removes every browser of the person.
	ForgetAll(ctx context.Context, userID string) error
	// DeleteExpired removes at most limit browsers that are over.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
}
