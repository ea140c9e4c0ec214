// Package batch writes records in batches behind the requests that made them,
// for records that must not slow a request down and may be lost when a store
// is down for long: never for a decision.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Config bounds a Writer. Zero values take the defaults.
type Config struct {
	Room    int           // records waiting at most; default 4096
	Batch   int           // records written at once; default 256
	Every   time.Duration // longest wait before a write; default 500 ms
	Timeout time.Duration // of one write; default 5 s
	// Dropped hears of records that found no room or could not be written.
	Dropped func(n int)
	Log     *slog.Logger // default slog.Default
}

func (c Config) withDefaults() Config {
	if c.Room <= 0 {
		c.Room = 4096
	}
	if c.Batch <= 0 {
		c.Batch = 256
	}
	if c.Every <= 0 {
		c.Every = 500 * time.Millisecond
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Dropped == nil {
		c.Dropped = func(int) {}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Writer collects records and writes them. It is safe for concurrent use.
type Writer[T any] struct {
	cfg   Config
	write func(context.Context, []T) error

	mu     sync.RWMutex // guards closed against Put
	closed bool
	queue  chan T
	ended  chan struct{}
}

// New starts a writer over write. Close it.
func New[T any](write func(context.Context, []T) error, cfg Config) *Writer[T] {
	cfg = cfg.withDefaults()
	w := &Writer[T]{cfg: cfg, write: write, queue: make(chan T, cfg.Room), ended: make(chan struct{})}
	go w.run()
	return w
}

// Put takes a record, or drops it when there is no room. It never blocks.
func (w *Writer[T]) Put(record T) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		w.cfg.Dropped(1)
		return
	}
	select {
	case w.queue <- record:
	default:
		w.cfg.Dropped(1)
	}
}

// Close writes what is waiting and ends the writer. Repeating it is harmless.
func (w *Writer[T]) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *Writer[T]) run() {
	defer close(w.ended)
	var waiting []T
	timer := time.NewTimer(w.cfg.Every)
	defer timer.Stop()
	for {
		select {
		case record, open := <-w.queue:
			if !open {
				w.flush(waiting)
				return
			}
			if waiting = append(waiting, record); len(waiting) < w.cfg.Batch {
				continue
			}
		case <-timer.C:
		}
		w.flush(waiting)
		waiting = nil
		timer.Reset(w.cfg.Every)
	}
}

// flush writes a batch, once again when the first try fails: a short outage
// loses nothing, a long one does not pile up memory.
func (w *Writer[T]) flush(records []T) {
	if len(records) == 0 {
		return
	}
	var err error
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), w.cfg.Timeout)
		err = w.write(ctx, records)
		cancel()
		if err == nil {
			return
		}
	}
	w.cfg.Dropped(len(records))
	w.cfg.Log.Error("records could not be written", "records", len(records), "error", err)
}
