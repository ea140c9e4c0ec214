package flow

import (
	"context"
	"time"
)

// Record is a value kept until it expires by our clock.
type Record struct {
	Value     []byte
	Version   int
	ExpiresAt time.Time
}

// Store keeps short-lived records by key. Implementations pass
// storagetest.Flows. Every method fails with fault.Unavailable when the store
// cannot be reached.
type Store interface {
	// Put writes the record if the stored version is rec.Version-1 (0: absent
	// or expired), else fault.Conflict. Of concurrent calls with the same
	// version one wins.
	Put(ctx context.Context, key string, rec Record, now time.Time) error
	// Get returns the record, or fault.NotFound when absent or expired at now.
	Get(ctx context.Context, key string, now time.Time) (Record, error)
	// Take returns and removes the record: of concurrent calls one gets it,
	// the others fault.NotFound.
	Take(ctx context.Context, key string, now time.Time) (Record, error)
}
