package flow

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/trail"
)

// How many requests of one address are kept. A whole office behind one address
// signs in of a morning; but each request stays for a day, so a stranger who
// only opens login pages must not fill the store.
const (
	perAddress = 600
	window     = 15 * time.Minute
)

// brake counts one more request that is about to be kept, for the address it
// comes from. What needs no page is never kept, and not counted.
func (s *Service) brake(ctx context.Context) error {
	if s.cfg.Limits == nil {
		return nil
	}
	var from netip.Addr
	if t := trail.From(ctx); t != nil {
		from = t.Remote
	}
	rule := limit.Rule{Name: "flow-address", Max: perAddress * max(1, s.cfg.LimitFactor), Window: window}
	got, err := s.cfg.Limits.Take(ctx, rule, limit.AddressKey(from), clock.Now())
	if err != nil {
		return err
	}
	if !got.Allowed {
		return fault.New(fault.Limited, "rate_limited", "There were too many attempts. Wait a little and try again.").
			Under("security §0.4 the requests of one address that are kept are bounded").
			Compare(rule.Name, "at most "+strconv.Itoa(rule.Max)+" in "+rule.Window.String(), "more").
			WithHint("raise PORTICO_LIMIT_FACTOR when many people share one address, or name the proxy in PORTICO_TRUSTED_PROXIES").
			After(max(got.RetryAfter, time.Second))
	}
	return nil
}
