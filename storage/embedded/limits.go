package embedded

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/limit"
)

// Limits implements limit.Store: counters in memory, written to the file a
// moment later and read back when they are asked for again. A crash costs the
// attempts of the last moment; nobody outside can cause one. So a counter
// costs no write on the way, and the memory is a bounded cache.
type Limits struct {
	db     *DB
	shards [shards]shard
	room   int           // counters in the memory of a shard, see shardRoom
	dirty  chan struct{} // wakes the flusher
	quit   chan struct{}
	ended  chan struct{}
	once   sync.Once
}

const (
	shards = 32
	// shardRoom is how many counters a shard holds in memory before it drops
	// those that are in the file as they are.
	shardRoom = 2048
	// behind is how long a change may wait for the file.
	behind = time.Second
)

type shard struct {
	mu       sync.Mutex
	counters map[string]*counter
	changed  map[string]*counter // not in the file as they are
	writing  bool                // a write is under way: nothing is surely in the file
}

type counter struct {
	limit.Counters
	expires int64
}

// Limits returns the store of counters.
func (db *DB) Limits() *Limits { return db.limits }

func newLimits(db *DB) *Limits {
	s := &Limits{db: db, room: shardRoom, dirty: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
	for i := range s.shards {
		s.shards[i].counters = make(map[string]*counter)
		s.shards[i].changed = make(map[string]*counter)
	}
	go s.flushAll()
	return s
}

// Take implements limit.Store.
func (s *Limits) Take(ctx context.Context, rule limit.Rule, key string, now time.Time) (r limit.Result, err error) {
	err = s.with(ctx, rule, key, now, func(c *counter) { r = c.Take(rule, now) })
	return r, err
}

// Give implements limit.Store.
func (s *Limits) Give(ctx context.Context, rule limit.Rule, key string, now time.Time) error {
	return s.with(ctx, rule, key, now, func(c *counter) { c.Give(rule, now) })
}

// Reset implements limit.Store.
func (s *Limits) Reset(ctx context.Context, rule limit.Rule, key string) error {
	return s.with(ctx, rule, key, clock.Now(), func(c *counter) { clear(c.Counters) })
}

// with runs fn on the counter of the key, alone.
func (s *Limits) with(ctx context.Context, rule limit.Rule, key string, now time.Time, fn func(*counter)) error {
	id := digest(rule.Name, rule.Shape(), key)
	sh := &s.shards[int(id[0])%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.counters[id]
	if c == nil {
		var err error
		if c, err = s.load(ctx, rule, id); err != nil {
			return away(err)
		}
		sh.keep(id, c, s.room)
	}
	fn(c)
	c.expires = now.Add(2 * rule.Longest()).UnixMicro()
	sh.changed[id] = c
	select {
	case s.dirty <- struct{}{}:
	default: // the flusher knows
	}
	return nil
}

// keep makes room by dropping counters that the file holds as they are.
func (sh *shard) keep(id string, c *counter, room int) {
	if len(sh.counters) >= room && !sh.writing {
		for had := range sh.counters {
			if sh.changed[had] == nil {
				delete(sh.counters, had)
			}
			if len(sh.counters) <= room/2 {
				break
			}
		}
	}
	sh.counters[id] = c
}

func (s *Limits) load(ctx context.Context, rule limit.Rule, id string) (*counter, error) {
	c := &counter{Counters: limit.NewCounters(rule)}
	var newest int64
	var rest []byte
	err := s.db.read.counter.QueryRowContext(ctx, id).Scan(&newest, &rest)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.read(newest, rest)
	return c, nil
}

// read fills the counters from their row: the slot and the counts of the
// first, then both of each further bound. What is missing stays empty.
func (c *counter) read(newest int64, rest []byte) {
	for i := range c.Counters {
		one := &c.Counters[i]
		if one.Newest = newest; i > 0 {
			if len(rest) < 8 {
				return
			}
			one.Newest = int64(binary.BigEndian.Uint64(rest))
			rest = rest[8:]
		}
		for j := range one.Counts {
			if len(rest) < 4 {
				return
			}
			one.Counts[j] = binary.BigEndian.Uint32(rest)
			rest = rest[4:]
		}
	}
}

// row is what read reads.
func (c *counter) row(id string) row {
	r := row{id: id, newest: c.Counters[0].Newest, ends: c.expires}
	for i, one := range c.Counters {
		if i > 0 {
			r.counts = binary.BigEndian.AppendUint64(r.counts, uint64(one.Newest))
		}
		for _, n := range one.Counts {
			r.counts = binary.BigEndian.AppendUint32(r.counts, n)
		}
	}
	return r
}

// flushAll writes changed counters until stop.
func (s *Limits) flushAll() {
	defer close(s.ended)
	for {
		select {
		case <-s.quit:
			return
		case <-s.dirty:
		}
		select {
		case <-s.quit:
			return
		case <-time.After(behind):
		}
		if err := s.flush(); err != nil {
			slog.Warn("counters are not written yet", "error", err)
			s.wake()
		}
	}
}

func (s *Limits) wake() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

type row struct {
	id     string
	newest int64
	counts []byte
	ends   int64
}

// flush writes what changed since the last time.
func (s *Limits) flush() error {
	var rows []row
	for i := range s.shards {
		rows = append(rows, s.shards[i].collect()...)
	}
	var err error
	if len(rows) > 0 {
		err = s.writeRows(rows)
	}
	for i := range s.shards {
		s.shards[i].settle(rows, err)
	}
	return err
}

func (s *Limits) writeRows(rows []row) error {
	return s.db.write(context.Background(), relaxed, func(st *statements) error {
		for _, r := range rows {
			if _, err := st.counter.Exec(r.id, r.newest, r.counts, r.ends); err != nil {
				return err
			}
		}
		return nil
	})
}

func (sh *shard) collect() []row {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	rows := make([]row, 0, len(sh.changed))
	for id, c := range sh.changed {
		rows = append(rows, c.row(id))
	}
	clear(sh.changed)
	sh.writing = true
	return rows
}

// settle ends a write; after one that failed its counters are changed still.
func (sh *shard) settle(rows []row, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.writing = false
	if err == nil {
		return
	}
	for _, r := range rows {
		if c := sh.counters[r.id]; c != nil {
			sh.changed[r.id] = c
		}
	}
}

// stop ends the flusher and writes what is left.
func (s *Limits) stop() error {
	s.once.Do(func() { close(s.quit) })
	<-s.ended
	return s.flush()
}
