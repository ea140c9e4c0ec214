package federation

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// done ends the address to which a provider sends people after they signed out
// there. It is registered with the provider.
const done = "/done"

// Logout serves what is below /login/logout/<provider>: the back-channel
// logout of the provider, and below that the way on for people who signed out
// there.
func (h *Handler) Logout(w http.ResponseWriter, r *http.Request) error {
	id, isDone := strings.CutSuffix(below(r, protocol.PathUpstreamLogout), done)
	if isDone {
		return h.signedOut(w, r, id)
	}
	return h.backChannel(w, r, id)
}

// backChannel ends the sessions that came from a session at a provider, on the
// provider's word (OIDC Back-Channel Logout §2.5, §2.7). The signed token is
// all the proof there is: no cookie is looked at.
func (h *Handler) backChannel(w http.ResponseWriter, r *http.Request, id string) error {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, http.MethodPost)
	}
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	raw := form["logout_token"]
	if raw == "" {
		return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "There is no logout token.").
			Under("OIDC Back-Channel Logout §2.5 the request carries logout_token")
	}
	ctx := r.Context()
	key := id + " " + limit.Remote(ctx)
	if err := h.Gate.Take(ctx, h.Rules.ClientFailures, key, "security §0.5 logout tokens per address"); err != nil {
		return err
	}
	if err := h.Places.Logout(ctx, id, raw); fault.Is(err, fault.NotFound) {
		return fault.Hide(err, fault.Invalid, protocol.ErrInvalidRequest, "There is no such provider.").
			Under("OIDC Back-Channel Logout §2.8 a logout that is not taken is a bad request")
	} else if err != nil {
		return err
	}
	_ = h.Gate.Give(ctx, h.Rules.ClientFailures, key) // at worst the limit is a little tighter
	w.WriteHeader(http.StatusOK)
	return nil
}

// After returns where the browser goes after its session ended, when the
// session came from a provider that people are to be signed out of too
// (RP-Initiated Logout §2); "" otherwise. next is where it goes from there.
func (h *Handler) After(ctx context.Context, sessionID, next string) (string, error) {
	from, idToken, err := h.Places.OriginOf(ctx, sessionID)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	p, err := h.provider(ctx, from.Provider)
	if fault.Is(err, fault.Denied) || err == nil && !p.Settings.Logout {
		return "", nil
	} else if err != nil {
		return "", err
	}
	up, _, err := h.Places.Upstream(ctx, p.ID)
	if err != nil {
		return "", err
	}
	state, err := h.Opener.Flows.Await(ctx, url.Values{"purpose": {toSignOut}, "provider": {p.ID}, "next": {next}})
	if err != nil {
		return "", err
	}
	return up.EndSession(ctx, idToken, h.Kit.URL(protocol.PathUpstreamLogout+"/"+p.ID+done), state)
}

// signedOut leads people on who come back from a provider where they signed
// out: to where the logout here was to lead. Without our state that is nowhere
// but our own page.
func (h *Handler) signedOut(w http.ResponseWriter, r *http.Request, id string) error {
	if r.Method != http.MethodGet {
		return web.MethodNotAllowed(w, http.MethodGet)
	}
	params, err := h.Opener.Flows.Arrived(r.Context(), one(r, protocol.State))
	switch {
	case fault.Is(err, fault.NotFound), err == nil && (params.Get("purpose") != toSignOut || params.Get("provider") != id):
		return h.Kit.SeeOther(w, r, protocol.PathSignedOut)
	case err != nil:
		return err
	}
	return leave(w, params.Get("next"))
}

// one returns the parameter of the query; several are none.
func one(r *http.Request, name string) string {
	if all := r.URL.Query()[name]; len(all) == 1 {
		return all[0]
	}
	return ""
}
