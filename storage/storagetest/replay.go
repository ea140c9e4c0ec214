package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/replay"
)

// Replay checks a replay.Store. The store was opened for a fresh
// installation, so its epoch is long ago.
func Replay(t *testing.T, open OpenShortLived) {
	now := epoch
	issued, expires := now.Add(-time.Second), now.Add(5*time.Minute)
	claim := func(t *testing.T, s replay.Store, namespace, id string) error {
		return s.Claim(t.Context(), namespace, id, issued, expires, now)
	}

	t.Run("once", func(t *testing.T) {
		s := open(t).Replay
		must(t, claim(t, s, "client", "id"))
		wantKind(t, "again", claim(t, s, "client", "id"), fault.Conflict)
		wantKind(t, "and again", claim(t, s, "client", "id"), fault.Conflict)
	})

	t.Run("one of many", func(t *testing.T) {
		s := open(t).Replay
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			if won := race(t, fault.Conflict, func(int) error { return claim(t, s, "client", id) }); won != 1 {
				t.Errorf("%d of %d racing claims succeeded, want 1", won, racers)
			}
		}
	})

	t.Run("apart", func(t *testing.T) {
		s := open(t).Replay
		for _, c := range [][2]string{
			{"client", "id"},
			{"client", "ID"},
			{"other", "id"},
			{"clien", "tid"},
			{"", "clientid"},
			{"clientid", ""},
			{"client", "id\x00"},
			{"{client}", "id"},
			{"client", " id"},
			{"\xff", "\xfe"},
		} {
			if err := claim(t, s, c[0], c[1]); err != nil {
				t.Errorf("Claim(%q, %q) = %v: it shares a place with another", c[0], c[1], err)
			}
		}
	})

	t.Run("remembered to the end, whatever the clock does", func(t *testing.T) {
		s := open(t).Replay
		must(t, claim(t, s, "client", "id"))
		for _, at := range []time.Time{expires.Add(-time.Microsecond), now.Add(time.Hour), now, now.Add(-time.Hour), now} {
			// Others come and go, and what expired is cleared away.
			must(t, s.Claim(t.Context(), "client", at.String()+time.Now().String(), issued, at.Add(time.Minute), at))
			err := s.Claim(t.Context(), "client", "id", issued, expires, at)
			wantKind(t, "at "+at.Sub(now).String(), err, fault.Conflict)
		}
	})

	t.Run("forgotten long after its end", func(t *testing.T) {
		s := open(t).Replay
		must(t, claim(t, s, "client", "id"))
		later := now.Add(48 * time.Hour)
		if err := s.Claim(t.Context(), "client", "id", later, later.Add(time.Minute), later); err != nil {
			t.Errorf("two days after: %v", err)
		}
		err := s.Claim(t.Context(), "client", "id", later, later.Add(time.Minute), later)
		wantKind(t, "and then again", err, fault.Conflict)
	})

	t.Run("issued before the beginning of time", func(t *testing.T) {
		s := open(t).Replay
		err := s.Claim(t.Context(), "client", "id", time.Time{}, expires, now)
		wantKind(t, "no time of issue", err, fault.Conflict)
	})
}
