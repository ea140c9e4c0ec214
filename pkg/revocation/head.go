package revocation

import (
	"context"
	"sync"
)

// heads reads the mark of the live set for many callers at once. A caller is
// served by a reading that began after it came, never by one under way: so
// each question is still one look at the live set, and a hundred that come
// while the network is busy share the next.
type heads struct {
	live Live

	mu   sync.Mutex
	busy bool     // a reading is under way
	next *reading // the one that begins when it ends; nil: nobody waits
}

// reading is one look at the live set.
type reading struct {
	done chan struct{}
	mark Mark
	err  error
}

// read returns the mark. Alone, a caller reads by itself.
func (h *heads) read(ctx context.Context, patience func(context.Context) (context.Context, context.CancelFunc)) (Mark, error) {
	h.mu.Lock()
	if !h.busy {
		h.busy = true
		h.mu.Unlock()
		defer h.pass(ctx, patience)
		return h.live.Head(ctx)
	}
	if h.next == nil {
		h.next = &reading{done: make(chan struct{})}
	}
	r := h.next
	h.mu.Unlock()
	select {
	case <-r.done:
		return r.mark, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// pass begins the reading that others wait for, if any. It runs apart from
// every caller: the end of one must not fail the others.
func (h *heads) pass(ctx context.Context, patience func(context.Context) (context.Context, context.CancelFunc)) {
	h.mu.Lock()
	r := h.next
	h.next = nil
	h.busy = r != nil
	h.mu.Unlock()
	if r == nil {
		return
	}
	go func() {
		ctx, cancel := patience(ctx)
		defer cancel()
		defer h.pass(ctx, patience)
		r.mark, r.err = h.live.Head(ctx)
		close(r.done)
	}()
}
