package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/passkey"
)

func newPasskey(id, userID string) passkey.Passkey {
	return passkey.Passkey{
		ID: id, CredentialID: "credential-of-" + id, UserID: userID, Name: "Passkey " + id, PublicKey: []byte("key of " + id),
		SignCount: 10, Transports: []string{"internal"}, CreatedAt: epoch,
	}
}

// Passkeys checks a passkey.Store.
func Passkeys(t *testing.T, open OpenDurable) {
	read := func(t *testing.T, s passkey.Store, userID string) passkey.Passkey {
		t.Helper()
		all, err := s.OfUser(t.Context(), userID)
		must(t, err)
		if len(all) != 1 {
			t.Fatalf("%s has %d passkeys, want 1", userID, len(all))
		}
		return all[0]
	}
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Passkeys
		var p passkey.Passkey
		fill(t, &p)
		p.SignCount = 1<<32 - 1 // all that a counter can be
		must(t, s.Create(t.Context(), p))
		got, err := s.OfUser(t.Context(), p.UserID)
		must(t, err)
		same(t, "OfUser", got, []passkey.Passkey{p})
		one, err := s.ByCredential(t.Context(), p.CredentialID)
		must(t, err)
		same(t, "ByCredential", one, p)
	})
	t.Run("WebAuthn §7.1 a credential belongs to one person", func(t *testing.T) {
		s := open(t).Passkeys
		must(t, s.Create(t.Context(), newPasskey("a", "ann")))
		again := newPasskey("b", "bob")
		again.CredentialID = "credential-of-a"
		wantKind(t, "the same credential of another person", s.Create(t.Context(), again), fault.Conflict)
		one, err := s.ByCredential(t.Context(), "credential-of-a")
		must(t, err)
		if one.UserID != "ann" {
			t.Errorf("the credential is of %s, want ann", one.UserID)
		}
		for _, id := range []string{"nothing", "", "\x00", "credential-of-A"} {
			_, err := s.ByCredential(t.Context(), id)
			wantKind(t, "ByCredential of "+id, err, fault.NotFound)
		}
		for _, id := range []string{"bob", "", "\x00"} {
			if none, err := s.OfUser(t.Context(), id); err != nil || len(none) != 0 {
				t.Errorf("OfUser(%q) = %v, %v", id, none, err)
			}
		}
	})
	t.Run("one credential is made once", func(t *testing.T) {
		s := open(t).Passkeys
		if won := race(t, fault.Conflict, func(n int) error {
			p := newPasskey(string(rune('A'+n)), "ann")
			p.CredentialID = "the same"
			return s.Create(t.Context(), p)
		}); won != 1 {
			t.Errorf("%d were made, want 1", won)
		}
	})
	t.Run("a use raises the counter that was read", func(t *testing.T) {
		s := open(t).Passkeys
		must(t, s.Create(t.Context(), newPasskey("a", "ann")))
		must(t, s.Use(t.Context(), "a", 10, 12, true, epoch.Add(time.Minute)))
		got := read(t, s, "ann")
		if got.SignCount != 12 || !got.BackedUp || !got.UsedAt.Equal(epoch.Add(time.Minute).Truncate(time.Microsecond)) {
			t.Errorf("after a use: %+v", got)
		}
		wantKind(t, "the old counter", s.Use(t.Context(), "a", 10, 13, true, epoch), fault.Conflict)
		wantKind(t, "nothing", s.Use(t.Context(), "nothing", 0, 1, true, epoch), fault.Conflict)
		wantKind(t, "no id", s.Use(t.Context(), "\x00", 0, 1, true, epoch), fault.Conflict)
		if again := read(t, s, "ann"); again.SignCount != 12 {
			t.Errorf("the counter is %d after refusals, want 12", again.SignCount)
		}
	})
	t.Run("one of many uses of a counter wins", func(t *testing.T) {
		s := open(t).Passkeys
		must(t, s.Create(t.Context(), newPasskey("a", "ann")))
		if won := race(t, fault.Conflict, func(int) error { return s.Use(t.Context(), "a", 10, 11, false, epoch) }); won != 1 {
			t.Errorf("%d uses won, want 1", won)
		}
	})
	t.Run("one suspension wins, and ends every use", func(t *testing.T) {
		s := open(t).Passkeys
		must(t, s.Create(t.Context(), newPasskey("a", "ann")))
		must(t, s.Create(t.Context(), newPasskey("b", "bob")))
		if won := race(t, fault.Conflict, func(int) error { return s.Suspend(t.Context(), "a", epoch) }); won != 1 {
			t.Errorf("%d suspensions won, want 1", won)
		}
		if got := read(t, s, "ann"); !got.SuspendedAt.Equal(epoch.Truncate(time.Microsecond)) {
			t.Errorf("suspended at %v, want %v", got.SuspendedAt, epoch)
		}
		wantKind(t, "a use of a suspended one", s.Use(t.Context(), "a", 10, 11, false, epoch), fault.Conflict)
		wantKind(t, "nothing", s.Suspend(t.Context(), "nothing", epoch), fault.Conflict)
		must(t, s.Use(t.Context(), "b", 10, 11, false, epoch)) // another one
	})
	t.Run("people change their own alone", func(t *testing.T) {
		s := open(t).Passkeys
		must(t, s.Create(t.Context(), newPasskey("a", "ann")))
		must(t, s.Create(t.Context(), newPasskey("b", "bob")))
		must(t, s.Rename(t.Context(), "ann", "a", "Key \x00ring"))
		for _, id := range []string{"b", "nothing", "", "\x00"} {
			wantKind(t, "Rename of "+id, s.Rename(t.Context(), "ann", id, "x"), fault.NotFound)
			wantKind(t, "Delete of "+id, s.Delete(t.Context(), "ann", id), fault.NotFound)
		}
		if got := read(t, s, "bob"); got.Name != "Passkey b" {
			t.Errorf("bob's is called %q now", got.Name)
		}
		must(t, s.Delete(t.Context(), "ann", "a"))
		wantKind(t, "Delete again", s.Delete(t.Context(), "ann", "a"), fault.NotFound)
		_, err := s.ByCredential(t.Context(), "credential-of-a")
		wantKind(t, "what was removed", err, fault.NotFound)
	})
	t.Run("the oldest comes first", func(t *testing.T) {
		s := open(t).Passkeys
		young := newPasskey("a", "ann")
		young.CreatedAt = epoch.Add(time.Hour)
		must(t, s.Create(t.Context(), young))
		must(t, s.Create(t.Context(), newPasskey("b", "ann")))
		all, err := s.OfUser(t.Context(), "ann")
		must(t, err)
		if len(all) != 2 || all[0].ID != "b" {
			t.Errorf("OfUser = %v", all)
		}
	})
}
