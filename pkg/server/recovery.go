package server

import (
	"net/http"

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

// forgotten lists the pages of who forgot their password.
func forgotten(page func(web.Handler) http.Handler, h *recovery.Handler) []route {
	return []route{{protocol.PathRecover, page(h.Recover)}, {protocol.PathRecoverReset, page(h.Reset)}}
}
