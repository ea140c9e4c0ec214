package server

import (
	"net/http"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// openElsewhere makes the pages of signing in at providers, and shows the
// sign-in form the way there.
func (s *Server) openElsewhere(e *endpoints, opener *visit.Opener, steps *login.Dispatcher) {
	e.elsewhere = federation.NewHandler(federation.HandlerDeps{
		Kit: s.kit, Opener: opener, Steps: steps, Greeter: e.login, Places: s.Federation,
		Gate: s.gate(), Rules: s.limitRules(), Fingerprint: s.fingerprint, Audit: s.audit,
	})
	e.login.Ways, e.login.Linker = e.elsewhere, s.Federation
}

// providers lists the pages of signing in at providers, and where providers
// tell that somebody signed out.
func (s *Server) providers(page, open func(web.Handler) http.Handler, h *federation.Handler) []route {
	return []route{
		{protocol.PathLoginWith, page(h.With)},
		{protocol.PathLoginCallback + "/*", open(h.Callback)},
		{protocol.PathLoginLink, page(h.Link)},
		{protocol.PathUpstreamLogout + "/*", s.protocol(h.Logout)},
		{protocol.PathAccountIdentities, page(h.Identities)},
	}
}
