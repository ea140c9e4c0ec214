package confirm

import (
	"context"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Waiting returns the open confirmation of an id, which proves nothing: it is
// for the page that waits for the proof. fault.Gone, code
// "link_over", when there is none of the purpose.
func (s *Service) Waiting(ctx context.Context, p Purpose, id string) (*Confirmation, error) {
	c, err := s.store.ByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, Over("unknown")
	} else if err != nil {
		return nil, err
	}
	return open(&c, p, clock.Now())
}
