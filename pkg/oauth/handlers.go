package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/protocol"
)

// refreshHandler stands in for fosite's, which ignores the scope parameter,
// lets the family slide for ever and cannot tell a retry from reuse. What may
// be refreshed was decided before; it only makes the tokens.
type refreshHandler struct{ p *Provider }

var _ fosite.TokenEndpointHandler = (*refreshHandler)(nil)

// CanSkipClientAuth is never so.
func (*refreshHandler) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest takes refresh requests.
func (*refreshHandler) CanHandleTokenEndpointRequest(_ context.Context, q fosite.AccessRequester) bool {
	return q.GetGrantTypes().ExactOne(protocol.GrantRefreshToken)
}

// HandleTokenEndpointRequest accepts what the run has decided.
func (h *refreshHandler) HandleTokenEndpointRequest(ctx context.Context, q fosite.AccessRequester) error {
	r := runFrom(ctx)
	if r.standing == nil || r.resolved == nil {
		return fosite.ErrServerError
	}
	q.SetID(r.grant.ID)
	return nil
}

// PopulateTokenEndpointResponse makes the access token, the next refresh token
// and, with openid, the ID token (OIDC Core §12.2).
func (h *refreshHandler) PopulateTokenEndpointResponse(ctx context.Context, q fosite.AccessRequester, resp fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, q) {
		return fosite.ErrUnknownRequest
	}
	r := runFrom(ctx)
	access, _, err := accessStrategy(*h).GenerateAccessToken(ctx, q)
	if err != nil {
		return err
	}
	refresh, hash, err := refreshStrategy(*h).GenerateRefreshToken(ctx, q)
	if err != nil {
		return err
	}
	r.refreshHash = hash
	resp.SetAccessToken(access)
	resp.SetTokenType(tokenType)
	resp.SetExtra(protocol.RefreshToken, refresh)
	if !r.has(protocol.ScopeOpenID) {
		return nil
	}
	id, err := idStrategy(*h).GenerateIDToken(ctx, r.p.lifetimes.ID, q)
	if err != nil {
		return err
	}
	resp.SetExtra(protocol.IDToken, id)
	return nil
}

// tokenType is the only one so far (RFC 6750).
const tokenType = "Bearer"

// finisher comes last: everything is signed, now the answer is put together
// and what the request spends is spent in one statement. When anything before
// it failed, nothing is.
type finisher struct{ p *Provider }

var _ fosite.TokenEndpointHandler = (*finisher)(nil)

// CanSkipClientAuth is never so.
func (*finisher) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest takes every request.
func (*finisher) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	return true
}

// HandleTokenEndpointRequest leaves the request to the others: were it to say
// yes, an unknown grant would count as handled.
func (*finisher) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

// PopulateTokenEndpointResponse builds the answer and writes.
func (*finisher) PopulateTokenEndpointResponse(ctx context.Context, _ fosite.AccessRequester, resp fosite.AccessResponder) error {
	r := runFrom(ctx)
	r.answer = &TokenAnswer{
		AccessToken:  resp.GetAccessToken(),
		TokenType:    tokenType,
		ExpiresIn:    int64(r.party.life / time.Second),
		RefreshToken: extra(resp, protocol.RefreshToken),
		IDToken:      extra(resp, protocol.IDToken),
		Scope:        strings.Join(r.scopes, " "),
	}
	switch r.grantType {
	case protocol.GrantAuthorizationCode:
		return r.finishCode(ctx)
	case protocol.GrantRefreshToken:
		return r.finishRefresh(ctx)
	default:
		return r.putOpaque(ctx)
	}
}

func extra(resp fosite.AccessResponder, name string) string {
	s, _ := resp.GetExtra(name).(string)
	return s
}

// putOpaque keeps the claims of an opaque access token. It is written before
// anything is spent: one that is never delivered opens nothing and expires.
func (r *run) putOpaque(ctx context.Context) error {
	if r.opaque == nil {
		return nil
	}
	return r.p.grants.Store().PutToken(ctx, *r.opaque)
}

// issued counts the answer and records it, but for machines: those cost a
// counter only.
func (r *run) issued(ctx context.Context) {
	if r.p.observer != nil {
		r.p.observer.TokenIssued(ctx, r.grantType)
	}
	if r.grant == nil {
		return
	}
	r.p.record(ctx, audit.Event{
		Name: audit.TokenIssued, Actor: r.client.ID, UserID: r.grant.UserID, ClientID: r.client.ID, SessionID: r.grant.SessionID,
		Data: map[string]string{"grant": r.grant.ID, "grant_type": r.grantType, "scope": strings.Join(r.scopes, " ")},
	})
}
