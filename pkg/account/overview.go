package account

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Overview serves /account: who is there, and where to go. Its form sends a
// mail that proves the address.
func (h *Handler) Overview(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccount,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawOverview(w, r, v, templates.Problem{})
		},
		Take: h.askVerify,
	})
}

func (h *Handler) drawOverview(w http.ResponseWriter, r *http.Request, v *room.Visitor, problem templates.Problem) error {
	pending, err := h.pending(r.Context(), v.User.ID, confirm.ChangeEmail)
	if err != nil {
		return err
	}
	page := templates.Overview{
		Desk: room.Desk(r, protocol.PathAccount), Form: h.form(w, r, v, protocol.PathAccount), Account: account(v.User),
		Email: v.User.Email, Verified: v.User.EmailVerified, Problem: problem,
	}
	if pending != nil {
		page.Pending = pending.Email
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// pending returns the open confirmation of the person, or nil.
func (h *Handler) pending(ctx context.Context, userID string, p confirm.Purpose) (*confirm.Confirmation, error) {
	c, err := h.Confirmations.Of(ctx, userID, p)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return c, err
}

// askVerify sends a mail that proves the address of the account.
func (h *Handler) askVerify(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	if form["decision"] != "verify" {
		return h.drawOverview(w, r, v, templates.NoDecision)
	}
	if v.User.Email == "" || v.User.EmailVerified {
		return h.Kit.SeeOther(w, r, protocol.PathAccount) // from another tab
	}
	ctx := r.Context()
	if err := h.mayWrite(ctx, v.User.Email); err != nil {
		return err
	}
	err := h.Tx.InTx(ctx, func(ctx context.Context) error {
		asked, err := h.Confirmations.Ask(ctx, confirm.Ask{
			Purpose: confirm.VerifyEmail, UserID: v.User.ID, Email: v.User.Email, For: proofLife, Code: true,
		})
		if err != nil {
			return err
		}
		return h.Letters.Queue(ctx, writeTo(r, v.User, v.User.Email), templates.Letter{
			Key: "email_verify", Name: v.User.Name, URL: h.linkTo("verify", asked.Link), Code: asked.Code,
		})
	})
	if err != nil {
		return err
	}
	return h.done(w, r, protocol.PathAccountEmail, "verify")
}
