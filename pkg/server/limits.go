package server

import (
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/limit"
)

// limitRules are the configured limits; the factor scales those per address,
// because many people may share one.
func (s *Server) limitRules() limit.Rules {
	c, rules := s.cfg, limit.Standard()
	for _, r := range []struct {
		into    *limit.Rule
		rate    config.Rate
		address bool
	}{
		{&rules.LoginAccount, c.LimitLoginAccount, false},
		{&rules.LoginAddress, c.LimitLoginAddress, true},
		{&rules.SignupAddress, c.LimitSignupAddress, true},
		{&rules.RecoveryAddress, c.LimitRecoveryAddress, true},
		{&rules.AccountAddress, c.LimitAccountAddress, true},
		{&rules.MailAddress, c.LimitMailAddress, true},
		{&rules.MailRecipient, c.LimitMailRecipient, false},
		{&rules.Code, c.LimitCode, false},
	} {
		most, window, err := r.rate.Parse()
		if err != nil {
			continue // not loaded from configuration: the standard holds
		}
		if r.address {
			most *= max(1, c.LimitFactor)
		}
		r.into.Max, r.into.Window = most, window
	}
	return rules
}
