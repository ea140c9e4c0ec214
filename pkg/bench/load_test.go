package bench

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Bounds of one measurement.
const (
	connections = 16
	warmUp      = time.Second
	measureFor  = 5 * time.Second
)

// work is one kind of request. do runs one operation as the given worker.
type work struct {
	name string
	// budgets in milliseconds of CPU: the server's and Postgres's; zero: none.
	server, postgres float64
	do               func(worker int) error
}

// figures are what one kind of request cost.
type figures struct {
	work
	operations                    int64
	perSecond                     float64
	serverMS, postgresMS, redisMS float64
	statements                    float64
}

// run drives the work with 16 connections and measures.
func (s *site) run(b *testing.B, w work) figures {
	b.Helper()
	var count atomic.Int64
	drive := func(d time.Duration) {
		end := time.Now().Add(d)
		var wg sync.WaitGroup
		for i := range connections {
			wg.Go(func() {
				for time.Now().Before(end) {
					if err := w.do(i); err != nil {
						b.Errorf("%s: %v", w.name, err)
						return
					}
					count.Add(1)
				}
			})
		}
		wg.Wait()
	}
	drive(warmUp)
	count.Store(0)
	before, statements, started := s.cpu(b), s.statements(b), time.Now()
	drive(measureFor)
	took, after := time.Since(started), s.cpu(b)
	n := float64(max(count.Load(), 1))
	f := figures{
		work: w, operations: count.Load(), perSecond: n / took.Seconds(),
		serverMS:   (after.server - before.server).Seconds() * 1000 / n,
		postgresMS: (after.postgres - before.postgres).Seconds() * 1000 / n,
		redisMS:    (after.redis - before.redis).Seconds() * 1000 / n,
		statements: (s.statements(b) - statements) / n,
	}
	return f
}

// floorRun measures the bound: a bare echo handler, with or without one
// ES256 signature.
func (s *site) floorRun(b *testing.B, name, path string) figures {
	b.Helper()
	c := newClient()
	bound := &site{serverPID: s.floorPID}
	return bound.run(b, work{name: name, do: func(int) error { return c.ok(http.MethodGet, s.floorURL+path, "", nil) }})
}

func (f figures) String() string {
	verdict := ""
	switch {
	case f.server > 0 && f.serverMS > f.server, f.postgres > 0 && f.postgresMS > f.postgres:
		verdict = "  ABOVE BUDGET"
	case f.server > 0:
		verdict = "  within budget"
	}
	budget := "-"
	if f.server > 0 {
		budget = fmt.Sprintf("%.3f", f.server)
		if f.postgres > 0 {
			budget += fmt.Sprintf(" + %.2f", f.postgres)
		}
	}
	return fmt.Sprintf("%-34s %8.3f %9.3f %7.3f %6.1f %9.0f   %-14s%s",
		f.name, f.serverMS, f.postgresMS, f.redisMS, f.statements, f.perSecond, budget, verdict)
}

const header = "operation                           server  postgres   redis   stmts     per s   budget (ms)"
