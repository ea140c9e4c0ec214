// Package trail carries what is known about one request through the code that
// serves it: the request id, who is calling, and the facts for the one wide
// log line written at its end. It logs nothing itself.
package trail

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Trail is the record of one request. Its methods are safe for concurrent
// use and do nothing on a nil Trail, so code outside a request may call them.
type Trail struct {
	// ID is ours: never one that the caller sent.
	ID      string
	Started time.Time
	// Remote is the client address after trusted proxies were considered.
	Remote    netip.Addr
	UserAgent string
	Method    string
	Path      string

	mu    sync.Mutex
	facts []slog.Attr
}

type key struct{}

// With returns a context that carries t.
func With(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, key{}, t)
}

// From returns the trail of ctx, or nil.
func From(ctx context.Context) *Trail {
	t, _ := ctx.Value(key{}).(*Trail)
	return t
}

// ID returns the request id of ctx, or "".
func ID(ctx context.Context) string {
	if t := From(ctx); t != nil {
		return t.ID
	}
	return ""
}

// Set notes a fact for the wide log line; a later value of the same name
// replaces the earlier. Never a secret, token, code, password or e-mail.
func (t *Trail) Set(name string, value any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.facts {
		if t.facts[i].Key == name {
			t.facts[i].Value = slog.AnyValue(value)
			return
		}
	}
	t.facts = append(t.facts, slog.Any(name, value))
}

// Set notes a fact on the trail of ctx.
func Set(ctx context.Context, name string, value any) { From(ctx).Set(name, value) }

// Get returns the fact of the name as text, or "".
func (t *Trail) Get(name string) string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.facts {
		if a.Key == name {
			return a.Value.String()
		}
	}
	return ""
}

// Facts returns a copy of the facts in the order they were first noted.
func (t *Trail) Facts() []slog.Attr {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]slog.Attr(nil), t.facts...)
}
