package limit

import (
	"cmp"
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// Gate counts attempts and refuses those that are too many. It is safe for
// concurrent use.
type Gate struct {
	Store Store
	// Refused hears of every refusal. Nil: nobody does.
	Refused func(ctx context.Context, rule Rule, key string)
}

// Take counts one attempt of key. fault.Limited under the clause when it is
// one too many, with the time to wait; fault.Unavailable when the counters
// cannot be reached.
func (g Gate) Take(ctx context.Context, rule Rule, key, clause string) error {
	got, err := g.Store.Take(ctx, rule, key, clock.Now())
	if err != nil {
		return err
	}
	return g.Judge(ctx, rule, key, got, clause)
}

// Give takes an attempt back that turned out to be good.
func (g Gate) Give(ctx context.Context, rule Rule, key string) error {
	if err := g.Store.Give(ctx, rule, key, clock.Now()); err != nil {
		return err
	}
	unnote(ctx, rule)
	return nil
}

// Judge is Take for whoever asked the counter: it notes the state for the
// answer, and returns fault.Limited under the clause when the attempt was one
// too many.
func (g Gate) Judge(ctx context.Context, rule Rule, key string, got Result, clause string) error {
	note(ctx, rule, got)
	if got.Allowed {
		return nil
	}
	if g.Refused != nil {
		g.Refused(ctx, rule, key)
	}
	err := fault.New(fault.Limited, "rate_limited", "There were too many attempts. Wait a little and try again.").
		Under(clause).Compare(rule.Name, "at most "+strconv.Itoa(rule.Max)+" in "+rule.Window.String(), "more").
		After(max(got.RetryAfter, time.Second))
	setting := "limit_" + strings.ReplaceAll(cmp.Or(rule.Setting, rule.Name), "-", "_")
	if rule.Source {
		return err.WithHint("when many people share one address, raise limit_factor or %s, or name the proxy in trusted_proxies", setting)
	}
	return err.WithHint("the setting is %s", setting)
}

// Remote returns the key of where the request of ctx comes from.
func Remote(ctx context.Context) string { return AddressKey(remote(ctx)) }

// RemoteNetwork returns the key of the network around it.
func RemoteNetwork(ctx context.Context) string { return NetworkKey(remote(ctx)) }

func remote(ctx context.Context) netip.Addr {
	if t := trail.From(ctx); t != nil {
		return t.Remote
	}
	return netip.Addr{}
}
