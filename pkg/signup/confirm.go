package signup

import (
	"net/http"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Confirm serves the proof of the address: the code in the browser that asked
// for it, or the link of the mail in any.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if query.Has("link") {
			return h.showLink(w, r, query["link"])
		}
		return h.showCode(w, r)
	case http.MethodPost:
		return h.prove(w, r)
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

func (h *Handler) showCode(w http.ResponseWriter, r *http.Request) error {
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Flow.Confirmation == "" {
		return h.Next.Next(w, r, v.Flow)
	}
	c, err := h.Proofs.Waiting(r.Context(), confirm.SignUp, v.Flow.Confirmation)
	if err != nil {
		return h.over(w, r, v, err)
	}
	return h.drawCode(w, r, http.StatusOK, v, c, templates.SignupCode{})
}

func (h *Handler) drawCode(w http.ResponseWriter, r *http.Request, status int, v *visit.Visit, c *confirm.Confirmation, page templates.SignupCode) error {
	page.Form = h.confirmForm(w, r, v)
	page.Client, page.Email = v.Application(), c.Email
	page.Other, page.Done = at(protocol.PathSignup, v.Flow.ID), at(protocol.PathLogin, v.Flow.ID)
	return h.Kit.Render(w, r, status, page)
}

func (h *Handler) confirmForm(w http.ResponseWriter, r *http.Request, v *visit.Visit) templates.Form {
	return templates.Form{
		Action: at(protocol.PathSignupConfirm, v.Flow.ID),
		Token:  h.Kit.FormToken("register-confirm", h.Kit.Cookies.Browser(w, r), v.Flow.ID),
	}
}

// prove takes whichever form was sent.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	if link, sent := form["link"]; sent {
		return h.proveByLink(w, r, form, link)
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "register-confirm", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	if v.Flow.Confirmation == "" {
		return h.Next.Next(w, r, v.Flow)
	}
	c, err := h.Proofs.Waiting(r.Context(), confirm.SignUp, v.Flow.Confirmation)
	if err != nil {
		return h.over(w, r, v, err)
	}
	switch _, proven := form["proven"]; {
	case form["decision"] == "again":
		return h.sendAgain(w, r, v, c)
	case proven:
		return h.rename(w, r, v, c, form)
	}
	return h.proveByCode(w, r, v, c, form["code"])
}

// proveByCode counts the try for the mailbox, whoever asks and whether the
// address was free, and gives it back when the code was right.
func (h *Handler) proveByCode(w http.ResponseWriter, r *http.Request, v *visit.Visit, c *confirm.Confirmation, code string) error {
	ctx, page := r.Context(), templates.SignupCode{}
	if code == "" {
		page.Problem = templates.CodeMissing
		return h.drawCode(w, r, http.StatusOK, v, c, page)
	}
	wait := even(ctx)
	key := limit.MailboxKey(h.Fingerprint, c.Email)
	if err := h.Gate.Take(ctx, h.Rules.Code, key, "ASVS 6.6.3 wrong codes of one mailbox"); fault.Is(err, fault.Limited) {
		h.Kit.Refused(r, err)
		retryAfter(w, err)
		page.Problem = templates.TooMany(fault.As(err).RetryAfter)
		return h.drawCode(w, r, http.StatusTooManyRequests, v, c, page)
	} else if err != nil {
		return err
	}
	found, err := h.Proofs.ByCode(ctx, confirm.SignUp, c.ID, code)
	switch {
	case fault.Is(err, fault.Unauthenticated):
		h.refused(r, v, err)
		page.Problem = templates.SignupCodeWrong
		if err := wait(); err != nil {
			return err
		}
		return h.drawCode(w, r, http.StatusOK, v, c, page) // as a wrong password: the form once more
	case fault.Is(err, fault.Gone):
		if err := wait(); err != nil {
			return err
		}
		return h.over(w, r, v, err)
	case err != nil:
		return err
	}
	if err := h.Gate.Give(ctx, h.Rules.Code, key); err != nil {
		trail.Set(ctx, "limit_give", "failed") // then it is only stricter
	}
	return h.finish(w, r, v, found, templates.SignupName{Proven: h.provenToken(r, v, found)}, "")
}

// provenToken shows that this browser entered the right code: it need not do
// so again to choose another username.
func (h *Handler) provenToken(r *http.Request, v *visit.Visit, c *confirm.Confirmation) string {
	return h.Kit.FormToken("register-proven", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID, c.ID)
}

// rename takes another username after a right code.
func (h *Handler) rename(w http.ResponseWriter, r *http.Request, v *visit.Visit, c *confirm.Confirmation, form web.Fields) error {
	if err := h.Kit.CheckFormToken(form["proven"], "register-proven", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID, c.ID); err != nil {
		return err
	}
	return h.finish(w, r, v, c, templates.SignupName{Proven: form["proven"]}, form["username"])
}

// sendAgain sends another mail in the place of the first.
func (h *Handler) sendAgain(w http.ResponseWriter, r *http.Request, v *visit.Visit, c *confirm.Confirmation) error {
	ctx := r.Context()
	wait := even(ctx)
	if err := h.Gate.Take(ctx, h.Rules.MailAddress, limit.Remote(ctx), clauseMails); fault.Is(err, fault.Limited) {
		h.Kit.Refused(r, err)
		retryAfter(w, err)
		return h.drawCode(w, r, http.StatusTooManyRequests, v, c, templates.SignupCode{Problem: templates.TooMany(fault.As(err).RetryAfter)})
	} else if err != nil {
		return err
	}
	var p payload
	if err := h.Proofs.Payload(c, &p); err != nil {
		return h.over(w, r, v, err)
	}
	send, err := h.maySend(ctx, c.Email)
	if err != nil {
		return err
	}
	if send { // else the mail that is there goes on counting
		id, err := h.letter(r, c.Email, p, true, c.ID)
		if err != nil {
			return err
		}
		if err := h.keep(ctx, v, id); err != nil {
			return err
		}
	}
	if err := wait(); err != nil {
		return err
	}
	return h.drawCode(w, r, http.StatusOK, v, c, templates.SignupCode{Sent: true})
}

// refused keeps why a link or code was not taken.
func (h *Handler) refused(r *http.Request, v *visit.Visit, err error) {
	h.Kit.Refused(r, err)
	e := audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(confirm.SignUp), "code": fault.CodeOf(err)}}
	if v != nil {
		e.ClientID = v.Flow.Request.ClientID
	}
	if f := fault.As(err); len(f.Compared) > 0 {
		e.Data["reason"] = f.Compared[0].Got
	}
	h.Audit.Record(r.Context(), e)
}

// over answers who comes with a link or code that does not work, and shows
// the way on. Other errors are given back.
func (h *Handler) over(w http.ResponseWriter, r *http.Request, v *visit.Visit, err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	h.refused(r, v, err)
	return h.drawOver(w, r, v, http.StatusGone, templates.SignupOver{})
}

// known tells somebody who has proven an address that it has an account: made
// after the form was sent, by another of their proofs or by an operator.
func (h *Handler) known(w http.ResponseWriter, r *http.Request, v *visit.Visit, err error) error {
	h.refused(r, v, err)
	return h.drawOver(w, r, v, http.StatusConflict, templates.SignupOver{Known: true})
}

func (h *Handler) invitationOver(w http.ResponseWriter, r *http.Request, v *visit.Visit, err error) error {
	h.refused(r, v, err)
	return h.drawOver(w, r, v, http.StatusGone, templates.SignupOver{Invitation: true})
}

func (h *Handler) drawOver(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, page templates.SignupOver) error {
	page.Login, page.Again = protocol.PathAccount, protocol.PathSignup
	if v != nil {
		page.Client = v.Application()
		page.Login, page.Again = at(protocol.PathLogin, v.Flow.ID), at(protocol.PathSignup, v.Flow.ID)
	}
	if page.Known || page.Invitation || h.allowed(v != nil && v.Flow.Invitation != "") != nil {
		page.Again = ""
	}
	return h.Kit.Render(w, r, status, page)
}
