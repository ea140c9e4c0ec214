package oauth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
)

// accessAlg signs access tokens: small, fast, and known to every library.
const accessAlg = "ES256"

// accessStrategy makes access tokens: a signed JWT that is kept nowhere, or an
// opaque one whose claims are kept under its fingerprint, as the API asks.
type accessStrategy struct{ p *Provider }

var _ oauth2.AccessTokenStrategy = accessStrategy{}

// AccessTokenSignature is the key that fosite would store a token under. It
// stores none; a signature is malleable text and never a key here.
func (accessStrategy) AccessTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken is never asked: Tokens inspects.
func (accessStrategy) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return errNotOurs
}

// GenerateAccessToken builds fresh claims and signs them.
func (s accessStrategy) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (token, signature string, err error) {
	r := runFrom(ctx)
	jti := newJTI(r.now)
	r.expires = r.now.Truncate(time.Second).Add(r.party.life)
	claims := r.accessClaims(jti)
	if r.resolved.Format == scope.Opaque {
		token, hash := s.p.grants.NewOpaque()
		r.opaque = &grant.OpaqueToken{Hash: hash, JTI: jti, ClientID: r.client.ID, Claims: claims, ExpiresAt: r.expires}
		if r.grant != nil {
			r.opaque.GrantID = r.grant.ID
		}
		return token, "", nil
	}
	key, err := s.p.keys.Signer(keyring.AccessTokens, accessAlg)
	if err != nil {
		return "", "", err
	}
	typ := protocol.TypeAccessToken
	if r.resolved.PlainType {
		typ = protocol.TypeJWT
	}
	token, err = key.Sign(typ, claims)
	return token, "", err
}

// accessClaims are those of RFC 9068 §2.2: nothing about the person but sub,
// and roles when the API asks for them.
func (r *run) accessClaims(jti string) []byte {
	o := newObject(512)
	o.text("iss", r.p.issuer)
	o.text("sub", r.subject())
	o.oneOrMore("aud", r.audiences)
	o.text("client_id", r.client.ID)
	o.text("scope", strings.Join(r.scopes, " "))
	o.text("jti", jti)
	o.number("iat", r.now.Unix())
	o.number("exp", r.expires.Unix())
	if g := r.grant; g != nil {
		if !g.AuthTime.IsZero() {
			o.number("auth_time", g.AuthTime.Unix())
		}
		o.text("acr", g.ACR)
		o.text("sid", g.SessionID)
		o.text("gid", g.ID)
		if r.wantsRoles() && r.person != nil {
			o.texts("roles", r.person.Roles)
		}
	}
	return o.bytes()
}

// subject is the person, or for client credentials the client (RFC 9068
// §2.2); gid tells the two apart for us.
func (r *run) subject() string {
	if r.grant != nil {
		return r.grant.UserID
	}
	return r.client.ID
}

// wantsRoles reports whether the access token carries roles: its API asks for
// them, or the person allowed the scope.
func (r *run) wantsRoles() bool {
	return r.grant != nil && (r.resolved.RolesInToken || r.has(protocol.ScopeRoles))
}

// codeStrategy mints and recognises authorization codes.
type codeStrategy struct{ p *Provider }

var _ oauth2.AuthorizeCodeStrategy = codeStrategy{}

func (s codeStrategy) AuthorizeCodeSignature(_ context.Context, code string) string {
	return s.p.grants.CodeHash(code)
}

func (s codeStrategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (token, signature string, err error) {
	token, signature = s.p.grants.NewCode()
	return token, signature, nil
}

// ValidateAuthorizeCode looks at the code's own limit by our clock.
func (s codeStrategy) ValidateAuthorizeCode(ctx context.Context, _ fosite.Requester, _ string) error {
	if r := runFrom(ctx); r.grant == nil || !r.now.Before(r.grant.CodeExpiresAt) {
		return fosite.ErrTokenExpired
	}
	return nil
}

// refreshStrategy mints refresh tokens.
type refreshStrategy struct{ p *Provider }

var _ oauth2.RefreshTokenStrategy = refreshStrategy{}

// RefreshTokenSignature is never asked: the refresh handler is ours.
func (refreshStrategy) RefreshTokenSignature(context.Context, string) string { return "" }

func (s refreshStrategy) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (token, signature string, err error) {
	r := runFrom(ctx)
	if r.grant == nil {
		return "", "", errors.New("oauth: a refresh token without a grant")
	}
	generation := r.grant.RefreshGeneration
	if r.grantType == protocol.GrantRefreshToken {
		generation++
	}
	return s.p.grants.NewRefresh(r.grant.ID, generation)
}

// ValidateRefreshToken is never asked.
func (refreshStrategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return errNotOurs
}
