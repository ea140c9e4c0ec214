package oauth

import (
	"context"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
)

// facade is the store that fosite sees. It reads from the run in the context
// and collects what is to be written; the run writes it in one statement when
// every token is signed. So nothing is spent unless everything worked, and
// deleting means nothing: the challenge stays with its code, and a wrong
// verifier cannot be followed by none (RFC 9700 §4.8.2).
type facade struct{}

var (
	_ fosite.Storage                     = facade{}
	_ oauth2.CoreStorage                 = facade{}
	_ oauth2.TokenRevocationStorage      = facade{}
	_ openid.OpenIDConnectRequestStorage = facade{}
	_ pkce.PKCERequestStorage            = facade{}
)

// GetClient returns the client of the run and no other.
func (facade) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	if r := runFrom(ctx); id == r.client.ID {
		return r.party, nil
	}
	return nil, fosite.ErrNotFound
}

// ClientAssertionJWTValid is never asked: clientauth claims assertion ids.
func (facade) ClientAssertionJWTValid(context.Context, string) error { return errNotOurs }

// SetClientAssertionJWT is never asked.
func (facade) SetClientAssertionJWT(context.Context, string, time.Time) error { return errNotOurs }

func (facade) CreateAuthorizeCodeSession(ctx context.Context, signature string, _ fosite.Requester) error {
	runFrom(ctx).codeHash = signature
	return nil
}

// GetAuthorizeCodeSession returns the request behind the code that the run
// read, with what is granted now. The provider has checked it already; this is
// the second lock.
func (facade) GetAuthorizeCodeSession(ctx context.Context, signature string, s fosite.Session) (fosite.Requester, error) {
	r := runFrom(ctx)
	if r.grant == nil || signature == "" || r.grant.CodeHash != signature {
		return nil, fosite.ErrNotFound
	}
	req := r.requester(s)
	if !r.grant.CodeUsedAt.IsZero() {
		return req, fosite.ErrInvalidatedAuthorizeCode
	}
	return req, nil
}

// InvalidateAuthorizeCodeSession does nothing: the finisher spends the code.
func (facade) InvalidateAuthorizeCodeSession(context.Context, string) error { return nil }

// CreateAccessTokenSession does nothing: a JWT is kept nowhere, and what an
// opaque token needs was noted when it was made.
func (facade) CreateAccessTokenSession(context.Context, string, fosite.Requester) error { return nil }

func (facade) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (facade) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession notes the fingerprint of the first refresh token.
func (facade) CreateRefreshTokenSession(ctx context.Context, signature, _ string, _ fosite.Requester) error {
	runFrom(ctx).refreshHash = signature
	return nil
}

func (facade) GetRefreshTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (facade) DeleteRefreshTokenSession(context.Context, string) error  { return nil }
func (facade) RotateRefreshToken(context.Context, string, string) error { return nil }

// RevokeRefreshToken ends the family: fosite calls it for a spent code.
func (facade) RevokeRefreshToken(ctx context.Context, id string) error {
	return runFrom(ctx).p.grants.Revoke(ctx, id, reasonCodeReused)
}

// RevokeAccessToken does nothing: RevokeRefreshToken ends both.
func (facade) RevokeAccessToken(context.Context, string) error { return nil }

// CreateOpenIDConnectSession does nothing: nonce and the rest are the grant's.
func (facade) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetOpenIDConnectSession returns the request when it asked for an ID token.
func (facade) GetOpenIDConnectSession(ctx context.Context, _ string, req fosite.Requester) (fosite.Requester, error) {
	if r := runFrom(ctx); r.grant != nil && r.has(protocol.ScopeOpenID) {
		return r.requester(req.GetSession()), nil
	}
	return nil, openid.ErrNoSessionFound
}

// DeleteOpenIDConnectSession does nothing: the row is the grant's.
func (facade) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// CreatePKCERequestSession notes the challenge.
func (facade) CreatePKCERequestSession(ctx context.Context, _ string, req fosite.Requester) error {
	runFrom(ctx).challenge = req.GetRequestForm().Get(protocol.CodeChallenge)
	return nil
}

// GetPKCERequestSession returns the challenge of the code.
func (facade) GetPKCERequestSession(ctx context.Context, signature string, s fosite.Session) (fosite.Requester, error) {
	r := runFrom(ctx)
	if r.grant == nil || signature == "" || r.grant.CodeHash != signature || r.grant.Challenge == "" {
		return nil, fosite.ErrNotFound
	}
	return r.requester(s), nil
}

// DeletePKCERequestSession does nothing, on purpose: fosite calls it before it
// has verified anything.
func (facade) DeletePKCERequestSession(context.Context, string) error { return nil }

// requester shows fosite the authorization request behind the run's grant.
func (r *run) requester(s fosite.Session) *fosite.Request {
	q := fosite.NewRequest()
	q.ID = r.grant.ID
	q.RequestedAt = r.grant.CreatedAt
	q.Client = r.party
	if r.grant.ClientID != r.client.ID {
		q.Client = &party{c: &client.Client{ID: r.grant.ClientID}}
	}
	q.Session = s
	q.RequestedScope, q.GrantedScope = r.grant.Scopes, r.scopes
	q.GrantedAudience = r.audiences
	if r.grant.RedirectURI != "" {
		q.Form.Set(protocol.RedirectURI, r.grant.RedirectURI)
	}
	if r.grant.Challenge != "" {
		q.Form.Set(protocol.CodeChallenge, r.grant.Challenge)
		q.Form.Set(protocol.CodeChallengeMethod, protocol.ChallengeS256)
	}
	return q
}

func (r *run) has(scope string) bool {
	for _, s := range r.scopes {
		if s == scope {
			return true
		}
	}
	return false
}
