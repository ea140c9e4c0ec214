package flow

import (
	"context"

	"github.com/portico-id/portico/pkg/limit"
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
