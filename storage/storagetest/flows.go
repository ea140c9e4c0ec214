package storagetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/storage"
)

// OpenShortLived returns an empty short-lived side of one subtest.
type OpenShortLived = func(*testing.T) *storage.ShortLived

// ShortLived runs the whole suite of the short-lived side.
func ShortLived(t *testing.T, open OpenShortLived) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, OpenShortLived)
	}{
		{"flows", func(t *testing.T, open OpenShortLived) {
			Flows(t, func(t *testing.T) flow.Store { return open(t).Flows })
		}},
		{"limits", Limits},
		{"spreads", Spreads},
		{"replay", Replay},
		{"live set", LiveSet},
		{"session cache", SessionCache},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open) })
	}
}

// Flows checks a flow.Store.
func Flows(t *testing.T, open func(*testing.T) flow.Store) {
	now := epoch
	rec := func(version int, value string) flow.Record {
		return flow.Record{Value: []byte(value), Version: version, ExpiresAt: now.Add(10 * time.Minute)}
	}

	t.Run("every byte comes back", func(t *testing.T) {
		s := open(t)
		value := make([]byte, 0, 64<<10)
		for i := range cap(value) {
			value = append(value, byte(i))
		}
		want := flow.Record{Value: value, Version: 1, ExpiresAt: now.Add(time.Hour)}
		must(t, s.Put(t.Context(), "k", want, now))
		got, err := s.Get(t.Context(), "k", now)
		must(t, err)
		if !bytes.Equal(got.Value, value) {
			t.Error("the value came back changed")
		}
		got.Value, want.Value = nil, nil
		same(t, "Get", got, want)
	})

	t.Run("any key is its own", func(t *testing.T) {
		s := open(t)
		keys := []string{"", "k", "K", "k ", "k\x00", "{k}", "k:k", "flow:k", "é", "e\u0301", "\xff", string(bytes.Repeat([]byte("k"), 4096))}
		for i, k := range keys {
			must(t, s.Put(t.Context(), k, rec(1, fmt.Sprint(i)), now))
		}
		for i, k := range keys {
			got, err := s.Get(t.Context(), k, now)
			if err != nil || string(got.Value) != fmt.Sprint(i) {
				t.Errorf("Get(%q) = %q, %v; want %d", k, got.Value, err, i)
			}
		}
	})

	t.Run("an empty value is not an absent one", func(t *testing.T) {
		s := open(t)
		must(t, s.Put(t.Context(), "k", rec(1, ""), now))
		if got, err := s.Get(t.Context(), "k", now); err != nil || len(got.Value) != 0 {
			t.Errorf("Get = %v, %v", got, err)
		}
	})

	t.Run("versions", func(t *testing.T) { flowVersions(t, open) })

	t.Run("an absent record", func(t *testing.T) {
		s := open(t)
		_, err := s.Get(t.Context(), "k", now)
		wantKind(t, "Get", err, fault.NotFound)
		_, err = s.Take(t.Context(), "k", now)
		wantKind(t, "Take", err, fault.NotFound)
	})

	t.Run("taken is gone", func(t *testing.T) {
		s := open(t)
		must(t, s.Put(t.Context(), "k", rec(1, "v"), now))
		must(t, s.Put(t.Context(), "other", rec(1, "w"), now))
		got, err := s.Take(t.Context(), "k", now)
		must(t, err)
		same(t, "Take", got, rec(1, "v"))
		_, err = s.Take(t.Context(), "k", now)
		wantKind(t, "second Take", err, fault.NotFound)
		_, err = s.Get(t.Context(), "k", now)
		wantKind(t, "Get after Take", err, fault.NotFound)
		if _, err := s.Get(t.Context(), "other", now); err != nil {
			t.Errorf("another record went with it: %v", err)
		}
		must(t, s.Put(t.Context(), "k", rec(1, "anew"), now))
	})

	t.Run("one of many takes it", func(t *testing.T) {
		s := open(t)
		must(t, s.Put(t.Context(), "k", rec(1, "v"), now))
		if won := race(t, fault.NotFound, func(int) error {
			_, err := s.Take(t.Context(), "k", now)
			return err
		}); won != 1 {
			t.Errorf("%d calls took the record, want 1", won)
		}
	})

	t.Run("one of many writes a version", func(t *testing.T) {
		s := open(t)
		for version := 1; version <= 3; version++ {
			if won := race(t, fault.Conflict, func(n int) error {
				return s.Put(t.Context(), "k", rec(version, fmt.Sprint(n)), now)
			}); won != 1 {
				t.Errorf("%d calls wrote version %d, want 1", won, version)
			}
		}
	})

	t.Run("take and write race for it", func(t *testing.T) { takeAgainstPut(t, open) })
	t.Run("expiry", func(t *testing.T) { flowExpiry(t, open) })
}

func flowVersions(t *testing.T, open func(*testing.T) flow.Store) {
	s, now := open(t), epoch
	put := func(version int) error {
		return s.Put(t.Context(), "k", flow.Record{Value: []byte(fmt.Sprint(version)), Version: version, ExpiresAt: now.Add(time.Hour)}, now)
	}
	wantKind(t, "version 2 of none", put(2), fault.Conflict)
	must(t, put(1))
	wantKind(t, "version 1 again", put(1), fault.Conflict)
	wantKind(t, "version 3 of 1", put(3), fault.Conflict)
	wantKind(t, "version 0", put(0), fault.Conflict)
	wantKind(t, "version -1", put(-1), fault.Conflict)
	must(t, put(2))
	must(t, put(3))
	wantKind(t, "version 2 of 3", put(2), fault.Conflict)
	got, err := s.Get(t.Context(), "k", now)
	must(t, err)
	if got.Version != 3 || string(got.Value) != "3" {
		t.Errorf("Get = version %d, %q; want 3", got.Version, got.Value)
	}
}

// takeAgainstPut: whoever takes gets one version, whole, and nothing is left
// behind that was written on top of what was taken.
func takeAgainstPut(t *testing.T, open func(*testing.T) flow.Store) {
	s, now := open(t), epoch
	rec := func(v int) flow.Record {
		return flow.Record{Value: []byte(fmt.Sprint(v)), Version: v, ExpiresAt: now.Add(time.Hour)}
	}
	for round := range 10 {
		key := fmt.Sprint(round)
		must(t, s.Put(t.Context(), key, rec(1), now))
		var took, put error
		var got flow.Record
		var wg sync.WaitGroup
		wg.Go(func() { got, took = s.Take(t.Context(), key, now) })
		wg.Go(func() { put = s.Put(t.Context(), key, rec(2), now) })
		wg.Wait()
		must(t, took)
		if fmt.Sprint(got.Version) != string(got.Value) {
			t.Errorf("took version %d with the value of %s", got.Version, got.Value)
		}
		if put == nil != (got.Version == 2) {
			t.Errorf("took version %d while the write of 2 said %v", got.Version, put)
		}
		_, err := s.Get(t.Context(), key, now)
		wantKind(t, "what is left", err, fault.NotFound)
	}
}

func flowExpiry(t *testing.T, open func(*testing.T) flow.Store) {
	s, now := open(t), epoch
	ends := now.Add(10 * time.Minute).Truncate(time.Microsecond)
	rec := flow.Record{Value: []byte("v"), Version: 1, ExpiresAt: ends}
	must(t, s.Put(t.Context(), "k", rec, now))
	if _, err := s.Get(t.Context(), "k", ends.Add(-time.Microsecond)); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	_, err := s.Get(t.Context(), "k", ends)
	wantKind(t, "at its end", err, fault.NotFound)
	_, err = s.Take(t.Context(), "k", ends)
	wantKind(t, "Take at its end", err, fault.NotFound)
	next := rec
	next.Version, next.ExpiresAt = 2, ends.Add(time.Hour)
	wantKind(t, "version 2 of an expired record", s.Put(t.Context(), "k", next, ends), fault.Conflict)

	// The clock was an hour ahead and steps back: what was alive is alive.
	if got, err := s.Get(t.Context(), "k", now); err != nil || string(got.Value) != "v" {
		t.Errorf("after the clock stepped back: %q, %v", got.Value, err)
	}
	// And an expired record makes room for a first version.
	anew := flow.Record{Value: []byte("anew"), Version: 1, ExpiresAt: ends.Add(2 * time.Hour)}
	must(t, s.Put(t.Context(), "k", anew, ends.Add(time.Hour)))
	if got, err := s.Get(t.Context(), "k", ends.Add(time.Hour)); err != nil || string(got.Value) != "anew" {
		t.Errorf("in the place of an expired record: %q, %v", got.Value, err)
	}

	past := flow.Record{Value: []byte("v"), Version: 1, ExpiresAt: now.Add(-time.Minute)}
	must(t, s.Put(t.Context(), "past", past, now))
	_, err = s.Get(t.Context(), "past", now)
	wantKind(t, "a record that was over when it was written", err, fault.NotFound)

	if won := race(t, fault.Conflict, func(int) error { return s.Put(t.Context(), "past", rec, now) }); won != 1 {
		t.Errorf("%d calls took the place of an expired record, want 1", won)
	}
}
