package account

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// proofLife is how long the link and the code of a mail work.
const proofLife = time.Hour

// Email serves the address: it asks for another one, which takes effect once
// it is proven, and takes the code that proves one.
func (h *Handler) Email(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccountEmail, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawEmail(w, r, v, templates.EmailPage{})
		},
		Take: func(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
			switch form["decision"] {
			case "change":
				return h.askChange(w, r, v, strings.TrimSpace(form["email"]))
			case "confirm":
				return h.takeCode(w, r, v, form["code"])
			case "drop":
				return h.drop(w, r, v)
			}
			return h.drawEmail(w, r, v, templates.EmailPage{Problem: templates.NoDecision})
		},
	})
}

// waiting returns the proof that the person is asked for: of a new address,
// or else of the one they have.
func (h *Handler) waiting(ctx context.Context, u *user.User) (*confirm.Confirmation, error) {
	for _, p := range []confirm.Purpose{confirm.ChangeEmail, confirm.VerifyEmail} {
		if c, err := h.pending(ctx, u.ID, p); err != nil || c != nil {
			return c, err
		}
	}
	return nil, nil
}

func (h *Handler) drawEmail(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.EmailPage) error {
	pending, err := h.waiting(r.Context(), v.User)
	if err != nil {
		return err
	}
	if pending != nil {
		page.Pending = pending.Email
	}
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountEmail), h.form(w, r, v, protocol.PathAccountEmail)
	page.Email, page.Verified = v.User.Email, v.User.EmailVerified
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// askChange sends a mail to the new address and a notice to the old one. When
// the new address is somebody else's, its owner is told instead, and nobody
// can tell the difference from here (ASVS 6.3.8).
func (h *Handler) askChange(w http.ResponseWriter, r *http.Request, v *room.Visitor, email string) error {
	switch {
	case email == "":
		return h.drawEmail(w, r, v, templates.EmailPage{NewProblem: templates.EmailMissing})
	case !user.ValidEmail(email) || user.Invisible(email):
		return h.drawEmail(w, r, v, templates.EmailPage{New: email, NewProblem: templates.EmailMalformed})
	case user.Normalise(email) == user.Normalise(v.User.Email):
		return h.drawEmail(w, r, v, templates.EmailPage{New: email, NewProblem: templates.EmailSame})
	}
	ctx := r.Context()
	if err := h.mayWrite(ctx, email); err != nil {
		return err
	}
	owner, err := h.Users.ByIdentifier(ctx, email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	err = h.Tx.InTx(ctx, func(ctx context.Context) error {
		// Also for an address that is taken: what comes after looks the same.
		// Its link goes nowhere then.
		asked, err := h.Confirmations.Ask(ctx, confirm.Ask{
			Purpose: confirm.ChangeEmail, UserID: v.User.ID, Email: email, For: proofLife, Code: true,
		})
		if err != nil {
			return err
		}
		if err := h.tell(ctx, r, v.User, v.User.Email, templates.Letter{Key: "email_change_asked", URL: h.Kit.URL(protocol.PathAccountEmail)}); err != nil {
			return err
		}
		if owner != nil {
			return h.Letters.Queue(ctx, writeTo(nil, owner, owner.Email), templates.Letter{Key: "email_taken", Name: owner.Name})
		}
		return h.Letters.Queue(ctx, writeTo(r, v.User, email), templates.Letter{
			Key: "email_change", Name: v.User.Name, URL: h.linkTo("change", asked.Link), Code: asked.Code,
		})
	})
	if err != nil {
		return err
	}
	h.record(r, v, audit.Event{Name: audit.EmailChangeAsked})
	return h.done(w, r, protocol.PathAccountEmail, "email")
}

// mayWrite bounds the mails that an address causes and that one gets.
func (h *Handler) mayWrite(ctx context.Context, to string) error {
	if err := h.Gate.Take(ctx, h.Rules.MailAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 mails per address"); err != nil {
		return err
	}
	return h.Gate.Take(ctx, h.Rules.MailRecipient, limit.MailboxKey(h.Fingerprint, to), "OWASP ASVS 2.4.1 mails to one recipient")
}

// linkTo is the address behind a link of a mail, from the configured issuer.
func (h *Handler) linkTo(what, link string) string {
	return h.Kit.URL(protocol.PathAccountEmailConfirm + "?" + what + "=" + link)
}

// drop ends what was asked for.
func (h *Handler) drop(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	if err := h.Confirmations.End(r.Context(), v.User.ID, "withdrawn", confirm.ChangeEmail, confirm.VerifyEmail); err != nil {
		return err
	}
	return h.done(w, r, protocol.PathAccountEmail, "dropped")
}

// takeCode takes the code of the mail. Wrong ones count for the account, over
// all mails, besides those that each confirmation bears.
func (h *Handler) takeCode(w http.ResponseWriter, r *http.Request, v *room.Visitor, code string) error {
	ctx := r.Context()
	pending, err := h.waiting(ctx, v.User)
	if err != nil {
		return err
	}
	if pending == nil {
		return h.drawEmail(w, r, v, templates.EmailPage{Problem: templates.LinkOver})
	}
	rule, key := h.Rules.Code, "user:"+v.User.ID
	if err := h.Gate.Take(ctx, rule, key, "OWASP ASVS 6.6.3 codes per account"); err != nil {
		return err
	}
	c, err := h.Confirmations.ByCode(ctx, pending.Purpose, pending.ID, code)
	if err == nil {
		h.giveBack(ctx, rule, key)
		err = h.prove(r, c)
	}
	switch {
	case err == nil:
		return h.done(w, r, protocol.PathAccount, map[bool]string{true: "changed", false: "verified"}[c.Purpose == confirm.ChangeEmail])
	case fault.Is(err, fault.Unauthenticated):
		h.Kit.Refused(r, err)
		h.record(r, v, audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(pending.Purpose)}})
		return h.drawEmail(w, r, v, templates.EmailPage{CodeProblem: templates.CodeWrong})
	case fault.Is(err, fault.Gone):
		h.Kit.Refused(r, err)
		return h.drawEmail(w, r, v, templates.EmailPage{Problem: templates.LinkOver})
	}
	return err
}
