package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

func TestWhatAnEntryEnds(t *testing.T) {
	cut := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	later, earlier := cut.Add(time.Second), cut.Add(-time.Second)
	entry := func(k revocation.Kind) revocation.Entry {
		return revocation.Entry{Kind: k, ID: "x", NotBefore: cut, ExpiresAt: time.Now().Add(time.Hour)}
	}
	tests := map[string]struct {
		entry revocation.Entry
		facts revocation.Facts
		want  bool
	}{
		"token":                         {entry(revocation.Token), revocation.Facts{JTI: "x", IssuedAt: later}, true},
		"another token":                 {entry(revocation.Token), revocation.Facts{JTI: "y", IssuedAt: earlier}, false},
		"grant, whenever issued":        {entry(revocation.Grant), revocation.Facts{GrantID: "x", IssuedAt: later}, true},
		"session before the cut":        {entry(revocation.Session), revocation.Facts{SessionID: "x", IssuedAt: earlier}, true},
		"session at the cut":            {entry(revocation.Session), revocation.Facts{SessionID: "x", IssuedAt: cut}, true},
		"session after the cut":         {entry(revocation.Session), revocation.Facts{SessionID: "x", IssuedAt: later}, false},
		"subject before the cut":        {entry(revocation.Subject), revocation.Facts{UserID: "x", IssuedAt: earlier}, true},
		"subject after the cut":         {entry(revocation.Subject), revocation.Facts{UserID: "x", IssuedAt: later}, false},
		"client before the cut":         {entry(revocation.Client), revocation.Facts{ClientID: "x", IssuedAt: earlier}, true},
		"client, time of issue unknown": {entry(revocation.Client), revocation.Facts{ClientID: "x"}, true},
		"an id of another kind":         {entry(revocation.Subject), revocation.Facts{JTI: "x", GrantID: "x", SessionID: "x", ClientID: "x", IssuedAt: earlier}, false},
		"a token that says nothing":     {entry(revocation.Token), revocation.Facts{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			db := &sql{}
			s := revocation.New(db, &cache{}, db, revocation.Config{})
			revoke(t, s, tt.entry)
			got, why, err := s.Check(t.Context(), tt.facts)
			if err != nil || got != tt.want || (why != nil) != tt.want {
				t.Errorf("Check(%+v) = %v, %+v, %v; want %v", tt.facts, got, why, err, tt.want)
			}
			if why != nil && (why.Kind != tt.entry.Kind || why.ID != "x") {
				t.Errorf("because of %+v, want %+v", why, tt.entry)
			}
		})
	}
}

func TestEntriesOfOneNameExtendEachOther(t *testing.T) {
	db := &sql{}
	s := revocation.New(db, &cache{}, db, revocation.Config{})
	now := time.Now()
	for _, cut := range []time.Time{now, now.Add(time.Minute), now.Add(-time.Hour)} {
		revoke(t, s, revocation.Entry{Kind: revocation.Subject, ID: "alice", NotBefore: cut, ExpiresAt: now.Add(2 * time.Hour)})
	}
	got, _, err := s.Check(t.Context(), revocation.Facts{UserID: "alice", IssuedAt: now.Add(30 * time.Second)})
	if err != nil || !got {
		t.Errorf("Check = %v, %v: a later, narrower entry took back a wider one", got, err)
	}
}

func TestRevokeRefuses(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	bad := errors.New("the cause failed")
	tests := map[string]struct {
		cause func(context.Context) ([]revocation.Entry, error)
		db    error
	}{
		"a cause that fails":          {cause: func(context.Context) ([]revocation.Entry, error) { return []revocation.Entry{token("t")}, bad }},
		"a database that is down":     {cause: because(token("t")), db: errDown},
		"an entry without id":         {cause: because(token("t"), revocation.Entry{Kind: revocation.Token, ExpiresAt: hour})},
		"an entry without expiry":     {cause: because(token("t"), revocation.Entry{Kind: revocation.Grant, ID: "g"})},
		"an unknown kind":             {cause: because(token("t"), revocation.Entry{Kind: "all", ID: "x", ExpiresAt: hour})},
		"a subject without a cut":     {cause: because(token("t"), revocation.Entry{Kind: revocation.Subject, ID: "alice", ExpiresAt: hour})},
		"a client without a cut":      {cause: because(token("t"), revocation.Entry{Kind: revocation.Client, ID: "c", ExpiresAt: hour})},
		"a session without a cut":     {cause: because(token("t"), revocation.Entry{Kind: revocation.Session, ID: "s", ExpiresAt: hour})},
		"a cause that finds the door": {cause: func(context.Context) ([]revocation.Entry, error) { return nil, errDown }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			db, live := &sql{}, &cache{}
			s := revocation.New(db, live, db, revocation.Config{})
			wantRevoked(t, s, "t", false)
			db.set(tt.db)
			if err := s.Revoke(t.Context(), tt.cause); err == nil {
				t.Fatal("acknowledged")
			}
			db.set(nil)
			if len(db.rows) != 0 || live.holds("t") {
				t.Errorf("a refused revocation left %v behind", db.rows)
			}
			wantRevoked(t, s, "t", false)
		})
	}
}

func TestCauseWithoutEntriesAsksNobodyElse(t *testing.T) {
	db, live := &sql{}, &cache{down: errDown}
	s := revocation.New(db, live, db, revocation.Config{})
	if err := s.Revoke(t.Context(), because()); err != nil {
		t.Errorf("nothing to revoke: %v", err)
	}
}

func TestRetriedTransactionCountsOnce(t *testing.T) {
	db, live := &sql{retries: 2}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	runs := 0
	err := s.Revoke(t.Context(), func(context.Context) ([]revocation.Entry, error) {
		runs++
		return []revocation.Entry{token(fmt.Sprintf("run-%d", runs))}, nil
	})
	if err != nil || runs != 3 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	wantRevoked(t, s, "run-1", false)
	wantRevoked(t, s, "run-3", true)
}

func TestUnsureMeansNo(t *testing.T) {
	db, live := &sql{}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	revoke(t, s, token("dead"))
	wantUnavailable := func(what string) {
		t.Helper()
		if got, _, err := s.Check(t.Context(), revocation.Facts{JTI: "alive"}); got || !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: Check = %v, %v; want unavailable", what, got, err)
		}
		if err := s.Ready(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: Ready = %v, want unavailable", what, err)
		}
	}
	live.set(errDown)
	wantUnavailable("live set down")
	live.set(errors.New("a reply nobody understands"))
	wantUnavailable("live set broken")
	live.set(nil)
	wantRevoked(t, s, "alive", false)

	live.flush()
	db.set(errDown)
	wantUnavailable("live set flushed and database down")
	db.set(nil)
	wantRevoked(t, s, "dead", true)
	wantRevoked(t, s, "alive", false)
}

func TestOneRoundTripWhenInStep(t *testing.T) {
	db, live := &sql{}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	revoke(t, s, token("dead"))
	wantRevoked(t, s, "dead", true) // catches up
	live.heads, live.sinces, db.reads = 0, 0, 0
	for range 10 {
		wantRevoked(t, s, "alive", false)
	}
	if live.heads != 10 || live.sinces != 0 || db.reads != 0 {
		t.Errorf("10 checks cost %d heads, %d catch-ups, %d ledger reads; want 10, 0, 0", live.heads, live.sinces, db.reads)
	}
}

func TestSecondInstanceHearsAtOnce(t *testing.T) {
	db, live := &sql{}, &cache{}
	a := revocation.New(db, live, db, revocation.Config{})
	b := revocation.New(db, live, db, revocation.Config{})
	wantRevoked(t, b, "t1", false)
	for i := range 5 {
		jti := fmt.Sprintf("t%d", i)
		revoke(t, a, token(jti))
		wantRevoked(t, b, jti, true)
		wantRevoked(t, a, jti, true)
	}
	if db.reads > 3 {
		t.Errorf("appends made the instances read the ledger %d times", db.reads)
	}
}

func TestFlushForgetsNothing(t *testing.T) {
	db, live := &sql{}, &cache{}
	a := revocation.New(db, live, db, revocation.Config{})
	b := revocation.New(db, live, db, revocation.Config{})
	revoke(t, a, token("before"))
	live.flush()
	revoke(t, b, token("after"))
	for _, s := range []*revocation.Service{a, b, revocation.New(db, live, db, revocation.Config{})} {
		wantRevoked(t, s, "before", true)
		wantRevoked(t, s, "after", true)
		wantRevoked(t, s, "other", false)
	}
}

func TestFlushInTheMiddleOfARevocation(t *testing.T) {
	for _, call := range []string{"append", "since", "rebuild"} {
		t.Run("before "+call, func(t *testing.T) {
			db, live := &sql{}, &cache{}
			s := revocation.New(db, live, db, revocation.Config{})
			wantRevoked(t, s, "t", false)
			if call != "append" {
				live.flush() // so that the revocation has to rebuild
			}
			var once sync.Once
			live.hook(func(c string) {
				if c == call {
					once.Do(live.flush)
				}
			})
			revoke(t, s, token("t"))
			wantRevoked(t, s, "t", true)
			wantRevoked(t, revocation.New(db, live, db, revocation.Config{}), "t", true)
		})
	}
}

// A stale rebuild: A reads the ledger, B revokes and is acknowledged, the set
// is flushed again, and A writes what it read before. A must not believe it.
func TestStaleRebuildIsNotBelieved(t *testing.T) {
	db, live := &sql{}, &cache{}
	a := revocation.New(db, live, db, revocation.Config{})
	b := revocation.New(db, live, db, revocation.Config{})
	var once sync.Once
	live.hook(func(call string) {
		if call == "rebuild" {
			once.Do(func() {
				live.hook(nil)
				revoke(t, b, token("t"))
				live.flush()
			})
		}
	})
	wantRevoked(t, a, "t", true)
	wantRevoked(t, b, "t", true)
}

func TestSetThatIsLostAgainAndAgainIsUnavailable(t *testing.T) {
	db, live := &sql{}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	live.hook(func(call string) {
		if call == "since" {
			live.flush()
		}
	})
	if _, _, err := s.Check(t.Context(), revocation.Facts{JTI: "t"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Check = %v, want unavailable", err)
	}
}

func TestFailoverThatLosesTheNewestEntries(t *testing.T) {
	db, live := &sql{}, &cache{}
	a := revocation.New(db, live, db, revocation.Config{})
	b := revocation.New(db, live, db, revocation.Config{})
	revoke(t, a, token("kept"))
	wantRevoked(t, b, "kept", true) // b is in step with what the replica has
	revoke(t, a, token("lost-1"))
	revoke(t, a, token("lost-2"))
	live.failover(2)
	for _, s := range []*revocation.Service{b, a, revocation.New(db, live, db, revocation.Config{})} {
		for _, jti := range []string{"kept", "lost-1", "lost-2"} {
			wantRevoked(t, s, jti, true)
		}
	}
	if !live.holds("lost-1") || !live.holds("lost-2") {
		t.Error("the live set did not get back what it lost")
	}
}

func TestCrashBetweenCommitAndAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{Reconcile: 10 * time.Second})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		synctest.Wait()
		db.commit(token("t")) // and the process that did it is gone
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if !live.holds("t") {
			t.Error("the reconciler did not push what was missing")
		}
		wantRevoked(t, s, "t", true)
		wantRevoked(t, revocation.New(db, live, db, revocation.Config{}), "t", true)
		stop()
		wg.Wait()
	})
}

func TestLiveSetDownAfterTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{Reconcile: time.Minute})
		wantRevoked(t, s, "t", false)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		synctest.Wait()
		live.set(errDown)
		if err := s.Revoke(t.Context(), because(token("t"))); !fault.Is(err, fault.Unavailable) || !errors.Is(err, revocation.ErrCommitted) {
			t.Fatalf("Revoke = %v, want unavailable, and that it is committed", err)
		}
		if len(db.rows) != 1 {
			t.Fatalf("%d rows, want the revocation to stand in the ledger", len(db.rows))
		}
		live.set(nil)
		time.Sleep(2 * time.Second) // long before the next tick
		synctest.Wait()
		wantRevoked(t, s, "t", true)
		stop()
		wg.Wait()
	})
}

func TestClientThatHangsUpDoesNotStopARevocation(t *testing.T) {
	db, live := &sql{}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	ctx, hangUp := context.WithCancel(t.Context())
	err := s.Revoke(ctx, func(context.Context) ([]revocation.Entry, error) {
		hangUp()
		return []revocation.Entry{token("t")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantRevoked(t, revocation.New(db, live, db, revocation.Config{}), "t", true)
}

func TestAHerdCatchesUpTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		other := revocation.New(db, live, db, revocation.Config{})
		wantRevoked(t, s, "t", false)
		revoke(t, other, token("t"))
		live.mu.Lock()
		live.sinces = 0
		live.mu.Unlock()
		live.hook(func(call string) {
			if call == "since" {
				time.Sleep(time.Second)
			}
		})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { wantRevoked(t, s, "t", true) })
		}
		wg.Wait()
		if live.sinces > 2 {
			t.Errorf("200 checks caught up %d times, want at most 2", live.sinces)
		}
	})
}

func TestCallerThatCannotWaitIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{})
		live.hook(func(call string) {
			if call == "since" {
				time.Sleep(3 * time.Second)
			}
		})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, _, err := s.Check(ctx, revocation.Facts{JTI: "t"}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Check = %v, want unavailable", err)
		}
		time.Sleep(time.Minute)
		wantRevoked(t, s, "t", false) // the flight went on without its caller
	})
}

func TestRacingRevocationsAndChecksForgetNothing(t *testing.T) {
	db, live := &sql{}, &cache{}
	services := []*revocation.Service{
		revocation.New(db, live, db, revocation.Config{}), revocation.New(db, live, db, revocation.Config{}),
		revocation.New(db, live, db, revocation.Config{}),
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			jti := fmt.Sprintf("t%d", i)
			if i%10 == 0 {
				live.flush()
			}
			if err := services[i%3].Revoke(t.Context(), because(token(jti))); err != nil {
				if !fault.Is(err, fault.Unavailable) {
					t.Errorf("Revoke(%s) = %v", jti, err)
				}
				return // not acknowledged
			}
			for _, s := range services {
				got, _, err := s.Check(t.Context(), revocation.Facts{JTI: jti, IssuedAt: time.Now()})
				if err == nil && !got || err != nil && !fault.Is(err, fault.Unavailable) {
					t.Errorf("Check(%s) = %v, %v after the acknowledgement", jti, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMemoryForgetsWhatExpiredLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, live := &sql{}, &cache{}
		s := revocation.New(db, live, db, revocation.Config{Reconcile: 10 * time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		revoke(t, s, token("t"))
		wantRevoked(t, s, "t", true)
		time.Sleep(2 * time.Hour) // expired an hour ago; the clock may be wrong
		synctest.Wait()
		wantRevoked(t, s, "t", true)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		wantRevoked(t, s, "t", false)
		stop()
		wg.Wait()
	})
}

func BenchmarkCheck(b *testing.B) {
	db, live := &sql{}, &cache{}
	s := revocation.New(db, live, db, revocation.Config{})
	entries := make([]revocation.Entry, 100_000)
	for i := range entries {
		entries[i] = token(fmt.Sprintf("t%d", i))
	}
	if err := s.Revoke(b.Context(), because(entries...)); err != nil {
		b.Fatal(err)
	}
	facts := revocation.Facts{JTI: "alive", GrantID: "g", SessionID: "s", UserID: "u", ClientID: "c", IssuedAt: time.Now()}
	if _, _, err := s.Check(b.Context(), facts); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Check(b.Context(), facts); err != nil {
			b.Fatal(err)
		}
	}
}
