package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/fault"
)

// Consents checks a consent.Store.
func Consents(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Consents
		var c consent.Consent
		fill(t, &c)
		must(t, s.Allow(t.Context(), c))
		got, err := s.Get(t.Context(), c.UserID, c.ClientID)
		must(t, err)
		same(t, "Get", got, c)
	})

	t.Run("what is allowed later is added", func(t *testing.T) {
		s := open(t).Consents
		must(t, s.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: "shop", Scopes: []string{"openid", "email"}, CreatedAt: epoch, UpdatedAt: epoch}))
		later := epoch.Add(time.Hour)
		must(t, s.Allow(t.Context(), consent.Consent{
			UserID: "alice", ClientID: "shop", Scopes: []string{"email", "phone", "phone"},
			Audiences: []string{"https://a.example"}, Claims: []string{"name"}, CreatedAt: later, UpdatedAt: later,
		}))
		got, err := s.Get(t.Context(), "alice", "shop")
		must(t, err)
		same(t, "Get", got, consent.Consent{
			UserID: "alice", ClientID: "shop", Scopes: []string{"openid", "email", "phone"},
			Audiences: []string{"https://a.example"}, Claims: []string{"name"}, CreatedAt: epoch, UpdatedAt: later,
		})
	})

	t.Run("concurrent calls lose nothing", func(t *testing.T) {
		s := open(t).Consents
		if won := race(t, fault.None, func(n int) error {
			return s.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: "shop", Scopes: []string{fmt.Sprint("scope-", n)}})
		}); won != racers {
			t.Errorf("%d calls succeeded, want all %d", won, racers)
		}
		got, err := s.Get(t.Context(), "alice", "shop")
		must(t, err)
		if len(got.Scopes) != racers {
			t.Errorf("%d scopes are kept, want %d: %v", len(got.Scopes), racers, got.Scopes)
		}
	})

	t.Run("withdrawn is gone", func(t *testing.T) {
		s := open(t).Consents
		for _, clientID := range []string{"shop", "game"} {
			must(t, s.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: clientID, Scopes: []string{"openid"}}))
		}
		must(t, s.Withdraw(t.Context(), "alice", "shop"))
		must(t, s.Withdraw(t.Context(), "alice", "shop"))
		_, err := s.Get(t.Context(), "alice", "shop")
		wantKind(t, "Get after Withdraw", err, fault.NotFound)
		_, err = s.Get(t.Context(), "alice", "game")
		wantKind(t, "the other consent", err, fault.None)
		must(t, s.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: "shop", Scopes: []string{"phone"}}))
		got, err := s.Get(t.Context(), "alice", "shop")
		must(t, err)
		same(t, "scopes after a new consent", got.Scopes, []string{"phone"})
	})

	t.Run("newest first", func(t *testing.T) {
		s := open(t).Consents
		for i, clientID := range []string{"a", "c", "b"} {
			must(t, s.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: clientID, CreatedAt: epoch.Add(time.Duration(i) * time.Second)}))
		}
		must(t, s.Allow(t.Context(), consent.Consent{UserID: "bob", ClientID: "a"}))
		got, err := s.OfUser(t.Context(), "alice")
		must(t, err)
		if len(got) != 3 || got[0].ClientID != "b" || got[1].ClientID != "c" || got[2].ClientID != "a" {
			t.Errorf("OfUser = %+v, want b, c, a", got)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Consents
		must(t, s.Allow(t.Context(), consent.Consent{UserID: "taken", ClientID: "taken"}))
		for name, key := range strangeKeys {
			_, err := s.Get(t.Context(), key, "taken")
			wantKind(t, "Get of person "+name, err, fault.NotFound)
			_, err = s.Get(t.Context(), "taken", key)
			wantKind(t, "Get of client "+name, err, fault.NotFound)
			must(t, s.Withdraw(t.Context(), key, "taken"))
			must(t, s.Withdraw(t.Context(), "taken", key))
		}
		wantKind(t, "of nobody", s.Allow(t.Context(), consent.Consent{ClientID: "shop"}), fault.Invalid)
		wantKind(t, "of no client", s.Allow(t.Context(), consent.Consent{UserID: "alice"}), fault.Invalid)
		_, err := s.Get(t.Context(), "taken", "taken")
		wantKind(t, "after all that", err, fault.None)
	})
}
