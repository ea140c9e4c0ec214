package login

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
)

// full is a counter without room.
func full() (limit.Result, error) { return limit.Result{RetryAfter: time.Minute}, nil }

func TestACounterIsFullOnlyWhenNobodyIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		if got, err := w.take(t.Context(), "ann", full); err != nil || got.Allowed || got.RetryAfter != time.Minute {
			t.Errorf("nobody else: %+v, %v; want refused for a minute", got, err)
		}
		first := func() (limit.Result, error) { return limit.Result{Allowed: true}, nil }
		if _, err := w.take(t.Context(), "ann", first); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if got, err := w.take(t.Context(), "ann", full); !fault.Is(err, fault.Unavailable) || time.Since(began) != patience {
			t.Errorf("the other is never done: %+v, %v after %s; want busy after %s", got, err, time.Since(began), patience)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.take(ctx, "ann", full); err == nil {
			t.Error("whoever hung up is let in")
		}
		time.AfterFunc(time.Second, func() { w.end("ann") })
		if got, err := w.take(t.Context(), "ann", full); err != nil || got.Allowed {
			t.Errorf("the other failed: %+v, %v; want refused", got, err)
		}
		if len(w.keys) != 0 {
			t.Errorf("%d keys are left", len(w.keys))
		}
	})
}
