package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
)

// newBrowser is one of the person that was used at the minute, for an hour.
func newBrowser(id, userID string, minute int) factor.Browser {
	at := epoch.Add(time.Duration(minute) * time.Minute)
	return factor.Browser{ID: id, Hash: "cookie-" + id, UserID: userID, CreatedAt: at, UsedAt: at, ExpiresAt: at.Add(time.Hour)}
}

// browsersOf returns the ids of the remembered browsers of a person.
func browsersOf(t *testing.T, s factor.Store, userID string, now time.Time) (ids string) {
	t.Helper()
	list, err := s.Of(t.Context(), userID, now)
	must(t, err)
	for _, b := range list {
		ids += b.ID
	}
	return ids
}

// Browsers checks a factor.Store.
func Browsers(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Browsers
		var b factor.Browser
		fill(t, &b)
		b.ExpiresAt = b.CreatedAt.Add(time.Hour)
		must(t, s.Remember(t.Context(), b, 10))
		got, err := s.ByHash(t.Context(), b.Hash)
		must(t, err)
		same(t, "ByHash", got, b)
	})
	t.Run("the one that was not used for longest makes room", func(t *testing.T) {
		s := open(t).Browsers
		for i, id := range []string{"a", "b", "c"} {
			must(t, s.Remember(t.Context(), newBrowser(id, "ann", i), 3))
		}
		must(t, s.Remember(t.Context(), newBrowser("x", "bob", 0), 3))
		must(t, s.Touch(t.Context(), "a", epoch.Add(9*time.Minute)))
		must(t, s.Touch(t.Context(), "a", epoch)) // time does not go back
		must(t, s.Touch(t.Context(), "nothing", epoch))
		must(t, s.Remember(t.Context(), newBrowser("d", "ann", 10), 3))
		if got := browsersOf(t, s, "ann", epoch.Add(11*time.Minute)); got != "dac" {
			t.Errorf("ann has %q, want dac", got)
		}
		if got := browsersOf(t, s, "bob", epoch.Add(11*time.Minute)); got != "x" {
			t.Errorf("bob has %q, want x", got)
		}
		must(t, s.Remember(t.Context(), newBrowser("e", "ann", 62), 3))
		if _, err := s.ByHash(t.Context(), "cookie-c"); !fault.Is(err, fault.NotFound) {
			t.Errorf("one that is over stayed: %v", err)
		}
	})
	t.Run("an end", func(t *testing.T) {
		s := open(t).Browsers
		for i, id := range []string{"a", "b", "c"} {
			must(t, s.Remember(t.Context(), newBrowser(id, "ann", i), 10))
		}
		must(t, s.Remember(t.Context(), newBrowser("x", "bob", 0), 10))
		wantKind(t, "Forget of another's", s.Forget(t.Context(), "bob", "a"), fault.NotFound)
		wantKind(t, "Forget of nothing", s.Forget(t.Context(), "ann", "\x00"), fault.NotFound)
		must(t, s.Forget(t.Context(), "ann", "a"))
		wantKind(t, "Forget twice", s.Forget(t.Context(), "ann", "a"), fault.NotFound)
		if got := browsersOf(t, s, "ann", epoch); got != "cb" {
			t.Errorf("ann has %q, want cb", got)
		}
		if got := browsersOf(t, s, "ann", epoch.Add(61*time.Minute)); got != "c" {
			t.Errorf("after the end of b ann has %q, want c", got)
		}
		n, err := s.DeleteExpired(t.Context(), epoch.Add(61*time.Minute), 1)
		must(t, err)
		m, err := s.DeleteExpired(t.Context(), epoch.Add(61*time.Minute), 10)
		must(t, err)
		if n != 1 || m != 1 { // b, and bob's
			t.Errorf("removed %d and %d, want 1 and 1", n, m)
		}
		must(t, s.ForgetAll(t.Context(), "ann"))
		must(t, s.ForgetAll(t.Context(), "\x00"))
		if got := browsersOf(t, s, "ann", epoch); got != "" {
			t.Errorf("ann has %q, want none", got)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		s := open(t).Browsers
		wantKind(t, "Remember of nothing", s.Remember(t.Context(), factor.Browser{}, 1), fault.Invalid)
		_, err := s.ByHash(t.Context(), "nothing")
		wantKind(t, "ByHash of nothing", err, fault.NotFound)
		must(t, s.Remember(t.Context(), newBrowser("a", "ann", 0), 10))
		twin := newBrowser("b", "bob", 0)
		twin.Hash = "cookie-a"
		wantKind(t, "Remember of a taken cookie", s.Remember(t.Context(), twin, 10), fault.Conflict)
	})
}
