package flow_test

import (
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

func TestParkedRequestIsTakenOnce(t *testing.T) {
	s := service(t, newMemory())
	want := url.Values{"client_id": {"shop"}, "resource": {"https://a.test", "https://b.test"}, "state": {"ä & = %"}}
	id, err := s.Park(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		wg.Go(func() {
			<-start
			got, err := s.Unpark(t.Context(), id)
			switch {
			case err == nil && reflect.DeepEqual(got, want):
				won.Add(1)
			case err == nil:
				t.Errorf("Unpark = %v, want %v", got, want)
			case !fault.Is(err, fault.NotFound):
				t.Errorf("loser got %v, want not found", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d requests got the parked one, want 1", won.Load())
	}
}

func TestUnparkRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(t, newMemory())
		f := begun(t, s, secret.New(secret.BrowserCookie))
		id, err := s.Park(t.Context(), url.Values{"client_id": {"shop"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]string{
			"empty": "", "garbage": "../../etc", "nobody's": secret.New(secret.PendingRequest), "a flow's": f.ID,
		} {
			if got, err := s.Unpark(t.Context(), bad); !fault.Is(err, fault.NotFound) || got != nil {
				t.Errorf("%s: Unpark = %v, %v; want not found", name, got, err)
			}
		}
		time.Sleep(5 * time.Minute)
		if got, err := s.Unpark(t.Context(), id); !fault.Is(err, fault.NotFound) || got != nil {
			t.Errorf("after five minutes: Unpark = %v, %v; want not found", got, err)
		}
	})
}

func TestParkIsBounded(t *testing.T) {
	m := newMemory()
	s := service(t, m)
	_, err := s.Park(t.Context(), url.Values{"state": {strings.Repeat("a", 32<<10)}})
	if !fault.Is(err, fault.TooLarge) || len(m.records) != 0 {
		t.Errorf("Park of 32 kB = %v with %d records, want too large and nothing kept", err, len(m.records))
	}
}

// TestAwaitedAndParkedAreTwoKinds: what a stranger had us keep is no state of
// ours, and the other way round.
func TestAwaitedAndParkedAreTwoKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(t, newMemory())
		parked, err := s.Park(t.Context(), url.Values{"provider": {"theirs"}})
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.Await(t.Context(), url.Values{"provider": {"ours"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Arrived(t.Context(), parked); !fault.Is(err, fault.NotFound) {
			t.Errorf("a parked request arrived: %v, %v", got, err)
		}
		if got, err := s.Unpark(t.Context(), state); !fault.Is(err, fault.NotFound) {
			t.Errorf("a state was a parked request: %v, %v", got, err)
		}
		time.Sleep(29 * time.Minute)
		if got, err := s.Arrived(t.Context(), state); err != nil || got.Get("provider") != "ours" {
			t.Errorf("after 29 minutes: %v, %v", got, err)
		}
		if got, err := s.Arrived(t.Context(), state); !fault.Is(err, fault.NotFound) {
			t.Errorf("once more: %v, %v", got, err)
		}
		if state, err = s.Await(t.Context(), url.Values{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if got, err := s.Arrived(t.Context(), state); !fault.Is(err, fault.NotFound) {
			t.Errorf("after half an hour: %v, %v", got, err)
		}
	})
}
