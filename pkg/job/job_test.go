package job_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/job"
)

// leases is the contract of job.Leases in memory; the engines are held to it
// by storagetest.
type leases struct {
	mu     sync.Mutex
	holder string
	until  time.Time
}

func (l *leases) Acquire(_ context.Context, _, holder string, ttl time.Duration, now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder != holder && now.Before(l.until) {
		return false, nil
	}
	l.holder, l.until = holder, now.Add(ttl)
	return true, nil
}

func (l *leases) Release(_ context.Context, _, holder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder == holder {
		l.until = time.Time{}
	}
	return nil
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestOneInstanceWorksAndAnotherFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &leases{}
		var a, b atomic.Int32
		start := func(name string, n *atomic.Int32) context.CancelFunc {
			ctx, stop := context.WithCancel(t.Context())
			task := job.Task{Name: "t", Every: time.Minute, Do: func(context.Context) error { n.Add(1); return nil }}
			go job.NewRunner(shared, name, quiet, task).Run(ctx)
			return stop
		}
		stopA := start("a", &a)
		time.Sleep(10 * time.Minute) // a has the lease
		stopB := start("b", &b)
		time.Sleep(10 * time.Minute)
		if a.Load() < 18 || b.Load() != 0 {
			t.Errorf("a worked %d times, b %d; want a alone", a.Load(), b.Load())
		}
		stopA()
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		if b.Load() == 0 {
			t.Error("nobody followed when a stopped")
		}
		stopB()
		synctest.Wait()
	})
}

func TestSweepGoesOnUntilNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, calls := 1234, 0
		task := job.Sweep(time.Minute, quiet, job.Expiry{What: "rows", Delete: func(_ context.Context, limit int) (int, error) {
			calls++
			n := min(limit, left)
			left -= n
			return n, nil
		}})
		if err := task.Do(t.Context()); err != nil || left != 0 || calls != 3 {
			t.Errorf("left %d after %d calls, %v", left, calls, err)
		}
	})
}

func TestALostLeaderIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &leases{holder: "dead", until: time.Now().Add(3 * time.Minute)}
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		var worked atomic.Int32
		task := job.Task{Name: "t", Every: time.Minute, Do: func(context.Context) error { worked.Add(1); return nil }}
		go job.NewRunner(shared, "b", quiet, task).Run(ctx)
		time.Sleep(170 * time.Second)
		if worked.Load() != 0 {
			t.Error("worked under the lease of another")
		}
		time.Sleep(2 * time.Minute)
		if worked.Load() == 0 {
			t.Error("nobody followed the leader that died")
		}
	})
}

func TestWorkEndsBeforeItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &leases{}
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		var until, ended time.Time
		task := job.Task{Name: "t", Every: time.Minute, Do: func(ctx context.Context) error {
			shared.mu.Lock()
			until = shared.until
			shared.mu.Unlock()
			<-ctx.Done() // work that would never end
			ended = time.Now()
			return ctx.Err()
		}}
		go job.NewRunner(shared, "a", quiet, task).Run(ctx)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if ended.IsZero() || !ended.Before(until) {
			t.Errorf("the work ended at %v, its lease at %v", ended, until)
		}
	})
}

func TestOneExpiryThatFailsKeepsNoOther(t *testing.T) {
	broken := errors.New("broken")
	removed := 0
	task := job.Sweep(time.Minute, quiet,
		job.Expiry{What: "bad rows", Delete: func(context.Context, int) (int, error) { return 0, broken }},
		job.Expiry{What: "rows", Delete: func(context.Context, int) (int, error) { removed++; return 0, nil }},
	)
	if err := task.Do(t.Context()); !errors.Is(err, broken) || removed != 1 {
		t.Errorf("%v, other rows visited %d times; want the error and 1", err, removed)
	}
}

func TestSweepIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endless := job.Expiry{What: "rows", Delete: func(_ context.Context, limit int) (int, error) { return limit, nil }}
		begun := time.Now()
		if err := job.Sweep(time.Minute, quiet, endless).Do(t.Context()); err != nil || time.Since(begun) > time.Minute {
			t.Errorf("rows that never end: %v after %s", err, time.Since(begun))
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		begun = time.Now()
		if err := job.Sweep(time.Minute, quiet, endless).Do(ctx); err == nil || time.Since(begun) > 2*time.Second {
			t.Errorf("a context that ended: %v after %s", err, time.Since(begun))
		}
	})
}
