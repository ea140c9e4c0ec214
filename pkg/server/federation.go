package server

import (
	"net/netip"
	"slices"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/safehttp"
)

// thisMachine is what a development server may ask besides public addresses.
var thisMachine = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// openFederation builds what knows other places where people sign in.
func (s *Server) openFederation() {
	allow := s.cfg.Outbound()
	if s.cfg.Dev {
		allow = slices.Concat(allow, thisMachine)
	}
	s.Federation = federation.NewService(federation.Deps{
		Store: s.durable.Federation, Sealer: s.sealer, Users: s.Users, Passwords: s.Passwords, Sessions: s.Sessions,
		Fetch: safehttp.New(safehttp.Config{Allow: allow}), Replay: s.short.Replay, Audit: s.audit,
		Directory: openDirectory,
		Letters:   s.Mail, URL: func(path string) string { return s.cfg.Issuer + path },
	}, federation.Config{
		Loopback: slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Addr().IsLoopback() }),
		Roles:    s.cfg.SignupRoles,
	})
}

// ProviderAddresses are what a provider has to know of Portico: where answers
// go, and where it tells that somebody signed out there.
func (s *Server) ProviderAddresses(id string) (callback, logout string) {
	return s.cfg.Issuer + protocol.PathLoginCallback + "/" + id, s.cfg.Issuer + protocol.PathUpstreamLogout + "/" + id
}
