package storagetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// Leases checks a job.Leases.
func Leases(t *testing.T, open OpenDurable) {
	t.Run("one holder at a time", func(t *testing.T) {
		s := open(t).Leases
		for i, step := range []struct {
			holder string
			at     time.Duration
			want   bool
		}{
			{"a", 0, true},
			{"b", 0, false},
			{"a", 30 * time.Second, true},            // renewed until 1:30
			{"b", 89 * time.Second, false},           // not yet
			{"b", 90 * time.Second, true},            // at its end it is free
			{"a", 90 * time.Second, false},           //
			{"a", 90*time.Second - time.Hour, false}, // a clock that went back frees nothing
			{"b", 90*time.Second - time.Hour, true},  // and its holder keeps it
			{"a", 150*time.Second - time.Hour, true}, // until the end by that clock
		} {
			got, err := s.Acquire(t.Context(), "rotation", step.holder, time.Minute, epoch.Add(step.at))
			if err != nil || got != step.want {
				t.Errorf("step %d: Acquire by %s after %v = %v, %v; want %v", i, step.holder, step.at, got, err, step.want)
			}
		}
	})

	t.Run("names do not mix", func(t *testing.T) {
		s := open(t).Leases
		for name, holder := range map[string]string{"rotation": "a", "removal": "b"} {
			if got, err := s.Acquire(t.Context(), name, holder, time.Minute, epoch); err != nil || !got {
				t.Errorf("Acquire(%s, %s) = %v, %v; want true", name, holder, got, err)
			}
		}
	})

	t.Run("given up by its holder only", func(t *testing.T) {
		s := open(t).Leases
		acquire := func(holder string) bool {
			got, err := s.Acquire(t.Context(), "rotation", holder, time.Minute, epoch)
			must(t, err)
			return got
		}
		if !acquire("a") {
			t.Fatal("a free lease was not given")
		}
		must(t, s.Release(t.Context(), "rotation", "b"))
		must(t, s.Release(t.Context(), "unknown", "a"))
		must(t, s.Release(t.Context(), "", ""))
		if acquire("b") {
			t.Error("b has the lease that it released for a")
		}
		must(t, s.Release(t.Context(), "rotation", "a"))
		must(t, s.Release(t.Context(), "rotation", "a"))
		if !acquire("b") {
			t.Error("the released lease is not free")
		}
	})

	t.Run("one of many has it", func(t *testing.T) {
		s := open(t).Leases
		var holders atomic.Int32
		race(t, fault.None, func(n int) error {
			got, err := s.Acquire(t.Context(), "rotation", fmt.Sprint(n), time.Minute, epoch)
			if got {
				holders.Add(1)
			}
			return err
		})
		if holders.Load() != 1 {
			t.Errorf("%d holders, want 1", holders.Load())
		}
		holders.Store(0)
		race(t, fault.None, func(n int) error { // and when it has expired
			got, err := s.Acquire(t.Context(), "rotation", fmt.Sprint("next ", n), time.Minute, epoch.Add(time.Hour))
			if got {
				holders.Add(1)
			}
			return err
		})
		if holders.Load() != 1 {
			t.Errorf("%d holders of the expired lease, want 1", holders.Load())
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Leases
		_, err := s.Acquire(t.Context(), "", "a", time.Minute, epoch)
		wantKind(t, "no name", err, fault.Invalid)
		_, err = s.Acquire(t.Context(), "rotation", "", time.Minute, epoch)
		wantKind(t, "no holder", err, fault.Invalid)
	})
}
