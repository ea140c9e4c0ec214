package oauth

import (
	"context"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/revocation"
)

// InspectRefresh is Inspect for refresh tokens: only the live one of its
// family stands. It spends nothing and revokes nothing, not even for one that
// was rotated away: looking is not using.
func (t *Tokens) InspectRefresh(ctx context.Context, token string) (*Token, error) {
	presented, ok := t.cfg.Grants.ParseRefresh(token)
	if !ok {
		return nil, badToken("RFC 7662 §2.2 the refresh token is one of ours")
	}
	s, err := t.cfg.Grants.Store().Standing(ctx, presented.GrantID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, badToken("RFC 7662 §2.2 the grant of the refresh token is known").Because(err)
	case err != nil:
		return nil, err
	}
	now := clock.Now()
	switch state := grant.Judge(&s.Grant, presented, now, 0); {
	case state != grant.Current:
		return nil, badToken("RFC 7662 §2.2 the refresh token is the live one of its grant")
	case !s.UserActive:
		return nil, badToken("RFC 7662 §2.2 the person is active")
	case !s.Offline && !s.SessionLive:
		return nil, badToken("RFC 7662 §2.2 the session lives")
	}
	k := refreshToken(&s.Grant)
	facts := revocation.Facts{GrantID: s.ID, UserID: s.UserID, ClientID: s.ClientID, IssuedAt: s.CreatedAt}
	if !s.Offline {
		facts.SessionID = s.SessionID
	}
	revoked, _, err := t.cfg.Revocations.Check(ctx, facts)
	if err != nil {
		return nil, err
	}
	if revoked {
		return nil, badToken("RFC 7009 §2.1 the grant was not revoked")
	}
	return k, nil
}

// refreshToken describes the live refresh token of a grant.
func refreshToken(g *grant.Grant) *Token {
	exp := earlier(g.RefreshIdleExpiresAt, g.RefreshExpiresAt)
	issued := g.RotatedAt
	if issued.IsZero() {
		issued = g.CodeUsedAt
	}
	return &Token{
		Use: UseRefresh, Subject: g.UserID, UserID: g.UserID, ClientID: g.ClientID, GrantID: g.ID, SessionID: g.SessionID,
		Scopes: g.Scopes, Audiences: g.Audiences, IssuedAt: issued, ExpiresAt: exp, AuthTime: g.AuthTime, ACR: g.ACR,
		JKT: g.DPoPKey, Opaque: true,
	}
}
