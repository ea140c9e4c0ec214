// Package userinfo tells a client about the person it holds an access token
// of (OIDC Core §5.3). It verifies no token itself (oauth.Tokens does) and
// knows no claim (claims does).
package userinfo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// Tokens inspects access tokens; oauth.Tokens is one.
type Tokens interface {
	Inspect(ctx context.Context, token string) (*oauth.Token, error)
}

// Users finds people; user.Service is one.
type Users interface {
	Get(ctx context.Context, id string) (*user.User, error)
}

// Grants finds what was granted; grant.Store is one.
type Grants interface {
	ByID(ctx context.Context, id string) (grant.Grant, error)
}

// Clients finds clients; client.Service is one.
type Clients interface {
	Get(ctx context.Context, id string) (*client.Client, error)
}

// Keys sign answers; keyring.Ring is one.
type Keys interface {
	Signer(p keyring.Purpose, alg string) (*keyring.Signer, error)
}

// Config holds what a Handler needs; everything is required.
type Config struct {
	Issuer  string
	Tokens  Tokens
	Users   Users
	Grants  Grants
	Clients Clients
	Keys    Keys
}

// Handler is the userinfo endpoint. It is safe for concurrent use.
type Handler struct{ cfg Config }

// New returns the endpoint.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Userinfo answers GET and POST.
func (h *Handler) Userinfo(w http.ResponseWriter, r *http.Request) error {
	token, err := readToken(w, r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	t, err := h.cfg.Tokens.Inspect(ctx, token)
	if err != nil {
		return err
	}
	trail.Set(ctx, "client_id", t.ClientID)
	trail.Set(ctx, "user_id", t.UserID)
	if err := h.mayAsk(t); err != nil {
		if fault.CodeOf(err) == protocol.ErrInsufficientScope {
			challenge(w, r, fault.As(err))
		}
		return err
	}
	c, u, req, err := h.look(ctx, t)
	if err != nil {
		return err
	}
	answer := claims.ForUserinfo(u, t.Scopes, req)
	if c.UserinfoAlg == "" {
		return oauth.WriteJSON(w, http.StatusOK, answer)
	}
	return h.writeSigned(w, c, answer)
}

// mayAsk checks that the token is one for this endpoint.
func (h *Handler) mayAsk(t *oauth.Token) error {
	switch {
	case t.JKT != "":
		return invalid("RFC 9449 §7.1 a token that is bound to a key does not work as Bearer")
	case !slices.Contains(t.Scopes, protocol.ScopeOpenID):
		return fault.New(fault.Denied, protocol.ErrInsufficientScope, "The access token was not granted the scope openid.").
			Under("OIDC Core §5.3 userinfo needs the scope openid").
			WithHint("ask for the scope openid in the authorization request")
	case !slices.Contains(t.Audiences, h.cfg.Issuer):
		return invalid("RFC 9068 §4 the token is meant for this server").
			Compare("aud", h.cfg.Issuer, fmt.Sprint(t.Audiences))
	case t.UserID == "":
		return invalid("OIDC Core §5.3 the token speaks for a person")
	}
	return nil
}

// look reads what the answer depends on. Client, person and grant must still
// stand: a token may have been issued minutes ago.
func (h *Handler) look(ctx context.Context, t *oauth.Token) (*client.Client, *user.User, *claims.Requested, error) {
	c, err := h.cfg.Clients.Get(ctx, t.ClientID)
	if err := gone(err, "the client of the token exists"); err != nil {
		return nil, nil, nil, err
	}
	u, err := h.cfg.Users.Get(ctx, t.UserID)
	if err := gone(err, "the person of the token exists"); err != nil {
		return nil, nil, nil, err
	}
	g, err := h.cfg.Grants.ByID(ctx, t.GrantID)
	if err := gone(err, "the grant of the token exists"); err != nil {
		return nil, nil, nil, err
	}
	switch {
	case c.Disabled:
		return nil, nil, nil, invalid("the client of the token is enabled")
	case u.Disabled:
		return nil, nil, nil, invalid("the person of the token is active")
	case g.Revoked():
		return nil, nil, nil, invalid("the grant of the token stands").Compare("reason", "", g.Reason)
	case g.ClientID != t.ClientID || g.UserID != t.UserID:
		return nil, nil, nil, invalid("the grant of the token is of the same client and person")
	}
	req, err := claims.Parse(g.ClaimsRequest)
	if err != nil {
		return nil, nil, nil, ours(fmt.Errorf("claims request of grant %s: %w", g.ID, err))
	}
	return c, u, req.Within(c.MayAsk), nil
}

// ours hides a fault that the caller has no part in: what was checked before
// it was stored, or set by the operator.
func ours(err error) *fault.Error {
	return fault.Hide(err, fault.Internal, protocol.ErrServerError, "Something went wrong on our side.")
}

// gone turns a thing that is no more into a token that is no more.
func gone(err error, rule string) error {
	if fault.Is(err, fault.NotFound) {
		return invalid(rule).Because(err)
	}
	return err
}

func invalid(rule string) *fault.Error {
	return fault.New(fault.Unauthenticated, protocol.ErrInvalidToken, "The access token is not valid.").Under(rule)
}

// challenge names the scope that is missing (RFC 6750 §3).
func challenge(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="portico", error="%s", error_description="%s", scope="%s"`,
		f.Code, oauth.Describe(f.Say, trail.ID(r.Context())), protocol.ScopeOpenID))
}

// writeSigned answers with a JWT (OIDC Core §5.3.2). It carries neither exp
// nor iat, which every ID token must have, so that no client can be made to
// take one for the other.
func (h *Handler) writeSigned(w http.ResponseWriter, c *client.Client, answer map[string]any) error {
	signer, err := h.cfg.Keys.Signer(keyring.Answers, c.UserinfoAlg)
	if fault.Is(err, fault.NotFound) {
		return ours(err).Under("OIDC Core §5.3.2 the answer is signed as the client registered").
			WithHint("client %q wants userinfo signed with %s, which this server has no key for", c.ID, c.UserinfoAlg)
	} else if err != nil {
		return err
	}
	answer["iss"], answer["aud"] = h.cfg.Issuer, c.ID
	payload, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode userinfo: %w", err)
	}
	token, err := signer.Sign(protocol.TypeJWT, payload)
	if err != nil {
		return fmt.Errorf("sign userinfo: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/jwt")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(token)) // the caller is gone when it fails
	return nil
}
