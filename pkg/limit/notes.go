package limit

import (
	"context"
	"slices"
	"sync"
	"time"
)

// State is what a caller may know of a counter that was asked for their
// request.
type State struct {
	Rule      Rule
	Remaining int
	Reset     time.Duration // until more than Remaining may pass
}

// Notes are the states of one request. They are safe for concurrent use; a
// nil Notes takes none.
type Notes struct {
	mu     sync.Mutex
	states []State
}

type notesKey struct{}

// Open returns a context that has room for notes, and the notes.
func Open(ctx context.Context) (context.Context, *Notes) {
	n := &Notes{}
	return context.WithValue(ctx, notesKey{}, n), n
}

// States returns what was noted, the tightest first: the one with the fewest
// attempts left, and of equals the one that lasts longer.
func (n *Notes) States() []State {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	states := slices.Clone(n.states)
	slices.SortStableFunc(states, func(a, b State) int {
		if a.Remaining != b.Remaining {
			return a.Remaining - b.Remaining
		}
		return int(b.Reset - a.Reset)
	})
	return states
}

// note keeps the newest state of a rule, if the caller may know it.
func note(ctx context.Context, rule Rule, got Result) {
	n, _ := ctx.Value(notesKey{}).(*Notes)
	if n == nil || !rule.Source {
		return
	}
	s := State{Rule: rule, Remaining: got.Remaining, Reset: max(got.Reset, got.RetryAfter)}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.states {
		if n.states[i].Rule.Name == rule.Name {
			n.states[i] = s
			return
		}
	}
	n.states = append(n.states, s)
}

// unnote adds an attempt that was given back to what was noted.
func unnote(ctx context.Context, rule Rule) {
	n, _ := ctx.Value(notesKey{}).(*Notes)
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.states {
		if s := &n.states[i]; s.Rule.Name == rule.Name && s.Remaining < s.Rule.Max {
			s.Remaining++
			if s.Remaining == s.Rule.Max {
				s.Reset = 0
			}
		}
	}
}
