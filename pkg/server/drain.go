package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// quiet is how long a connection that is kept open must be silent before it
// is closed at the end. A request that crosses with the close would be lost,
// and clients do not send a POST twice (RFC 9112 §9.6).
const quiet = 500 * time.Millisecond

// drain turns readiness off and waits, so that a load balancer turns away.
// Then nobody new is let in, each answer tells its connection that it is the
// last, and connections close when they are done and silent.
func (s *Server) drain(servers []*http.Server, public []net.Listener) {
	s.draining.Store(true)
	if s.cfg.DrainDelay > 0 {
		time.Sleep(s.cfg.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	s.last.Store(true)
	for _, l := range public {
		_ = l.Close() // or its server did
	}
	s.conns.settle(ctx)
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) { // the listeners are closed by now
			s.log.Warn("requests were cut off at shutdown", "error", err)
			_ = srv.Close()
		}
	}
}

// sayLast tells clients at the end that a connection takes no more requests:
// they open the next one where it is welcome. HTTP/2 makes a GOAWAY of it.
func (s *Server) sayLast(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.last.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// connections are those that are open, with when each became silent; zero
// while it is busy. The zero value is ready for use.
type connections struct {
	mu     sync.Mutex
	silent map[net.Conn]time.Time
}

// track is the ConnState of a server.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent == nil {
		c.silent = map[net.Conn]time.Time{}
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.silent[conn] = time.Now()
	case http.StateActive:
		c.silent[conn] = time.Time{}
	default:
		delete(c.silent, conn)
	}
}

// settled reports whether all open connections have been silent since the
// time, or for long enough.
func (c *connections) settled(since, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.silent {
		if at.Before(since) && !at.IsZero() {
			at = since
		}
		if at.IsZero() || now.Sub(at) < quiet {
			return false
		}
	}
	return true
}

// settle waits until the connections that are left are silent.
func (c *connections) settle(ctx context.Context) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !c.settled(began, time.Now()) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
