package server

import (
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/limit"
)

// gate counts what is limited, on the counters that all instances share.
func (s *Server) gate() limit.Gate {
	return limit.Gate{Store: s.short.Limits, Refused: s.watch.Refused}
}

// loginGate is gate for sign-in, whose refusals have an event of their own.
func (s *Server) loginGate() limit.Gate {
	return limit.Gate{Store: s.short.Limits, Refused: s.watch.Counted}
}

// limitRules are the configured limits; the factor scales those per address,
// because many people may share one.
func (s *Server) limitRules() limit.Rules {
	c, rules := s.cfg, limit.Standard()
	rules.Factor = max(1, c.LimitFactor)
	for _, r := range []struct {
		into *limit.Rule
		rate config.Rate
	}{
		{&rules.LoginAccount, c.LimitLoginAccount},
		{&rules.LoginAddress, c.LimitLoginAddress},
		{&rules.LoginSpread, c.LimitLoginSpread},
		{&rules.SignupAddress, c.LimitSignupAddress},
		{&rules.RecoveryAddress, c.LimitRecoveryAddress},
		{&rules.AccountAddress, c.LimitAccountAddress},
		{&rules.MailAddress, c.LimitMailAddress},
		{&rules.MailRecipient, c.LimitMailRecipient},
		{&rules.Code, c.LimitCode},
		{&rules.SecondFactor, c.LimitSecondFactor},
		{&rules.SMSRecipient, c.LimitSMSRecipient},
		{&rules.SMSAddress, c.LimitSMSAddress},
		{&rules.FlowAddress, c.LimitFlowAddress},
		{&rules.RegisterAddress, c.LimitRegisterAddress},
		{&rules.ClientFailures, c.LimitClientFailures},
	} {
		most, window, err := r.rate.Parse()
		if err == nil { // else not loaded from configuration: the standard holds
			r.into.Max, r.into.Window = most, window
		}
		if r.into.Source {
			r.into.Max *= rules.Factor
		}
	}
	rules.LoginAccount = rules.LoginAccount.Growing()
	rules.SecondFactor = rules.SecondFactor.Growing()
	return rules
}
