package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
)

// Task is work that one instance does for all.
type Task struct {
	Name  string // of its lease too
	Every time.Duration
	Do    func(ctx context.Context) error
}

// Runner runs tasks, each on whichever instance holds its lease. It is safe
// for concurrent use.
type Runner struct {
	leases Leases
	holder string
	log    *slog.Logger
	tasks  []Task
}

// NewRunner returns a runner; holder names this instance and must be unique.
func NewRunner(leases Leases, holder string, log *slog.Logger, tasks ...Task) *Runner {
	return &Runner{leases: leases, holder: holder, log: log, tasks: tasks}
}

// Run works until ctx ends and then gives its leases up.
func (r *Runner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range r.tasks {
		wg.Go(func() { r.loop(ctx, t) })
	}
	wg.Wait()
}

func (r *Runner) loop(ctx context.Context, t Task) {
	// A random start spreads the tasks and the instances.
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(t.Every)/2 + 1))) //nolint:gosec // spread, not secrecy
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			r.release(ctx, t)
			return
		case <-timer.C:
		}
		r.once(ctx, t)
		timer.Reset(t.Every)
	}
}

// once does the task if this instance has the lease. The lease outlives two
// rounds: a leader that dies is followed after that.
func (r *Runner) once(ctx context.Context, t Task) {
	mine, err := r.leases.Acquire(ctx, t.Name, r.holder, 2*t.Every+time.Minute, clock.Now())
	if err != nil || !mine {
		if err != nil && ctx.Err() == nil {
			r.log.Warn("a lease cannot be asked for", "task", t.Name, "error", err)
		}
		return
	}
	// The work ends before the lease does: nobody else may begin meanwhile.
	work, cancel := context.WithTimeout(ctx, 2*t.Every)
	defer cancel()
	if err := t.Do(work); err != nil && ctx.Err() == nil {
		r.log.Error("background work failed and will be tried again", "task", t.Name, "error", err)
	}
}

// release lets another instance follow at once. The context of the work has
// ended, so it has its own short one.
func (r *Runner) release(ctx context.Context, t Task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := r.leases.Release(ctx, t.Name, r.holder); err != nil {
		r.log.Debug("a lease runs out by itself", "task", t.Name, "error", err)
	}
}

// Expiry removes what has expired: small batches until nothing is left, with
// a pause between them so that nobody waits behind a long delete.
type Expiry struct {
	What   string
	Delete func(ctx context.Context, limit int) (int, error)
}

// Bounds of one round of removal.
const (
	batchSize  = 500
	batchPause = 50 * time.Millisecond
	maxBatches = 400
)

// Sweep is the task that removes what each of the expiries names.
func Sweep(every time.Duration, log *slog.Logger, expiries ...Expiry) Task {
	return Task{Name: "sweep", Every: every, Do: func(ctx context.Context) error {
		var failed []error // one that fails must not keep the rows of the others
		for _, e := range expiries {
			removed, err := sweep(ctx, e)
			if removed > 0 {
				log.Info("removed what had expired", "what", e.What, "rows", removed)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("remove expired %s: %w", e.What, err))
			}
		}
		return errors.Join(failed...)
	}}
}

func sweep(ctx context.Context, e Expiry) (removed int, err error) {
	for range maxBatches {
		n, err := e.Delete(ctx, batchSize)
		removed += n
		if err != nil || n < batchSize {
			return removed, err
		}
		select {
		case <-ctx.Done():
			return removed, ctx.Err()
		case <-time.After(batchPause):
		}
	}
	return removed, nil
}
