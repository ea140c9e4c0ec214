// Package batch writes records in batches behind the requests that made them,
// for records that must not slow a request down and may be lost when a store
// is down for so long that they find no room: never for a decision.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/fault"
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

	closing chan struct{} // closed with the queue: wakes a flush that waits
	away    bool          // a closed writer found its store away; used by run
}

// New starts a writer over write. Close it.
func New[T any](write func(context.Context, []T) error, cfg Config) *Writer[T] {
	cfg = cfg.withDefaults()
	w := &Writer[T]{cfg: cfg, write: write, queue: make(chan T, cfg.Room), ended: make(chan struct{}), closing: make(chan struct{})}
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

// Close writes what is waiting and ends the writer; while the store is away it
// gives up after one more try. Repeating it is harmless.
func (w *Writer[T]) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
		close(w.closing)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *Writer[T]) run() {
	defer close(w.ended)
	for first := range w.queue {
		records, open := w.collect([]T{first})
		w.flush(records)
		if !open {
			return
		}
	}
}

// collect adds what comes until the batch is full or its first record has
// waited long enough. No clock runs while nothing waits. open is false when
// the writer was closed meanwhile.
func (w *Writer[T]) collect(records []T) (_ []T, open bool) {
	timer := time.NewTimer(w.cfg.Every)
	defer timer.Stop()
	for len(records) < w.cfg.Batch {
		select {
		case record, open := <-w.queue:
			if !open {
				return records, false
			}
			records = append(records, record)
		case <-timer.C:
			return records, true
		}
	}
	return records, true
}

// Waits between tries while the store is away.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 5 * time.Second
)

// flush writes a batch. While the store is away it tries again and again, and
// new records wait in the queue, which has an end: memory does not pile up. A
// closed writer tries no longer than once more.
func (w *Writer[T]) flush(records []T) {
	if w.away {
		w.cfg.Dropped(len(records))
		return
	}
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := w.try(records)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unavailable) {
			w.apart(records)
			return
		}
		w.cfg.Log.Warn("records wait for their store", "records", len(records), "error", err)
		select {
		case <-time.After(wait):
			continue
		case <-w.closing:
		}
		if err := w.try(records); err != nil {
			w.away = true
			w.drop(len(records), err)
		}
		return
	}
}

// apart writes the records of a refused batch one by one, so that one that
// the store does not take, maybe by a stranger's doing, costs no other. One
// that is there already was written by a try whose answer was lost.
func (w *Writer[T]) apart(records []T) {
	for i := range records {
		if err := w.try(records[i : i+1]); err != nil && !fault.Is(err, fault.Conflict) {
			w.drop(1, err)
		}
	}
}

func (w *Writer[T]) try(records []T) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.Timeout)
	defer cancel()
	return w.write(ctx, records)
}

func (w *Writer[T]) drop(n int, err error) {
	w.cfg.Dropped(n)
	w.cfg.Log.Error("records could not be written", "records", n, "error", err)
}
