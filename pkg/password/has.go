package password

import (
	"context"

	"github.com/portico-id/portico/pkg/fault"
)

// Has reports whether the person has a password.
func (s *Service) Has(ctx context.Context, userID string) (bool, error) {
	_, err := s.store.Hash(ctx, userID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
