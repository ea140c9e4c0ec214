package federation

import (
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Identities serves the accounts elsewhere that sign the person in: it links
// and unlinks them. Whoever changes one proved lately who they are.
func (h *Handler) Identities(w http.ResponseWriter, r *http.Request) error {
	return h.rooms.Serve(w, r, room.Room{
		Path: protocol.PathAccountIdentities, Fresh: r.Method == http.MethodPost,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawIdentities(w, r, v, http.StatusOK, h.brought(r))
		},
		Take: func(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
			switch form["decision"] {
			case "link":
				return h.beginLink(w, r, v, form["provider"])
			case "unlink":
				return h.unlink(w, r, v, form["identity"])
			}
			return h.drawIdentities(w, r, v, http.StatusOK, templates.NoDecision)
		},
	})
}

// brought returns what became of a trip that ended on this page. Only known
// codes and our own providers are shown.
func (h *Handler) brought(r *http.Request) templates.Problem {
	q := r.URL.Query()
	p, err := h.Places.Get(r.Context(), q.Get("provider"))
	if err != nil {
		return templates.Problem{}
	}
	return templates.Elsewhere(q.Get("problem"), p.Name)
}

func (h *Handler) drawIdentities(w http.ResponseWriter, r *http.Request, v *room.Visitor, status int, problem templates.Problem) error {
	ctx := r.Context()
	mine, err := h.Places.Identities(ctx, v.User.ID)
	if err != nil {
		return err
	}
	active, err := h.Places.Active(ctx)
	if err != nil {
		return err
	}
	// The button that links leads to another website, and browsers hold the
	// redirects that follow a form to form-action.
	web.Policy{}.Set(w.Header())
	page := templates.Identities{
		Desk: room.Desk(r, protocol.PathAccountIdentities), Form: h.rooms.Form(w, r, v, protocol.PathAccountIdentities), Problem: problem,
	}
	zone := room.Zone(v.User)
	for _, i := range mine {
		shown := templates.Identity{ID: i.ID, Provider: i.Provider, Label: i.Label, Since: i.LinkedAt.In(zone), Used: i.UsedAt.In(zone)}
		if p, err := h.Places.Get(ctx, i.Provider); err == nil { // a name is no reason to fail
			shown.Provider = p.Name
		}
		page.List = append(page.List, shown)
	}
	for _, p := range active {
		if p.Interactive() && !slices.ContainsFunc(mine, func(i Identity) bool { return i.Provider == p.ID }) {
			page.Ways = append(page.Ways, templates.Way{ID: p.ID, Name: p.Name})
		}
	}
	return h.Kit.Render(w, r, status, page)
}

// beginLink sends the browser to a provider whose account the person wants to
// link.
func (h *Handler) beginLink(w http.ResponseWriter, r *http.Request, v *room.Visitor, id string) error {
	p, err := h.provider(r.Context(), id)
	if err != nil {
		return h.unlinked(w, r, v, p, "off", audit.IdentityRefused, err)
	}
	to, err := h.depart(w, r, trip{
		purpose: toLink, provider: p.ID, user: v.User.ID, session: v.Session.ID, wish: choose,
	})
	if err != nil {
		return h.unlinked(w, r, v, p, problemOf(err), "", err)
	}
	return leave(w, to)
}

// linked ties the account with which somebody signed in elsewhere to theirs
// here: to the one whose owner asked, in the session in which they asked.
func (h *Handler) linked(w http.ResponseWriter, r *http.Request, t trip, answer map[string]string) error {
	ctx := r.Context()
	s, u, err := h.Opener.SignedIn(r)
	if err != nil {
		return err
	}
	p, err := h.provider(ctx, t.provider)
	if s == nil || u == nil || s.ID != t.session || u.ID != t.user {
		why := barred("the person who asked for the link is still signed in", "Somebody else is signed in now.")
		return h.unlinked(w, r, nil, p, "other", audit.IdentityRefused, why)
	}
	v := &room.Visitor{Session: s, User: u}
	if err != nil {
		return h.unlinked(w, r, v, p, "off", audit.IdentityRefused, err)
	}
	who, err := h.finish(r, t, answer)
	if err != nil {
		return h.unlinked(w, r, v, p, problemOf(err), "", err)
	}
	if err := h.Places.Connect(ctx, p, who, u.ID); fault.CodeOf(err) == CodeDomain {
		return h.unlinked(w, r, v, p, problemOf(err), "", err)
	} else if err != nil {
		return h.unlinked(w, r, v, p, problemOf(err), audit.IdentityRefused, err)
	}
	return h.Kit.SeeOther(w, r, protocol.PathAccountIdentities+"?done=linked")
}

// unlinked leads back to the list when nothing was linked: it says why.
func (h *Handler) unlinked(w http.ResponseWriter, r *http.Request, v *room.Visitor, p *Provider, problem string, event audit.Name, err error) error {
	if k := fault.KindOf(err); p == nil || k != fault.Denied && k != fault.Unavailable && k != fault.Conflict && k != fault.Gone {
		return web.Back(err, protocol.PathAccountIdentities, "")
	}
	e := audit.Event{}
	if v != nil {
		e.Actor, e.UserID, e.SessionID = v.User.ID, v.User.ID, v.Session.ID
	}
	h.note(r, p, trouble{problem, event, err}, e)
	return h.Kit.SeeOther(w, r, protocol.PathAccountIdentities+"?problem="+problem+"&provider="+p.ID)
}

// unlink takes an account elsewhere off. The last way in stays.
func (h *Handler) unlink(w http.ResponseWriter, r *http.Request, v *room.Visitor, id string) error {
	err := h.Places.Unlink(r.Context(), Unlinking{UserID: v.User.ID, ID: id, Actor: v.User.ID, SessionID: v.Session.ID})
	switch {
	case err == nil:
		return h.rooms.Done(w, r, v, protocol.PathAccountIdentities, "unlinked")
	case fault.CodeOf(err) == CodeLastWay:
		h.note(r, nil, trouble{event: audit.AccountRefused, why: err}, audit.Event{Actor: v.User.ID, UserID: v.User.ID, SessionID: v.Session.ID})
		return h.drawIdentities(w, r, v, http.StatusConflict, templates.OnlyWayIn)
	}
	return err
}
