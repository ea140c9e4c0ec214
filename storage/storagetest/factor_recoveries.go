package storagetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/recovery"
)

// newRecovery is one that waits for an hour.
func newRecovery(id, userID string) recovery.Request {
	return recovery.Request{ID: id, UserID: userID, Reason: "lost phone", AskedBy: "ada", CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
}

// recoveryEnds returns why the request ended, "" while it is open.
func recoveryEnds(t *testing.T, s recovery.Store, id string) string {
	t.Helper()
	r, err := s.ByID(t.Context(), id)
	must(t, err)
	if r.EndedAt.IsZero() != (r.EndReason == "") {
		t.Errorf("%s ended at %v, reason %q: want both or none", id, r.EndedAt, r.EndReason)
	}
	return r.EndReason
}

// FactorRecoveries checks a recovery.Store.
func FactorRecoveries(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).FactorRecoveries
		var r recovery.Request
		fill(t, &r)
		must(t, s.Create(t.Context(), r))
		got, err := s.ByID(t.Context(), r.ID)
		must(t, err)
		same(t, "ByID", got, r)
	})
	t.Run("a later one replaces", func(t *testing.T) { replaceRecoveries(t, open) })
	t.Run("approval", func(t *testing.T) { approveRecoveries(t, open) })
	t.Run("end", func(t *testing.T) { endRecoveries(t, open) })
	t.Run("the open ones are listed, oldest first", func(t *testing.T) { listRecoveries(t, open) })
	t.Run("removal", func(t *testing.T) {
		s := open(t).FactorRecoveries
		for n := range 3 {
			r := newRecovery(fmt.Sprint(n), fmt.Sprint("person ", n))
			r.ExpiresAt = epoch.Add(time.Duration(n) * time.Hour)
			must(t, s.Create(t.Context(), r))
		}
		for _, want := range []int{1, 1, 0} {
			n, err := s.DeleteExpired(t.Context(), epoch.Add(90*time.Minute), 1)
			must(t, err)
			if n != want {
				t.Errorf("removed %d, want %d", n, want)
			}
		}
		_, err := s.ByID(t.Context(), "2")
		must(t, err)
		if n, err := s.DeleteExpired(t.Context(), epoch.Add(time.Hour*100), 0); n != 0 || err != nil {
			t.Errorf("none were to go: %d, %v", n, err)
		}
	})
	t.Run("refusals", func(t *testing.T) { refuseRecoveries(t, open) })
}

func replaceRecoveries(t *testing.T, open OpenDurable) {
	t.Run("of the same person only", func(t *testing.T) {
		s := open(t).FactorRecoveries
		for _, r := range []recovery.Request{newRecovery("first", "alice"), newRecovery("other", "bob"), newRecovery("second", "alice")} {
			must(t, s.Create(t.Context(), r))
		}
		for id, want := range map[string]string{"first": "replaced", "other": "", "second": ""} {
			if got := recoveryEnds(t, s, id); got != want {
				t.Errorf("%s ended because %q, want %q", id, got, want)
			}
		}
	})
	t.Run("one of many is left open", func(t *testing.T) {
		s := open(t).FactorRecoveries
		if won := race(t, fault.None, func(n int) error { return s.Create(t.Context(), newRecovery(fmt.Sprint(n), "alice")) }); won != racers {
			t.Errorf("%d of %d were created", won, racers)
		}
		left, err := s.Open(t.Context(), paging.Page{}, epoch)
		must(t, err)
		if len(left) != 1 {
			t.Errorf("%d are open, want 1", len(left))
		}
	})
	t.Run("an id twice is a conflict that ends nothing", func(t *testing.T) {
		s := open(t).FactorRecoveries
		must(t, s.Create(t.Context(), newRecovery("a", "alice")))
		wantKind(t, "the id again", s.Create(t.Context(), newRecovery("a", "alice")), fault.Conflict)
		if got := recoveryEnds(t, s, "a"); got != "" {
			t.Errorf("ended because %q", got)
		}
	})
}

func approveRecoveries(t *testing.T, open OpenDurable) {
	t.Run("once", func(t *testing.T) {
		s := open(t).FactorRecoveries
		must(t, s.Create(t.Context(), newRecovery("a", "alice")))
		must(t, s.Create(t.Context(), newRecovery("b", "bob")))
		until := epoch.Add(5 * time.Hour)
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Approve(t.Context(), "a", fmt.Sprint("admin ", n), fmt.Sprint("link ", n), until, epoch)
		}); won != 1 {
			t.Errorf("%d approved it, want 1", won)
		}
		got, err := s.ByID(t.Context(), "a")
		must(t, err)
		if !got.Approved() || got.ApprovedBy[len("admin "):] != got.ConfirmationID[len("link "):] || !got.ExpiresAt.Equal(until.Truncate(time.Microsecond)) {
			t.Errorf("it is %+v, want all three of one call", got)
		}
		if other, err := s.ByID(t.Context(), "b"); err != nil || other.Approved() {
			t.Errorf("the other is %+v, %v", other, err)
		}
	})
	t.Run("never by who asked, nor late, nor after its end", func(t *testing.T) {
		s := open(t).FactorRecoveries
		must(t, s.Create(t.Context(), newRecovery("own", "alice")))
		must(t, s.Create(t.Context(), newRecovery("late", "bob")))
		must(t, s.Create(t.Context(), newRecovery("ended", "cleo")))
		must(t, s.End(t.Context(), "ended", "withdrawn", epoch))
		later := epoch.Add(24 * time.Hour)
		wantKind(t, "by who asked", s.Approve(t.Context(), "own", "ada", "c", later, epoch), fault.Conflict)
		wantKind(t, "at its end", s.Approve(t.Context(), "late", "ben", "c", later, epoch.Add(time.Hour)), fault.Conflict)
		wantKind(t, "after its end", s.Approve(t.Context(), "ended", "ben", "c", later, epoch), fault.Conflict)
		wantKind(t, "of nothing", s.Approve(t.Context(), "nothing", "ben", "c", later, epoch), fault.Conflict)
		must(t, s.Approve(t.Context(), "late", "ben", "c", later, epoch.Add(time.Hour-time.Second)))
	})
}

func endRecoveries(t *testing.T, open OpenDurable) {
	s := open(t).FactorRecoveries
	must(t, s.Create(t.Context(), newRecovery("a", "alice")))
	must(t, s.Create(t.Context(), newRecovery("b", "bob")))
	if won := race(t, fault.Conflict, func(int) error { return s.End(t.Context(), "a", "used", epoch) }); won != 1 {
		t.Errorf("%d ended it, want 1", won)
	}
	if got := recoveryEnds(t, s, "a"); got != "used" {
		t.Errorf("ended because %q, want used", got)
	}
	wantKind(t, "at its end", s.End(t.Context(), "b", "used", epoch.Add(time.Hour)), fault.Conflict)
	if got := recoveryEnds(t, s, "b"); got != "" {
		t.Errorf("the other ended because %q", got)
	}
}

func listRecoveries(t *testing.T, open OpenDurable) {
	s := open(t).FactorRecoveries
	for n := range 5 {
		r := newRecovery(fmt.Sprint("r", n), fmt.Sprint("person ", n))
		r.CreatedAt = epoch.Add(time.Duration(n) * time.Second)
		must(t, s.Create(t.Context(), r))
	}
	over := newRecovery("over", "zoe")
	over.ExpiresAt = epoch.Add(time.Second)
	must(t, s.Create(t.Context(), over))
	must(t, s.End(t.Context(), "r1", "withdrawn", epoch))
	var seen []string
	page := paging.Page{Size: 2}
	for range 5 {
		list, err := s.Open(t.Context(), page, epoch.Add(time.Minute))
		must(t, err)
		for _, r := range list {
			seen = append(seen, r.ID)
			page.Cursor = r.ID
		}
	}
	if want := []string{"r0", "r2", "r3", "r4"}; !slices.Equal(seen, want) {
		t.Errorf("listed %q, want %q", seen, want)
	}
	for _, cursor := range []string{"nobody", "\x00"} {
		if list, err := s.Open(t.Context(), paging.Page{Cursor: cursor}, epoch); err != nil || len(list) != 0 {
			t.Errorf("after %q: %v, %v", cursor, list, err)
		}
	}
}

func refuseRecoveries(t *testing.T, open OpenDurable) {
	s := open(t).FactorRecoveries
	for _, id := range []string{"", "nobody", "\x00", "\xff"} {
		_, err := s.ByID(t.Context(), id)
		wantKind(t, fmt.Sprintf("ByID(%q)", id), err, fault.NotFound)
		wantKind(t, fmt.Sprintf("End(%q)", id), s.End(t.Context(), id, "used", epoch), fault.Conflict)
		wantKind(t, fmt.Sprintf("Approve(%q)", id), s.Approve(t.Context(), id, "ben", "c", epoch, epoch), fault.Conflict)
		if n, err := s.RemoveFactors(t.Context(), id); n != 0 || err != nil {
			t.Errorf("RemoveFactors(%q) = %d, %v", id, n, err)
		}
		if list, err := s.Factors(t.Context(), id); len(list) != 0 || err != nil {
			t.Errorf("Factors(%q) = %v, %v", id, list, err)
		}
	}
	for _, r := range []recovery.Request{newRecovery("", "alice"), newRecovery("a", ""), newRecovery("a\x00", "alice"), newRecovery("a", "\xff")} {
		if fault.KindOf(s.Create(t.Context(), r)) == fault.None {
			t.Errorf("%+v was taken", r)
		}
	}
	odd := newRecovery("odd", "alice")
	odd.Reason = "a\x00b\xff"
	must(t, s.Create(t.Context(), odd))
}
