package limit_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/limit"
)

// heard keeps the rules of events and of counts.
type heard struct {
	mu     sync.Mutex
	events []string
	counts map[string]int
}

func (h *heard) Record(_ context.Context, e audit.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, string(e.Name)+" "+e.Data["rule"])
}

func (h *heard) count(rule string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[rule]++
}

func TestAThousandTooManyAreCountedAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{counts: map[string]int{}}
		w := &limit.Watch{Audit: h, Count: h.count}
		rule := limit.Rule{Name: "signup-address", Max: 1, Window: time.Minute}
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { w.Refused(t.Context(), rule, "203.0.113.7") })
		}
		wg.Wait()
		w.Refused(t.Context(), rule, "203.0.113.8")
		w.Counted(t.Context(), limit.Rule{Name: "login-address"}, "203.0.113.7")
		if len(h.events) != 2 || h.events[0] != "limit.exceeded signup-address" {
			t.Errorf("told %v, want one event for each address", h.events)
		}
		if h.counts["signup-address"] != 1001 || h.counts["login-address"] != 1 {
			t.Errorf("counted %v", h.counts)
		}
		time.Sleep(time.Minute)
		w.Refused(t.Context(), rule, "203.0.113.7")
		if len(h.events) != 3 {
			t.Errorf("%d events after the window, want another", len(h.events))
		}
		for i := range 20_000 { // and memory stays flat
			w.Refused(t.Context(), rule, strconv.Itoa(i))
		}
	})
}
