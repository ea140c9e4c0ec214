package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// Spreads checks a limit.Spreads.
func Spreads(t *testing.T, open OpenShortLived) {
	rule := limit.Rule{Name: "login-spread", Max: 4, Window: 15 * time.Minute}
	meet := func(t *testing.T, s limit.Spreads, key, member string, now time.Time) int {
		t.Helper()
		n, err := s.Spread(t.Context(), rule, key, member, now)
		must(t, err)
		return n
	}
	look := func(t *testing.T, s limit.Spreads, now time.Time, keys ...string) []int {
		t.Helper()
		var spots []limit.Spot
		for _, k := range keys {
			spots = append(spots, limit.Spot{Rule: rule, Key: k})
		}
		counts, err := s.Spreads(t.Context(), spots, now)
		must(t, err)
		return counts
	}

	t.Run("only different members count", func(t *testing.T) {
		s := open(t).Spreads
		for i, member := range []string{"ann", "ann", "ben", "ann", "cem", "", "Ann"} {
			if got, want := meet(t, s, "here", member, epoch), []int{1, 1, 2, 2, 3, 4, 5}[i]; got != want {
				t.Errorf("after %q: %d, want %d", member, got, want)
			}
		}
	})

	t.Run("looking notes nothing", func(t *testing.T) {
		s := open(t).Spreads
		meet(t, s, "here", "ann", epoch)
		meet(t, s, "here", "ben", epoch)
		meet(t, s, "there", "ann", epoch)
		for range 2 {
			if got := look(t, s, epoch, "here", "nowhere", "there", "here"); !slices.Equal(got, []int{2, 0, 1, 2}) {
				t.Errorf("got %v, want 2 0 1 2", got)
			}
		}
		if got := look(t, s, epoch); len(got) != 0 {
			t.Errorf("of no spot: %v", got)
		}
	})

	t.Run("members leave with the window, unless they are met again", func(t *testing.T) {
		s := open(t).Spreads
		meet(t, s, "here", "ann", epoch)
		meet(t, s, "here", "ben", epoch.Add(time.Minute))
		meet(t, s, "here", "ann", epoch.Add(10*time.Minute))
		for after, want := range map[time.Duration]int{15 * time.Minute: 2, 16 * time.Minute: 1, 25*time.Minute + time.Microsecond: 0} {
			if got := look(t, s, epoch.Add(after), "here"); got[0] != want {
				t.Errorf("after %s: %d, want %d", after, got[0], want)
			}
		}
		if got := meet(t, s, "here", "cem", epoch.Add(20*time.Minute)); got != 2 {
			t.Errorf("met after 20 minutes: %d, want ann and cem", got)
		}
	})

	t.Run("apart", func(t *testing.T) {
		s := open(t).Spreads
		for i, r := range []limit.Rule{
			rule, {Name: "other", Max: 4, Window: rule.Window}, {Name: rule.Name, Max: 4, Window: time.Hour},
		} {
			if n, err := s.Spread(t.Context(), r, "here", "ann", epoch); err != nil || n != 1 {
				t.Errorf("rule %d: %d, %v", i, n, err)
			}
		}
		if got := meet(t, s, "her", "eann", epoch); got != 1 {
			t.Errorf("another key that runs into the member: %d", got)
		}
	})

	t.Run("a stranger cannot fill it", func(t *testing.T) {
		s := open(t).Spreads
		for i := range 200 {
			n := meet(t, s, "here", fmt.Sprint(i), epoch.Add(time.Duration(i)*time.Millisecond))
			if want := min(i+1, rule.Kept()); n != want {
				t.Fatalf("after %d members: %d, want %d", i+1, n, want)
			}
		}
		if got := look(t, s, epoch.Add(time.Second), "here"); got[0] != rule.Kept() {
			t.Errorf("%d are held, want %d", got[0], rule.Kept())
		}
		if got := meet(t, s, "here", "199", epoch.Add(time.Second)); got != rule.Kept() {
			t.Errorf("the newest is not held: %d", got)
		}
	})

	t.Run("met at once", func(t *testing.T) {
		s := open(t).Spreads
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[int]int{}
		wide := limit.Rule{Name: "wide", Max: racers, Window: time.Minute}
		for i := range racers {
			wg.Go(func() {
				n, err := s.Spread(t.Context(), wide, "here", fmt.Sprint(i), epoch)
				mu.Lock()
				defer mu.Unlock()
				if seen[n]++; err != nil || seen[n] > 1 {
					t.Errorf("%d was counted twice, %v", n, err)
				}
			})
		}
		wg.Wait()
		if n, err := s.Spread(t.Context(), wide, "here", "one more", epoch); err != nil || n != racers+1 {
			t.Errorf("after the race: %d, %v; want %d", n, err, racers+1)
		}
	})

	t.Run("the clock", func(t *testing.T) {
		s := open(t).Spreads
		meet(t, s, "here", "ann", epoch.Add(time.Hour))
		meet(t, s, "here", "ben", epoch.Add(time.Second)) // another instance, a little ahead
		if got := look(t, s, epoch, "here"); got[0] != 1 {
			t.Errorf("after the clock stepped back an hour: %d, want the one of this hour", got[0])
		}
		if got := meet(t, s, "here", "cem", epoch); got != 2 {
			t.Errorf("met after the clock stepped back: %d, want 2", got)
		}
		if got := look(t, s, epoch.Add(time.Hour), "here"); got[0] != 0 {
			t.Errorf("%d of the past hour are held", got[0])
		}
	})
}
