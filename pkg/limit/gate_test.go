package limit_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/trail"
)

// counters is a Store of plain counters that never empty.
type counters struct {
	n    map[string]limit.Counters
	fail error
}

func (c *counters) of(rule limit.Rule, key string) limit.Counters {
	if c.n == nil {
		c.n = map[string]limit.Counters{}
	}
	if c.n[rule.Name+key] == nil {
		c.n[rule.Name+key] = limit.NewCounters(rule)
	}
	return c.n[rule.Name+key]
}

func (c *counters) Take(_ context.Context, rule limit.Rule, key string, now time.Time) (limit.Result, error) {
	return c.of(rule, key).Take(rule, now), c.fail
}

func (c *counters) Give(_ context.Context, rule limit.Rule, key string, now time.Time) error {
	c.of(rule, key).Give(rule, now)
	return c.fail
}

func (c *counters) Reset(context.Context, limit.Rule, string) error { return c.fail }

func TestOneTooManyIsRefusedAndExplained(t *testing.T) {
	heard := 0
	g := limit.Gate{Store: &counters{}, Refused: func(_ context.Context, rule limit.Rule, key string) {
		if rule.Name == "signup-address" && key == "203.0.113.7" {
			heard++
		}
	}}
	rule := limit.Rule{Name: "signup-address", Max: 2, Window: time.Minute, Source: true}
	take := func() *fault.Error {
		return fault.As(g.Take(t.Context(), rule, "203.0.113.7", "security §0.5 sign-ups of one address are bounded"))
	}
	for range 2 {
		if err := take(); err != nil {
			t.Fatal(err)
		}
	}
	err := take()
	if err == nil || err.Kind != fault.Limited || err.Code != "rate_limited" || err.RetryAfter < time.Second || err.RetryAfter > 65*time.Second {
		t.Fatalf("one too many: %+v", err)
	}
	if !strings.HasPrefix(err.Rule, "security §0.5") || len(err.Compared) != 1 || err.Compared[0].Name != "signup-address" ||
		!strings.Contains(err.Hint, "limit_signup_address") || !strings.Contains(err.Hint, "trusted_proxies") {
		t.Errorf("not explained: %+v", err)
	}
	if heard != 1 {
		t.Errorf("%d refusals were heard of, want 1", heard)
	}
	if err := g.Give(t.Context(), rule, "203.0.113.7"); err != nil {
		t.Fatal(err)
	}
	if err := take(); err != nil {
		t.Errorf("after one was given back: %v", err)
	}
}

func TestCountersThatCannotBeReachedAllowNothing(t *testing.T) {
	down := fault.New(fault.Unavailable, "temporarily_unavailable", "Later.")
	g := limit.Gate{Store: &counters{fail: down}}
	if err := g.Take(t.Context(), limit.Standard().Code, "k", "x"); !errors.Is(err, down) {
		t.Errorf("take: %v", err)
	}
	if err := g.Give(t.Context(), limit.Standard().Code, "k"); !errors.Is(err, down) {
		t.Errorf("give: %v", err)
	}
}

func TestWhatIsNotedForTheAnswer(t *testing.T) {
	ctx, notes := limit.Open(t.Context())
	g := limit.Gate{Store: &counters{}}
	address := limit.Rule{Name: "address", Max: 9, Window: time.Minute, Source: true}
	tight := limit.Rule{Name: "tight", Max: 3, Window: time.Minute, Source: true}
	for _, rule := range []limit.Rule{address, {Name: "account", Max: 1, Window: time.Hour}, tight, address} {
		if err := g.Take(ctx, rule, "k", "x"); err != nil {
			t.Fatal(err)
		}
	}
	states := notes.States()
	if len(states) != 2 || states[0].Rule.Name != "tight" || states[0].Remaining != 2 || states[1].Remaining != 7 {
		t.Fatalf("noted %+v; want tight with 2 left, then address with 7, and no account", states)
	}
	if err := g.Give(ctx, tight, "k"); err != nil {
		t.Fatal(err)
	}
	if s := notes.States()[0]; s.Remaining != 3 || s.Reset != 0 {
		t.Errorf("after it was given back: %+v, want all 3 left", s)
	}
	if err := g.Take(t.Context(), address, "k", "x"); err != nil { // nobody writes an answer
		t.Error(err)
	}
	if got := (*limit.Notes)(nil).States(); got != nil {
		t.Errorf("no notes hold %v", got)
	}
}

func TestRemoteIsWhereTheRequestComesFrom(t *testing.T) {
	if got := limit.Remote(t.Context()); got != "none" {
		t.Errorf("outside a request: %q", got)
	}
	ctx := trail.With(t.Context(), &trail.Trail{Remote: netip.MustParseAddr("203.0.113.7")})
	if got := limit.Remote(ctx); got != "203.0.113.7" {
		t.Errorf("of a request: %q", got)
	}
}
