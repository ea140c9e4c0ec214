package storagetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
)

// newKey is a signing key without a predecessor.
func newKey(id string) keyring.Key {
	return keyring.Key{
		ID: id, Purpose: keyring.AccessTokens, Alg: "ES256", Public: []byte(`{"kid":"` + id + `"}`),
		Sealed: []byte("sealed " + id), CreatedAt: epoch, ActiveAt: epoch,
	}
}

func after(k keyring.Key, predecessor string) keyring.Key {
	k.Predecessor = predecessor
	return k
}

// Keys checks a keyring.Store.
func Keys(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Keys
		var k keyring.Key
		fill(t, &k)
		k.Predecessor = ""
		must(t, s.Add(t.Context(), k, time.Time{}))
		got, err := s.List(t.Context())
		must(t, err)
		same(t, "List", got, []keyring.Key{k})
		if string(got[0].Public) != string(k.Public) {
			t.Errorf("Public: got %s, want %s byte for byte", got[0].Public, k.Public)
		}
	})

	t.Run("a successor limits its predecessor", func(t *testing.T) {
		s := open(t).Keys
		first, second := newKey("first"), after(newKey("second"), "first")
		second.CreatedAt = epoch.Add(time.Hour)
		must(t, s.Add(t.Context(), first, time.Time{}))
		must(t, s.Add(t.Context(), second, epoch.Add(48*time.Hour)))
		first.ExpiresAt = epoch.Add(48 * time.Hour)
		got, err := s.List(t.Context())
		must(t, err)
		same(t, "List", got, []keyring.Key{first, second})
	})

	t.Run("refusals", func(t *testing.T) { keyRefusals(t, open) })

	t.Run("of many successors one is added", func(t *testing.T) {
		s := open(t).Keys
		must(t, s.Add(t.Context(), newKey("first"), time.Time{}))
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Add(t.Context(), after(newKey(fmt.Sprint(n)), "first"), epoch.Add(time.Hour))
		}); won != 1 {
			t.Errorf("%d successors were added, want 1", won)
		}
		if all, err := s.List(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%d keys, %v; want 2", len(all), err)
		}
	})

	t.Run("of many first keys one is added", func(t *testing.T) {
		s := open(t).Keys
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Add(t.Context(), newKey(fmt.Sprint(n)), time.Time{})
		}); won != 1 {
			t.Errorf("%d first keys were added, want 1", won)
		}
	})

	t.Run("revoke, reseal, remove", func(t *testing.T) { keyChanges(t, open) })
	t.Run("server secrets", func(t *testing.T) { serverSecrets(t, open) })
}

func keyRefusals(t *testing.T, open OpenDurable) {
	s := open(t).Keys
	must(t, s.Add(t.Context(), newKey("first"), time.Time{}))
	must(t, s.Add(t.Context(), after(newKey("second"), "first"), epoch.Add(time.Hour)))
	other := newKey("other")
	other.Purpose = keyring.IDTokens
	must(t, s.Add(t.Context(), other, time.Time{}))
	rsa := newKey("rsa")
	rsa.Alg = "RS256"
	must(t, s.Add(t.Context(), rsa, time.Time{}))

	unsealed := after(newKey("new"), "second")
	unsealed.Sealed = nil
	for name, tt := range map[string]struct {
		key  keyring.Key
		want fault.Kind
	}{
		"a first key where there is one":   {newKey("new"), fault.Conflict},
		"a second successor":               {after(newKey("new"), "first"), fault.Conflict},
		"a taken id":                       {after(newKey("first"), "second"), fault.Conflict},
		"an unknown predecessor":           {after(newKey("new"), "unknown"), fault.Conflict},
		"a predecessor of another purpose": {after(newKey("new"), "other"), fault.Conflict},
		"a predecessor of another alg":     {after(newKey("new"), "rsa"), fault.Conflict},
		"itself as predecessor":            {after(newKey("first"), "first"), fault.Conflict},
		"no id":                            {after(newKey(""), "second"), fault.Invalid},
		"no private half":                  {unsealed, fault.Invalid},
	} {
		wantKind(t, name, s.Add(t.Context(), tt.key, epoch.Add(99*time.Hour)), tt.want)
	}
	all, err := s.List(t.Context())
	must(t, err)
	if len(all) != 4 {
		t.Errorf("%d keys after the refusals, want 4", len(all))
	}
	for _, k := range all {
		if k.ExpiresAt.After(epoch.Add(time.Hour)) || (k.ID != "first" && !k.ExpiresAt.IsZero()) {
			t.Errorf("key %s expires at %v after the refusals", k.ID, k.ExpiresAt)
		}
	}

	// The first one goes, and still no other may be the first.
	if n, err := s.DeleteExpired(t.Context(), epoch.Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("DeleteExpired = %d, %v; want 1", n, err)
	}
	wantKind(t, "a first key after the first has gone", s.Add(t.Context(), newKey("new"), time.Time{}), fault.Conflict)
	must(t, s.Add(t.Context(), after(newKey("third"), "second"), epoch.Add(time.Hour)))
}

func keyChanges(t *testing.T, open OpenDurable) {
	s := open(t).Keys
	k := newKey("a")
	k.ExpiresAt = epoch.Add(time.Hour)
	must(t, s.Add(t.Context(), k, time.Time{}))

	must(t, s.Reseal(t.Context(), "a", []byte("sealed a"), []byte("sealed anew")))
	for name, err := range map[string]error{
		"bytes that are old no more": s.Reseal(t.Context(), "a", []byte("sealed a"), []byte("lost")),
		"an unknown key":             s.Reseal(t.Context(), "unknown", []byte("sealed a"), []byte("lost")),
		"no bytes":                   s.Reseal(t.Context(), "a", nil, []byte("lost")),
	} {
		wantKind(t, "Reseal of "+name, err, fault.None)
	}
	wantKind(t, "Reseal to nothing", s.Reseal(t.Context(), "a", []byte("sealed anew"), nil), fault.Invalid)

	must(t, s.Revoke(t.Context(), "a", epoch))
	must(t, s.Revoke(t.Context(), "a", epoch.Add(time.Hour))) // the first time counts
	wantKind(t, "Revoke of an unknown", s.Revoke(t.Context(), "unknown", epoch), fault.NotFound)
	wantKind(t, "Revoke of nothing", s.Revoke(t.Context(), "", epoch), fault.NotFound)

	k.Sealed, k.RevokedAt = []byte("sealed anew"), epoch
	got, err := s.List(t.Context())
	must(t, err)
	same(t, "List", got, []keyring.Key{k})

	for i, want := range []int{0, 1, 0} {
		at := epoch.Add(time.Hour - time.Second + time.Duration(i)*time.Second)
		if n, err := s.DeleteExpired(t.Context(), at); err != nil || n != want {
			t.Errorf("DeleteExpired %d: %d, %v; want %d", i, n, err, want)
		}
	}
}

func serverSecrets(t *testing.T, open OpenDurable) {
	s := open(t).Keys
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
	)
	if won := race(t, fault.None, func(n int) error {
		got, err := s.Secret(t.Context(), "fingerprint", fmt.Append(nil, "sealed ", n))
		mu.Lock()
		defer mu.Unlock()
		seen[string(got)] = true
		return err
	}); won != racers || len(seen) != 1 {
		t.Errorf("%d calls got %d different secrets, want %d and 1", won, len(seen), racers)
	}
	first, err := s.Secret(t.Context(), "fingerprint", []byte("late"))
	must(t, err)
	if other, err := s.Secret(t.Context(), "other", []byte("other")); err != nil || !bytes.Equal(other, []byte("other")) {
		t.Errorf("another name: %q, %v; want its own", other, err)
	}
	must(t, s.ResealSecret(t.Context(), "fingerprint", first, []byte("anew")))
	must(t, s.ResealSecret(t.Context(), "fingerprint", first, []byte("lost")))
	must(t, s.ResealSecret(t.Context(), "unknown", first, []byte("lost")))
	if got, err := s.Secret(t.Context(), "fingerprint", []byte("late")); err != nil || string(got) != "anew" {
		t.Errorf("after ResealSecret: %q, %v; want anew", got, err)
	}
	_, err = s.Secret(t.Context(), "", []byte("x"))
	wantKind(t, "no name", err, fault.Invalid)
	_, err = s.Secret(t.Context(), "empty", nil)
	wantKind(t, "no bytes", err, fault.Invalid)
}
