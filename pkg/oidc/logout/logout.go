// Package logout ends the session of a browser when an application asks for
// it (OpenID Connect RP-Initiated Logout 1.0) and the person agrees. It tells
// no other application (back-channel logout would).
package logout

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// reason is why the sessions ended that end here.
const reason = "logout"

// parked names the parameter under which our own GET finds a parked POST.
const parked = "parked"

// Clients finds applications. client.Service is one.
type Clients interface {
	Get(ctx context.Context, id string) (*client.Client, error)
}

// Hints verifies ID tokens that this server issued, expired ones too.
// keyring.Ring is one.
type Hints interface {
	VerifyHint(token string) (payload []byte, header keyring.Header, err error)
}

// Parking keeps the parameters of a POST until our own GET comes for them.
// flow.Service is one.
type Parking interface {
	Park(ctx context.Context, params url.Values) (id string, err error)
	Unpark(ctx context.Context, id string) (url.Values, error)
}

// Upstream knows the places that people signed in at to come here.
// federation.Handler is one.
type Upstream interface {
	// After returns where the browser of a session that has just ended signs
	// out there too, and then goes on to next; "" when there is no such place.
	After(ctx context.Context, sessionID, next string) (redirect string, err error)
}

// Deps is what a Handler needs. All of it but Upstream.
type Deps struct {
	Kit      *web.Kit
	Issuer   string
	Sessions *session.Service
	Users    *user.Service
	Clients  Clients
	Hints    Hints
	Parking  Parking
	// Upstream signs people out where they came from. Nil: nobody came from
	// anywhere.
	Upstream Upstream
}

// Handler serves /oauth2/logout, /logout and /signed-out. It is safe for
// concurrent use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler { return &Handler{d} }

// Endpoint serves /oauth2/logout, by GET and POST, also from other websites:
// serve it with web.Kit.OpenPages. With a verified id_token_hint of the
// session at hand it ends that session; else it asks on /logout.
func (h *Handler) Endpoint(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	params, err := oauth.ReadForm(w, r, oauth.FormRules{Query: true})
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && h.Kit.Cookies.Session(r) == "" {
		return h.park(w, r, params)
	}
	if r.Method != http.MethodPost && params.Has(parked) {
		if params, err = h.unpark(r.Context(), params.Get(parked)); err != nil {
			return err
		}
	}
	q, err := h.read(r, params)
	if err != nil {
		return err
	}
	s, err := h.current(r)
	switch {
	case err != nil:
		return err
	case s == nil:
		return h.leave(w, r, nil, q)
	case q.about(s):
		return h.end(w, r, s, q)
	}
	return h.to(w, h.Kit.At(protocol.PathLogoutConfirm)+q.query())
}

// park answers a POST that came without our cookies, because another website
// sent it and they are SameSite=Lax: the browser comes back by GET with them.
func (h *Handler) park(w http.ResponseWriter, r *http.Request, params url.Values) error {
	id, err := h.Parking.Park(r.Context(), params)
	if err != nil {
		return err
	}
	return h.Kit.SeeOther(w, r, protocol.PathLogout+"?"+parked+"="+id)
}

// unpark returns what was parked. When it is gone (reloaded, too late) the
// request asks for nothing in particular: the person may still sign out.
func (h *Handler) unpark(ctx context.Context, id string) (url.Values, error) {
	params, err := h.Parking.Unpark(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return url.Values{}, nil
	}
	return params, err
}

func (h *Handler) current(r *http.Request) (*session.Session, error) {
	s, err := h.Sessions.FromToken(r.Context(), h.Kit.Cookies.Session(r))
	if err == nil && s != nil {
		trail.Set(r.Context(), "user_id", s.UserID)
		trail.Set(r.Context(), "sid", s.ID)
	}
	return s, err
}

// end ends the session. The cookie goes only when the session is dead
// everywhere: until then the person can try again.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, s *session.Session, q *request) error {
	if err := h.Sessions.End(r.Context(), s.ID, reason); err != nil {
		return err
	}
	return h.leave(w, r, s, q)
}

// leave sends the browser where the application wants it, or to our own page.
// s is the session that ended; nil: there was none.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, s *session.Session, q *request) error {
	h.Kit.Cookies.ClearSession(w)
	next := q.target()
	if q.redirect == "" {
		next = h.Kit.At(protocol.PathSignedOut + h.farewell(r.Context(), s, q))
	}
	if s == nil || h.Upstream == nil {
		return h.to(w, next)
	}
	there, err := h.Upstream.After(r.Context(), s.ID, next)
	if err != nil { // they are signed out here, which is what was asked
		h.Kit.Refused(r, err)
	}
	if err != nil || there == "" {
		return h.to(w, next)
	}
	return h.to(w, there)
}

// farewell tells our own page the language to speak: nobody is signed in any
// more, so that it could not know.
func (h *Handler) farewell(ctx context.Context, s *session.Session, q *request) string {
	locales := q.locales
	if locales == "" && s != nil {
		if u, err := h.Users.Get(ctx, s.UserID); err == nil { // the language is no reason to fail
			locales = u.Locale
		}
	}
	if locales == "" {
		return ""
	}
	return "?" + url.Values{protocol.UILocales: {locales}}.Encode()
}

// to sends the browser to a place that we made or matched byte for byte.
func (h *Handler) to(w http.ResponseWriter, location string) error {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// SignedOut serves /signed-out.
func (h *Handler) SignedOut(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	web.Prefer(r, strings.Fields(r.URL.Query().Get(protocol.UILocales))...)
	return h.Kit.Render(w, r, http.StatusOK, templates.SignedOut{Login: protocol.PathAccount})
}
