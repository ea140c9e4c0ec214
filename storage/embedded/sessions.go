package embedded

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/session"
)

// Sessions implements session.Cache in the memory of one process. What
// another process drops (a command of the shell beside the server) is not
// dropped here; that it ended is in the live set, which the service asks.
type Sessions struct {
	mu      sync.Mutex
	room    int
	copies  map[string]session.Copy
	dropped map[string]time.Time // until when
	swept   time.Time
}

// sessionRoom bounds the copies; one takes about half a kilobyte. What was
// dropped is bounded by how many sessions can end in DropLife.
const sessionRoom = 8192

// NewSessions returns an empty cache.
func NewSessions() *Sessions {
	return &Sessions{room: sessionRoom, copies: make(map[string]session.Copy), dropped: make(map[string]time.Time)}
}

// Sessions returns the cache of sessions.
func (db *DB) Sessions() *Sessions { return db.sessions }

// Get implements session.Cache.
func (s *Sessions) Get(_ context.Context, hash string, now time.Time) (session.Copy, error) {
	s.mu.Lock()
	c, ok := s.copies[hash]
	s.mu.Unlock()
	if !ok || !now.Before(c.Until) {
		return session.Copy{}, errNoCopy
	}
	c.AMR = slices.Clone(c.AMR)
	return c, nil
}

var errNoCopy = fault.New(fault.NotFound, "not_found", "There is no copy of this session.")

// Put implements session.Cache.
func (s *Sessions) Put(_ context.Context, c session.Copy, now time.Time) error {
	c.AMR = slices.Clone(c.AMR)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if until, ok := s.dropped[c.Hash]; ok && now.Before(until) || !now.Before(c.Until) {
		return nil
	}
	for other := range s.copies { // any: none is needed
		if len(s.copies) < s.room {
			break
		}
		delete(s.copies, other)
	}
	s.copies[c.Hash] = c
	return nil
}

// Drop implements session.Cache.
func (s *Sessions) Drop(_ context.Context, hashes []string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	for _, h := range hashes {
		if h != "" {
			delete(s.copies, h)
			s.dropped[h] = now.Add(session.DropLife)
		}
	}
	return nil
}

// sweep removes what is due, once in a while.
func (s *Sessions) sweep(now time.Time) {
	if since := now.Sub(s.swept); since >= 0 && since < session.CopyLife {
		return
	}
	s.swept = now
	for h, c := range s.copies {
		if !now.Before(c.Until) {
			delete(s.copies, h)
		}
	}
	for h, until := range s.dropped {
		if !now.Before(until) {
			delete(s.dropped, h)
		}
	}
}
