package server

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/oauth/authorize"
	"github.com/portico-id/portico/pkg/oauth/clientauth"
	"github.com/portico-id/portico/pkg/oauth/introspect"
	"github.com/portico-id/portico/pkg/oauth/register"
	"github.com/portico-id/portico/pkg/oauth/revoke"
	"github.com/portico-id/portico/pkg/oauth/token"
	"github.com/portico-id/portico/pkg/oidc/discovery"
	"github.com/portico-id/portico/pkg/oidc/logout"
	"github.com/portico-id/portico/pkg/oidc/userinfo"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/terms"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/web"
)

// endpoints are the handlers that routes.go lists.
type endpoints struct {
	discovery  *discovery.Document
	authorize  *authorize.Handler
	token      *token.Handler
	userinfo   *userinfo.Handler
	introspect *introspect.Handler
	revoke     *revoke.Handler
	register   *register.Handler // nil: registration is off
	logout     *logout.Handler
	login      *login.Handler
	consent    *consent.Handler
	signup     *signup.Handler
	recovery   *recovery.Handler
	wayBack    *recovery.FactorsPage
	account    *account.Handler
	terms      *terms.Handler
	elsewhere  *federation.Handler
	factors    factors
}

// openHandlers joins services to pages and endpoints: siblings meet here, by
// the small interfaces that they declare themselves.
func (s *Server) openHandlers(ctx context.Context) error {
	formKey, err := keyring.ServerSecret(ctx, s.durable.Keys, s.sealer, formSecret)
	if err != nil {
		return err
	}
	s.kit, err = web.New(web.Config{
		Issuer: s.cfg.IssuerURL(), TrustedProxies: s.cfg.Proxies(), FormKey: formKey, Explain: recorder{s.refusals}, Log: s.log,
		Templates: s.brand.Templates,
	})
	if err != nil {
		return err
	}
	provider, tokens := s.engine()
	auth := s.clientAuthentication()
	var e endpoints
	if err := s.pages(&e, provider); err != nil {
		return err
	}
	e.token = token.New(auth, provider)
	e.userinfo = userinfo.New(userinfo.Config{
		Issuer: s.cfg.Issuer, Tokens: tokens, Users: s.Users, Grants: s.durable.Grants, Clients: s.Clients, Keys: s.Keys,
	})
	e.introspect = introspect.New(introspect.Config{Issuer: s.cfg.Issuer, Auth: auth, Tokens: tokens, APIs: s.APIs, Keys: s.Keys})
	e.revoke = revoke.New(revoke.Config{
		Auth: auth, Tokens: tokens, Grants: s.Grants, Store: s.durable.Grants, Revoker: s.Revocations, Audit: s.audit,
	})
	if err := s.openRegistration(&e); err != nil {
		return err
	}
	if e.discovery, err = s.openDiscovery(ctx); err != nil {
		return err
	}
	s.discovery = e.discovery
	s.handler = s.routes(&e)
	return nil
}

func (s *Server) engine() (*oauth.Provider, *oauth.Tokens) {
	provider := oauth.NewProvider(oauth.Deps{
		Issuer: s.cfg.Issuer, Keys: s.Keys, Scopes: s.APIs, Grants: s.Grants, Sealer: s.sealer, Users: s.durable.Users,
		Revocations: s.Revocations, Audit: s.audit, Observer: issued{s},
		Lifetimes: oauth.Lifetimes{
			Access: s.cfg.AccessTokenTTL, ID: s.cfg.IDTokenTTL, RefreshIdle: s.cfg.RefreshIdleTTL, RefreshAbsolute: s.cfg.RefreshAbsoluteTTL,
		},
	})
	tokens := oauth.NewTokens(oauth.TokensConfig{
		Issuer: s.cfg.Issuer, Keys: s.Keys, Grants: s.Grants, Revocations: s.Revocations,
	})
	return provider, tokens
}

func (s *Server) clientAuthentication() *clientauth.Authenticator {
	fetch := safehttp.New(safehttp.Config{Allow: s.cfg.Outbound()})
	return clientauth.New(clientauth.Config{
		Clients: s.Clients, Issuer: s.cfg.Issuer, TokenURL: s.cfg.Issuer + protocol.PathToken,
		Keys: jwks.NewCache(fetch, jwks.Config{}), Replay: s.short.Replay, Gate: s.gate(), Failures: s.limitRules().ClientFailures, Audit: s.audit,
	})
}

// pages joins the steps of a login: the authorization endpoint hands over to
// the dispatcher, every step returns to it, and it ends with the finisher.
func (s *Server) pages(e *endpoints, codes authorize.Codes) (err error) {
	flows := flow.NewService(s.short.Flows, s.fingerprint, flow.Config{Gate: s.gate(), PerAddress: s.limitRules().FlowAddress})
	policy := s.policy()
	finisher := authorize.NewFinisher(authorize.FinisherDeps{
		Issuer: s.cfg.Issuer, Kit: s.kit, Clients: s.Clients, Scopes: s.APIs, Flows: flows,
		Sessions: s.Sessions, Users: s.Users, Consents: s.Consents, Codes: codes, Health: s.short, TermsVersion: s.cfg.TermsVersion, Policy: &policy,
	})
	opener := &visit.Opener{
		Cookies: s.kit.Cookies, Flows: flows, Sessions: s.Sessions, Users: s.Users, Clients: s.Clients,
		Consents: s.Consents, Way: finisher, TermsVersion: s.cfg.TermsVersion, Signup: s.cfg.Signup == config.SignupOpen,
		Policy: policy, APIs: s.APIs,
	}
	dispatcher := login.NewDispatcher(s.kit, flows, opener, finisher)
	e.authorize = authorize.New(authorize.Deps{
		Finisher: finisher, Dispatcher: dispatcher, Hints: s.Keys, PKCERequired: s.cfg.PKCE == config.PKCERequired,
	})
	e.login = login.New(login.Deps{
		Kit: s.kit, Dispatcher: dispatcher, Sessions: s.Sessions, Users: s.Users, Passwords: s.Passwords,
		Gate: s.loginGate(), Rules: s.limitRules(), Spreads: s.short.Spreads, Suspected: s.metrics.Suspected,
		Fingerprint: s.fingerprint, Audit: s.audit, Recover: s.Mail.Enabled(), Browsers: s.browsers, Linker: s.Federation, Directories: s.openDirectories(),
		Passkeys: s.takesPasskeys(),
	})
	s.openElsewhere(e, opener, dispatcher)
	e.recovery = s.openRecovery(opener, e.login)
	e.wayBack = s.openFactorsPage(opener, e.login)
	if e.factors, err = s.openFactorPages(opener, dispatcher, e.login); err != nil {
		return err
	}
	e.account = s.openAccount(opener, dispatcher, e.factors.steps.Listers)
	e.consent = consent.NewHandler(s.kit, opener, dispatcher, s.Consents)
	s.openSignup(e, opener, dispatcher)
	e.logout = logout.New(logout.Deps{
		Kit: s.kit, Issuer: s.cfg.Issuer, Sessions: s.Sessions, Users: s.Users, Clients: s.Clients, Hints: s.Keys, Parking: flows,
		Upstream: e.elsewhere,
	})
	return nil
}

func (s *Server) openDiscovery(ctx context.Context) (*discovery.Document, error) {
	languages := []string{}
	for _, l := range s.brand.Templates.Languages() {
		languages = append(languages, l.Tag())
	}
	policy := s.policy()
	doc, err := discovery.New(discovery.Config{
		Issuer: s.cfg.Issuer, IDTokenAlgs: s.Keys.Algs(keyring.IDTokens), AnswerAlgs: s.Keys.Algs(keyring.Answers),
		AssertionAlgs: client.AssertionAlgs, OwnScopes: scope.Own(), Claims: claims.Supported(), ACRValues: policy.Classes(),
		UILocales: languages, Registration: s.cfg.Registration != config.RegistrationOff, Signup: s.cfg.Signup == config.SignupOpen,
	})
	if err != nil {
		return nil, err
	}
	names, err := s.apiScopes(ctx)
	if err != nil {
		return nil, err
	}
	return doc, doc.SetScopes(names)
}

// apiScopes are the scopes of every API, for discovery.
func (s *Server) apiScopes(ctx context.Context) ([]string, error) {
	apis, err := s.APIs.All(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range apis {
		for _, sc := range a.Scopes {
			names = append(names, sc.Name)
		}
	}
	return names, nil
}

// recorder keeps what the web kit refuses.
type recorder struct{ out *explain.Stream }

func (rec recorder) Refused(ctx context.Context, r *http.Request, err *fault.Error) {
	t := trail.From(ctx)
	refusal := explain.Refusal{
		RequestID: trail.ID(ctx), Method: r.Method, Path: r.URL.Path, Status: web.StatusOf(err), Code: err.Code, Say: err.Say,
		Rule: err.Rule, Compared: err.Compared, Hint: err.Hint, ClientID: t.Get("client_id"), UserID: t.Get("user_id"),
	}
	if t != nil {
		refusal.At = t.Started
		if t.Remote.IsValid() {
			refusal.Remote = t.Remote.String()
		}
	}
	if err.Cause != nil {
		refusal.Cause = err.Cause.Error()
	}
	rec.out.Record(ctx, refusal)
}

// issued counts token answers.
type issued struct{ s *Server }

func (i issued) TokenIssued(_ context.Context, grantType string) { i.s.metrics.TokenIssued(grantType) }
