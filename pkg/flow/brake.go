package flow

import (
	"context"

	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// brake counts one more request that is about to be kept, for the address it
// comes from. What needs no page is never kept, and not counted. A whole
// office behind one address signs in of a morning; but each request stays for
// a day, so a stranger who only opens login pages must not fill the store.
func (s *Service) brake(ctx context.Context) error { return s.brakeOf(ctx, s.cfg.PerAddress) }

func (s *Service) brakeOf(ctx context.Context, rule limit.Rule) error {
	if s.cfg.Gate.Store == nil {
		return nil
	}
	return s.cfg.Gate.Take(ctx, rule, limit.Remote(ctx), "security §0.4 the requests of one address that are kept are bounded")
}

// release takes the count of a request back that fills nothing up: one that is
// not kept any more, or whose person signed in. If it fails, the count is only
// stricter.
func (s *Service) release(ctx context.Context) { s.releaseOf(ctx, s.cfg.PerAddress) }

func (s *Service) releaseOf(ctx context.Context, rule limit.Rule) {
	if s.cfg.Gate.Store == nil {
		return
	}
	if err := s.cfg.Gate.Give(context.WithoutCancel(ctx), rule, limit.Remote(ctx)); err != nil {
		trail.Set(ctx, "limit_give", "failed")
	}
}

// ruleOf is the rule that things of the kind count for. A page of ours asks for
// passkeys by itself; that is counted apart, and only for as long as it is
// kept: it must not take the place of a whole office that signs in.
func (s *Service) ruleOf(kind secret.Kind) limit.Rule {
	if kind != secret.Ceremony {
		return s.cfg.PerAddress
	}
	r := s.cfg.PerAddress
	return limit.Rule{Name: "ceremony-address", Max: r.Max, Window: s.cfg.ParkTTL, Source: r.Source, Setting: r.Name}
}
