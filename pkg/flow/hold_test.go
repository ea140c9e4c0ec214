package flow_test

import (
	"net/url"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
)

// TestHeldIsOurs: what strangers park never passes for what we asked, and the
// other way round.
func TestHeldIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(t, newMemory())
		values := url.Values{"challenge": {"x"}}
		held, err := s.Hold(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		parked, err := s.Park(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]string{"parked": parked, "nobody's": secret.New(secret.Ceremony), "empty": ""} {
			if got, err := s.Claim(t.Context(), id); !fault.Is(err, fault.NotFound) || got != nil {
				t.Errorf("%s: Claim = %v, %v; want not found", name, got, err)
			}
		}
		if got, err := s.Unpark(t.Context(), held); !fault.Is(err, fault.NotFound) || got != nil {
			t.Errorf("Unpark of what is held = %v, %v; want not found", got, err)
		}
		if got, err := s.Claim(t.Context(), held); err != nil || !reflect.DeepEqual(got, values) {
			t.Errorf("Claim = %v, %v", got, err)
		}
		if _, err := s.Claim(t.Context(), held); !fault.Is(err, fault.NotFound) {
			t.Errorf("a second Claim: %v, want not found", err)
		}
		late, err := s.Hold(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := s.Claim(t.Context(), late); !fault.Is(err, fault.NotFound) {
			t.Errorf("after five minutes: %v, want not found", err)
		}
	})
}

// TestHeldIsCountedApart: pages ask by themselves, which must not take the
// place of people who sign in; but it fills no store either.
func TestHeldIsCountedApart(t *testing.T) {
	c := &counter{keys: map[string]int{}}
	rule := limit.Rule{Name: "flow-address", Max: 3, Window: time.Minute}
	s := flow.NewService(newMemory(), secret.NewFingerprinter(make([]byte, 32)), flow.Config{Gate: limit.Gate{Store: c}, PerAddress: rule})
	ctx := from(t, "203.0.113.9")
	var ids []string
	for range 3 {
		id, err := s.Hold(ctx, url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if _, err := s.Hold(ctx, url.Values{}); !fault.Is(err, fault.Limited) {
		t.Errorf("one too many: %v, want limited", err)
	}
	if err := s.Save(ctx, s.Begin("browser", request())); err != nil {
		t.Errorf("a sign-in of the address: %v", err)
	}
	if _, err := s.Claim(ctx, ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hold(ctx, url.Values{}); err != nil {
		t.Errorf("after one was answered: %v", err)
	}
}
