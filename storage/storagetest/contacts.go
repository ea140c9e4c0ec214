package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/onetime"
)

// Contacts checks an onetime.Store.
func Contacts(t *testing.T, open OpenDurable) {
	number := func(userID, target string) onetime.Contact {
		return onetime.Contact{UserID: userID, Kind: assurance.SMS, Target: target, CreatedAt: epoch}
	}
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Contacts
		var c onetime.Contact
		fill(t, &c)
		must(t, s.Put(t.Context(), c))
		got, err := s.Get(t.Context(), c.UserID, c.Kind)
		must(t, err)
		same(t, "Get", got, c)
	})
	t.Run("another one takes the place of the first, and of no other kind or person", func(t *testing.T) {
		s := open(t).Contacts
		mailbox := onetime.Contact{UserID: "ann", Kind: assurance.Email, CreatedAt: epoch}
		for _, c := range []onetime.Contact{number("ann", "+1"), number("bob", "+2"), mailbox} {
			must(t, s.Put(t.Context(), c))
		}
		must(t, s.Touch(t.Context(), "ann", assurance.SMS, "+1", epoch))
		another := number("ann", "+3")
		another.CreatedAt = epoch.Add(time.Hour)
		must(t, s.Put(t.Context(), another))
		for _, want := range []onetime.Contact{another, number("bob", "+2"), mailbox} {
			got, err := s.Get(t.Context(), want.UserID, want.Kind)
			must(t, err)
			same(t, "Get", got, want)
		}
		wantKind(t, "Touch of the old number", s.Touch(t.Context(), "ann", assurance.SMS, "+1", epoch), fault.NotFound)
	})
	t.Run("of fifty at once one stays", func(t *testing.T) {
		s := open(t).Contacts
		won := race(t, fault.None, func(n int) error { return s.Put(t.Context(), number("ann", fmt.Sprint(n))) })
		got, err := s.Get(t.Context(), "ann", assurance.SMS)
		if won != racers || err != nil || got.Target == "" {
			t.Errorf("%d were written, %+v is left, %v", won, got, err)
		}
	})
	t.Run("a use is noted", func(t *testing.T) {
		s := open(t).Contacts
		must(t, s.Put(t.Context(), number("ann", "+1")))
		must(t, s.Touch(t.Context(), "ann", assurance.SMS, "+1", epoch.Add(time.Minute)))
		want := number("ann", "+1")
		want.UsedAt = epoch.Add(time.Minute)
		got, err := s.Get(t.Context(), "ann", assurance.SMS)
		must(t, err)
		same(t, "Get", got, want)
		must(t, s.Put(t.Context(), onetime.Contact{UserID: "ann", Kind: assurance.Email, CreatedAt: epoch}))
		must(t, s.Touch(t.Context(), "ann", assurance.Email, "", epoch))
	})
	t.Run("refusals", func(t *testing.T) {
		s := open(t).Contacts
		must(t, s.Put(t.Context(), number("ann", "+1")))
		for name, key := range strangeKeys {
			_, err := s.Get(t.Context(), key, assurance.SMS)
			wantKind(t, "Get of "+name, err, fault.NotFound)
			wantKind(t, "Touch of "+name, s.Touch(t.Context(), key, assurance.SMS, "+1", epoch), fault.NotFound)
			wantKind(t, "Touch at "+name, s.Touch(t.Context(), "ann", assurance.SMS, key, epoch), fault.NotFound)
			wantKind(t, "Delete of "+name, s.Delete(t.Context(), key, assurance.SMS), fault.NotFound)
			wantKind(t, "Delete of the kind "+name, s.Delete(t.Context(), "ann", assurance.Factor(key)), fault.NotFound)
		}
		wantKind(t, "Put of nobody's", s.Put(t.Context(), number("", "+1")), fault.Invalid)
		wantKind(t, "Put of no kind", s.Put(t.Context(), onetime.Contact{UserID: "ann"}), fault.Invalid)
		wantKind(t, "Delete of another kind", s.Delete(t.Context(), "ann", assurance.Email), fault.NotFound)
		must(t, s.Delete(t.Context(), "ann", assurance.SMS))
		wantKind(t, "Delete twice", s.Delete(t.Context(), "ann", assurance.SMS), fault.NotFound)
	})
}
