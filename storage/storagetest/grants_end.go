package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/scope"
)

// GrantsEnd checks how grants end in a grant.Store: revocation and removal.
func GrantsEnd(t *testing.T, open OpenDurable) {
	t.Run("revoke", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		for i, want := range []bool{true, false} {
			if did, err := s.Revoke(t.Context(), "a", fmt.Sprint("reason ", i), epoch.Add(time.Duration(i)*time.Hour)); err != nil || did != want {
				t.Errorf("call %d: %v, %v; want %v", i+1, did, err, want)
			}
		}
		got, err := s.ByCode(t.Context(), "code-a")
		must(t, err)
		want := newGrant("a")
		want.RevokedAt, want.Reason = epoch, "reason 0"
		same(t, "the revoked grant", got, want)
		for name, id := range strangeKeys {
			if did, err := s.Revoke(t.Context(), id, "test", epoch); err != nil || did {
				t.Errorf("Revoke of %s: %v, %v; want false and no error", name, did, err)
			}
		}
	})

	t.Run("one of many revokes", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		if won := race(t, fault.Conflict, func(int) error {
			did, err := s.Revoke(t.Context(), "a", "test", epoch)
			if err == nil && !did {
				return fault.New(fault.Conflict, "lost", "lost")
			}
			return err
		}); won != 1 {
			t.Errorf("%d calls ended the grant, want 1", won)
		}
	})

	t.Run("nothing is redeemed or rotated after a revocation", func(t *testing.T) { revokeRace(t, open) })
	t.Run("by session, person and client", func(t *testing.T) { revokeMany(t, open) })
	t.Run("removal", func(t *testing.T) { removeGrants(t, open) })
}

// revokeRace lets rotations race a revocation: whoever was told that the
// grant ended may rely on it.
func revokeRace(t *testing.T, open OpenDurable) {
	s := open(t).Grants
	must(t, s.Create(t.Context(), newGrant("a")))
	must(t, s.Redeem(t.Context(), redeeming("a", epoch)))
	var (
		wg      sync.WaitGroup
		revoked atomic.Bool
	)
	wg.Go(func() {
		for n, old, late := 0, "refresh-a", 0; ; n++ {
			if revoked.Load() {
				late++
			}
			if late > 10 {
				t.Error("rotations go on after the revocation was acknowledged")
				return
			}
			next := fmt.Sprint("next-", n)
			err := s.Rotate(t.Context(), grant.Rotation{GrantID: "a", OldHash: old, NewHash: next, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)})
			if fault.Is(err, fault.Conflict) {
				return
			}
			if err != nil {
				t.Errorf("rotation %d: %v", n, err)
				return
			}
			old = next
		}
	})
	if did, err := s.Revoke(t.Context(), "a", "test", epoch); err != nil || !did {
		t.Errorf("Revoke = %v, %v; want true", did, err)
	}
	revoked.Store(true)
	before, err := s.ByID(t.Context(), "a")
	must(t, err)
	wg.Wait()
	after, err := s.ByID(t.Context(), "a")
	must(t, err)
	same(t, "after the revocation was acknowledged", after, before)
}

func revokeMany(t *testing.T, open OpenDurable) {
	grants := []grant.Grant{
		{ID: "1", UserID: "alice", ClientID: "shop", SessionID: "s1"},
		{ID: "2", UserID: "alice", ClientID: "shop", SessionID: "s1", Offline: true},
		{ID: "3", UserID: "alice", ClientID: "game", SessionID: "s2"},
		{ID: "4", UserID: "bob", ClientID: "shop", SessionID: "s3"},
		{ID: "5", ClientID: "shop"}, // of the client itself: no person, no session
		{ID: "6", UserID: "alice", ClientID: "shop", SessionID: "s1", RevokedAt: epoch, Reason: "before"},
	}
	tests := map[string]struct {
		run  func(s grant.Store) ([]string, error)
		want []string
	}{
		"session": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSession(t.Context(), "s1", "test", false, epoch)
		}, []string{"1"}},
		"session, all": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSession(t.Context(), "s1", "test", true, epoch)
		}, []string{"1", "2"}},
		"no session": {func(s grant.Store) ([]string, error) { return s.RevokeOfSession(t.Context(), "", "test", true, epoch) }, nil},
		"unknown session": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSession(t.Context(), "s9", "test", true, epoch)
		}, nil},
		"person": {func(s grant.Store) ([]string, error) { return s.RevokeOfUser(t.Context(), "alice", "", "test", epoch) }, []string{"1", "2", "3"}},
		"person at client": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfUser(t.Context(), "alice", "shop", "test", epoch)
		}, []string{"1", "2"}},
		"nobody":           {func(s grant.Store) ([]string, error) { return s.RevokeOfUser(t.Context(), "", "", "test", epoch) }, nil},
		"nobody at client": {func(s grant.Store) ([]string, error) { return s.RevokeOfUser(t.Context(), "", "shop", "test", epoch) }, nil},
		"a NUL at client": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfUser(t.Context(), "alice", "\x00", "test", epoch)
		}, nil},
		"client": {func(s grant.Store) ([]string, error) {
			return nil, s.RevokeOfClient(t.Context(), "shop", "test", epoch)
		}, []string{"1", "2", "4", "5"}},
		"no client": {func(s grant.Store) ([]string, error) { return nil, s.RevokeOfClient(t.Context(), "", "test", epoch) }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t).Grants
			for _, g := range grants {
				g.CreatedAt = epoch
				must(t, s.Create(t.Context(), g))
			}
			ids, err := tt.run(s)
			must(t, err)
			if slices.Sort(ids); name != "client" && !slices.Equal(ids, tt.want) {
				t.Errorf("returned %v, want %v", ids, tt.want)
			}
			var ended []string
			for _, g := range grants {
				got, err := s.ByID(t.Context(), g.ID)
				must(t, err)
				if got.Revoked() && got.Reason == "test" {
					ended = append(ended, g.ID)
				}
			}
			if !slices.Equal(ended, tt.want) {
				t.Errorf("ended %v, want %v", ended, tt.want)
			}
			if again, err := tt.run(s); err != nil || len(again) != 0 {
				t.Errorf("a second call: %v, %v; want nothing", again, err)
			}
		})
	}
}

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
