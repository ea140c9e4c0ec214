package keyring

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Rotate publishes a successor of the newest key of the line. It signs after
// PublishBefore; with now, an emergency, it signs at once, and other instances
// follow within Refresh. fault.NotFound when there is no such line;
// fault.Conflict when a successor is already waiting for its time (never with
// now), or somebody else rotated at the same moment.
func (r *Ring) Rotate(ctx context.Context, p Purpose, alg string, now bool) error {
	l := line{p, alg}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx); err != nil {
		return err
	}
	last := r.state.Load().lines[l].last()
	at := clock.Now()
	switch {
	case last == nil:
		return fault.New(fault.NotFound, "not_found", "There is no signing key for this purpose and algorithm.").
			Compare("purpose", "", string(p)).Compare("alg", "", alg)
	case now:
		return r.succeed(ctx, l, last, at, at)
	case at.Before(last.row.ActiveAt) && last.row.RevokedAt.IsZero():
		return fault.New(fault.Conflict, "rotation_pending", "A new key is already published and waits for its time.").
			WithHint("wait until %s, or rotate at once in an emergency", last.row.ActiveAt.Format(time.RFC3339))
	default:
		return r.succeed(ctx, l, last, at, at.Add(r.cfg.PublishBefore))
	}
}

// succeed makes and stores the key that follows last, and reads the result.
// Callers hold mu.
func (r *Ring) succeed(ctx context.Context, l line, last *key, now, active time.Time) error {
	fresh, err := generate(l.alg)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	if err := r.add(ctx, fresh, l, last, now, active); err != nil {
		return err
	}
	return r.reload(ctx)
}

// Revoke ends a key at once, here and within Refresh elsewhere: it signs and
// verifies nothing any more. When no key of its line can sign then, a new one
// is made and signs at once. fault.NotFound when there is no such key.
func (r *Ring) Revoke(ctx context.Context, kid string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.store.Revoke(ctx, kid, stored(clock.Now())); err != nil {
		return fmt.Errorf("revoke signing key: %w", err)
	}
	if err := r.reload(ctx); err != nil {
		return err
	}
	if k := r.state.Load().keys[kid]; k != nil {
		r.record(ctx, audit.KeyRevoked, k.row)
	}
	return r.fill(ctx)
}

// Run reads what other instances did and rotates on schedule until ctx ends.
// Every instance may run it: of those that rotate at once one succeeds.
func (r *Ring) Run(ctx context.Context) {
	tick := time.NewTicker(r.cfg.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.nudge:
		}
		if err := r.turn(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "signing keys are not up to date", "error", err)
		}
	}
}

// turn is one round of Run.
func (r *Ring) turn(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return err
	}
	now := clock.Now()
	for _, l := range lines {
		c := r.state.Load().lines[l]
		if !c.due(now, r.cfg) {
			continue
		}
		err := r.succeed(ctx, l, c.last(), now, now.Add(r.cfg.PublishBefore))
		if err != nil && !fault.Is(err, fault.Conflict) { // another instance did it
			return err
		}
	}
	return r.reload(ctx)
}

// DeleteExpired removes keys that left the JWK Set more than KeepRetired ago,
// and returns how many.
func (r *Ring) DeleteExpired(ctx context.Context) (int, error) {
	return r.store.DeleteExpired(ctx, stored(clock.Now().Add(-r.cfg.KeepRetired)))
}
