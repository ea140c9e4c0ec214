package job_test

import (
	"context"
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
