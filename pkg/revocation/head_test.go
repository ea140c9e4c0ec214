package revocation_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// lag makes every reading of the mark take so long to come back.
func lag(live *cache, d time.Duration) {
	live.mu.Lock()
	defer live.mu.Unlock()
	live.heads = 0
	live.slow = func() { time.Sleep(d) }
}

func TestQuestionsShareReadingsThatBeginAfterThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		wantRevoked(t, s, "t", false)
		lag(live, time.Second)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				wantRevoked(t, s, "t", false)
			})
		}
		begun := time.Now()
		wg.Wait()
		if took := time.Since(begun); live.heads != 2 || took != 2*time.Second {
			t.Errorf("100 questions within half a second: %d readings, %s; want 2 and 2s", live.heads, took)
		}
	})
}

// The reading under way saw the set as it was before the revocation was
// acknowledged. Whoever asks after that must not be served by it.
func TestReadingUnderWayServesNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		other := revocation.New(db, live, db, revocation.Config{})
		wantRevoked(t, s, "t", false)
		lag(live, time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { wantRevoked(t, s, "t", false) }) // asked before
		time.Sleep(100 * time.Millisecond)
		revoke(t, other, token("t"))
		for range 10 {
			wg.Go(func() { wantRevoked(t, s, "t", true) })
		}
		wg.Wait()
	})
}

func TestCallerThatHangsUpFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		wantRevoked(t, s, "t", false)
		lag(live, time.Second)
		var failed atomic.Int32
		ask := func(ctx context.Context) {
			_, _, err := s.Check(ctx, revocation.Facts{JTI: "t"})
			if err != nil {
				failed.Add(1)
				if !fault.Is(err, fault.Unavailable) {
					t.Errorf("Check = %v", err)
				}
			}
		}
		gone, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { ask(gone) }) // reads by itself
		time.Sleep(time.Millisecond)
		wg.Go(func() { ask(gone) }) // the first of those who share the next
		time.Sleep(time.Millisecond)
		for range 10 {
			wg.Go(func() { ask(t.Context()) })
		}
		time.Sleep(time.Millisecond)
		hangUp()
		wg.Wait()
		if failed.Load() != 2 {
			t.Errorf("%d questions failed, want the 2 that were given up", failed.Load())
		}
	})
}

func TestQuestionsAfterAFailedReadingAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		wantRevoked(t, s, "t", false)
		lag(live, time.Second)
		live.set(errDown)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, _, err := s.Check(t.Context(), revocation.Facts{JTI: "t"}); !fault.Is(err, fault.Unavailable) {
					t.Errorf("Check = %v, want unavailable", err)
				}
			})
		}
		wg.Wait()
		live.set(nil)
		wantRevoked(t, s, "t", false)
	})
}
