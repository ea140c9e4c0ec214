package storagetest

import (
	"fmt"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
)

// Passwords checks a password.Store.
func Passwords(t *testing.T, open OpenDurable) {
	t.Run("the last one set counts", func(t *testing.T) {
		s := open(t).Passwords
		must(t, s.Set(t.Context(), "alice", "$argon2id$first", epoch))
		must(t, s.Set(t.Context(), "bob", "$argon2id$other", epoch))
		must(t, s.Set(t.Context(), "alice", "$argon2id$second", epoch))
		for id, want := range map[string]string{"alice": "$argon2id$second", "bob": "$argon2id$other"} {
			if got, err := s.Hash(t.Context(), id); err != nil || got != want {
				t.Errorf("Hash(%s) = %q, %v; want %q", id, got, err, want)
			}
		}
	})

	t.Run("a rehash never undoes a change", func(t *testing.T) {
		s := open(t).Passwords
		must(t, s.Set(t.Context(), "alice", "old", epoch))
		must(t, s.Swap(t.Context(), "alice", "old", "rehashed", epoch))
		must(t, s.Set(t.Context(), "alice", "changed", epoch))
		wantKind(t, "a late rehash", s.Swap(t.Context(), "alice", "rehashed", "rehashed again", epoch), fault.Conflict)
		if got, err := s.Hash(t.Context(), "alice"); err != nil || got != "changed" {
			t.Errorf("Hash = %q, %v; want the changed one", got, err)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Passwords
		must(t, s.Set(t.Context(), "taken", "hash", epoch))
		for name, id := range strangeKeys {
			_, err := s.Hash(t.Context(), id)
			wantKind(t, "Hash of "+name, err, fault.NotFound)
			wantKind(t, "Swap of "+name, s.Swap(t.Context(), id, "hash", "next", epoch), fault.Conflict)
		}
		wantKind(t, "Set of nobody", s.Set(t.Context(), "", "hash", epoch), fault.Invalid)
		wantKind(t, "Set of nothing", s.Set(t.Context(), "taken", "", epoch), fault.Invalid)
		wantKind(t, "Swap of nothing", s.Swap(t.Context(), "taken", "", "next", epoch), fault.Conflict)
		wantKind(t, "Swap to nothing", s.Swap(t.Context(), "taken", "hash", "", epoch), fault.Invalid)
	})

	t.Run("one of many swaps", func(t *testing.T) {
		s := open(t).Passwords
		must(t, s.Set(t.Context(), "alice", "old", epoch))
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Swap(t.Context(), "alice", "old", fmt.Sprint("next", n), epoch)
		}); won != 1 {
			t.Errorf("%d swaps won, want 1", won)
		}
	})
}
