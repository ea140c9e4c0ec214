package flow

import (
	"context"

	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/trail"
)

// brake counts one more request that is about to be kept, for the address it
// comes from. What needs no page is never kept, and not counted. A whole
// office behind one address signs in of a morning; but each request stays for
// a day, so a stranger who only opens login pages must not fill the store.
func (s *Service) brake(ctx context.Context) error {
	if s.cfg.Gate.Store == nil {
		return nil
	}
	return s.cfg.Gate.Take(ctx, s.cfg.PerAddress, limit.Remote(ctx), "security §0.4 the requests of one address that are kept are bounded")
}

// release takes the count of a request back that fills nothing up: one that is
// not kept any more, or whose person signed in. If it fails, the count is only
// stricter.
func (s *Service) release(ctx context.Context) {
	if s.cfg.Gate.Store == nil {
		return
	}
	if err := s.cfg.Gate.Give(context.WithoutCancel(ctx), s.cfg.PerAddress, limit.Remote(ctx)); err != nil {
		trail.Set(ctx, "limit_give", "failed")
	}
}
