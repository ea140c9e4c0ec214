package account

import (
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// others is what the form sends to end every session but this one.
const allOthers = "others"

// Devices serves where the person is signed in.
func (h *Handler) Devices(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{Path: protocol.PathAccountSessions, Show: h.drawSessions, Take: h.endSession})
}

func (h *Handler) drawSessions(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	all, err := h.Sessions.OfUser(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	page := templates.Sessions{Desk: room.Desk(r, protocol.PathAccountSessions), Form: h.form(w, r, v, protocol.PathAccountSessions)}
	zone := zoneOf(v.User)
	for _, s := range all {
		page.List = append(page.List, templates.SignedIn{
			ID: s.ID, Device: deviceOf(s.UserAgent), Address: s.Address,
			Since: s.CreatedAt.In(zone), LastSeen: s.LastSeenAt.In(zone), This: s.ID == v.Session.ID,
		})
	}
	slices.SortStableFunc(page.List, func(a, b templates.SignedIn) int { return first(a.This) - first(b.This) })
	return h.Kit.Render(w, r, http.StatusOK, page)
}

func first(this bool) int {
	if this {
		return 0
	}
	return 1
}

func (h *Handler) endSession(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	ctx, id := r.Context(), form["session"]
	if id == allOthers {
		if err := h.Sessions.EndOthers(ctx, v.User.ID, v.Session.ID, "ended by the person"); err != nil {
			return err
		}
		return h.done(w, r, protocol.PathAccountSessions, "sessions")
	}
	err := h.Sessions.EndOne(ctx, v.User.ID, id, "ended by the person")
	if fault.Is(err, fault.NotFound) {
		return h.refused(r, v, "session", unknown("session", id))
	} else if err != nil {
		return err
	}
	if id == v.Session.ID {
		h.Kit.Cookies.ClearSession(w)
		return h.Kit.SeeOther(w, r, protocol.PathSignedOut)
	}
	return h.done(w, r, protocol.PathAccountSessions, "session")
}

// deviceOf names a device in words of ours.
func deviceOf(userAgent string) templates.Device {
	d := session.DeviceOf(userAgent)
	return templates.Device{Browser: d.Browser, OS: d.OS}
}
