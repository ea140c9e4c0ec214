package limit

import (
	"context"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
)

// Watch tells of refusals: each is counted, and the first of a key within the
// window of its rule becomes an event. Whoever sends a thousand requests too
// many must not write a thousand events. It is safe for concurrent use.
type Watch struct {
	Audit audit.Recorder
	// Count counts a refusal by its rule. Nil: nobody does.
	Count func(rule string)

	mu   sync.Mutex
	told map[spoken]time.Time // until when they are told
}

// spoken is what is told once.
type spoken struct{ rule, key string }

// watched bounds how many keys are remembered; beyond it some events come
// twice.
const watched = 4096

// Refused is Gate.Refused for rules whose refusals have no event of their own.
func (w *Watch) Refused(ctx context.Context, rule Rule, key string) {
	w.Counted(ctx, rule, key)
	if !w.first(spoken{rule.Name, key}, clock.Now(), rule.Window) {
		return
	}
	w.Audit.Record(ctx, audit.Event{Name: audit.LimitExceeded, Data: map[string]string{"rule": rule.Name}})
}

// Counted is Gate.Refused for rules whose refusals have.
func (w *Watch) Counted(_ context.Context, rule Rule, _ string) {
	if w.Count != nil {
		w.Count(rule.Name)
	}
}

func (w *Watch) first(one spoken, now time.Time, window time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until, ok := w.told[one]; ok && now.Before(until) && until.Sub(now) <= window {
		return false
	}
	if len(w.told) >= watched || w.told == nil {
		w.told = make(map[spoken]time.Time)
	}
	w.told[one] = now.Add(window)
	return true
}
