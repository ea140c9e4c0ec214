// Package limit counts attempts and says when they are too many. It does not
// know what is attempted.
package limit

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Rule allows Max attempts within any Window.
type Rule struct {
	Name   string // part of the key, and shown in explain
	Max    int
	Window time.Duration
	// Then are further bounds on the same attempts, each with a wider window
	// than the one before: an attempt is counted when every bound has room.
	// So whoever goes on waits longer and longer, and silence forgives.
	Then []Bound
	// Source says that the key is where requests come from. The state of such
	// a rule is told to the caller; that of an account would tell strangers
	// how the account fares.
	Source bool
	// Setting is the rule that this one hangs on, when it has no setting of
	// its own.
	Setting string
}

// Bound is one step of a rule.
type Bound struct {
	Max    int
	Window time.Duration
}

// Bounds returns every step of the rule, the narrowest window first.
func (r Rule) Bounds() []Bound {
	return append([]Bound{{r.Max, r.Window}}, r.Then...)
}

// Longest returns the widest window.
func (r Rule) Longest() time.Duration {
	longest := r.Window
	for _, b := range r.Then {
		longest = max(longest, b.Window)
	}
	return longest
}

// Shape returns the windows as text. It belongs to the key of a counter: slots
// of another width mean nothing.
func (r Rule) Shape() string {
	var windows []string
	for _, b := range r.Bounds() {
		windows = append(windows, strconv.FormatInt(int64(b.Window), 10))
	}
	return strings.Join(windows, ",")
}

// aDay is where a growing pause ends: beyond it a brake would be a way to keep
// people out for good.
const aDay = 24 * time.Hour

// Growing returns the rule with a pause that grows: of 5 in 15 minutes, 10 in
// 2 hours, 15 in 12 hours and 20 in a day.
func (r Rule) Growing() Rule {
	r.Then = nil
	for i, widen := range []time.Duration{8, 48, 96} {
		wider := Bound{Max: r.Max * (i + 2), Window: min(r.Window*widen, aDay)}
		if wider.Window > r.Longest() {
			r.Then = append(r.Then, wider)
		}
	}
	return r
}

// Result is the state of a counter after a call.
type Result struct {
	Allowed    bool
	Remaining  int
	RetryAfter time.Duration // when not allowed: until the next attempt may pass
	Reset      time.Duration // until more than Remaining may pass
}

// Store keeps counters. Implementations pass storagetest.Limits. Every method
// fails with fault.Unavailable when the counters cannot be reached.
type Store interface {
	// Take counts one attempt of key against the rule, atomically: of any
	// number of concurrent calls at most Max are allowed within the window, of
	// every bound. A refused attempt is counted in none. The result is that of
	// the tightest bound, and the wait is enough for all.
	Take(ctx context.Context, rule Rule, key string, now time.Time) (Result, error)
	// Give takes one attempt back, for attempts that turned out to be good.
	Give(ctx context.Context, rule Rule, key string, now time.Time) error
	// Reset forgets the key.
	Reset(ctx context.Context, rule Rule, key string) error
}
