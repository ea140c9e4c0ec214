package storagetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/recoverycode"
)

func newCodes(userID string, hashes ...string) []recoverycode.Code {
	codes := make([]recoverycode.Code, len(hashes))
	for i, h := range hashes {
		codes[i] = recoverycode.Code{Hash: h, UserID: userID, CreatedAt: epoch}
	}
	return codes
}

// RecoveryCodes checks a recoverycode.Store.
func RecoveryCodes(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).RecoveryCodes
		var c recoverycode.Code
		fill(t, &c)
		must(t, s.Replace(t.Context(), c.UserID, []recoverycode.Code{c}))
		got, err := s.OfUser(t.Context(), c.UserID)
		must(t, err)
		same(t, "OfUser", got, []recoverycode.Code{c})
	})
	t.Run("a new list voids the old one, and no other person's", func(t *testing.T) {
		s := open(t).RecoveryCodes
		must(t, s.Replace(t.Context(), "ann", newCodes("ann", "a1", "a2")))
		must(t, s.Replace(t.Context(), "bob", newCodes("bob", "b1")))
		must(t, s.Replace(t.Context(), "ann", newCodes("ann", "a3")))
		wantKind(t, "Use of the old list", s.Use(t.Context(), "ann", "a1", epoch), fault.Conflict)
		must(t, s.Use(t.Context(), "ann", "a3", epoch))
		must(t, s.Use(t.Context(), "bob", "b1", epoch))
		must(t, s.Replace(t.Context(), "bob", nil))
		if got, err := s.OfUser(t.Context(), "bob"); len(got) != 0 || err != nil {
			t.Errorf("after an empty list: %v, %v", got, err)
		}
	})
	t.Run("ASVS 6.5.1 of fifty who use a code at once one does", func(t *testing.T) {
		s := open(t).RecoveryCodes
		must(t, s.Replace(t.Context(), "ann", newCodes("ann", "a1", "a2")))
		if won := race(t, fault.Conflict, func(int) error { return s.Use(t.Context(), "ann", "a1", epoch) }); won != 1 {
			t.Errorf("%d won, want 1", won)
		}
		got, err := s.OfUser(t.Context(), "ann")
		must(t, err)
		want := newCodes("ann", "a1", "a2")
		want[0].UsedAt = epoch
		same(t, "after the race", got, want)
	})
	t.Run("of fifty new lists at once one stays, whole", func(t *testing.T) {
		s := open(t).RecoveryCodes
		var wg sync.WaitGroup
		for n := range racers {
			wg.Go(func() {
				if err := s.Replace(t.Context(), "ann", newCodes("ann", fmt.Sprint(n, "a"), fmt.Sprint(n, "b"), fmt.Sprint(n, "c"))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.OfUser(t.Context(), "ann")
		must(t, err)
		if len(got) != 3 || got[0].Hash[:len(got[0].Hash)-1] != got[2].Hash[:len(got[2].Hash)-1] {
			t.Errorf("of three codes each %d are left: %+v", len(got), got)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		s := open(t).RecoveryCodes
		must(t, s.Replace(t.Context(), "ann", newCodes("ann", "a1")))
		wantKind(t, "Use by another", s.Use(t.Context(), "bob", "a1", epoch), fault.Conflict)
		for name, key := range strangeKeys {
			wantKind(t, "Use of "+name, s.Use(t.Context(), "ann", key, epoch), fault.Conflict)
			wantKind(t, "Use by "+name, s.Use(t.Context(), key, "a1", epoch), fault.Conflict)
			wantKind(t, "RemoveAll of "+name, s.RemoveAll(t.Context(), key), fault.None)
			if got, err := s.OfUser(t.Context(), key); len(got) > 0 || err != nil {
				t.Errorf("OfUser of %s = %v, %v", name, got, err)
			}
		}
		for _, key := range []string{"", "a\x00", "\xff"} {
			wantKind(t, "a list of nobody", s.Replace(t.Context(), key, newCodes(key, "x")), fault.Invalid)
		}
		wantKind(t, "a code without a fingerprint", s.Replace(t.Context(), "ann", newCodes("ann", "")), fault.Invalid)
		if got, err := s.OfUser(t.Context(), "ann"); len(got) != 1 || err != nil {
			t.Errorf("after refusals ann has %v, %v", got, err)
		}
		must(t, s.RemoveAll(t.Context(), "ann"))
		must(t, s.RemoveAll(t.Context(), "ann"))
		wantKind(t, "Use of what was removed", s.Use(t.Context(), "ann", "a1", epoch), fault.Conflict)
	})
}
