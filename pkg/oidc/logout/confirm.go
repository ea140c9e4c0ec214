package logout

import (
	"net/http"
	"net/url"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// maxForm bounds the body of the confirmation, in bytes.
const maxForm = 4 << 10

// Confirm serves /logout, which asks the person: without a verified hint
// anybody could have sent them here (RP-Initiated Logout §2). What the address
// says is checked again, because anybody could have written it.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	params, err := readQuery(w, r)
	if err != nil {
		return err
	}
	params.Del(protocol.IDTokenHint) // the endpoint alone takes it
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
	case r.Method == http.MethodPost:
		return h.decide(w, r, s, q)
	}
	return h.ask(w, r, s, q, templates.Problem{})
}

// readQuery reads the query alone, also of a POST.
func readQuery(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	params, err := oauth.ReadForm(w, get, oauth.FormRules{Query: true})
	if params == nil {
		params = url.Values{}
	}
	return params, err
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, s *session.Session, q *request, problem templates.Problem) error {
	page := templates.Logout{
		Form: templates.Form{
			Action: protocol.PathLogoutConfirm + q.query(),
			Token:  h.Kit.FormToken("logout", h.Kit.Cookies.Browser(w, r), s.ID),
		},
		Problem: problem,
	}
	if c := q.client; c != nil {
		page.Client = &templates.Client{Name: c.Name, LogoURL: c.LogoURI, PolicyURL: c.PolicyURI, TermsURL: c.TosURI, HomeURL: c.ClientURI}
	}
	u, err := h.Users.Get(r.Context(), s.UserID)
	switch {
	case err == nil:
		login := u.Email
		if login == "" {
			login = u.Username
		}
		web.PreferAccount(r.Context(), u.Locale)
		page.Account = &templates.Account{Ref: u.ID, Name: u.Name, Login: login}
	case !fault.Is(err, fault.NotFound): // whoever is gone may still sign out
		return err
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) decide(w http.ResponseWriter, r *http.Request, s *session.Session, q *request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "logout", h.Kit.Cookies.KnownBrowser(r), s.ID); err != nil {
		return err
	}
	switch form["decision"] {
	case "logout":
		return h.end(w, r, s, q)
	case "stay":
		return h.stay(w, r, s, q)
	}
	return h.ask(w, r, s, q, templates.NoDecision)
}

// stay leads back to the application, which has signed the person out on its
// side, or says that nothing happened here.
func (h *Handler) stay(w http.ResponseWriter, r *http.Request, s *session.Session, q *request) error {
	if q.redirect != "" {
		return h.to(w, q.target())
	}
	if u, err := h.Users.Get(r.Context(), s.UserID); err == nil {
		web.PreferAccount(r.Context(), u.Locale)
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.SignedOut{Stayed: true})
}
