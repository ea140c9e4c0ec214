package account

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Applications serves what may use the account.
func (h *Handler) Applications(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{Path: protocol.PathAccountApplications, Show: h.drawApplications, Take: h.withdraw})
}

// allowed is what one application may do.
type allowed struct {
	clientID                  string
	scopes, audiences, claims []string
	since                     time.Time
	trusted                   bool // nobody was asked
}

// allowed returns what the person allowed, and what applications got that the
// operator allowed for everybody, newest first.
func (h *Handler) allowed(ctx context.Context, userID string) ([]allowed, error) {
	consents, err := h.Consents.OfUser(ctx, userID)
	if err != nil {
		return nil, err
	}
	grants, err := h.Grants.OfUser(ctx, userID, clock.Now())
	if err != nil {
		return nil, err
	}
	var all []allowed
	for _, c := range consents {
		all = append(all, allowed{clientID: c.ClientID, scopes: c.Scopes, audiences: c.Audiences, claims: c.Claims, since: c.CreatedAt})
	}
	for _, g := range grants {
		i := slices.IndexFunc(all, func(a allowed) bool { return a.clientID == g.ClientID })
		if i < 0 {
			all, i = append(all, allowed{clientID: g.ClientID, since: g.CreatedAt, trusted: true}), len(all)
		}
		all[i].scopes, all[i].audiences = union(all[i].scopes, g.Scopes), union(all[i].audiences, g.Audiences)
		if g.CreatedAt.Before(all[i].since) {
			all[i].since = g.CreatedAt
		}
	}
	slices.SortStableFunc(all, func(a, b allowed) int { return cmp.Or(b.since.Compare(a.since), cmp.Compare(a.clientID, b.clientID)) })
	return all, nil
}

func union(have, more []string) []string {
	out := slices.Clone(have)
	for _, one := range more {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

func (h *Handler) drawApplications(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	ctx := r.Context()
	all, err := h.allowed(ctx, v.User.ID)
	if err != nil {
		return err
	}
	apis, err := h.Scopes.All(ctx)
	if err != nil {
		return err
	}
	page := templates.Applications{Desk: room.Desk(r, protocol.PathAccountApplications), Form: h.form(w, r, v, protocol.PathAccountApplications)}
	zone := zoneOf(v.User)
	for _, a := range all {
		c, err := h.clientOf(ctx, a.clientID)
		if err != nil {
			return err
		}
		app := templates.Application{
			ID: a.clientID, Since: a.since.In(zone), Trusted: a.trusted,
			Client: templates.Client{Name: c.Name, LogoURL: c.LogoURI},
		}
		if err := h.describe(ctx, &app, a, apis); err != nil {
			return err
		}
		page.List = append(page.List, app)
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// describe says what was allowed, as the page did that asked for it.
func (h *Handler) describe(ctx context.Context, app *templates.Application, a allowed, known []scope.API) error {
	described, err := h.Scopes.Describe(ctx, a.scopes)
	if err != nil {
		return err
	}
	at := map[string]int{} // by audience
	api := func(name, audience string) *templates.API {
		i, ok := at[audience]
		if !ok {
			i, at[audience] = len(app.APIs), len(app.APIs)
			app.APIs = append(app.APIs, templates.API{Name: name, Audience: audience})
		}
		return &app.APIs[i]
	}
	for _, d := range described {
		if d.Audience == "" {
			app.Scopes = append(app.Scopes, d.Name)
			continue
		}
		to := api(d.API, d.Audience)
		to.Scopes = append(to.Scopes, templates.Scope{Name: d.Name, Description: d.Description})
	}
	for _, name := range a.claims {
		if s := claims.ScopeOf(name); s != "" {
			app.Scopes = union(app.Scopes, []string{s})
		}
	}
	for _, audience := range a.audiences { // without a scope of theirs
		if i := slices.IndexFunc(known, func(k scope.API) bool { return k.Audience == audience }); i >= 0 {
			api(known[i].Name, audience)
		}
	}
	return nil
}

// withdraw takes back what an application may do; its tokens end with it.
func (h *Handler) withdraw(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	ctx, id := r.Context(), form["client"]
	all, err := h.allowed(ctx, v.User.ID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(a allowed) bool { return a.clientID == id }) {
		return h.refused(r, v, "application", unknown("client", id))
	}
	if err := h.Consents.Withdraw(ctx, v.User.ID, id); err != nil {
		return err
	}
	return h.done(w, r, protocol.PathAccountApplications, "withdrawn")
}
