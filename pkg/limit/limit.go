// Package limit counts attempts and says when they are too many. It does not
// know what is attempted.
package limit

import (
	"context"
	"time"
)

// Rule allows Max attempts within any Window.
type Rule struct {
	Name   string // part of the key, and shown in explain
	Max    int
	Window time.Duration
	// Source says that the key is where requests come from. The state of such
	// a rule is told to the caller; that of an account would tell strangers
	// how the account fares.
	Source bool
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
	// number of concurrent calls at most Max are allowed within the window. A
	// refused attempt is not counted.
	Take(ctx context.Context, rule Rule, key string, now time.Time) (Result, error)
	// Give takes one attempt back, for attempts that turned out to be good.
	Give(ctx context.Context, rule Rule, key string, now time.Time) error
	// Reset forgets the key.
	Reset(ctx context.Context, rule Rule, key string) error
}
