package storagetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// Limits checks a limit.Store.
func Limits(t *testing.T, open OpenShortLived) {
	rule := limit.Rule{Name: "login", Max: 5, Window: 15 * time.Minute}
	take := func(t *testing.T, s limit.Store, r limit.Rule, key string, now time.Time) limit.Result {
		t.Helper()
		got, err := s.Take(t.Context(), r, key, now)
		must(t, err)
		return got
	}

	t.Run("so many and no more", func(t *testing.T) {
		s := open(t).Limits
		for i := range rule.Max {
			got := take(t, s, rule, "alice", epoch)
			if !got.Allowed || got.Remaining != rule.Max-i-1 {
				t.Errorf("attempt %d: %+v, want allowed with %d left", i+1, got, rule.Max-i-1)
			}
			if got.RetryAfter != 0 || got.Reset <= 0 || got.Reset > rule.Window*17/16+time.Second {
				t.Errorf("attempt %d: %+v, want no wait and a reset when the first leaves", i+1, got)
			}
		}
		for range 20 {
			got := take(t, s, rule, "alice", epoch)
			if got.Allowed || got.Remaining != 0 || got.RetryAfter <= 0 || got.RetryAfter > rule.Window*17/16+time.Second || got.Reset != got.RetryAfter {
				t.Errorf("one too many: %+v", got)
			}
		}
	})

	t.Run("the wait that is named is enough", func(t *testing.T) {
		s := open(t).Limits
		now := epoch
		for i := range 200 { // attempts at odd times, each as early as allowed
			got := take(t, s, rule, "alice", now)
			if !got.Allowed {
				now = now.Add(got.RetryAfter)
				if again := take(t, s, rule, "alice", now); !again.Allowed {
					t.Fatalf("attempt %d: refused after the wait of %s: %+v", i, got.RetryAfter, again)
				}
			}
			now = now.Add(time.Duration(i%7) * 17 * time.Second)
		}
	})

	t.Run("never more within any window", func(t *testing.T) {
		s := open(t).Limits
		var passed []time.Time
		for i := range 600 {
			now := epoch.Add(time.Duration(i) * 7 * time.Second)
			if take(t, s, rule, "alice", now).Allowed {
				passed = append(passed, now)
			}
		}
		for i := rule.Max; i < len(passed); i++ {
			if gap := passed[i].Sub(passed[i-rule.Max]); gap < rule.Window {
				t.Errorf("%d attempts passed within %s", rule.Max+1, gap)
			}
		}
		if least := rule.Max * 3; len(passed) < least {
			t.Errorf("%d attempts passed in 70 minutes, want at least %d", len(passed), least)
		}
	})

	t.Run("at the reset that is named more may pass", func(t *testing.T) {
		s := open(t).Limits
		now := epoch
		for i := range rule.Max - 2 {
			take(t, s, rule, "alice", now.Add(time.Duration(i)*time.Minute))
		}
		last := take(t, s, rule, "alice", now.Add(3*time.Minute))
		now = now.Add(3 * time.Minute).Add(last.Reset)
		if got := take(t, s, rule, "alice", now); !got.Allowed || got.Remaining < last.Remaining {
			t.Errorf("after the reset of %s: %+v, want more than the %d left before", last.Reset, got, last.Remaining)
		}
	})

	t.Run("one of many", func(t *testing.T) {
		s := open(t).Limits
		var allowed atomic.Int32
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				got, err := s.Take(t.Context(), rule, "alice", epoch)
				if err != nil {
					t.Error(err)
				}
				if got.Allowed {
					allowed.Add(1)
				}
			})
		}
		wg.Wait()
		if int(allowed.Load()) != rule.Max {
			t.Errorf("%d of %d racing attempts passed, want %d", allowed.Load(), racers, rule.Max)
		}
	})

	t.Run("a refused attempt is not counted", func(t *testing.T) {
		s := open(t).Limits
		for range 100 {
			take(t, s, rule, "alice", epoch)
		}
		if got := take(t, s, rule, "alice", epoch.Add(rule.Window*17/16+time.Second)); !got.Allowed {
			t.Errorf("after the window: %+v, want allowed", got)
		}
	})

	t.Run("a pause that grows", func(t *testing.T) { limitGrows(t, open) })
	t.Run("giving back", func(t *testing.T) { limitGive(t, open) })
	t.Run("apart", func(t *testing.T) { limitsApart(t, open) })
	t.Run("the clock", func(t *testing.T) { limitClock(t, open) })
}

// limitGrows: further bounds hold for the same attempts, all or none.
func limitGrows(t *testing.T, open OpenShortLived) {
	rule := limit.Rule{Name: "login", Max: 5, Window: 15 * time.Minute}.Growing()
	t.Run("whoever goes on waits longer, and silence forgives", func(t *testing.T) {
		s := open(t).Limits
		var waits []time.Duration
		now := epoch
		for range 40 { // as early as allowed, for two days
			got, err := s.Take(t.Context(), rule, "alice", now)
			must(t, err)
			if got.Allowed {
				continue
			}
			waits = append(waits, got.RetryAfter)
			now = now.Add(got.RetryAfter)
			if again, err := s.Take(t.Context(), rule, "alice", now); err != nil || !again.Allowed {
				t.Fatalf("refused after the wait of %s: %+v, %v", got.RetryAfter, again, err)
			}
		}
		if len(waits) < 4 {
			t.Fatalf("40 attempts met %d pauses: %v", len(waits), waits)
		}
		for i, least := range []time.Duration{15 * time.Minute, time.Hour, 9 * time.Hour, 11 * time.Hour} {
			if most := least * 2; waits[i] < least || waits[i] > most {
				t.Errorf("pause %d of %v, want between %s and %s", i+1, waits, least, most)
			}
		}
		now = now.Add(27 * time.Hour)
		for i := range rule.Max {
			if got, err := s.Take(t.Context(), rule, "alice", now); err != nil || !got.Allowed {
				t.Errorf("attempt %d after a day of silence: %+v, %v", i+1, got, err)
			}
		}
		if got, err := s.Take(t.Context(), rule, "alice", now); err != nil || got.Allowed || got.RetryAfter > 16*time.Minute {
			t.Errorf("one too many after a day of silence: %+v, %v; want the first pause again", got, err)
		}
	})

	t.Run("never more in any of the windows", func(t *testing.T) {
		s := open(t).Limits
		var passed []time.Time
		for i := range 1000 {
			now := epoch.Add(time.Duration(i) * 3 * time.Minute)
			got, err := s.Take(t.Context(), rule, "alice", now)
			must(t, err)
			if got.Allowed {
				passed = append(passed, now)
			}
		}
		for _, b := range rule.Bounds() {
			for i := b.Max; i < len(passed); i++ {
				if gap := passed[i].Sub(passed[i-b.Max]); gap < b.Window {
					t.Errorf("%d attempts passed within %s, want %d in %s", b.Max+1, gap, b.Max, b.Window)
				}
			}
		}
		if len(passed) < 35 {
			t.Errorf("%d attempts passed in 50 hours, want at least 35", len(passed))
		}
	})

	t.Run("what one bound refuses is counted in none", func(t *testing.T) {
		s := open(t).Limits
		tight := limit.Rule{Name: "login", Max: 5, Window: time.Minute, Then: []limit.Bound{{Max: 6, Window: time.Hour}}}
		allowed := func(now time.Time) (n int) {
			for range 20 {
				got, err := s.Take(t.Context(), tight, "alice", now)
				must(t, err)
				if got.Allowed {
					n++
				}
			}
			return n
		}
		for i, want := range []int{5, 1, 0} {
			if n := allowed(epoch.Add(time.Duration(i) * 5 * time.Minute)); n != want {
				t.Errorf("minute %d: %d passed, want %d", i*5, n, want)
			}
		}
		must(t, s.Give(t.Context(), tight, "alice", epoch.Add(11*time.Minute)))
		if n := allowed(epoch.Add(12 * time.Minute)); n != 1 {
			t.Errorf("%d passed after one was given back, want 1", n)
		}
		must(t, s.Reset(t.Context(), tight, "alice"))
		if n := allowed(epoch.Add(13 * time.Minute)); n != 5 {
			t.Errorf("%d passed after a reset, want 5", n)
		}
	})

	t.Run("the tightest bound is told", func(t *testing.T) {
		s := open(t).Limits
		tight := limit.Rule{Name: "login", Max: 5, Window: time.Minute, Then: []limit.Bound{{Max: 3, Window: time.Hour}}}
		if got, err := s.Take(t.Context(), tight, "alice", epoch); err != nil || got.Remaining != 2 || got.Reset < time.Hour {
			t.Errorf("%+v, %v; want 2 left until the hour is over", got, err)
		}
	})

	t.Run("of a race as many as the narrowest allows", func(t *testing.T) {
		s := open(t).Limits
		var allowed atomic.Int32
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				if got, err := s.Take(t.Context(), rule, "alice", epoch); err != nil {
					t.Error(err)
				} else if got.Allowed {
					allowed.Add(1)
				}
			})
		}
		wg.Wait()
		if int(allowed.Load()) != rule.Max {
			t.Errorf("%d of %d racing attempts passed, want %d", allowed.Load(), racers, rule.Max)
		}
	})
}

func limitGive(t *testing.T, open OpenShortLived) {
	s := open(t).Limits
	rule := limit.Rule{Name: "login", Max: 3, Window: time.Minute}
	must(t, s.Give(t.Context(), rule, "alice", epoch)) // of none: no credit
	allowed := func(now time.Time) int {
		t.Helper()
		n := 0
		for range 10 {
			got, err := s.Take(t.Context(), rule, "alice", now)
			must(t, err)
			if got.Allowed {
				n++
			}
		}
		return n
	}
	if n := allowed(epoch); n != 3 {
		t.Errorf("%d passed after giving back nothing, want 3", n)
	}
	must(t, s.Give(t.Context(), rule, "alice", epoch.Add(30*time.Second)))
	must(t, s.Give(t.Context(), rule, "alice", epoch.Add(30*time.Second)))
	if n := allowed(epoch.Add(31 * time.Second)); n != 2 {
		t.Errorf("%d passed after two were given back, want 2", n)
	}
	must(t, s.Reset(t.Context(), rule, "alice"))
	if n := allowed(epoch.Add(32 * time.Second)); n != 3 {
		t.Errorf("%d passed after a reset, want 3", n)
	}
	must(t, s.Reset(t.Context(), rule, "nobody"))
}

// limitsApart: rules, windows and keys do not share a counter.
func limitsApart(t *testing.T, open OpenShortLived) {
	s := open(t).Limits
	one := func(name string, window time.Duration) limit.Rule {
		return limit.Rule{Name: name, Max: 1, Window: window}
	}
	for _, c := range []struct {
		rule limit.Rule
		key  string
	}{
		{one("login", time.Minute), "alice"},
		{one("login", time.Minute), "bob"},
		{one("login", time.Minute), ""},
		{one("reset", time.Minute), "alice"},
		{one("login", time.Hour), "alice"},
		{one("log", time.Minute), "inalice"},
		{one("login", time.Minute), "{alice}"},
		{one("login", time.Minute), "alice\x00"},
	} {
		for i, want := range []bool{true, false} {
			got, err := s.Take(t.Context(), c.rule, c.key, epoch)
			must(t, err)
			if got.Allowed != want {
				t.Errorf("attempt %d of %s/%s/%q: %+v, want allowed %v", i+1, c.rule.Name, c.rule.Window, c.key, got, want)
			}
		}
	}
	for _, most := range []int{0, -1} {
		got, err := s.Take(t.Context(), limit.Rule{Name: fmt.Sprint(most), Max: most, Window: time.Minute}, "k", epoch)
		must(t, err)
		if got.Allowed || got.RetryAfter <= 0 {
			t.Errorf("at most %d: %+v, want refused", most, got)
		}
	}
}

// limitClock: an hour ahead and back costs at most one window.
func limitClock(t *testing.T, open OpenShortLived) {
	s := open(t).Limits
	rule := limit.Rule{Name: "login", Max: 2, Window: time.Minute}
	take := func(now time.Time) limit.Result {
		t.Helper()
		got, err := s.Take(t.Context(), rule, "alice", now)
		must(t, err)
		return got
	}
	take(epoch)
	take(epoch)
	if got := take(epoch.Add(time.Hour)); !got.Allowed {
		t.Errorf("an hour later: %+v, want allowed", got)
	}
	take(epoch.Add(time.Hour))
	back := take(epoch.Add(time.Second))
	if back.Allowed || back.RetryAfter > rule.Window*17/16+time.Second {
		t.Errorf("after the clock stepped back an hour: %+v, want refused for a window at most", back)
	}
	if got := take(epoch.Add(time.Second + back.RetryAfter)); !got.Allowed {
		t.Errorf("after the wait of %s: %+v, want allowed", back.RetryAfter, got)
	}
}
