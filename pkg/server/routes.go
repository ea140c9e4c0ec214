package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/oidc/discovery"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/static"
)

// route is one line of the table: a path below the issuer and who answers it.
// Handlers look at the method themselves, so that a wrong one is refused in
// the manner of the endpoint.
type route struct {
	path    string
	handler http.Handler
}

// routes lists every address of the public listener.
func (s *Server) routes(e *endpoints) http.Handler {
	page, open, protocolEndpoint := s.kit.Pages, s.kit.OpenPages, s.protocol
	document := web.CORSAny(protocolEndpoint(e.discovery.Serve))
	forBrowsers := func(h http.Handler) http.Handler { return web.CORSClients(s.originAllowed, h) }
	below := []route{
		// protocol
		{protocol.PathJWKS, web.CORSAny(protocolEndpoint(discovery.KeySet(s.Keys)))},
		{protocol.PathAuthorize, open(e.authorize.Authorize)},
		{protocol.PathToken, forBrowsers(protocolEndpoint(e.token.Token))},
		{protocol.PathUserinfo, forBrowsers(protocolEndpoint(e.userinfo.Userinfo))},
		{protocol.PathIntrospect, protocolEndpoint(e.introspect.Introspect)},
		{protocol.PathRevoke, forBrowsers(protocolEndpoint(e.revoke.Revoke))},
		{protocol.PathLogout, open(e.logout.Endpoint)},

		// pages
		{protocol.PathLogin, page(e.login.Login)},
		{protocol.PathLogin + "/account", page(e.login.Account)},
		{protocol.PathConsent, page(e.consent.Consent)},
		{protocol.PathSignup, page(e.signup.Register)},
		{protocol.PathSignupConfirm, page(e.signup.Confirm)},
		{protocol.PathTerms, page(e.terms.Ask)},
		{protocol.PathLogoutConfirm, page(e.logout.Confirm)},
		{protocol.PathSignedOut, page(e.logout.SignedOut)},
		{"/", page(s.home)},

		// operation
		{protocol.PathHealth, s.health()},
		{protocol.PathReady, s.ready()},
		{"/static/*", http.StripPrefix(s.kit.At(""), static.Handler(s.brand.Files...))},
		{"/favicon.ico", static.Icon(s.brand.Icon)},
	}
	if e.register != nil {
		below = append(below,
			route{protocol.PathRegister, web.CORSClients(s.originMayRegister, protocolEndpoint(e.register.Register))},
			route{protocol.PathRegister + "/*", forBrowsers(protocolEndpoint(e.register.Configure))})
	}
	below = append(below, forgotten(page, e)...)
	below = append(below, rooms(page, e.account)...)
	below = append(below, s.providers(page, open, e.elsewhere)...)
	below = append(below, e.factors.routes(page, s.kit.Data, s.policy().Taken)...)
	below = append(below, s.playground(page)...)
	below = append(below, s.mailbox(page)...)
	return s.mount(below, s.besides(document))
}

// besides are the addresses that do not simply stand below the issuer's path:
// metadata of an issuer with a path is looked for at the root too, and probes
// do not know the path.
func (s *Server) besides(document http.Handler) []route {
	var root []route
	for _, path := range discovery.Paths(s.cfg.IssuerURL()) {
		root = append(root, route{path, document})
	}
	if s.kit.At("") != "" {
		root = append(root, route{protocol.PathHealth, s.health()}, route{protocol.PathReady, s.ready()})
	}
	return root
}

// mount is the one place that knows echo: routes in, handler out.
func (s *Server) mount(below, root []route) http.Handler {
	router := echo.New()
	router.HideBanner = true
	add := func(r route) { router.Any(r.path, s.measured(r)) }
	for _, r := range below {
		add(route{s.kit.At(r.path), r.handler})
	}
	for _, r := range root {
		add(r)
	}
	unknown := s.measured(route{"unknown", s.kit.Unknown()})
	router.RouteNotFound("/*", unknown)
	router.HTTPErrorHandler = func(_ error, c echo.Context) { _ = unknown(c) } // methods that nobody has heard of
	return s.tracing.Wrap(s.kit.Outer(router))
}

// measured counts the route and names it for traces.
func (s *Server) measured(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		req := c.Request()
		req.Pattern = r.path
		r.handler.ServeHTTP(c.Response(), req)
		s.metrics.Answered(r.path, req.Method, c.Response().Status, time.Since(started))
		return nil
	}
}

// protocol serves an OAuth endpoint: its errors are RFC 6749's.
func (s *Server) protocol(h web.Handler) http.Handler {
	return s.kit.With(s.writeOAuthError, func(w http.ResponseWriter, r *http.Request) error {
		if err := h(w, r); err != nil {
			return oauth.Explained(err)
		}
		return nil
	})
}

func (s *Server) writeOAuthError(w http.ResponseWriter, r *http.Request, _ int, err error) {
	(&oauth.Edge{}).WriteError(w, r, err)
}

// originAllowed answers CORS: our own pages (the playground) and the origins
// of registered clients.
func (s *Server) originAllowed(ctx context.Context, origin string) bool {
	return origin == strings.TrimSuffix(s.kit.URL(""), s.kit.At("")) || s.Clients.OriginAllowed(ctx, origin)
}

// originMayRegister answers CORS at the registration endpoint. A client that
// is a web page has no registered origin before it registered: where everybody
// may register, every page may. It can do no more than what anybody does
// without a browser, because no credential is looked at; the limit per address
// holds all the same.
func (s *Server) originMayRegister(ctx context.Context, origin string) bool {
	return s.cfg.Registration == config.RegistrationOpen || s.originAllowed(ctx, origin)
}

// home leads people who typed the address somewhere useful.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	if !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method) {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	to := protocol.PathAccount
	if s.cfg.Dev {
		to = protocol.PathPlayground
	}
	return s.kit.SeeOther(w, r, to)
}
