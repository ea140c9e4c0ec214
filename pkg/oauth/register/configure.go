package register

import (
	"context"
	"net/http"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// Configure answers GET, PUT and DELETE at a client's own configuration
// endpoint (RFC 7592 §2), whose path ends in the client id.
func (h *Handler) Configure(w http.ResponseWriter, r *http.Request) error {
	if err := h.open(); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
	default:
		return oauth.WrongMethod(http.MethodGet, http.MethodPut, http.MethodDelete)
	}
	c, token, err := h.owner(r)
	if err != nil {
		return err
	}
	trail.Set(r.Context(), "client_id", c.ID)
	switch r.Method {
	case http.MethodPut:
		return h.update(w, r, c, token)
	case http.MethodDelete:
		return h.remove(w, r.Context(), c)
	default:
		return oauth.WriteJSON(w, http.StatusOK, h.describe(c, token))
	}
}

// owner returns the client whose registration access token was sent. Wrong
// token, unknown client, one that did not register itself, one that is
// disabled: all look the same (RFC 7592 §2.1).
func (h *Handler) owner(r *http.Request) (*client.Client, string, error) {
	token, err := bearer(r)
	if err != nil {
		return nil, "", err
	}
	const rule = "RFC 7592 §2.1 the registration access token belongs to the client"
	if _, ok := secret.Unwrap(secret.RegistrationToken, token); !ok {
		return nil, "", invalidToken(rule)
	}
	got := h.cfg.Fingerprints.Of(secret.RegistrationToken, token)
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	c, err := h.cfg.Clients.Get(r.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return nil, "", invalidToken(rule).Because(err)
	} else if err != nil {
		return nil, "", err
	}
	if c.RegistrationTokenHash == "" || !secret.Equal(got, c.RegistrationTokenHash) {
		return nil, "", invalidToken(rule).Compare(protocol.ClientID, "", id)
	}
	if c.Disabled || c.Source != client.Dynamic {
		return nil, "", invalidToken("security §9.3 the registration token opens an enabled client that registered itself")
	}
	return c, token, nil
}

// update replaces what the client may set about itself, by the same policy as
// at registration; what it leaves out gets its default (RFC 7592 §2.2). What
// only an operator sets stays.
func (h *Handler) update(w http.ResponseWriter, r *http.Request, old *client.Client, token string) error {
	m, err := readMetadata(w, r)
	if err != nil {
		return err
	}
	if m.clientID != old.ID {
		return badMetadata("client_id", "RFC 7592 §2.2 the request names the client").Compare(protocol.ClientID, old.ID, m.clientID)
	}
	if m.clientSecret != "" && !h.cfg.Clients.CheckSecret(old, m.clientSecret, clock.Now()) {
		return badMetadata("client_secret", "RFC 7592 §2.2 a client does not choose its own secret")
	}
	wanted, err := h.changed(r.Context(), m, old)
	if err != nil {
		return err
	}
	c, err := h.cfg.Clients.Update(r.Context(), wanted)
	if fault.Is(err, fault.NotFound) { // deleted meanwhile
		return invalidToken("RFC 7592 §2.2 the client exists").Because(err)
	} else if err != nil {
		return err
	}
	return oauth.WriteJSON(w, http.StatusOK, h.describe(&c, token))
}

// remove deletes the client with everything it holds (RFC 7592 §2.3).
func (h *Handler) remove(w http.ResponseWriter, ctx context.Context, c *client.Client) error {
	err := h.cfg.Clients.Delete(ctx, c.ID)
	if fault.Is(err, fault.NotFound) {
		return invalidToken("RFC 7592 §2.3 the client exists").Because(err)
	} else if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxToken bounds a presented token before it is hashed.
const maxToken = 1024

// bearer returns the token of the Authorization header, the only place it is
// taken from (RFC 6750 §2.1).
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", oauth.MissingToken()
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case len(values) > 1:
		return "", fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The token must be sent once.").
			Under("RFC 6750 §2 one method to send the token")
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", oauth.MissingToken()
	case len(token) > maxToken:
		return "", invalidToken("security §0.4 the token is bounded")
	}
	return token, nil
}

func invalidToken(rule string) *fault.Error {
	return fault.New(fault.Unauthenticated, protocol.ErrInvalidToken, "The token is not valid.").Under(rule)
}
