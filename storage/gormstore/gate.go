package gormstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Why a call got no connection.
var (
	errQueueFull    = errors.New("too many calls wait for a database connection")
	errQueueTimeout = errors.New("no database connection came free in time")
)

// gate lets as many calls in as there are connections. The others wait in
// line for a bounded time, and the line is bounded too: a database that has
// become slow must not collect every request of the process.
type gate struct {
	slots    chan struct{}
	maxQueue int64
	patience time.Duration

	queue  atomic.Int64
	waited atomic.Int64 // calls that had to wait, ever
	spent  atomic.Int64 // nanoseconds they waited, ever
}

func newGate(slots, maxQueue int, patience time.Duration) *gate {
	return &gate{slots: make(chan struct{}, slots), maxQueue: int64(maxQueue), patience: patience}
}

// enter takes a slot; whoever got one leaves.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
		return g.wait(ctx)
	}
}

func (g *gate) wait(ctx context.Context) error {
	if g.queue.Add(1) > g.maxQueue {
		g.queue.Add(-1)
		return errQueueFull
	}
	began := time.Now()
	timer := time.NewTimer(g.patience)
	defer func() {
		timer.Stop()
		g.queue.Add(-1)
		g.waited.Add(1)
		g.spent.Add(int64(time.Since(began)))
	}()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errQueueTimeout
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.slots }

// waits returns how many calls had to wait and for how long in all.
func (g *gate) waits() (int64, time.Duration) {
	return g.waited.Load(), time.Duration(g.spent.Load())
}
