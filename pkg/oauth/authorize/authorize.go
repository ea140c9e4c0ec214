// Package authorize is the authorization endpoint: a table of checks, then a
// flow, then the answer to the application. It asks the person nothing (login
// and consent do) and makes no codes (the provider does).
package authorize

import (
	"net/http"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// Deps are what the endpoint needs besides its Finisher.
type Deps struct {
	Finisher *Finisher
	// Dispatcher takes over when a person has to do something.
	Dispatcher flow.Dispatcher
	Hints      Hints
	// PKCERequired demands a code challenge of every client (PORTICO_PKCE
	// required); else the client decides.
	PKCERequired bool
}

// Hints verifies an id_token_hint. keyring.Ring is one.
type Hints interface {
	VerifyHint(token string) (payload []byte, header keyring.Header, err error)
}

// Handler is the authorization endpoint. It is safe for concurrent use.
type Handler struct {
	*Finisher
	dispatcher flow.Dispatcher
	hints      Hints
	pkce       bool
}

// New returns the endpoint.
func New(d Deps) *Handler {
	return &Handler{Finisher: d.Finisher, dispatcher: d.Dispatcher, hints: d.Hints, pkce: d.PKCERequired}
}

// Authorize answers GET and POST of the authorization endpoint (RFC 6749
// §3.1). Mount it with web.Kit.OpenPages: applications post to it from their
// own origin. It offers no CORS (RFC 9700 §2.6). Errors that it returns are
// for a page of ours; where the redirect URI is proven they have been sent
// there and nil is returned.
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet:
		return h.get(w, r)
	case http.MethodPost:
		return h.post(w, r)
	default:
		return web.MethodNotAllowed(w, "GET, POST")
	}
}

// answer serves a request whose parameters were read.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, rq *request) error {
	locales, _ := list(rq.get(protocol.UILocales))
	web.Prefer(r, locales...)
	if err := h.run(r.Context(), proof, rq); err != nil {
		return err
	}
	if err := h.run(r.Context(), checks, rq); err != nil {
		return h.refuse(w, r, rq.destination(), err)
	}
	done, err := h.atOnce(w, r, rq)
	if err != nil {
		return h.refuse(w, r, rq.destination(), err)
	}
	if done {
		return nil
	}
	return h.dispatcher.Next(w, r, h.flows.Begin(h.kit.Cookies.Browser(w, r), rq.q))
}

// atOnce answers without a page when nothing is missing, and refuses where a
// page must not be shown (OIDC Core §3.1.2.1 prompt=none). It reports whether
// the answer is written. No flow is saved: who is signed in and has allowed
// the application costs no write but the code's.
func (h *Handler) atOnce(w http.ResponseWriter, r *http.Request, rq *request) (done bool, err error) {
	ctx := r.Context()
	who, err := h.signedIn(ctx, h.kit.Cookies.Session(r))
	if err != nil {
		return false, err
	}
	f := h.flows.Begin(h.kit.Cookies.KnownBrowser(r), rq.q)
	if who != nil {
		f.SessionID, f.UserID = who.session.ID, who.session.UserID
	}
	step, err := h.missing(ctx, f, rq.client, who)
	switch {
	case err != nil:
		return false, err
	case step == assurance.None:
		return true, h.finish(w, r, f, rq.client, who)
	case rq.q.HasPrompt(promptNone):
		return false, assurance.Refusal(step)
	}
	return false, nil
}
