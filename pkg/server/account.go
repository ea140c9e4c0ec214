package server

import (
	"net/http"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// openAccount makes the pages of people's own accounts. kinds list what they
// have as second factors.
func (s *Server) openAccount(opener *visit.Opener, steps *login.Dispatcher, kinds []factor.Lister) *account.Handler {
	return account.New(account.Deps{
		Kit: s.kit, Opener: opener, Steps: steps, Sessions: s.Sessions, Users: s.Users, Passwords: s.Passwords,
		Confirmations: s.Confirmations, Letters: s.Mail, Consents: s.Consents, Grants: s.durable.Grants, Scopes: s.APIs,
		History: s.durable.Audit, Tx: s.durable, Gate: s.gate(), Rules: s.limitRules(), Fingerprint: s.fingerprint, Audit: s.audit,
		Usernames: s.cfg.SignupUsername != config.PresenceOff, UsernameRequired: s.cfg.SignupUsername == config.PresenceRequired,
		Grace: s.cfg.DeletionGrace, Factors: kinds,
	})
}

// rooms lists the pages of people's own accounts.
func rooms(page func(web.Handler) http.Handler, h *account.Handler) []route {
	return []route{
		{protocol.PathAccount, page(h.Overview)},
		{protocol.PathAccountProfile, page(h.Profile)},
		{protocol.PathAccountEmail, page(h.Email)},
		{protocol.PathAccountEmailConfirm, page(h.Confirm)},
		{protocol.PathAccountPassword, page(h.Password)},
		{protocol.PathAccountSessions, page(h.Devices)},
		{protocol.PathAccountApplications, page(h.Applications)},
		{protocol.PathAccountHistory, page(h.Past)},
		{protocol.PathAccountData, page(h.Data)},
		{protocol.PathAccountDelete, page(h.Delete)},
		{protocol.PathKeep, page(h.Keep)},
	}
}
