package stage

import (
	"context"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// Replay is a replay.Store that may be down.
type Replay struct {
	mu   sync.Mutex
	seen map[string]bool
	down bool
}

// SetDown makes every claim fail, or ends that.
func (r *Replay) SetDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// Claim implements replay.Store.
func (r *Replay) Claim(_ context.Context, namespace, id string, _, _, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := namespace + "\x00" + id
	switch {
	case r.down:
		return fault.New(fault.Unavailable, "unavailable", "The replay store is down.")
	case r.seen[key]:
		return fault.New(fault.Conflict, "conflict", "It was seen before.")
	case r.seen == nil:
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	return nil
}
