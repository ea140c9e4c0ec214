package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/scope"
)

func removeGrants(t *testing.T, open OpenDurable) {
	day := 24 * time.Hour
	t.Run("nothing is removed that can still be used", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("unused")))
		must(t, s.Create(t.Context(), newGrant("spent")))
		must(t, s.Redeem(t.Context(), grant.Redemption{GrantID: "spent", CodeHash: "code-spent", Now: epoch}))
		must(t, s.Create(t.Context(), newGrant("family")))
		r := redeeming("family", epoch)
		r.RefreshIdleExpiresAt, r.RefreshExpiresAt = epoch.Add(7*day), epoch.Add(30*day)
		must(t, s.Redeem(t.Context(), r))
		for _, step := range []struct {
			at   time.Duration
			left []string
		}{
			{0, []string{"unused", "spent", "family"}},
			{time.Hour, []string{"spent", "family"}}, // its access tokens may live an hour
			{-time.Hour, []string{"spent", "family"}},
			{6 * day, []string{"family"}},
			{7*day + time.Hour, []string{"family"}}, // the access token of the last minute
			{10 * day, nil},
		} {
			if _, err := s.DeleteExpired(t.Context(), epoch.Add(step.at), 100); err != nil {
				t.Fatal(err)
			}
			for _, id := range step.left {
				if _, err := s.ByID(t.Context(), id); err != nil {
					t.Errorf("after %v: %s: %v, want it there", step.at, id, err)
				}
			}
		}
		for _, id := range []string{"unused", "spent", "family"} {
			_, err := s.ByID(t.Context(), id)
			wantKind(t, id+" after ten days", err, fault.NotFound)
		}
	})

	t.Run("a rotation keeps the family", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		r := redeeming("a", epoch)
		r.RefreshExpiresAt = epoch.Add(30 * day)
		must(t, s.Redeem(t.Context(), r))
		must(t, s.Rotate(t.Context(), grant.Rotation{GrantID: "a", OldHash: "refresh-a", NewHash: "next", Now: epoch, IdleExpiresAt: epoch.Add(20 * day)}))
		if _, err := s.DeleteExpired(t.Context(), epoch.Add(20*day), 100); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ByID(t.Context(), "a"); err != nil {
			t.Errorf("the rotated grant: %v, want it there", err)
		}
	})

	t.Run("long-lived access tokens keep the spent code", func(t *testing.T) {
		for name, lengthen := range map[string]func(d *scopeAndClient){
			"of an API": func(d *scopeAndClient) {
				must(t, d.apis.Create(t.Context(), scope.API{Audience: "https://slow.example", TokenTTL: 10 * day}))
			},
			"of a client": func(d *scopeAndClient) {
				must(t, d.clients.Create(t.Context(), client.Client{ID: "slow", AccessTokenTTL: 10 * day}))
			},
		} {
			t.Run(name, func(t *testing.T) {
				d := open(t)
				lengthen(&scopeAndClient{d.APIs, d.Clients})
				must(t, d.Grants.Create(t.Context(), newGrant("a")))
				must(t, d.Grants.Redeem(t.Context(), grant.Redemption{GrantID: "a", CodeHash: "code-a", Now: epoch}))
				if _, err := d.Grants.DeleteExpired(t.Context(), epoch.Add(9*day), 100); err != nil {
					t.Fatal(err)
				}
				if _, err := d.Grants.ByCode(t.Context(), "code-a"); err != nil {
					t.Errorf("the spent code after nine days: %v, want it there", err)
				}
				if n, err := d.Grants.DeleteExpired(t.Context(), epoch.Add(20*day), 100); err != nil || n != 1 {
					t.Errorf("after twenty days: %d, %v; want 1", n, err)
				}
			})
		}
	})

	t.Run("in batches, tokens after grants", func(t *testing.T) {
		s := open(t).Grants
		for n := range 3 {
			must(t, s.Create(t.Context(), newGrant(fmt.Sprint(n))))
			must(t, s.PutToken(t.Context(), grant.OpaqueToken{Hash: fmt.Sprint(n), ExpiresAt: epoch}))
		}
		must(t, s.PutToken(t.Context(), grant.OpaqueToken{Hash: "live", ExpiresAt: epoch.Add(100 * day)}))
		for i, want := range []int{0, 2, 2, 2, 0} {
			limit := 2
			if i == 0 {
				limit = 0
			}
			if n, err := s.DeleteExpired(t.Context(), epoch.Add(30*day), limit); err != nil || n != want {
				t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
			}
		}
		if _, err := s.Token(t.Context(), "live"); err != nil {
			t.Errorf("the live token: %v, want it there", err)
		}
	})

	t.Run("a token goes at its limit and not before", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.PutToken(t.Context(), grant.OpaqueToken{Hash: "a", ExpiresAt: epoch}))
		if n, err := s.DeleteExpired(t.Context(), epoch.Add(-time.Second), 10); err != nil || n != 0 {
			t.Errorf("before the limit: %d, %v; want 0", n, err)
		}
		if n, err := s.DeleteExpired(t.Context(), epoch, 10); err != nil || n != 1 {
			t.Errorf("at the limit: %d, %v; want 1", n, err)
		}
	})
}

// scopeAndClient is where the life of access tokens is set.
type scopeAndClient struct {
	apis    scope.Store
	clients client.Store
}
