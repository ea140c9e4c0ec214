package account

import (
	"net/http"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Keep serves the step that asks somebody who wanted their account deleted
// whether they stay. Nothing is done in their name before they do.
func (h *Handler) Keep(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	var form web.Fields
	if r.Method == http.MethodPost {
		if err := h.brake(r); err != nil {
			return err
		}
		var err error
		if form, err = web.Form(r, maxForm); err != nil {
			return err
		}
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Keep {
		return h.Steps.Next(w, r, v.Flow)
	}
	if r.Method != http.MethodPost {
		return h.drawKeep(w, r, v, templates.Problem{})
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "keep", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID, v.Session.ID); err != nil {
		return err
	}
	switch form["decision"] {
	case "keep":
		if err := h.Users.Keep(r.Context(), v.User.ID); err != nil {
			return err
		}
		return h.Steps.Next(w, r, v.Flow)
	case "leave":
		if err := h.Sessions.End(r.Context(), v.Session.ID, "signed out"); err != nil {
			return err
		}
		h.Kit.Cookies.ClearSession(w)
		return h.Kit.SeeOther(w, r, protocol.PathSignedOut)
	}
	return h.drawKeep(w, r, v, templates.NoDecision)
}

func (h *Handler) drawKeep(w http.ResponseWriter, r *http.Request, v *visit.Visit, problem templates.Problem) error {
	page := templates.Keep{
		Form: templates.Form{
			Action: protocol.PathKeep + "?flow=" + v.Flow.ID,
			Token:  h.Kit.FormToken("keep", h.Kit.Cookies.Browser(w, r), v.Flow.ID, v.Session.ID),
		},
		Account: account(v.User), Until: v.User.DeleteAt.In(zoneOf(v.User)), Problem: problem,
	}
	if c := v.Client; c != nil {
		page.Client = &templates.Client{Name: c.Name, LogoURL: c.LogoURI, PolicyURL: c.PolicyURI, TermsURL: c.TosURI, HomeURL: c.ClientURI}
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}
