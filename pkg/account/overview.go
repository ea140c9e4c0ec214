package account

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Overview serves /account: who is there, and where to go. Its form sends a
// mail that proves the address.
func (h *Handler) Overview(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room{
		path: protocol.PathAccount,
		show: func(w http.ResponseWriter, r *http.Request, v *visitor) error {
			return h.drawOverview(w, r, v, templates.Problem{})
		},
		take: h.askVerify,
	})
}

func (h *Handler) drawOverview(w http.ResponseWriter, r *http.Request, v *visitor, problem templates.Problem) error {
	pending, err := h.pending(r.Context(), v.user.ID, confirm.ChangeEmail)
	if err != nil {
		return err
	}
	page := templates.Overview{
		Desk: desk(r, protocol.PathAccount), Form: h.form(w, r, v, protocol.PathAccount), Account: account(v.user),
		Email: v.user.Email, Verified: v.user.EmailVerified, Problem: problem,
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
func (h *Handler) askVerify(w http.ResponseWriter, r *http.Request, v *visitor, form web.Fields) error {
	if form["decision"] != "verify" {
		return h.drawOverview(w, r, v, templates.NoDecision)
	}
	if v.user.Email == "" || v.user.EmailVerified {
		return h.Kit.SeeOther(w, r, protocol.PathAccount) // from another tab
	}
	ctx := r.Context()
	if err := h.mayWrite(ctx, v.user.Email); err != nil {
		return err
	}
	err := h.Tx.InTx(ctx, func(ctx context.Context) error {
		asked, err := h.Confirmations.Ask(ctx, confirm.Ask{
			Purpose: confirm.VerifyEmail, UserID: v.user.ID, Email: v.user.Email, For: proofLife, Code: true,
		})
		if err != nil {
			return err
		}
		return h.Letters.Queue(ctx, writeTo(r, v.user, v.user.Email), templates.Letter{
			Key: "email_verify", Name: v.user.Name, URL: h.linkTo("verify", asked.Link), Code: asked.Code,
		})
	})
	if err != nil {
		return err
	}
	return h.done(w, r, protocol.PathAccountEmail, "verify")
}
