package password

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

func TestGate(t *testing.T) {
	ctx := context.Background()
	t.Run("no more than its slots at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(3, time.Minute)
			var inside, most, served atomic.Int32
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					leave, err := g.enter(ctx)
					if err != nil {
						t.Errorf("enter: %v", err)
						return
					}
					defer leave()
					most.Store(max(most.Load(), inside.Add(1)))
					time.Sleep(time.Second)
					inside.Add(-1)
					served.Add(1)
				})
			}
			wg.Wait()
			if most.Load() != 3 || served.Load() != 50 {
				t.Errorf("%d at once, %d served; want 3 and 50", most.Load(), served.Load())
			}
		})
	})
	t.Run("waiting too long is unavailable, with the time to come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(1, 3*time.Second)
			leave, _ := g.enter(ctx)
			started := time.Now()
			_, err := g.enter(ctx)
			if !fault.Is(err, fault.Unavailable) || fault.As(err).RetryAfter <= 0 || time.Since(started) != 3*time.Second {
				t.Errorf("enter = %v after %v, want unavailable after 3s", err, time.Since(started))
			}
			leave()
			if _, err := g.enter(ctx); err != nil {
				t.Errorf("enter of a free gate: %v", err)
			}
		})
	})
	t.Run("who gives up waiting leaves nothing behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(1, time.Minute)
			leave, _ := g.enter(ctx)
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if _, err := g.enter(short); !fault.Is(err, fault.Unavailable) {
				t.Errorf("enter = %v, want unavailable", err)
			}
			leave()
			if g.waiting.Load() != 0 || len(g.slots) != 0 {
				t.Errorf("%d waiting, %d inside; want nobody", g.waiting.Load(), len(g.slots))
			}
		})
	})
	t.Run("the queue is bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(1, time.Minute)
			leave, _ := g.enter(ctx)
			var wg sync.WaitGroup
			for range waitersPerSlot {
				wg.Go(func() {
					if leave, err := g.enter(ctx); err == nil {
						leave()
					} else {
						t.Errorf("a waiter within the bound: %v", err)
					}
				})
			}
			synctest.Wait()
			started := time.Now()
			if _, err := g.enter(ctx); !fault.Is(err, fault.Unavailable) || time.Since(started) != 0 {
				t.Errorf("enter of a full queue = %v after %v, want unavailable at once", err, time.Since(started))
			}
			leave()
			wg.Wait()
		})
	})
}
