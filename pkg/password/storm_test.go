package password_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// What docs/operate/passwords.md states: however many sign in at once, they
// take the memory of the hashes that run, as much again of the last ones that
// the collector has not yet taken back, and this margin for everything else.
// That is under GOMEMLIMIT, which the test sets as an operator would; without
// it the heap may grow to twice as much, as any heap of Go does.
const (
	hashBytes   = 19 << 20
	stormMargin = 32 << 20
)

// heapPeak samples the bytes of the heap, live and not yet collected, until
// stop is called, and returns the highest above what it was at first.
func heapPeak() (stop func() int64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 {
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before := read()
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		high := before
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				high = max(high, read())
			case <-done:
				peak <- high - before
				return
			}
		}
	}()
	return func() int64 { close(done); return <-peak }
}

// limitMemory sets GOMEMLIMIT to what is used now and more besides.
func limitMemory(t *testing.T, more int64) {
	t.Helper()
	debug.FreeOSMemory()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	before := debug.SetMemoryLimit(int64(now.Sys-now.HeapReleased) + more)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
}

func TestTwoHundredLoginsStayWithinTheirMemory(t *testing.T) {
	const logins, parallel = 200, 2
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	svc, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{
		MemoryKiB: hashBytes >> 10, Passes: 1, Parallel: parallel, QueueTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Set(ctx, ann.ID, stage.Password); err != nil {
		t.Fatal(err)
	}
	limitMemory(t, parallel*hashBytes+stormMargin)
	stop := heapPeak()
	var wg sync.WaitGroup
	var right atomic.Int32
	for i := range logins {
		wg.Go(func() {
			ok, err := false, error(nil)
			switch i % 4 { // whoever comes costs the same
			case 0:
				err = svc.VerifyNobody(ctx, "wrong wrong")
			case 1:
				_, err = svc.Verify(ctx, ann.ID, "wrong wrong")
			default:
				ok, err = svc.Verify(ctx, ann.ID, stage.Password)
			}
			if err != nil {
				t.Errorf("login %d: %v", i, err)
			}
			if ok {
				right.Add(1)
			}
		})
	}
	wg.Wait()
	peak := stop()
	t.Logf("%d logins took %d MiB at most", logins, peak>>20)
	if most := int64(2*parallel*hashBytes + stormMargin); peak > most {
		t.Errorf("%d logins took %d MiB, want at most %d", logins, peak>>20, most>>20)
	}
	if peak < hashBytes {
		t.Errorf("the peak of %d bytes is less than one hash: the measure is broken", peak)
	}
	if right.Load() != logins/2 {
		t.Errorf("%d of %d right passwords were taken", right.Load(), logins/2)
	}
}

func TestAStormIsToldWhenToComeBack(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	svc, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{
		MemoryKiB: hashBytes >> 10, Passes: 1, Parallel: 1, QueueTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Set(ctx, ann.ID, stage.Password); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var served, refused atomic.Int32
	for range 400 {
		wg.Go(func() {
			switch ok, err := svc.Verify(ctx, ann.ID, stage.Password); {
			case ok && err == nil:
				served.Add(1)
			case fault.Is(err, fault.Unavailable) && fault.As(err).RetryAfter > 0 && !ok:
				refused.Add(1)
			default:
				t.Errorf("Verify = %v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	if served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d served and %d refused, want some of both", served.Load(), refused.Load())
	}
	if ok, err := svc.Verify(ctx, ann.ID, stage.Password); err != nil || !ok {
		t.Errorf("after the storm: %v, %v", ok, err)
	}
}
