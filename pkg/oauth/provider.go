package oauth

import (
	"context"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// Keys signs and verifies tokens. keyring.Ring is one.
type Keys interface {
	// Signer returns the key that signs for the purpose now.
	Signer(p keyring.Purpose, alg string) (*keyring.Signer, error)
	// Verify returns the payload of a token signed for the purpose, or
	// fault.Unauthenticated.
	Verify(p keyring.Purpose, token string) (payload []byte, header keyring.Header, err error)
}

// Scopes decides what a request may get. scope.Service is one.
type Scopes interface {
	Resolve(ctx context.Context, ask scope.Ask) (*scope.Answer, error)
	PersonMay(ctx context.Context, scopes, roles []string) ([]string, error)
	Describe(ctx context.Context, scopes []string) ([]scope.Described, error)
}

// Users reads people. user.Store is one.
type Users interface {
	ByID(ctx context.Context, id string) (user.User, error)
}

// Revocations answers whether something was revoked. revocation.Service is
// one.
type Revocations interface {
	// Check fails with fault.Unavailable when it cannot know.
	Check(ctx context.Context, f revocation.Facts) (revoked bool, why *revocation.Entry, err error)
}

// Observer counts. Its methods return at once.
type Observer interface {
	// TokenIssued hears of every answer with a token.
	TokenIssued(ctx context.Context, grantType string)
}

// Lifetimes of what is issued. Zero values take the defaults; a client or an
// API may ask for less or, for refresh tokens, for another value.
type Lifetimes struct {
	Code            time.Duration // default 60 seconds, and never more
	Access          time.Duration // default 15 minutes
	ID              time.Duration // default 1 hour
	RefreshIdle     time.Duration // default 7 days
	RefreshAbsolute time.Duration // default 30 days
	// Retry is how long a refresh may be repeated and get the same answer.
	// Default 10 seconds; negative: no time at all.
	Retry time.Duration
}

// maxCode bounds the life of a code whatever was configured.
const maxCode = 60 * time.Second

func (l Lifetimes) withDefaults() Lifetimes {
	if l.Code <= 0 || l.Code > maxCode {
		l.Code = maxCode
	}
	for _, d := range []struct {
		value *time.Duration
		std   time.Duration
	}{
		{&l.Access, 15 * time.Minute},
		{&l.ID, time.Hour},
		{&l.RefreshIdle, 7 * 24 * time.Hour},
		{&l.RefreshAbsolute, 30 * 24 * time.Hour},
	} {
		if *d.value <= 0 {
			*d.value = d.std
		}
	}
	if l.Retry == 0 {
		l.Retry = 10 * time.Second
	}
	return l
}

// Deps is what a Provider works with. All but Audit and Observer are needed.
type Deps struct {
	Issuer      string
	Keys        Keys
	Scopes      Scopes
	Grants      *grant.Service
	Sealer      *secret.Sealer // keeps the answer of a refresh for its retry
	Users       Users
	Revocations Revocations
	Audit       audit.Recorder
	Observer    Observer
	Lifetimes   Lifetimes
}

// Provider issues codes and tokens. It is safe for concurrent use.
type Provider struct {
	issuer      string
	keys        Keys
	scopes      Scopes
	grants      *grant.Service
	sealer      *secret.Sealer
	users       Users
	revocations Revocations
	audit       audit.Recorder
	observer    Observer
	lifetimes   Lifetimes
	fosite      *fosite.Fosite
}

// NewProvider builds fosite by hand: its own handlers where they are right,
// ours where they are not, in the order that works.
func NewProvider(d Deps) *Provider {
	p := &Provider{
		issuer: d.Issuer, keys: d.Keys, scopes: d.Scopes, grants: d.Grants, sealer: d.Sealer,
		users: d.Users, revocations: d.Revocations, audit: d.Audit, observer: d.Observer,
		lifetimes: d.Lifetimes.withDefaults(),
	}
	cfg := &configuration{issuer: d.Issuer, lifetimes: p.lifetimes}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy:    accessStrategy{p},
		RefreshTokenStrategy:   refreshStrategy{p},
		AuthorizeCodeStrategy:  codeStrategy{p},
		CoreStorage:            facade{},
		TokenRevocationStorage: facade{},
		Config:                 cfg,
	}
	machine := &oauth2.ClientCredentialsGrantHandler{
		HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: accessStrategy{p}, AccessTokenStorage: facade{}, Config: cfg},
		Config:       cfg,
	}
	proof := &pkce.Handler{AuthorizeCodeStrategy: codeStrategy{p}, Storage: facade{}, Config: cfg}
	identity := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   facade{},
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(nil, cfg),
		Config:                        cfg,
		IDTokenHandleHelper:           &openid.IDTokenHandleHelper{IDTokenStrategy: idStrategy{p}},
	}
	cfg.authorize = fosite.AuthorizeEndpointHandlers{code, proof, identity}
	last := &finisher{p}
	cfg.token = map[string]fosite.TokenEndpointHandlers{
		protocol.GrantAuthorizationCode: {code, proof, identity, last},
		protocol.GrantRefreshToken:      {&refreshHandler{p}, last},
		protocol.GrantClientCredentials: {machine, last},
	}
	p.fosite = &fosite.Fosite{Store: facade{}, Config: cfg}
	return p
}

func (p *Provider) record(ctx context.Context, e audit.Event) {
	if p.audit != nil {
		p.audit.Record(ctx, e)
	}
}
