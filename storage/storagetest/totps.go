package storagetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/totp"
)

// TOTPs checks a totp.Store.
func TOTPs(t *testing.T, open OpenDurable) {
	app := func(id, userID string) totp.App {
		return totp.App{ID: id, UserID: userID, Name: "App " + id, Sealed: []byte("sealed " + id), LastStep: 10, CreatedAt: epoch}
	}
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).TOTPs
		var a totp.App
		fill(t, &a)
		must(t, s.Create(t.Context(), a))
		got, err := s.OfUser(t.Context(), a.UserID)
		must(t, err)
		same(t, "OfUser", got, []totp.App{a})
	})
	t.Run("RFC 6238 §5.2 a time step is spent once, and older ones with it", func(t *testing.T) {
		s := open(t).TOTPs
		must(t, s.Create(t.Context(), app("a", "ann")))
		must(t, s.Create(t.Context(), app("b", "ann")))
		wantKind(t, "the step of the confirmation", s.Spend(t.Context(), "a", 10, epoch), fault.Conflict)
		must(t, s.Spend(t.Context(), "a", 12, epoch))
		wantKind(t, "the same step", s.Spend(t.Context(), "a", 12, epoch), fault.Conflict)
		wantKind(t, "an older step", s.Spend(t.Context(), "a", 11, epoch), fault.Conflict)
		must(t, s.Spend(t.Context(), "b", 12, epoch)) // of another app
		wantKind(t, "nothing", s.Spend(t.Context(), "nothing", 99, epoch), fault.Conflict)
		got, err := s.OfUser(t.Context(), "ann")
		must(t, err)
		if got[0].LastStep != 12 || !got[0].UsedAt.Equal(epoch.Truncate(time.Microsecond)) {
			t.Errorf("after it was spent: %+v", got[0])
		}
	})
	t.Run("of fifty who spend a step at once one does", func(t *testing.T) {
		s := open(t).TOTPs
		must(t, s.Create(t.Context(), app("a", "ann")))
		var wg sync.WaitGroup
		errs := make([]error, 50)
		for i := range errs {
			wg.Go(func() { errs[i] = s.Spend(context.Background(), "a", 11, epoch) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d won, want 1", won)
		}
	})
	t.Run("only their person changes them", func(t *testing.T) {
		s := open(t).TOTPs
		must(t, s.Create(t.Context(), app("a", "ann")))
		wantKind(t, "Rename by another", s.Rename(t.Context(), "bob", "a", "x"), fault.NotFound)
		wantKind(t, "Delete by another", s.Delete(t.Context(), "bob", "a"), fault.NotFound)
		wantKind(t, "Delete of nothing", s.Delete(t.Context(), "ann", "\x00"), fault.NotFound)
		must(t, s.Rename(t.Context(), "ann", "a", "Phone"))
		got, err := s.OfUser(t.Context(), "ann")
		must(t, err)
		if len(got) != 1 || got[0].Name != "Phone" {
			t.Errorf("after the rename: %+v", got)
		}
		must(t, s.Delete(t.Context(), "ann", "a"))
		wantKind(t, "Delete twice", s.Delete(t.Context(), "ann", "a"), fault.NotFound)
		wantKind(t, "Spend of a removed one", s.Spend(t.Context(), "a", 99, epoch), fault.Conflict)
	})
	t.Run("refusals", func(t *testing.T) {
		s := open(t).TOTPs
		wantKind(t, "Create of nothing", s.Create(t.Context(), totp.App{}), fault.Invalid)
		must(t, s.Create(t.Context(), app("a", "ann")))
		wantKind(t, "Create twice", s.Create(t.Context(), app("a", "bob")), fault.Conflict)
		for _, id := range []string{"", "\x00", "nobody"} {
			if got, err := s.OfUser(t.Context(), id); len(got) != 0 || err != nil {
				t.Errorf("OfUser of %q = %v, %v", id, got, err)
			}
		}
	})
}
