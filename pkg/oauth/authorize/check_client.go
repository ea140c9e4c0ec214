package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/web"
)

const ruleRedirect = "RFC 6749 §3.1.2.3 the redirect URI is registered for the client"

// maxState bounds state, which comes back in a URL.
const maxState = 8 << 10

func (h *Handler) findClient(ctx context.Context, rq *request) error {
	id := rq.get(protocol.ClientID)
	if id == "" {
		return invalid("The request names no client.").WithHint("Send client_id.")
	}
	trail.Set(ctx, "client_id", fault.Clip(id))
	c, err := h.enabled(ctx, id)
	if err != nil {
		return err
	}
	rq.client = c
	web.About(ctx, c.ID)
	rq.q.ClientID = c.ID
	return nil
}

// enabled returns the client. One that is unknown and one that is disabled
// get the same page; only the operator is told which.
func (x *Finisher) enabled(ctx context.Context, id string) (*client.Client, error) {
	c, err := x.clients.Get(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, unknownClient(id, "unknown").Because(err)
	case err != nil:
		return nil, err
	case c.Disabled:
		return nil, unknownClient(id, "disabled")
	}
	return c, nil
}

func unknownClient(id, state string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidClient, "The application is not known here.").
		Compare(protocol.ClientID, "a registered, enabled client", id+" ("+state+")").
		WithHint("Check client_id, or enable the client.")
}

// matchRedirectURI proves where the answer goes. The parameter may be left
// out only by a plain OAuth client with exactly one registered redirect URI
// (RFC 6749 §3.1.2.3; OIDC Core §3.1.2.1 requires it).
func (h *Handler) matchRedirectURI(_ context.Context, rq *request) error {
	rq.openid = slices.Contains(strings.Split(rq.get(protocol.Scope), " "), protocol.ScopeOpenID)
	sent := rq.get(protocol.RedirectURI)
	switch {
	case sent != "":
		if !rq.client.MatchRedirect(sent) {
			return badRedirect(rq.client, sent)
		}
		rq.q.RedirectURI, rq.q.RedirectURISent = sent, true
	case rq.openid:
		return invalid("The request names no redirect URI.").
			Under("OIDC Core §3.1.2.1 redirect_uri is required").WithHint("Send redirect_uri.")
	case len(rq.client.RedirectURIs) != 1:
		return invalid("The request names no redirect URI.").
			Under("RFC 6749 §3.1.2.3 redirect_uri may be left out when exactly one is registered").
			WithHint("Send redirect_uri.")
	default:
		rq.q.RedirectURI = rq.client.RedirectURIs[0]
	}
	return nil
}

func badRedirect(c *client.Client, sent string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRedirectURI, "The redirect URI is not registered for this application.").
		Compare(protocol.RedirectURI, strings.Join(c.RedirectURIs, " "), sent).
		WithHint("Register exactly the URI that the application sends. Only the port of http://127.0.0.1 and http://[::1] is free.")
}

// readState comes with the proof, so that every error carries state back.
func (h *Handler) readState(_ context.Context, rq *request) error {
	state := rq.get(protocol.State)
	if len(state) > maxState {
		return invalid("The state is too long.").WithHint("At most 8192 bytes: keep the rest at the application.")
	}
	rq.q.State = state
	// Until the response mode is read, errors take the default.
	rq.q.ResponseMode = fallbackMode(rq.get(protocol.ResponseType))
	return nil
}
