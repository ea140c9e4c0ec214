package recoverycode

import (
	"net/http"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Handler serves the account's page of recovery codes. It is safe for
// concurrent use.
type Handler struct {
	Rooms *room.Keeper
	Codes *Service
}

// Account serves the page. A new list stands in the answer to the form that
// asked for it, and nowhere else: nothing could show it again.
func (h *Handler) Account(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{
		Path: protocol.PathAccountCodes, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.draw(w, r, v, templates.RecoveryCodes{})
		},
		Take: h.take,
	})
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.RecoveryCodes) error {
	var err error
	if page.Left, page.Made, err = h.Codes.standing(r.Context(), v.User.ID); err != nil {
		return err
	}
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountSecurity), h.Rooms.Form(w, r, v, protocol.PathAccountCodes)
	page.Needless, page.Security, page.Waits = len(v.User.Factors) == 0, protocol.PathAccountSecurity, v.Flow != ""
	return h.Rooms.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	switch form["decision"] {
	case "done":
		left, err := h.Codes.Left(r.Context(), v.User.ID)
		if err != nil {
			return err
		}
		done := "codes"
		if left == 0 { // they went on without
			done = ""
		}
		return h.Rooms.Done(w, r, v, protocol.PathAccountSecurity, done)
	case "generate":
		return h.generate(w, r, v)
	}
	return h.draw(w, r, v, templates.RecoveryCodes{Problem: templates.NoDecision})
}

func (h *Handler) generate(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	codes, err := h.Codes.Generate(r.Context(), v.User.ID, v.Session.ID)
	if fault.CodeOf(err) == "no_factor" { // gone since the page was drawn
		h.Rooms.Kit.Refused(r, err)
		v.User.Factors = nil
		return h.draw(w, r, v, templates.RecoveryCodes{})
	} else if err != nil {
		return err
	}
	return h.draw(w, r, v, templates.RecoveryCodes{New: codes})
}
