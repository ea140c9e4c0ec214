// Package revoke ends tokens on the word of the client that holds them
// (RFC 7009). A 200 means that no instance accepts the token any more, now and
// after any restart; when that cannot be had the answer is 503.
package revoke

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/trail"
)

// Authenticator proves which client is calling; clientauth.Authenticator is
// one.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error)
}

// Tokens inspects access tokens; oauth.Tokens is one.
type Tokens interface {
	Inspect(ctx context.Context, token string) (*oauth.Token, error)
}

// Grants reads tokens of grants and ends grants; grant.Service is one.
type Grants interface {
	ParseRefresh(token string) (grant.Refresh, bool)
	OpaqueHash(token string) string
	Revoke(ctx context.Context, id, reason string) error
}

// Store is the part of grant.Store that is needed here.
type Store interface {
	ByID(ctx context.Context, id string) (grant.Grant, error)
	DeleteToken(ctx context.Context, hash string) error
}

// Revoker makes a revocation hold everywhere; revocation.Service is one.
type Revoker interface {
	Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error
}

// Config holds what a Handler needs; everything is required.
type Config struct {
	Auth    Authenticator
	Tokens  Tokens
	Grants  Grants
	Store   Store
	Revoker Revoker
	Audit   audit.Recorder
}

// Handler is the revocation endpoint. It is safe for concurrent use.
type Handler struct{ cfg Config }

// New returns the endpoint.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// reason is kept with what a client revoked.
const reason = "revoked_by_client"

// Revoke answers a POST: 200 without a body when the token is dead, whether it
// was before or is now (RFC 7009 §2.2). The answer has no Content-Type,
// because some clients take only JSON for one that has.
func (h *Handler) Revoke(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadForm(w, r, oauth.FormRules{})
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, err := h.cfg.Auth.Authenticate(ctx, r, form)
	if err != nil {
		return err
	}
	trail.Set(ctx, "client_id", c.ID)
	token := form.Get(protocol.Token)
	if token == "" {
		return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The parameter token is missing.").
			Under("RFC 7009 §2.1 token is required")
	}
	if err := h.end(ctx, c, token); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// end revokes by what the token is. token_type_hint is not looked at: a wrong
// one must not keep a token alive (RFC 7009 §2.1).
func (h *Handler) end(ctx context.Context, c *client.Client, token string) error {
	if grant.LooksLikeRefresh(token) {
		return h.endRefresh(ctx, c, token)
	}
	return h.endAccess(ctx, c, token)
}

// endRefresh ends the whole family: every refresh token and every access token
// of the grant (RFC 7009 §2.1). A token of a past generation does so as well:
// whoever holds it was given it, and wants it dead.
func (h *Handler) endRefresh(ctx context.Context, c *client.Client, token string) error {
	r, ours := h.cfg.Grants.ParseRefresh(token)
	if !ours {
		return nothing(ctx, "the refresh token was issued here")
	}
	g, err := h.cfg.Store.ByID(ctx, r.GrantID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nothing(ctx, "the grant of the refresh token exists")
	case err != nil:
		return unavailable(err)
	case g.ClientID != c.ID:
		return foreign(c, g.ClientID)
	}
	// Also when it has ended already: an earlier call may have died between the
	// commit and the live set, and its client was told to try again.
	if err := h.cfg.Grants.Revoke(ctx, g.ID, reason); err != nil {
		return unavailable(err)
	}
	return nil
}

// endAccess ends one access token: its jti for every instance, and the row of
// an opaque one. What does not stand needs no revocation.
func (h *Handler) endAccess(ctx context.Context, c *client.Client, token string) error {
	t, err := h.cfg.Tokens.Inspect(ctx, token)
	if err != nil {
		if unsure(err) {
			return unavailable(err)
		}
		return nothing(ctx, fault.As(err).Rule)
	}
	if t.ClientID != c.ID {
		return foreign(c, t.ClientID)
	}
	err = h.cfg.Revoker.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		if hash := h.cfg.Grants.OpaqueHash(token); hash != "" {
			if err := h.cfg.Store.DeleteToken(ctx, hash); err != nil {
				return nil, err
			}
		}
		return []revocation.Entry{{
			Kind: revocation.Token, ID: t.JTI, Reason: reason,
			ExpiresAt: t.ExpiresAt.Add(leeway),
		}}, nil
	})
	if err != nil {
		return unavailable(err)
	}
	h.cfg.Audit.Record(ctx, audit.Event{
		Name: audit.TokenRevoked, Actor: c.ID, ClientID: c.ID, UserID: t.UserID, SessionID: t.SessionID,
		Data: map[string]string{"jti": t.JTI, "grant": t.GrantID},
	})
	return nil
}

// leeway keeps an entry past the token's own end, for clocks that differ.
const leeway = 2 * time.Minute

// nothing notes why there was nothing to do (RFC 7009 §2.2: an invalid token
// is no error, its purpose is reached).
func nothing(ctx context.Context, rule string) error {
	trail.Set(ctx, "nothing_to_revoke", rule)
	return nil
}

// foreign refuses a token of another client and tells the caller so
// (RFC 7009 §2.1). The code is the one whose definition names the case:
// invalid_grant, "issued to another client" (RFC 6749 §5.2). The token lives
// on, or everybody who sees a token could end it.
func foreign(c *client.Client, owner string) error {
	return fault.New(fault.Invalid, protocol.ErrInvalidGrant, "The token was issued to another client.").
		Under("RFC 7009 §2.1 the token was issued to the client that revokes it").
		Compare(protocol.ClientID, owner, c.ID)
}

// unsure tells "the token does not stand" from "it could not be found out".
func unsure(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Gone, fault.TooLarge:
		return false
	default:
		return true
	}
}

// unavailable answers whatever kept the revocation from holding: the client
// must take the token for alive and try again (RFC 7009 §2.2.1).
func unavailable(err error) error {
	f := fault.As(err)
	if f.Kind == fault.Unavailable || f.Kind == fault.Limited {
		return err
	}
	return fault.Hide(err, fault.Unavailable, protocol.ErrTemporarilyUnavailable, "The token could not be revoked at the moment.").
		Under("RFC 7009 §2.2.1 a revocation that does not hold is not acknowledged")
}
