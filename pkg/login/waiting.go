package login

import (
	"context"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
)

// patience is how long an attempt waits for others of the same key, whose
// count may be given back. Then it is told that we are busy, and not that
// there were too many failures: that is not known.
const patience = 5 * time.Second

// waiting knows which attempts of this instance are being looked at. Each is
// counted beforehand, as if it would fail; so when many good logins of one
// account or address meet, the counter is full although nobody failed. Such an
// attempt waits for those before it instead of being refused. Guesses gain
// nothing: a failure stays counted. It is safe for concurrent use.
type waiting struct {
	mu   sync.Mutex
	keys map[string]*inFlight
}

// inFlight are the attempts of one key. n and changed belong to whoever holds
// waiting.mu.
type inFlight struct {
	turn    chan struct{} // held by the one that asks the counter, or waits to
	users   int           // who holds a pointer to this
	n       int           // counted and not over
	changed chan struct{} // closed when one of them ends
}

// take counts an attempt by ask. It is not allowed when the counter is full
// and nobody of the key is being looked at; fault.Unavailable when patience
// ends before that is known. An attempt that is allowed must be ended.
func (w *waiting) take(ctx context.Context, key string, ask func() (limit.Result, error)) (limit.Result, error) {
	f := w.open(key)
	defer w.leave(key, f)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f.turn <- struct{}{}: // first come, first served
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return limit.Result{}, ctx.Err()
	case <-timer.C:
		return limit.Result{}, errCrowded
	}
	for {
		got, err := ask()
		changed, others := w.note(f, err == nil && got.Allowed)
		if err != nil || got.Allowed || others == 0 {
			return got, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return limit.Result{}, ctx.Err()
		case <-timer.C:
			return limit.Result{}, errCrowded
		}
	}
}

var errCrowded = fault.New(fault.Unavailable, "temporarily_unavailable", "Too many people sign in at once. Try again in a moment.").
	Under("attempts of one account or address that are looked at wait for each other").
	WithHint("when many people share one address, raise limit_factor").After(busyFor)

// end says that an attempt is over. What it gives back it has given by now.
func (w *waiting) end(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.keys[key]
	f.n--
	close(f.changed)
	f.changed = make(chan struct{})
	w.forget(key, f)
}

func (w *waiting) open(key string) *inFlight {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		w.keys = map[string]*inFlight{}
	}
	f := w.keys[key]
	if f == nil {
		f = &inFlight{turn: make(chan struct{}, 1), changed: make(chan struct{})}
		w.keys[key] = f
	}
	f.users++
	return f
}

func (w *waiting) leave(key string, f *inFlight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.users--
	w.forget(key, f)
}

func (w *waiting) forget(key string, f *inFlight) {
	if f.users == 0 && f.n == 0 {
		delete(w.keys, key)
	}
}

// note counts an attempt that was allowed, and returns how many are looked at
// and what is closed when one of them ends.
func (w *waiting) note(f *inFlight, allowed bool) (changed <-chan struct{}, others int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if allowed {
		f.n++
	}
	return f.changed, f.n
}
