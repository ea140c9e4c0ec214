package factor

import (
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Security serves the account's page about how its person signs in.
func (h *Handler) Security(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{Path: protocol.PathAccountSecurity, Show: h.drawSecurity})
}

func (h *Handler) drawSecurity(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	ctx := r.Context()
	page := templates.Security{Desk: room.Desk(r, protocol.PathAccountSecurity), Demanded: h.Book.Demanded(v.User) != ""}
	entries := map[assurance.Factor][]templates.HasFactor{}
	for _, l := range h.Listers {
		list, err := l.List(ctx, v.User.ID)
		if err != nil {
			return err
		}
		for _, e := range list {
			entries[e.Kind] = append(entries[e.Kind], templates.HasFactor{ID: e.ID, Name: e.Name, Added: e.AddedAt, Used: e.UsedAt, Suspended: e.Suspended})
		}
	}
	for _, kind := range assurance.Factors() {
		if pages[kind] != "" && h.method(kind) != nil && (slices.Contains(h.Opener.Policy.Taken, kind) || len(entries[kind]) > 0) {
			page.Kinds = append(page.Kinds, templates.FactorKind{Kind: string(kind), Path: pages[kind], List: entries[kind]})
		}
	}
	if codes, ok := h.method(assurance.RecoveryCode).(Counter); ok {
		left, err := codes.Left(ctx, v.User.ID)
		if err != nil {
			return err
		}
		page.Codes, page.CodesLeft = protocol.PathAccountCodes, left
		page.CodesNeeded = left == 0 && len(v.User.Factors) > 0
	}
	if h.Browsers.For() > 0 {
		page.Browsers = protocol.PathAccountBrowsers
	}
	return h.Rooms.Kit.Render(w, r, http.StatusOK, page)
}

// Remembered serves the browsers that are not asked for a second factor.
func (h *Handler) Remembered(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{Path: protocol.PathAccountBrowsers, Show: h.drawBrowsers, Take: h.forget})
}

func (h *Handler) drawBrowsers(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	list, err := h.Browsers.List(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	zone := room.Zone(v.User)
	page := templates.Browsers{Desk: room.Desk(r, protocol.PathAccountSecurity), Form: h.Rooms.Form(w, r, v, protocol.PathAccountBrowsers)}
	for _, b := range list {
		d := session.DeviceOf(b.UserAgent)
		page.List = append(page.List, templates.Remembered{
			ID: b.ID, Device: templates.Device{Browser: d.Browser, OS: d.OS}, Address: b.Address,
			Used: b.UsedAt.In(zone), Until: b.ExpiresAt.In(zone),
		})
	}
	return h.Rooms.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) forget(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	err := h.Browsers.Forget(r.Context(), v.User.ID, form["browser"])
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
			Under("OWASP ASVS 8.2.2 people reach what is theirs").Compare("browser", "one of this person", form["browser"])
	} else if err != nil {
		return err
	}
	if form["browser"] == AllBrowsers {
		h.Rooms.Kit.Cookies.ClearTrusted(w)
	}
	return h.Rooms.Done(w, r, v, protocol.PathAccountBrowsers, "browser")
}
