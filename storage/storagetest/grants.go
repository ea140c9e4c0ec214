package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/storage"
)

// newGrant is a grant with a code that lives for a minute from epoch on.
func newGrant(id string) grant.Grant {
	return grant.Grant{
		ID: id, ClientID: "shop", UserID: "alice", SessionID: "session-" + id,
		CodeHash: "code-" + id, CodeExpiresAt: epoch.Add(time.Minute), CreatedAt: epoch,
	}
}

// redeeming spends the code of newGrant for a refresh token with limits of an
// hour idle and a day in all.
func redeeming(id string, now time.Time) grant.Redemption {
	return grant.Redemption{
		GrantID: id, CodeHash: "code-" + id, Now: now,
		RefreshHash: "refresh-" + id, RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(24 * time.Hour),
	}
}

// Grants checks the life of a grant in a grant.Store, but for its end.
func Grants(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Grants
		var g grant.Grant
		fill(t, &g)
		must(t, s.Create(t.Context(), g))
		byID, err := s.ByID(t.Context(), g.ID)
		must(t, err)
		same(t, "ByID", byID, g)
		byCode, err := s.ByCode(t.Context(), g.CodeHash)
		must(t, err)
		same(t, "ByCode", byCode, g)
		standing, err := s.Standing(t.Context(), g.ID)
		must(t, err)
		same(t, "Standing", standing, grant.Standing{Grant: g})
	})

	t.Run("an empty grant comes back empty", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), grant.Grant{ID: "bare"}))
		must(t, s.Create(t.Context(), grant.Grant{ID: "bare too"})) // no code is no code twice
		got, err := s.ByID(t.Context(), "bare")
		must(t, err)
		same(t, "ByID", got, grant.Grant{ID: "bare"})
	})

	t.Run("what names nothing finds nothing", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), grant.Grant{ID: "codeless"}))
		for name, key := range strangeKeys {
			_, err := s.ByID(t.Context(), key)
			wantKind(t, "ByID of "+name, err, fault.NotFound)
			_, err = s.ByCode(t.Context(), key)
			wantKind(t, "ByCode of "+name, err, fault.NotFound)
			_, err = s.Standing(t.Context(), key)
			wantKind(t, "Standing of "+name, err, fault.NotFound)
			_, err = s.Token(t.Context(), key)
			wantKind(t, "Token of "+name, err, fault.NotFound)
		}
	})

	t.Run("ids and codes are taken once", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		again := newGrant("a")
		again.CodeHash = "another"
		wantKind(t, "a taken id", s.Create(t.Context(), again), fault.Conflict)
		again.ID, again.CodeHash = "b", "code-a"
		wantKind(t, "a taken code", s.Create(t.Context(), again), fault.Conflict)
		wantKind(t, "no id", s.Create(t.Context(), grant.Grant{}), fault.Invalid)
	})

	t.Run("redeem", func(t *testing.T) { redeem(t, open) })
	t.Run("rotate", func(t *testing.T) { rotate(t, open) })
	t.Run("standing", func(t *testing.T) { standing(t, open) })
	t.Run("opaque tokens", func(t *testing.T) { opaqueTokens(t, open) })
}

func redeem(t *testing.T, open OpenDurable) {
	t.Run("spends the code and puts the refresh token", func(t *testing.T) {
		s := open(t).Grants
		g := newGrant("a")
		must(t, s.Create(t.Context(), g))
		r := redeeming("a", epoch.Add(time.Second))
		must(t, s.Redeem(t.Context(), r))
		g.CodeUsedAt, g.RefreshHash = r.Now, r.RefreshHash
		g.RefreshIdleExpiresAt, g.RefreshExpiresAt = r.RefreshIdleExpiresAt, r.RefreshExpiresAt
		got, err := s.ByCode(t.Context(), "code-a")
		must(t, err)
		same(t, "the spent grant", got, g)
		wantKind(t, "a second time", s.Redeem(t.Context(), redeeming("a", epoch.Add(2*time.Second))), fault.Conflict)
		wantKind(t, "a second time by a clock that went back", s.Redeem(t.Context(), redeeming("a", epoch.Add(-time.Hour))), fault.Conflict)
		if after, err := s.ByID(t.Context(), "a"); err != nil || !after.CodeUsedAt.Equal(got.CodeUsedAt) || after.RefreshHash != "refresh-a" {
			t.Errorf("after refused redemptions: %+v, %v", after, err)
		}
	})

	t.Run("without a refresh token", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		must(t, s.Redeem(t.Context(), grant.Redemption{GrantID: "a", CodeHash: "code-a", Now: epoch}))
		got, err := s.ByID(t.Context(), "a")
		must(t, err)
		if got.RefreshHash != "" || !got.RefreshExpiresAt.IsZero() || got.CodeUsedAt.IsZero() {
			t.Errorf("got %+v, want a spent code and no refresh token", got)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		must(t, s.Create(t.Context(), newGrant("revoked")))
		must(t, s.Create(t.Context(), grant.Grant{ID: "codeless", CreatedAt: epoch}))
		if _, err := s.Revoke(t.Context(), "revoked", "test", epoch); err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]grant.Redemption{
			"at its limit":       redeeming("a", epoch.Add(time.Minute)),
			"after its limit":    redeeming("a", epoch.Add(time.Hour)),
			"of a revoked grant": redeeming("revoked", epoch),
			"of an unknown":      redeeming("unknown", epoch),
			"of another grant":   {GrantID: "a", CodeHash: "code-revoked", Now: epoch},
			"of no code":         {GrantID: "codeless", Now: epoch},
			"of a code, no id":   {CodeHash: "code-a", Now: epoch},
			"of a NUL":           {GrantID: "a", CodeHash: "code-a\x00", Now: epoch},
		} {
			wantKind(t, name, s.Redeem(t.Context(), r), fault.Conflict)
		}
		got, err := s.ByID(t.Context(), "a")
		must(t, err)
		same(t, "after the refusals", got, newGrant("a"))
	})

	t.Run("expiry follows the caller's clock", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		wantKind(t, "an hour ahead", s.Redeem(t.Context(), redeeming("a", epoch.Add(time.Hour))), fault.Conflict)
		must(t, s.Redeem(t.Context(), redeeming("a", epoch)))
	})

	t.Run("one of many wins", func(t *testing.T) {
		s := open(t).Grants
		must(t, s.Create(t.Context(), newGrant("a")))
		must(t, s.Create(t.Context(), newGrant("b")))
		var winner [racers]bool
		if won := race(t, fault.Conflict, func(n int) error {
			r := redeeming("a", epoch)
			r.RefreshHash = fmt.Sprint("refresh-", n)
			err := s.Redeem(t.Context(), r)
			winner[n] = err == nil
			return err
		}); won != 1 {
			t.Errorf("%d redemptions won, want 1", won)
		}
		got, err := s.ByID(t.Context(), "a")
		must(t, err)
		for n, won := range winner {
			if won && got.RefreshHash != fmt.Sprint("refresh-", n) {
				t.Errorf("racer %d won and the refresh token is %s", n, got.RefreshHash)
			}
		}
		untouched, err := s.ByID(t.Context(), "b")
		must(t, err)
		same(t, "the other grant", untouched, newGrant("b"))
	})
}

func rotate(t *testing.T, open OpenDurable) {
	begin := func(t *testing.T, id string) (*storage.Durable, grant.Grant) {
		t.Helper()
		d := open(t)
		must(t, d.Grants.Create(t.Context(), newGrant(id)))
		must(t, d.Grants.Redeem(t.Context(), redeeming(id, epoch)))
		g, err := d.Grants.ByID(t.Context(), id)
		must(t, err)
		return d, g
	}
	next := func(old, fresh string, now time.Time) grant.Rotation {
		return grant.Rotation{GrantID: "a", OldHash: old, NewHash: fresh, Now: now, IdleExpiresAt: now.Add(time.Hour), RetryKey: "key", RetryAnswer: []byte{0, 1, 255}}
	}

	t.Run("puts the next in its place", func(t *testing.T) {
		d, g := begin(t, "a")
		now := epoch.Add(time.Minute)
		must(t, d.Grants.Rotate(t.Context(), next("refresh-a", "second", now)))
		got, err := d.Grants.ByID(t.Context(), "a")
		must(t, err)
		want := g
		want.PreviousHash, want.RefreshHash, want.RefreshGeneration = "refresh-a", "second", g.RefreshGeneration+1
		want.RotatedAt, want.RefreshIdleExpiresAt = now, now.Add(time.Hour)
		want.RetryKey, want.RetryAnswer = "key", []byte{0, 1, 255}
		same(t, "after the rotation", got, want)
		must(t, d.Grants.Rotate(t.Context(), next("second", "third", now.Add(-time.Hour)))) // the clock went back
		wantKind(t, "the first once more", d.Grants.Rotate(t.Context(), next("refresh-a", "x", now)), fault.Conflict)
		wantKind(t, "the second once more", d.Grants.Rotate(t.Context(), next("second", "x", now)), fault.Conflict)
	})

	t.Run("refusals", func(t *testing.T) {
		d, g := begin(t, "a")
		for name, r := range map[string]grant.Rotation{
			"at its idle limit":       next("refresh-a", "x", epoch.Add(time.Hour)),
			"after its limit":         next("refresh-a", "x", epoch.Add(48*time.Hour)),
			"of an unknown token":     next("unknown", "x", epoch),
			"of no token":             next("", "x", epoch),
			"of a NUL":                next("refresh-a\x00", "x", epoch),
			"of an unknown grant":     {GrantID: "unknown", OldHash: "refresh-a", NewHash: "x", Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)},
			"of a token, no grant id": {OldHash: "refresh-a", NewHash: "x", Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)},
		} {
			wantKind(t, name, d.Grants.Rotate(t.Context(), r), fault.Conflict)
		}
		wantKind(t, "to no token", d.Grants.Rotate(t.Context(), next("refresh-a", "", epoch)), fault.Invalid)
		got, err := d.Grants.ByID(t.Context(), "a")
		must(t, err)
		same(t, "after the refusals", got, g)

		if _, err := d.Grants.Revoke(t.Context(), "a", "test", epoch); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "of a revoked grant", d.Grants.Rotate(t.Context(), next("refresh-a", "x", epoch)), fault.Conflict)
	})

	t.Run("the absolute limit is not moved", func(t *testing.T) {
		d, _ := begin(t, "a")
		last := epoch.Add(24*time.Hour - time.Second)
		r := next("refresh-a", "second", epoch.Add(time.Minute))
		r.IdleExpiresAt = epoch.Add(72 * time.Hour)
		must(t, d.Grants.Rotate(t.Context(), r))
		wantKind(t, "at the absolute limit", d.Grants.Rotate(t.Context(), next("second", "third", last.Add(time.Second))), fault.Conflict)
		must(t, d.Grants.Rotate(t.Context(), next("second", "third", last)))
	})

	t.Run("a grant without a refresh token has none to rotate", func(t *testing.T) {
		d := open(t)
		must(t, d.Grants.Create(t.Context(), newGrant("a")))
		wantKind(t, "no token", d.Grants.Rotate(t.Context(), next("", "x", epoch)), fault.Conflict)
	})

	t.Run("one of many wins", func(t *testing.T) {
		d, g := begin(t, "a")
		if won := race(t, fault.Conflict, func(n int) error {
			return d.Grants.Rotate(t.Context(), next("refresh-a", fmt.Sprint("next-", n), epoch.Add(time.Minute)))
		}); won != 1 {
			t.Errorf("%d rotations won, want 1", won)
		}
		got, err := d.Grants.ByID(t.Context(), "a")
		must(t, err)
		if got.RefreshGeneration != g.RefreshGeneration+1 || got.PreviousHash != "refresh-a" {
			t.Errorf("generation %d, previous %q; want %d, refresh-a", got.RefreshGeneration, got.PreviousHash, g.RefreshGeneration+1)
		}
	})
}
