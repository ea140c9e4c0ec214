package limit_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// The engines prove the behaviour through storagetest; here is what only the
// arithmetic can show.

func TestNeverMoreThanMaxInAnyWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		rule := limit.Rule{Max: 1 + random.IntN(20), Window: time.Duration(1+random.IntN(3_600_000)) * time.Millisecond}
		c := limit.NewCounters(rule)
		var passed []time.Time
		now := time.Unix(1_800_000_000, 0)
		for range 400 {
			now = now.Add(time.Duration(random.Int64N(int64(rule.Window)/int64(rule.Max) + 1)))
			r := c.Take(rule, now)
			if r.Allowed {
				passed = append(passed, now)
				continue
			}
			copied := slices.Clone(c)
			if again := copied.Take(rule, now.Add(r.RetryAfter)); !again.Allowed {
				t.Fatalf("%+v: refused after the wait of %s", rule, r.RetryAfter)
			}
			if most := rule.Window + rule.Window/8 + time.Millisecond; r.RetryAfter <= 0 || r.RetryAfter > most {
				t.Fatalf("%+v: wait of %s, want at most %s", rule, r.RetryAfter, most)
			}
		}
		for i := rule.Max; i < len(passed); i++ {
			if gap := passed[i].Sub(passed[i-rule.Max]); gap < rule.Window {
				t.Fatalf("%+v: %d attempts within %s", rule, rule.Max+1, gap)
			}
		}
	}
}

func TestClockThatJumpsNeverGivesMoreNorLocksLonger(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	rule := limit.Rule{Max: 5, Window: time.Minute}
	c := limit.NewCounters(rule)
	now := time.Unix(1_800_000_000, 0)
	for i := range 5000 {
		now = now.Add(time.Duration(random.Int64N(int64(4*time.Hour))) - 2*time.Hour)
		for range 10 {
			if r := c.Take(rule, now); !r.Allowed && r.RetryAfter > rule.Window*9/8 {
				t.Fatalf("jump %d: locked for %s", i, r.RetryAfter)
			}
		}
		if total := c[0].Total(); total > rule.Max {
			t.Fatalf("jump %d: %d attempts stand, want at most %d", i, total, rule.Max)
		}
	}
}

func TestOddRulesRefuseOrPassButNeverPanic(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, rule := range []limit.Rule{
		{Max: 0, Window: time.Minute},
		{Max: -1, Window: time.Minute},
		{Max: 1},
		{Max: 1, Window: 1},
		{Max: 1, Window: -time.Hour},
		{Max: 1, Window: 15 * time.Microsecond},
		{Max: 1 << 30, Window: 365 * 24 * time.Hour},
		{Max: 1, Window: time.Minute, Then: []limit.Bound{{Max: 1, Window: 1}, {Max: 2, Window: -time.Hour}}},
	} {
		c := limit.NewCounters(rule)
		c.Give(rule, now)
		if r := c.Take(rule, now); r.Allowed != (rule.Max > 0) {
			t.Errorf("%+v: first attempt %+v", rule, r)
		}
		c.Give(rule, now.Add(-100*365*24*time.Hour))
		c.Take(rule, time.Time{})
		c.Take(rule, now)
	}
}

func TestAGrowingPauseEndsWithTheDay(t *testing.T) {
	for rate, want := range map[limit.Bound][]limit.Bound{
		{Max: 5, Window: 15 * time.Minute}: {{Max: 10, Window: 2 * time.Hour}, {Max: 15, Window: 12 * time.Hour}, {Max: 20, Window: 24 * time.Hour}},
		{Max: 3, Window: time.Hour}:        {{Max: 6, Window: 8 * time.Hour}, {Max: 9, Window: 24 * time.Hour}},
		{Max: 3, Window: 24 * time.Hour}:   nil,
		{Max: 3, Window: 240 * time.Hour}:  nil,
	} {
		rule := limit.Rule{Name: "login", Max: rate.Max, Window: rate.Window}
		if got := rule.Growing().Growing().Then; !slices.Equal(got, want) {
			t.Errorf("%+v grows by %+v, want %+v", rate, got, want)
		}
	}
}
