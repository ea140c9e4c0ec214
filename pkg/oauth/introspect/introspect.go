// Package introspect answers whether a token stands (RFC 7662), as JSON or as
// a signed JWT (RFC 9701), to those whom it concerns: the client it was issued
// to and the resource servers of its audience. Everybody else, and every token
// that does not stand, gets active: false.
package introspect

import (
	"context"
	"net/http"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

// Authenticator proves which client is calling; clientauth.Authenticator is
// one.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error)
}

// Tokens inspects what was issued; oauth.Tokens is one.
type Tokens interface {
	Inspect(ctx context.Context, token string) (*oauth.Token, error)
	InspectRefresh(ctx context.Context, token string) (*oauth.Token, error)
}

// APIs knows which clients are resource servers; scope.Service is one.
type APIs interface {
	MayIntrospect(ctx context.Context, clientID string, audiences []string) (bool, error)
}

// Keys sign answers; keyring.Ring is one.
type Keys interface {
	Signer(p keyring.Purpose, alg string) (*keyring.Signer, error)
}

// Config holds what a Handler needs; everything is required.
type Config struct {
	Issuer string
	Auth   Authenticator
	Tokens Tokens
	APIs   APIs
	Keys   Keys
}

// Handler is the introspection endpoint. It is safe for concurrent use.
type Handler struct{ cfg Config }

// New returns the endpoint.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Introspect answers a POST.
func (h *Handler) Introspect(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadForm(w, r, oauth.FormRules{})
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, err := h.caller(ctx, r, form)
	if err != nil {
		return err
	}
	token := form.Get(protocol.Token)
	if token == "" {
		return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The parameter token is missing.").
			Under("RFC 7662 §2.1 token is required")
	}
	t, err := h.inspect(ctx, c, token)
	if err != nil {
		return err
	}
	a := answer{}
	if t != nil {
		a = describe(h.cfg.Issuer, t)
	}
	if wantsJWT(r, c) {
		return h.writeSigned(w, c, a)
	}
	return oauth.WriteJSON(w, http.StatusOK, a)
}

// caller authenticates the client. A public one proves nothing by its id, and
// whoever proves nothing could try tokens here (RFC 7662 §2.1, §4).
func (h *Handler) caller(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error) {
	c, err := h.cfg.Auth.Authenticate(ctx, r, form)
	if err != nil {
		return nil, err
	}
	if c.Public() {
		return nil, fault.New(fault.Unauthenticated, protocol.ErrInvalidClient, "Client authentication failed.").
			Under("RFC 7662 §2.1 the caller is authenticated").
			Compare("token_endpoint_auth_method", "a secret or a key", c.AuthMethod).
			WithHint("a public client cannot introspect; register the resource server as a confidential client")
	}
	trail.Set(ctx, "client_id", c.ID)
	return c, nil
}

// inspect returns the token if it stands and concerns the client, nil if not.
// token_type_hint is not looked at: what the token is, it says itself
// (RFC 7662 §2.1 allows to ignore the hint). Only what could not be found out
// is an error.
func (h *Handler) inspect(ctx context.Context, c *client.Client, token string) (*oauth.Token, error) {
	look := h.cfg.Tokens.Inspect
	if grant.LooksLikeRefresh(token) {
		look = h.cfg.Tokens.InspectRefresh
	}
	t, err := look(ctx, token)
	if err != nil {
		if unsure(err) {
			return nil, err
		}
		trail.Set(ctx, "inactive", fault.As(err).Rule)
		return nil, nil
	}
	may, err := h.mayLearn(ctx, c, t)
	if err != nil {
		return nil, err
	}
	if !may {
		trail.Set(ctx, "inactive", "RFC 7662 §4 the token is meant for the caller")
		return nil, nil
	}
	return t, nil
}

// mayLearn decides by whom the token was received: its client, or for access
// tokens a resource server of its audience. Refresh tokens are never sent to
// resource servers (RFC 6749 §1.5), so one that has one has it from a thief.
func (h *Handler) mayLearn(ctx context.Context, c *client.Client, t *oauth.Token) (bool, error) {
	if t.ClientID == c.ID {
		return true, nil
	}
	if t.Use != oauth.UseAccess {
		return false, nil
	}
	return h.cfg.APIs.MayIntrospect(ctx, c.ID, t.Audiences)
}

// unsure tells "the token does not stand" from "it could not be found out",
// which must never look like an answer.
func unsure(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Gone, fault.TooLarge:
		return false
	default:
		return true
	}
}
