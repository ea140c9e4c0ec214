package federation

import (
	"net/http"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// prove keeps a sign-in elsewhere whose address has an account here until its
// owner proves that the account is theirs: an address alone ties nothing
// (security §11.10).
func (h *Handler) prove(w http.ResponseWriter, r *http.Request, v *visit.Visit, p *Provider, found *Outcome) error {
	link := *found.Link
	link.Email = found.User.Email
	v.Flow.Link, v.Flow.Elsewhere = &link, &flow.Elsewhere{Provider: p.ID, Name: p.Name}
	if err := h.Opener.Flows.Save(r.Context(), v.Flow); err != nil {
		return err
	}
	return h.Kit.SeeOther(w, r, at(protocol.PathLoginLink, v.Flow.ID))
}

// Link serves /login/link, which says that the address has an account here and
// leads to its sign-in. The provider vouched for the address, so its owner may
// learn that.
func (h *Handler) Link(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	l := v.Flow.Link
	if l == nil || !atLogin(v) {
		return h.Steps.Next(w, r, v.Flow)
	}
	page := templates.ProveLink{Client: v.Application(), Email: l.Email, On: at(protocol.PathLogin, v.Flow.ID)}
	if was := v.Flow.Elsewhere; was != nil {
		page.Provider = was.Name
	}
	if v.Client != nil && !v.Client.Allows(client.WayLocal) { // a password proves nothing to this application
		page.Apart, page.On = true, protocol.PathAccountIdentities
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}
