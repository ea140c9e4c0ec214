package revocation

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// flight is one catch-up that any number of callers wait for.
type flight struct {
	done chan struct{}
	err  error
}

// sync brings the local set to a state at least as new as the live set at the
// moment of the call. Callers join the flight that has not begun yet, never
// one that runs: that one may have read before their question. So however
// many ask, two flights serve them.
func (s *Service) sync(ctx context.Context) error {
	s.mu.Lock()
	f := s.waiting
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.waiting = f
		go s.fly(ctx, f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fly waits for the flight before it, closes its doors, and catches up. It
// runs apart from the caller, whose end must not fail the others.
func (s *Service) fly(ctx context.Context, f *flight) {
	s.flying <- struct{}{}
	defer func() { <-s.flying }()
	s.mu.Lock()
	s.waiting = nil
	s.mu.Unlock()
	ctx, cancel := s.patience(ctx)
	defer cancel()
	f.err = s.catchUp(ctx)
	close(f.done)
}

// catchUp adds what was appended since the local mark. When history is broken
// (the live set was rebuilt, failed over, or we know nothing yet) the live
// set alone is not believed: it may have lost what the ledger still has.
func (s *Service) catchUp(ctx context.Context) error {
	entries, head, whole, err := s.live.Since(ctx, s.set.head())
	switch {
	case fault.Is(err, fault.NotFound):
		return s.renew(ctx)
	case err != nil:
		return err
	case whole:
		return s.renew(ctx)
	}
	s.set.advance(entries, head)
	return nil
}

// renew makes the live set hold all that the ledger holds, and the local set
// both. The ledger is read after the live set was seen to be there: whatever
// was acknowledged before that reading is in the ledger, and whatever is
// acknowledged after it changes the mark.
func (s *Service) renew(ctx context.Context) error {
	for range 3 { // each round but the last was undone by one more flush
		entries, head, _, err := s.live.Since(ctx, "")
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		standing, ledgerErr := s.ledger.Standing(ctx, clock.Now())
		if ledgerErr != nil {
			return fmt.Errorf("read the revocation ledger: %w", ledgerErr)
		}
		if err != nil { // absent
			slog.InfoContext(ctx, "the live revocation set is rebuilt", "entries", len(standing))
			if _, err := s.live.Rebuild(ctx, standing); err != nil {
				return fmt.Errorf("rebuild the live revocation set: %w", err)
			}
			continue
		}
		if missing := beyond(index(entries), standing); len(missing) > 0 {
			_, err := s.live.Append(ctx, missing...)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("push missing revocations: %w", err)
			}
		}
		s.set.advance(append(entries, standing...), head)
		return nil
	}
	return unavailable(errLost)
}
