package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
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
	t.Run("what a person has", func(t *testing.T) { grantsOfUser(t, open) })
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
			return s.RevokeOfSessions(t.Context(), []string{"s1"}, "test", false, epoch)
		}, []string{"1"}},
		"session, all": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSessions(t.Context(), []string{"s1"}, "test", true, epoch)
		}, []string{"1", "2"}},
		"no session": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSessions(t.Context(), []string{""}, "test", true, epoch)
		}, nil},
		"some sessions": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSessions(t.Context(), []string{"s2", "", "\x00", "s1", "s9"}, "test", true, epoch)
		}, []string{"1", "2", "3"}},
		"no sessions": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSessions(t.Context(), nil, "test", true, epoch)
		}, nil},
		"thousands of sessions": {func(s grant.Store) ([]string, error) {
			many := make([]string, 3000)
			for i := range many {
				many[i] = fmt.Sprint("s", i)
			}
			return s.RevokeOfSessions(t.Context(), many, "test", false, epoch)
		}, []string{"1", "3", "4"}},
		"unknown session": {func(s grant.Store) ([]string, error) {
			return s.RevokeOfSessions(t.Context(), []string{"s9"}, "test", true, epoch)
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
