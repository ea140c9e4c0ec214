package job

import (
	"context"
	"time"
)

// Leases elects one instance for work that must not run twice at once.
// Implementations pass storagetest.Leases.
type Leases interface {
	// Acquire takes or renews the lease for holder until now+ttl and reports
	// whether holder has it. Of any number of concurrent holders one has it.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration, now time.Time) (bool, error)
	// Release gives the lease up if holder has it.
	Release(ctx context.Context, name, holder string) error
}
