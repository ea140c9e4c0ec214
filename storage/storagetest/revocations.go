package storagetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/storage"
)

// Revocations checks a revocation.Ledger.
func Revocations(t *testing.T, open OpenDurable) {
	entry := func(kind revocation.Kind, id string, life time.Duration) revocation.Entry {
		return revocation.Entry{Kind: kind, ID: id, ExpiresAt: epoch.Add(life), Reason: "test"}
	}

	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Revocations
		var e revocation.Entry
		fill(t, &e)
		must(t, s.Add(t.Context(), e))
		same(t, "Standing", entriesOf(t, s, epoch), []revocation.Entry{e})
	})

	t.Run("none and many", func(t *testing.T) {
		s := open(t).Revocations
		must(t, s.Add(t.Context()))
		var many []revocation.Entry
		for n := range 1111 {
			many = append(many, entry(revocation.Token, fmt.Sprintf("%04d", n), time.Hour))
		}
		must(t, s.Add(t.Context(), many...))
		must(t, s.Add(t.Context(), many...))
		same(t, "Standing", entriesOf(t, s, epoch), many)
	})

	t.Run("kinds do not mix", func(t *testing.T) {
		s := open(t).Revocations
		want := []revocation.Entry{entry(revocation.Client, "x", time.Hour), entry(revocation.Grant, "x", time.Hour), entry(revocation.Token, "x", time.Hour)}
		must(t, s.Add(t.Context(), want...))
		same(t, "Standing", entriesOf(t, s, epoch), want)
	})

	t.Run("the further reach is kept", func(t *testing.T) { furtherReach(t, open) })

	t.Run("expiry follows the caller's clock", func(t *testing.T) {
		s := open(t).Revocations
		must(t, s.Add(t.Context(), entry(revocation.Token, "x", time.Minute)))
		for _, step := range []struct {
			at   time.Duration
			want int
		}{{0, 1}, {time.Minute, 0}, {time.Hour, 0}, {time.Minute - time.Second, 1}} {
			if got := entriesOf(t, s, epoch.Add(step.at)); len(got) != step.want {
				t.Errorf("after %v: %d entries, want %d", step.at, len(got), step.want)
			}
		}
	})

	t.Run("a clock that jumps an hour ahead and back forgets nothing", func(t *testing.T) {
		s := open(t).Revocations
		must(t, s.Add(t.Context(), entry(revocation.Token, "x", time.Minute)))
		if _, err := s.DeleteExpired(t.Context(), epoch.Add(time.Hour), 100); err != nil {
			t.Fatal(err)
		}
		if got := entriesOf(t, s, epoch); len(got) != 1 {
			t.Errorf("%d entries after the jump, want 1", len(got))
		}
	})

	t.Run("removal in batches", func(t *testing.T) {
		s := open(t).Revocations
		for n := range 3 {
			must(t, s.Add(t.Context(), entry(revocation.Token, fmt.Sprint(n), time.Hour)))
		}
		must(t, s.Add(t.Context(), entry(revocation.Token, "live", 1000*time.Hour)))
		for i, want := range []int{2, 1, 0} {
			if n, err := s.DeleteExpired(t.Context(), epoch.Add(100*time.Hour), 2); err != nil || n != want {
				t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
			}
		}
		if got := entriesOf(t, s, epoch); len(got) != 1 || got[0].ID != "live" {
			t.Errorf("left: %+v, want the live one", got)
		}
	})

	t.Run("refusals write nothing", func(t *testing.T) {
		s := open(t).Revocations
		good := entry(revocation.Token, "good", time.Hour)
		wantKind(t, "no id", s.Add(t.Context(), good, entry(revocation.Token, "", time.Hour)), fault.Invalid)
		wantKind(t, "no kind", s.Add(t.Context(), good, entry("", "x", time.Hour)), fault.Invalid)
		wantKind(t, "a NUL", s.Add(t.Context(), good, entry(revocation.Token, "\x00", time.Hour)), fault.Invalid)
		if got := entriesOf(t, s, epoch); len(got) != 0 {
			t.Errorf("left: %+v, want nothing", got)
		}
	})

	t.Run("together with its cause or not at all", func(t *testing.T) { revocationAndCause(t, open) })

	t.Run("many add the same", func(t *testing.T) {
		s := open(t).Revocations
		if won := race(t, fault.None, func(n int) error {
			a, b := entry(revocation.Token, "a", time.Hour), entry(revocation.Token, "b", time.Hour)
			if n%2 == 0 {
				return s.Add(t.Context(), a, b)
			}
			return s.Add(t.Context(), b, a)
		}); won != racers {
			t.Errorf("%d calls succeeded, want all %d", won, racers)
		}
	})
}

// entriesOf returns what stands at now, sorted.
func entriesOf(t *testing.T, s revocation.Ledger, now time.Time) []revocation.Entry {
	t.Helper()
	got, err := s.Standing(t.Context(), now)
	must(t, err)
	slices.SortFunc(got, func(a, b revocation.Entry) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return got
}

func furtherReach(t *testing.T, open OpenDurable) {
	at := func(notBefore, expires time.Duration) revocation.Entry {
		return revocation.Entry{Kind: revocation.Subject, ID: "alice", NotBefore: epoch.Add(notBefore), ExpiresAt: epoch.Add(expires)}
	}
	for name, tt := range map[string]struct{ entries, want []revocation.Entry }{
		"later both":       {[]revocation.Entry{at(0, time.Hour), at(time.Minute, 2*time.Hour)}, []revocation.Entry{at(time.Minute, 2*time.Hour)}},
		"earlier both":     {[]revocation.Entry{at(time.Minute, 2*time.Hour), at(0, time.Hour)}, []revocation.Entry{at(time.Minute, 2*time.Hour)}},
		"later cut-off":    {[]revocation.Entry{at(0, 2*time.Hour), at(time.Minute, time.Hour)}, []revocation.Entry{at(time.Minute, 2*time.Hour)}},
		"later expiration": {[]revocation.Entry{at(time.Minute, time.Hour), at(0, 2*time.Hour)}, []revocation.Entry{at(time.Minute, 2*time.Hour)}},
	} {
		t.Run(name+", in two calls", func(t *testing.T) {
			s := open(t).Revocations
			for _, e := range tt.entries {
				must(t, s.Add(t.Context(), e))
			}
			same(t, "Standing", entriesOf(t, s, epoch), tt.want)
		})
		t.Run(name+", in one call", func(t *testing.T) {
			s := open(t).Revocations
			must(t, s.Add(t.Context(), tt.entries...))
			same(t, "Standing", entriesOf(t, s, epoch), tt.want)
		})
	}
}

func revocationAndCause(t *testing.T, open OpenDurable) {
	d := open(t)
	must(t, d.Grants.Create(t.Context(), newGrant("a")))
	end := func(d *storage.Durable, then error) error {
		return d.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := d.Grants.Revoke(ctx, "a", "test", epoch); err != nil {
				return err
			}
			if err := d.Revocations.Add(ctx, revocation.Entry{Kind: revocation.Grant, ID: "a", ExpiresAt: epoch.Add(time.Hour)}); err != nil {
				return err
			}
			return then
		})
	}
	broken := errors.New("broken")
	if err := end(d, broken); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the work", err)
	}
	if g, err := d.Grants.ByID(t.Context(), "a"); err != nil || g.Revoked() || len(entriesOf(t, d.Revocations, epoch)) != 0 {
		t.Errorf("after a rollback: %+v, %v, %v; want nothing revoked", g, err, entriesOf(t, d.Revocations, epoch))
	}
	must(t, end(d, nil))
	if g, err := d.Grants.ByID(t.Context(), "a"); err != nil || !g.Revoked() || len(entriesOf(t, d.Revocations, epoch)) != 1 {
		t.Errorf("after a commit: %+v, %v; want both", g, err)
	}
}
