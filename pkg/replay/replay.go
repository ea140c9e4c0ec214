// Package replay answers one question: has this identifier been seen?
package replay

import (
	"context"
	"time"
)

// Store remembers identifiers until they expire. Implementations pass
// storagetest.Replay.
type Store interface {
	// Claim records id within the namespace (one per kind and client, so that
	// nobody can burn another's) until expires. Of any number of concurrent
	// calls with the same namespace and id exactly one succeeds; the others
	// get fault.Conflict. An id issued at or before the set's epoch gets
	// fault.Conflict too: the set was lost at that moment and cannot know.
	// fault.Unavailable when the set cannot be reached.
	Claim(ctx context.Context, namespace, id string, issued, expires, now time.Time) error
}
