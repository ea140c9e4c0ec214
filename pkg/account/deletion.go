package account

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Delete serves the page that ends the account.
func (h *Handler) Delete(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccountDelete, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawDelete(w, r, v, templates.Problem{})
		},
		Take: h.takeDelete,
	})
}

func (h *Handler) drawDelete(w http.ResponseWriter, r *http.Request, v *room.Visitor, problem templates.Problem) error {
	page := templates.Delete{
		Desk: room.Desk(r, protocol.PathAccountDelete), Form: h.form(w, r, v, protocol.PathAccountDelete),
		Account: account(v.User), Problem: problem,
	}
	if h.Grace > 0 {
		page.Until = clock.Now().Add(h.Grace).In(zoneOf(v.User))
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) takeDelete(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	if form["sure"] != "on" {
		return h.drawDelete(w, r, v, templates.NotSure)
	}
	leaving, err := h.Users.AskDeletion(r.Context(), v.User.ID, h.Grace, func(ctx context.Context, u user.User) error {
		if err := h.Confirmations.End(ctx, u.ID, "account deletion"); err != nil {
			return err
		}
		return h.tell(ctx, r, &u, u.Email, templates.Letter{
			Key: "deletion_asked", URL: h.Kit.URL(protocol.PathAccount),
			Values: map[string]string{"Day": u.DeleteAt.In(zoneOf(&u)).Format(time.DateOnly)},
		})
	})
	if fault.CodeOf(err) == user.CodeLastAdministrator {
		h.Kit.Refused(r, err)
		h.note(r, v, "deletion of the last administrator")
		return h.drawDelete(w, r, v, templates.LastAdmin)
	} else if err != nil {
		return err
	}
	h.Kit.Cookies.ClearSession(w)
	page := templates.Leaving{}
	if h.Grace > 0 {
		page.Until = leaving.DeleteAt.In(zoneOf(leaving))
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// Remover removes people whose time has come, for a job. Whoever goes is told
// at the address they had.
func Remover(users *user.Service, letters Letters) func(ctx context.Context, limit int) (int, error) {
	return func(ctx context.Context, limit int) (int, error) {
		return users.RemoveDue(ctx, limit, func(ctx context.Context, gone user.User) error {
			to := mail.Recipient{Email: gone.Email, Name: gone.Name} // nobody has the account any more
			if gone.Locale != "" {
				to.Locales = []string{gone.Locale}
			}
			return post(ctx, letters, to, templates.Letter{Key: "deleted", Name: gone.Name})
		})
	}
}
