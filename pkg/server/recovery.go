package server

import (
	"net/http"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/web"
)

// openRecovery makes the pages of who forgot their password.
func (s *Server) openRecovery(opener *visit.Opener, signIn *login.Handler) *recovery.Handler {
	return recovery.New(recovery.Deps{
		Kit: s.kit, Opener: opener, Users: s.Users, Passwords: s.Passwords, Confirm: s.Confirmations, Letters: s.Mail, Tx: s.durable,
		Gate: s.gate(), Rules: s.limitRules(), Fingerprint: s.fingerprint, Audit: s.audit, Trust: signIn.Trust, Mail: s.Mail.Enabled(),
	})
}

// recoveries opens ways back in for who lost every second factor.
func (s *Server) recoveries() *recovery.Factors {
	return recovery.NewFactors(recovery.FactorsDeps{
		Store: s.durable.FactorRecoveries, Users: s.Users, Sessions: s.Sessions, Confirm: s.Confirmations, Letters: s.Mail, Tx: s.durable, Audit: s.audit,
		URL:      func(path string) string { return s.cfg.Issuer + path },
		FourEyes: s.cfg.RecoveryFourEyes == config.SwitchOn, TTL: s.cfg.RecoveryLinkTTL,
	})
}

// openFactorsPage makes the page behind the link of an administrator.
func (s *Server) openFactorsPage(opener *visit.Opener, signIn *login.Handler) *recovery.FactorsPage {
	return recovery.NewFactorsPage(recovery.FactorsPageDeps{
		Kit: s.kit, Opener: opener, Factors: s.recoveries(), Has: s.Passwords.Has, Prove: signIn.Prove, Trust: signIn.Trust,
		Gate: s.gate(), Rules: s.limitRules(), Audit: s.audit,
	})
}

// forgotten lists the pages of who forgot their password, or lost their
// second factors.
func forgotten(page func(web.Handler) http.Handler, e *endpoints) []route {
	return []route{
		{protocol.PathRecover, page(e.recovery.Recover)},
		{protocol.PathRecoverReset, page(e.recovery.Reset)},
		{protocol.PathRecoverFactors, page(e.wayBack.Recover)},
	}
}
