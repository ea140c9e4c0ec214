package flow_test

import (
	"context"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// counter allows what a rule allows, for ever.
type counter struct {
	keys map[string]int
	fail error
}

func (c *counter) Take(_ context.Context, rule limit.Rule, key string, _ time.Time) (limit.Result, error) {
	if c.fail != nil {
		return limit.Result{}, c.fail
	}
	if c.keys[rule.Name+" "+key] >= rule.Max {
		return limit.Result{RetryAfter: time.Minute}, nil
	}
	c.keys[rule.Name+" "+key]++
	return limit.Result{Allowed: true}, nil
}

func (c *counter) Give(_ context.Context, rule limit.Rule, key string, _ time.Time) error {
	c.keys[rule.Name+" "+key]--
	return c.fail
}

func (c *counter) Reset(context.Context, limit.Rule, string) error { return nil }

func from(t *testing.T, addr string) context.Context {
	t.Helper()
	return trail.With(t.Context(), &trail.Trail{Remote: netip.MustParseAddr(addr)})
}

// A stranger who only opens login pages must not fill the store.
func TestKeptRequestsOfOneAddressAreBounded(t *testing.T) {
	for most, want := range map[int]int{0: 600, 30: 30} {
		c := &counter{keys: map[string]int{}}
		rule := limit.Rule{Name: "flow-address", Max: most, Window: time.Minute}
		s := flow.NewService(newMemory(), secret.NewFingerprinter(make([]byte, 32)), flow.Config{Gate: limit.Gate{Store: c}, PerAddress: rule})
		stranger := from(t, "203.0.113.9")
		first := s.Begin("browser", request())
		if err := s.Save(stranger, first); err != nil {
			t.Fatal(err)
		}
		kept := 1
		for ; kept <= want; kept++ {
			if kept%2 == 0 {
				if err := s.Save(stranger, s.Begin("browser", request())); err != nil {
					break
				}
			} else if _, err := s.Park(stranger, url.Values{"client_id": {"shop"}}); err != nil {
				break
			}
		}
		if kept != want {
			t.Errorf("at most %d: %d requests were kept, want %d", most, kept, want)
		}
		_, err := s.Park(stranger, url.Values{})
		if f := fault.As(err); f.Kind != fault.Limited || f.RetryAfter != time.Minute {
			t.Errorf("one too many: %v after %s, want limited after a minute", err, f.RetryAfter)
		}
		if err := s.Save(stranger, s.Begin("browser", request())); !fault.Is(err, fault.Limited) {
			t.Errorf("one flow too many: %v", err)
		}
		if err := s.Save(stranger, first); err != nil {
			t.Errorf("a flow that is kept already was stopped: %v", err)
		}
		if err := s.Save(from(t, "203.0.113.10"), s.Begin("browser", request())); err != nil {
			t.Errorf("another address was stopped: %v", err)
		}
	}
}

// A whole office signs in of a morning; a stranger who presses cancel does not
// sign in.
func TestOnlyWhatFillsTheStoreIsCounted(t *testing.T) {
	c := &counter{keys: map[string]int{}}
	s := flow.NewService(newMemory(), secret.NewFingerprinter(make([]byte, 32)), flow.Config{Gate: limit.Gate{Store: c}})
	here := from(t, "203.0.113.9")
	for name, tt := range map[string]struct {
		change func(*flow.Flow)
		want   int
	}{
		"a person signed in":                  {func(f *flow.Flow) { f.UserID, f.FreshLogin = "u1", true }, 0},
		"a stranger cancelled":                {func(*flow.Flow) {}, 1},
		"somebody who was signed in went on":  {func(f *flow.Flow) { f.UserID = "u1" }, 1},
		"signed in and then chose to be away": {func(f *flow.Flow) { f.FreshLogin = true }, 1},
	} {
		clear(c.keys)
		f := s.Begin("browser", request())
		if err := s.Save(here, f); err != nil {
			t.Fatal(err)
		}
		tt.change(f)
		if err := s.Done(here, f); err != nil {
			t.Fatal(err)
		}
		if err := s.Done(here, f); err == nil {
			t.Error("done twice")
		}
		if got := c.keys["flow-address 203.0.113.9"]; got != tt.want {
			t.Errorf("%s: %d stand, want %d", name, got, tt.want)
		}
	}
	clear(c.keys)
	id, err := s.Park(here, url.Values{"a": {"b"}})
	if err != nil || c.keys["flow-address 203.0.113.9"] != 1 {
		t.Fatalf("parked: %v, %v", c.keys, err)
	}
	for range 2 {
		_, _ = s.Unpark(here, id)
	}
	if got := c.keys["flow-address 203.0.113.9"]; got != 0 {
		t.Errorf("after it was fetched: %d stand, want none", got)
	}
}

func TestUncountedRequestsAreNotKept(t *testing.T) {
	down := fault.New(fault.Unavailable, "temporarily_unavailable", "Try again.")
	store := newMemory()
	s := flow.NewService(store, secret.NewFingerprinter(make([]byte, 32)), flow.Config{Gate: limit.Gate{Store: &counter{fail: down}}})
	f := s.Begin("browser", request())
	if err := s.Save(t.Context(), f); !fault.Is(err, fault.Unavailable) || f.Saved || f.Version != 0 {
		t.Errorf("Save = %v, saved %v", err, f.Saved)
	}
	if _, err := s.Park(t.Context(), url.Values{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Park = %v", err)
	}
}
