package keyring_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
)

// calm is a schedule with few ticks, so that a test may live through years.
var calm = keyring.Config{
	RotateEvery: 30 * 24 * time.Hour, PublishBefore: 24 * time.Hour, MaxTokenLife: 12 * time.Hour,
	Refresh: time.Hour, KeepRetired: 60 * 24 * time.Hour,
}

// running starts Run and stops it before the bubble ends.
func running(t *testing.T, rings ...*keyring.Ring) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, r := range rings {
		wg.Go(func() { r.Run(ctx) })
	}
	t.Cleanup(func() { stop(); wg.Wait() })
}

// later lets fake time pass and everything settle.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func published(r *keyring.Ring, kid string) bool {
	body, _, _ := r.JWKS()
	return strings.Contains(string(body), kid)
}

// stateOf returns the state of a key.
func stateOf(r *keyring.Ring, kid string) keyring.State {
	for _, k := range r.List() {
		if k.ID == kid {
			return k.State
		}
	}
	return "gone"
}

// next returns the kid of the access key that waits for its time, or "".
func next(r *keyring.Ring) string {
	for _, k := range r.List() {
		if k.Purpose == keyring.AccessTokens && k.State == keyring.Next {
			return k.ID
		}
	}
	return ""
}

func TestRotatesOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		a, b := open(t, store, calm), open(t, store, calm)
		running(t, a, b)
		token, first := sign(t, a, keyring.AccessTokens, "ES256")

		later(calm.RotateEvery - calm.PublishBefore - 2*time.Hour)
		if kid := next(a); kid != "" {
			t.Fatalf("%s is published too early", kid)
		}
		later(4 * time.Hour) // within the day before
		second := next(a)
		if second == "" || !published(a, second) || !published(b, second) {
			t.Fatal("no successor is published a day before its time")
		}
		for _, r := range []*keyring.Ring{a, b} {
			if _, kid := sign(t, r, keyring.AccessTokens, "ES256"); kid != first {
				t.Error("the successor signs before its time")
			}
		}
		later(24 * time.Hour)
		for _, r := range []*keyring.Ring{a, b} {
			if _, kid := sign(t, r, keyring.AccessTokens, "ES256"); kid != second {
				t.Error("the successor does not sign at its time")
			}
			if _, _, err := r.Verify(keyring.AccessTokens, token); err != nil || !published(r, first) {
				t.Errorf("the retired key left too early: %v", err)
			}
		}
		if got := stateOf(a, first); got != keyring.Retired {
			t.Errorf("first key is %s, want retired", got)
		}
		later(calm.MaxTokenLife + 3*time.Hour)
		if _, _, err := a.Verify(keyring.AccessTokens, token); !fault.Is(err, fault.Unauthenticated) || published(a, first) {
			t.Errorf("the retired key stays for ever: %v", err)
		}
		if len(store.keys) != 14 {
			t.Errorf("two instances made %d keys, want one successor for each of 7", len(store.keys))
		}
	})
}

func TestHintsOutliveTheJWKSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		r := open(t, store, calm)
		running(t, r)
		hint, kid := sign(t, r, keyring.IDTokens, "RS256")
		access, _ := sign(t, r, keyring.AccessTokens, "ES256")
		later(calm.RotateEvery + 5*24*time.Hour)
		if _, _, err := r.Verify(keyring.IDTokens, hint); err == nil || stateOf(r, kid) != keyring.Expired {
			t.Fatalf("the key is %s, want expired (%v)", stateOf(r, kid), err)
		}
		if _, h, err := r.VerifyHint(hint); err != nil || h.KeyID != kid {
			t.Errorf("VerifyHint = %+v, %v", h, err)
		}
		if _, _, err := r.VerifyHint(access); err == nil {
			t.Error("an access token passed as a hint")
		}
		if n, err := r.DeleteExpired(t.Context()); n != 0 || err != nil {
			t.Errorf("deleted %d keys that hints still need: %v", n, err)
		}
		later(calm.KeepRetired)
		if n, err := r.DeleteExpired(t.Context()); n == 0 || err != nil {
			t.Errorf("deleted %d keys, %v", n, err)
		}
		later(2 * time.Hour)
		if _, _, err := r.VerifyHint(hint); err == nil {
			t.Error("a hint verified under a deleted key")
		}
		if got := stateOf(r, kid); got != "gone" {
			t.Errorf("deleted key is %s", got)
		}
		if _, _, err := r.Verify(keyring.AccessTokens, access); err == nil {
			t.Error("an access token outlived its key")
		}
	})
}

func TestEveryInstantHasOneSignerThatVerifiersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, stocked(), calm)
		running(t, r)
		cached, _, maxAge := r.JWKS()
		fetched := time.Now()
		for range 95 * 24 / 5 { // 95 days in steps of five hours
			_, kid := sign(t, r, keyring.IDTokens, "ES256")
			if time.Since(fetched) <= maxAge+5*time.Hour && !strings.Contains(string(cached), kid) {
				t.Fatalf("%s signs, but a verifier that cached the set %s ago does not know it", kid, time.Since(fetched))
			}
			cached, _, _ = r.JWKS()
			fetched = time.Now()
			later(5 * time.Hour)
		}
		signed := map[string]bool{}
		for _, k := range r.List() {
			signed[k.ID] = true
		}
		if len(signed) < 7*3 {
			t.Errorf("%d keys in 95 days, want a rotation every 30", len(signed))
		}
	})
}

func TestEmergencyRotationSignsAtOnceEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		a, b := open(t, store, calm), open(t, store, calm)
		old, first := sign(t, a, keyring.AccessTokens, "ES256")
		if err := a.Rotate(t.Context(), keyring.AccessTokens, "ES256", false); err != nil {
			t.Fatal(err)
		}
		waiting := next(a)
		if err := a.Rotate(t.Context(), keyring.AccessTokens, "ES256", true); err != nil {
			t.Fatal(err)
		}
		token, kid := sign(t, a, keyring.AccessTokens, "ES256")
		if kid == first || kid == waiting || !published(a, kid) {
			t.Fatalf("after an emergency rotation %s signs", kid)
		}
		if _, _, err := b.Verify(keyring.AccessTokens, token); err != nil {
			t.Errorf("the other instance refuses the new key: %v", err)
		}
		if _, got := sign(t, b, keyring.AccessTokens, "ES256"); got != kid {
			t.Errorf("the other instance signs with %s, want %s", got, kid)
		}
		if _, _, err := a.Verify(keyring.AccessTokens, old); err != nil {
			t.Errorf("a rotation is no revocation: %v", err)
		}
		later(36 * time.Hour) // the time of the one that was waiting
		if err := a.Rotate(t.Context(), keyring.IDTokens, "EdDSA", false); err != nil {
			t.Fatal(err) // and makes a read what is stored
		}
		if _, got := sign(t, a, keyring.AccessTokens, "ES256"); got != kid {
			t.Errorf("%s took over from the emergency key", got)
		}
	})
}

func TestRotateRefuses(t *testing.T) {
	store := stocked()
	r := open(t, store, keyring.Config{})
	if err := r.Rotate(t.Context(), keyring.AccessTokens, "RS256", true); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown line: %v", err)
	}
	if err := r.Rotate(t.Context(), keyring.AccessTokens, "ES256", false); err != nil {
		t.Fatal(err)
	}
	err := r.Rotate(t.Context(), keyring.AccessTokens, "ES256", false)
	if !fault.Is(err, fault.Conflict) || fault.As(err).Hint == "" {
		t.Errorf("second rotation while one waits: %v, want a conflict with a hint", err)
	}
	store.set(errors.New("down"))
	if err := r.Rotate(t.Context(), keyring.IDTokens, "RS256", false); err == nil {
		t.Error("rotated without a store")
	}
}

func TestRacingRotationsMakeOneSuccessor(t *testing.T) {
	store := stocked()
	rings := []*keyring.Ring{open(t, store, keyring.Config{}), open(t, store, keyring.Config{}), open(t, store, keyring.Config{})}
	var wg sync.WaitGroup
	for range 16 {
		for _, r := range rings {
			wg.Go(func() {
				err := r.Rotate(t.Context(), keyring.AccessTokens, "ES256", false)
				if err != nil && !fault.Is(err, fault.Conflict) {
					t.Errorf("loser got %v, want a conflict", err)
				}
			})
		}
	}
	wg.Wait()
	if len(store.keys) != 8 {
		t.Errorf("%d keys, want 8", len(store.keys))
	}
}

func TestRevokedKeySignsAndVerifiesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		a, b := open(t, store, calm), open(t, store, calm)
		running(t, b)
		token, kid := sign(t, a, keyring.IDTokens, "RS256")
		if err := a.Revoke(t.Context(), kid); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Verify(keyring.IDTokens, token); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("Verify = %v", err)
		}
		if _, _, err := a.VerifyHint(token); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("VerifyHint = %v", err)
		}
		if published(a, kid) || stateOf(a, kid) != keyring.Revoked {
			t.Errorf("revoked key is %s", stateOf(a, kid))
		}
		fresh, now := sign(t, a, keyring.IDTokens, "RS256")
		if now == kid {
			t.Fatal("a revoked key signs")
		}
		later(calm.Refresh + time.Second)
		if _, _, err := b.Verify(keyring.IDTokens, token); err == nil || published(b, kid) {
			t.Error("the other instance did not hear of the revocation")
		}
		if _, _, err := b.Verify(keyring.IDTokens, fresh); err != nil {
			t.Errorf("the other instance refuses the replacement: %v", err)
		}
		if err := a.Revoke(t.Context(), "unknown"); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown kid: %v", err)
		}
	})
}

func TestRevokedSuccessorIsReplacedBeforeTheCurrentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, stocked(), calm)
		running(t, r)
		if err := r.Rotate(t.Context(), keyring.AccessTokens, "ES256", false); err != nil {
			t.Fatal(err)
		}
		waiting := next(r)
		later(20 * time.Hour)
		if err := r.Revoke(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		for range 20 * 24 {
			token, kid := sign(t, r, keyring.AccessTokens, "ES256")
			if kid == waiting {
				t.Fatal("a revoked key signs")
			}
			later(time.Hour)
			if _, _, err := r.Verify(keyring.AccessTokens, token); err != nil {
				t.Fatalf("a token of one hour is dead: %v", err)
			}
		}
	})
}

func TestRevokedSignerDoesNotBringBackOneThatIsAboutToLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, stocked(), calm)
		running(t, r)
		later(calm.RotateEvery + 10*time.Hour) // the first key is retired, its tokens nearly dead
		_, second := sign(t, r, keyring.AccessTokens, "ES256")
		if err := r.Revoke(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		token, _ := sign(t, r, keyring.AccessTokens, "ES256")
		later(calm.MaxTokenLife - time.Minute)
		if _, _, err := r.Verify(keyring.AccessTokens, token); err != nil {
			t.Errorf("the key left before the longest-lived token it signed: %v", err)
		}
	})
}

func TestCutOffInstanceStopsSigningBeforeItsKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		r := open(t, store, calm)
		running(t, r)
		token, _ := sign(t, r, keyring.AccessTokens, "ES256")
		store.set(fault.New(fault.Unavailable, "temporarily_unavailable", "down"))
		later(calm.PublishBefore - time.Minute)
		sign(t, r, keyring.AccessTokens, "ES256")
		later(2 * time.Hour)
		if _, err := r.Signer(keyring.AccessTokens, "ES256"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Signer = %v, want unavailable", err)
		}
		if body, _, _ := r.JWKS(); len(body) < 1000 {
			t.Error("the JWK Set must be served all the same")
		}
		if _, _, err := r.Verify(keyring.AccessTokens, token); err != nil {
			t.Errorf("Verify = %v", err)
		}
		store.set(nil)
		_, _ = r.Signer(keyring.AccessTokens, "ES256") // wakes Run
		synctest.Wait()
		sign(t, r, keyring.AccessTokens, "ES256")
	})
}
