package server

import (
	"context"

	"github.com/portico-id/portico/pkg/password"
)

// openPasswords builds the service that verifies and changes passwords.
func (s *Server) openPasswords() error {
	cfg := password.Config{
		MemoryKiB: uint32(s.cfg.ArgonMemory), Passes: s.cfg.ArgonTime, Lanes: s.cfg.ArgonParallelism,
		Brand: s.brand.Names(), MinLength: s.cfg.PasswordMinLength, Require: s.cfg.PasswordRequire,
		Person: func(ctx context.Context, userID string) ([]string, error) {
			u, err := s.Users.Get(ctx, userID)
			if err != nil {
				return nil, err
			}
			return namesOf(u), nil
		},
	}
	if s.cfg.PasswordRangeURL != "" {
		cfg.Breached = password.NewRanges(password.RangeConfig{
			URL: s.cfg.PasswordRangeURL, Allow: s.cfg.Outbound(), Observe: s.metrics.PasswordRange,
		})
	}
	var err error
	s.Passwords, err = password.NewService(s.durable.Passwords, s.Sessions, s.audit, cfg)
	return err
}
