package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// LiveSet checks a revocation.Live, which is absent when it is opened.
func LiveSet(t *testing.T, open OpenShortLived) {
	t.Run("absent until it is built", func(t *testing.T) {
		s := open(t).Revocations
		_, err := s.Head(t.Context())
		wantKind(t, "Head", err, fault.NotFound)
		_, _, _, err = s.Since(t.Context(), "")
		wantKind(t, "Since", err, fault.NotFound)
		_, err = s.Append(t.Context(), ending("t"))
		wantKind(t, "Append", err, fault.NotFound)
		mark, err := s.Rebuild(t.Context(), nil)
		must(t, err)
		if head, err := s.Head(t.Context()); err != nil || head != mark || mark == "" {
			t.Errorf("Head = %q, %v; want %q", head, err, mark)
		}
	})

	t.Run("every field comes back", func(t *testing.T) {
		s := built(t, open)
		now := time.Now().Truncate(time.Microsecond)
		want := []revocation.Entry{
			{Kind: revocation.Token, ID: "jti", ExpiresAt: now.Add(time.Hour), Reason: "revoked by the client"},
			{Kind: revocation.Grant, ID: "a|b:c{d}\ne\x00\xff", ExpiresAt: now.Add(time.Hour)},
			{Kind: revocation.Session, ID: "sid", NotBefore: now, ExpiresAt: now.Add(time.Hour), Reason: "logout | all"},
			{Kind: revocation.Subject, ID: "alice", NotBefore: now.Add(-time.Hour), ExpiresAt: now.Add(time.Minute)},
			{Kind: revocation.Client, ID: "alice", NotBefore: now, ExpiresAt: now.Add(24 * time.Hour), Reason: strings.Repeat("x", 300)},
		}
		before, err := s.Head(t.Context())
		must(t, err)
		head, err := s.Append(t.Context(), want...)
		must(t, err)
		got, since, whole, err := s.Since(t.Context(), before)
		if err != nil || whole || since != head {
			t.Fatalf("Since = %q, whole %v, %v; want %q", since, whole, err, head)
		}
		sameEntries(t, "Since", got, want)
		got, _, whole, err = s.Since(t.Context(), "")
		if err != nil || !whole {
			t.Fatalf("Since nothing: whole %v, %v", whole, err)
		}
		sameEntries(t, "the whole", got, want)
	})

	t.Run("marks", func(t *testing.T) { marks(t, open) })
	t.Run("an entry reaches as far as any of its name", func(t *testing.T) { reach(t, open) })
	t.Run("history has an end", func(t *testing.T) { longHistory(t, open) })
	t.Run("appends race", func(t *testing.T) { racingAppends(t, open) })
	t.Run("rebuilds race", func(t *testing.T) { racingRebuilds(t, open) })
}

// ending is an entry that ends one access token for an hour.
func ending(jti string) revocation.Entry {
	return revocation.Entry{Kind: revocation.Token, ID: jti, ExpiresAt: time.Now().Add(time.Hour).Truncate(time.Microsecond)}
}

func built(t *testing.T, open OpenShortLived) revocation.Live {
	t.Helper()
	s := open(t).Revocations
	_, err := s.Rebuild(t.Context(), nil)
	must(t, err)
	return s
}

func sameEntries(t *testing.T, what string, got, want []revocation.Entry) {
	t.Helper()
	order := func(a, b revocation.Entry) int { return strings.Compare(string(a.Kind)+a.ID, string(b.Kind)+b.ID) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	same(t, what, got, want)
}

func marks(t *testing.T, open OpenShortLived) {
	s := built(t, open)
	seen := map[revocation.Mark]int{}
	var history []revocation.Mark
	for i := range 20 {
		head, err := s.Head(t.Context())
		must(t, err)
		if at, again := seen[head]; again {
			t.Errorf("the mark of step %d is that of step %d", i, at)
		}
		seen[head] = i
		history = append(history, head)
		_, err = s.Append(t.Context(), ending(fmt.Sprintf("t%d", i)))
		must(t, err)
	}
	for i, after := range history {
		got, _, whole, err := s.Since(t.Context(), after)
		must(t, err)
		if whole || len(got) != 20-i || got[0].ID != fmt.Sprintf("t%d", i) {
			t.Errorf("since step %d: %d entries, whole %v; want %d", i, len(got), whole, 20-i)
		}
	}
	head, err := s.Head(t.Context())
	must(t, err)
	got, same, whole, err := s.Since(t.Context(), head)
	if err != nil || whole || len(got) != 0 || same != head {
		t.Errorf("since the head: %d entries, %q, whole %v, %v", len(got), same, whole, err)
	}
	for _, unknown := range []revocation.Mark{"", "0", "nonsense", history[0] + "x", "9999.abc@def", "-1.x@-", "1.%w+@.+", "0.@", "\x00"} {
		got, _, whole, err := s.Since(t.Context(), unknown)
		if err != nil || !whole || len(got) != 20 {
			t.Errorf("since the mark %q that never was: %d entries, whole %v, %v; want the whole 20", unknown, len(got), whole, err)
		}
	}
}

// reach: entries of one name extend each other, and what adds nothing
// changes nothing.
func reach(t *testing.T, open OpenShortLived) {
	s := built(t, open)
	now := time.Now().Truncate(time.Microsecond)
	entry := func(cut, ends time.Duration) revocation.Entry {
		return revocation.Entry{Kind: revocation.Subject, ID: "alice", NotBefore: now.Add(cut), ExpiresAt: now.Add(ends)}
	}
	for _, step := range []struct {
		add, want revocation.Entry
		moves     bool
	}{
		{entry(0, time.Hour), entry(0, time.Hour), true},
		{entry(0, time.Hour), entry(0, time.Hour), false},
		{entry(-time.Minute, time.Minute), entry(0, time.Hour), false},
		{entry(time.Second, time.Minute), entry(time.Second, time.Hour), true},
		{entry(-time.Minute, 2*time.Hour), entry(time.Second, 2*time.Hour), true},
	} {
		before, err := s.Head(t.Context())
		must(t, err)
		after, err := s.Append(t.Context(), step.add)
		must(t, err)
		if (before != after) != step.moves {
			t.Errorf("adding %+v: mark moved %v, want %v", step.add, before != after, step.moves)
		}
		got, _, _, err := s.Since(t.Context(), "")
		must(t, err)
		sameEntries(t, "after adding", got, []revocation.Entry{step.want})
		if step.moves {
			got, _, _, err := s.Since(t.Context(), before)
			must(t, err)
			sameEntries(t, "the step", got, []revocation.Entry{step.want})
		}
	}
}

// longHistory: far behind, a reader gets the whole; and a large set is whole.
func longHistory(t *testing.T, open OpenShortLived) {
	s := open(t).Revocations
	var base []revocation.Entry
	for i := range 2500 {
		base = append(base, ending(fmt.Sprintf("base%d", i)))
	}
	first, err := s.Rebuild(t.Context(), base)
	must(t, err)
	var added []revocation.Entry
	for i := range 2600 {
		added = append(added, ending(fmt.Sprintf("t%d", i)))
	}
	for part := range slices.Chunk(added, 13) {
		_, err := s.Append(t.Context(), part...)
		must(t, err)
	}
	got, head, _, err := s.Since(t.Context(), first)
	must(t, err)
	for _, e := range got {
		if !strings.HasPrefix(e.ID, "base") && !strings.HasPrefix(e.ID, "t") {
			t.Fatalf("unknown entry %+v", e)
		}
	}
	whole, _, all, err := s.Since(t.Context(), "")
	must(t, err)
	if !all {
		t.Error("since nothing is not whole")
	}
	sameEntries(t, "the whole", whole, append(base, added...))
	if _, err := s.Append(t.Context(), ending("last")); err != nil {
		t.Fatal(err)
	}
	got, _, all, err = s.Since(t.Context(), head)
	if err != nil || all || len(got) != 1 {
		t.Errorf("since the last step: %d entries, whole %v, %v; want 1", len(got), all, err)
	}
}

func racingAppends(t *testing.T, open OpenShortLived) {
	s := built(t, open)
	start, err := s.Head(t.Context())
	must(t, err)
	var want []revocation.Entry
	for n := range racers {
		want = append(want, ending(fmt.Sprintf("t%d", n)))
	}
	race(t, fault.None, func(n int) error {
		_, err := s.Append(t.Context(), want[n])
		return err
	})
	got, _, whole, err := s.Since(t.Context(), start)
	if err != nil || whole {
		t.Fatalf("whole %v, %v", whole, err)
	}
	sameEntries(t, "the steps", got, want)
}

func racingRebuilds(t *testing.T, open OpenShortLived) {
	s := open(t).Revocations
	var want []revocation.Entry
	for n := range racers {
		want = append(want, ending(fmt.Sprintf("t%d", n)))
	}
	var wg sync.WaitGroup
	for n := range racers {
		wg.Go(func() {
			if _, err := s.Rebuild(t.Context(), []revocation.Entry{want[n]}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, _, _, err := s.Since(t.Context(), "")
	must(t, err)
	sameEntries(t, "what the rebuilds left", got, want)
}
