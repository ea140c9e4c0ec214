package logout

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/web"
)

// request is a logout request that passed every check.
type request struct {
	client   *client.Client // nil: nobody named
	hint     *claims.Hint   // nil: none was sent
	redirect string         // registered for client; empty: none was sent
	state    string
	locales  string
}

// about reports whether the hint names the session: by its sid, or by its sub
// in tokens without one.
func (q *request) about(s *session.Session) bool {
	switch {
	case q.hint == nil:
		return false
	case q.hint.Session != "":
		return q.hint.Session == s.ID && q.hint.Subject == s.UserID
	}
	return q.hint.Subject == s.UserID
}

// target returns where the browser goes, with the state (RP-Initiated Logout
// §3). The registered URI is left as it is.
func (q *request) target() string {
	if q.state == "" {
		return q.redirect
	}
	join := "?"
	if strings.Contains(q.redirect, "?") {
		join = "&"
	}
	return q.redirect + join + protocol.State + "=" + url.QueryEscape(q.state)
}

// query returns the request for our own pages, without the hint: a token does
// not belong into an address, and the client it named stands for it.
func (q *request) query() string {
	values := url.Values{}
	if q.client != nil {
		values.Set(protocol.ClientID, q.client.ID)
	}
	for name, value := range map[string]string{
		protocol.PostLogoutRedirect: q.redirect, protocol.State: q.state, protocol.UILocales: q.locales,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// Rules of a logout request.
const (
	ruleHint     = "RP-Initiated Logout §2 id_token_hint is an ID token of this issuer"
	ruleClient   = "RP-Initiated Logout §2 client_id names a registered client"
	ruleSame     = "RP-Initiated Logout §2 client_id is the one the ID token was issued to"
	ruleNamed    = "RP-Initiated Logout §2 a redirect needs id_token_hint or client_id"
	ruleRedirect = "RP-Initiated Logout §3 post_logout_redirect_uri is registered, byte for byte"
)

// read checks the parameters of RP-Initiated Logout §2. An empty one counts
// as absent.
func (h *Handler) read(r *http.Request, params url.Values) (*request, error) {
	ctx := r.Context()
	q := &request{state: params.Get(protocol.State), locales: params.Get(protocol.UILocales)}
	web.Prefer(r, strings.Fields(q.locales)...)
	if token := params.Get(protocol.IDTokenHint); token != "" {
		if err := h.readHint(ctx, q, token); err != nil {
			return nil, err
		}
	}
	if id := params.Get(protocol.ClientID); id != "" {
		if err := h.readClient(ctx, q, id); err != nil {
			return nil, err
		}
	}
	if q.client != nil {
		trail.Set(ctx, "client_id", q.client.ID)
		web.About(ctx, q.client.ID)
	}
	return q, q.readRedirect(params.Get(protocol.PostLogoutRedirect))
}

// readHint verifies the hint and finds the client it was issued to. Its exp is
// not looked at (RP-Initiated Logout §2: the OP should accept expired ones).
func (h *Handler) readHint(ctx context.Context, q *request, token string) error {
	refused := fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The ID token in the request is not valid.").Under(ruleHint)
	payload, header, err := h.Hints.VerifyHint(token)
	if err != nil {
		if cause := fault.As(err); cause.Rule != "" {
			refused = refused.Compare("hint", cause.Rule, "")
		}
		return refused.Because(err)
	}
	if header.Typ != "" && !strings.EqualFold(header.Typ, protocol.TypeJWT) {
		return refused.Compare("typ", protocol.TypeJWT, header.Typ)
	}
	got, err := claims.ReadHint(payload)
	if err != nil {
		return refused.Because(err)
	}
	switch {
	case got.Issuer != h.Issuer:
		return refused.Compare("iss", h.Issuer, got.Issuer)
	case got.Subject == "":
		return refused.Compare("sub", "present", "absent")
	case len(got.Audience) != 1:
		return refused.Compare("aud", "one client", strings.Join(got.Audience, " "))
	}
	q.hint = got
	return h.readClient(ctx, q, got.Audience[0])
}

func (h *Handler) readClient(ctx context.Context, q *request, id string) error {
	if q.client != nil {
		if q.client.ID != id {
			return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The request names two applications.").
				Under(ruleSame).Compare("client_id", q.client.ID, id)
		}
		return nil
	}
	c, err := h.Clients.Get(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && c.Disabled {
		return fault.New(fault.Invalid, protocol.ErrInvalidClient, "This application is not known here.").
			Under(ruleClient).Compare("client_id", "a registered client", id).Because(err)
	} else if err != nil {
		return err
	}
	q.client = c
	return nil
}

func (q *request) readRedirect(uri string) error {
	switch {
	case uri == "":
		return nil
	case q.client == nil:
		return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The request does not say which application it is of.").
			Under(ruleNamed).Compare("client", "id_token_hint or client_id", "neither")
	case !slices.Contains(q.client.PostLogoutRedirectURIs, uri):
		return fault.New(fault.Invalid, "logout_redirect", "The address to return to is not registered.").
			Under(ruleRedirect).Compare("post_logout_redirect_uri", strings.Join(q.client.PostLogoutRedirectURIs, " "), uri).
			WithHint("register this post_logout_redirect_uri for the client %s", q.client.ID)
	}
	q.redirect = uri
	return nil
}
