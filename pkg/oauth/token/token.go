// Package token is the token endpoint: read the form, authenticate the client,
// let the provider answer. It decides nothing about grants.
package token

import (
	"context"
	"net/http"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/oauth"
)

// Authenticator proves which client is calling. clientauth.Authenticator is
// one.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error)
}

// Provider answers token requests. oauth.Provider is one.
type Provider interface {
	Token(ctx context.Context, r *http.Request, c *client.Client, form url.Values) (*oauth.TokenAnswer, error)
}

// Handler serves the token endpoint. It is safe for concurrent use.
type Handler struct {
	clients  Authenticator
	provider Provider
}

// New returns a handler.
func New(clients Authenticator, provider Provider) *Handler {
	return &Handler{clients: clients, provider: provider}
}

// Token answers POST /oauth2/token (RFC 6749 §3.2). Errors are for oauth.Edge
// to write. What costs nothing is checked before the client is looked up.
func (h *Handler) Token(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadForm(w, r, oauth.FormRules{})
	if err != nil {
		return err
	}
	if err := oauth.CheckGrantType(form); err != nil {
		return err
	}
	ctx := r.Context()
	c, err := h.clients.Authenticate(ctx, r, form)
	if err != nil {
		return err
	}
	answer, err := h.provider.Token(ctx, r, c, form)
	if err != nil {
		return err
	}
	return oauth.WriteJSON(w, http.StatusOK, answer)
}
