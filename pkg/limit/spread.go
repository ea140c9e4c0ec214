package limit

import (
	"context"
	"time"
)

// Spreads tell how many different members were met with a key: on how many
// accounts one address failed, on how many one password was tried.
// Implementations pass storagetest.Spreads. Every method fails with
// fault.Unavailable when the store cannot be reached.
type Spreads interface {
	// Spread notes that the member was met with the key, and returns how many
	// different ones were within the window of the rule, this one included. No
	// more than Kept of them are held: beyond that the oldest makes room.
	Spread(ctx context.Context, rule Rule, key, member string, now time.Time) (int, error)
	// Spreads returns the number of each spot, in their order, and notes
	// nothing: one round trip, whatever they are.
	Spreads(ctx context.Context, spots []Spot, now time.Time) ([]int, error)
}

// Spot is a key under a rule.
type Spot struct {
	Rule Rule
	Key  string
}

// Kept returns how many members of a key are held: enough to stay above Max
// while members leave the window, and no more, because strangers fill it.
func (r Rule) Kept() int { return max(2*r.Max, 1) }
