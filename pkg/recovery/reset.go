package recovery

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Reset serves the page behind the link of the mail. GET changes nothing: mail
// programs look at links before people do. POST takes the new password.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if r.URL.Query().Has("link") {
			return h.follow(w, r)
		}
		return h.show(w, r)
	case http.MethodPost:
		return h.reset(w, r)
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

// follow moves an open link from the address of the page into a cookie: no
// history, log or Referer shall keep what opens the account.
func (h *Handler) follow(w http.ResponseWriter, r *http.Request) error {
	link := ""
	if links := r.URL.Query()["link"]; len(links) == 1 {
		link = links[0]
	}
	found, err := h.open(r.Context(), link)
	if err != nil {
		return h.refuse(w, r, err)
	}
	h.Kit.Cookies.SetLink(w, link, clock.Until(found.proof.ExpiresAt))
	return h.Kit.SeeOther(w, r, protocol.PathRecoverReset)
}

// show draws the form for the link that the browser keeps.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	link := h.Kit.Cookies.Link(r)
	if link == "" {
		return h.drawOver(w, r)
	}
	found, err := h.open(r.Context(), link)
	if err != nil {
		h.forget(w, err)
		return h.refuse(w, r, err)
	}
	return h.drawReset(w, r, link, found.person, templates.Problem{})
}

// reset takes the form.
func (h *Handler) reset(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	link := h.Kit.Cookies.Link(r)
	if link == "" {
		return h.drawOver(w, r)
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "reset", h.Kit.Cookies.KnownBrowser(r), link); err != nil {
		return err
	}
	ctx := r.Context()
	if err := h.Gate.Take(ctx, h.Rules.RecoveryAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 recoveries per address"); err != nil {
		return err
	}
	found, err := h.open(ctx, link)
	if err == nil {
		err = h.change(r, found, form["password"])
	}
	if fault.Is(err, fault.Gone) {
		h.forget(w, err)
		return h.drawRefused(w, r, err)
	}
	problem, err := templates.PasswordProblem(err, h.Passwords.MinLength())
	if err != nil {
		return err
	} else if problem.Is() {
		return h.drawReset(w, r, link, found.person, problem)
	}
	h.Kit.Cookies.ClearLink(w)
	if err := h.Trust(w, r, found.person.ID); err != nil {
		trail.Set(ctx, "trust", "failed") // the password is changed: they only may have to wait
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.ResetDone{On: h.onward(r, found.proof)})
}

// found is an open link and whose account it opens.
type found struct {
	proof  *confirm.Confirmation
	person *user.User
}

// open returns the open link with its person. Whoever still reads a mailbox
// that the person has left is not to be trusted with the account.
func (h *Handler) open(ctx context.Context, link string) (found, error) {
	c, err := h.Confirm.ByLink(ctx, confirm.ResetPassword, link)
	if err != nil {
		return found{}, err
	}
	u, err := h.Users.Get(ctx, c.UserID)
	if fault.Is(err, fault.NotFound) {
		return found{}, confirm.Over("its person is gone").Because(err)
	} else if err != nil {
		return found{}, err
	}
	if err := stands(c, u); err != nil {
		return found{}, err
	}
	trail.Set(ctx, "user_id", u.ID)
	web.PreferAccount(ctx, u.Locale)
	return found{c, u}, nil
}

// stands refuses the link of a person who may not sign in, or has moved to
// another mailbox.
func stands(c *confirm.Confirmation, u *user.User) error {
	switch {
	case u.Disabled:
		return confirm.Over("its person is disabled")
	case user.Normalise(u.Email) != user.Normalise(c.Email):
		return confirm.Over("its person has another mailbox")
	}
	return nil
}

// ownProofs are the proofs that somebody in the account, or at its mailbox, can
// ask for. That of an administrator is not among them: who lost a password and
// every second factor needs both links.
var ownProofs = []confirm.Purpose{confirm.ResetPassword, confirm.ChangeEmail, confirm.VerifyEmail}

// change sets the new password. In one transaction the link is spent, every
// other proof that waits for the person ends (a change of address that a thief
// asked for must not outlive it), every session and token ends, the mailbox
// counts as proven, and its owner is told. A second factor stays what it is.
func (h *Handler) change(r *http.Request, f found, plain string) error {
	ctx, c, before := r.Context(), f.proof, f.person
	err := h.Passwords.ChangeWith(ctx, c.UserID, plain, "", func(ctx context.Context) error {
		_, err := h.Users.Change(ctx, c.UserID, func(ctx context.Context, u *user.User) error {
			if err := stands(c, u); err != nil {
				return err
			}
			u.EmailVerified = true
			if err := h.Confirm.Use(ctx, c); err != nil {
				return err
			}
			if err := h.Confirm.End(ctx, u.ID, confirm.Withdrawn, ownProofs...); err != nil {
				return err
			}
			err := h.Letters.Queue(ctx, notice.Owner(u, web.Lang(r).Tag()), templates.Letter{
				Key: "password_changed", URL: h.Kit.URL(protocol.PathAccount), Facts: notice.Circumstances(ctx),
			})
			if fault.CodeOf(err) == mail.CodeDisabled {
				return nil // since the link was sent: the person may recover all the same
			}
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	h.Audit.Record(ctx, audit.Event{Name: audit.PasswordReset, Actor: c.UserID, UserID: c.UserID})
	if !before.EmailVerified {
		h.Audit.Record(ctx, audit.Event{Name: audit.EmailVerified, Actor: c.UserID, UserID: c.UserID})
	}
	return nil
}

// onward returns where the person goes on: to the sign-in that they left, when
// it is still open in this browser, else to their account. Reading a mailbox
// signs nobody in.
func (h *Handler) onward(r *http.Request, c *confirm.Confirmation) string {
	var p purse
	if err := h.Confirm.Payload(c, &p); err != nil || p.Flow == "" {
		return protocol.PathAccount
	}
	if _, err := h.Opener.Flows.Load(r.Context(), p.Flow, h.Kit.Cookies.KnownBrowser(r)); err != nil {
		return protocol.PathAccount
	}
	return at(protocol.PathLogin, p.Flow)
}

func (h *Handler) drawReset(w http.ResponseWriter, r *http.Request, link string, u *user.User, problem templates.Problem) error {
	return h.Kit.Render(w, r, http.StatusOK, templates.Reset{
		Form: templates.Form{
			Action: protocol.PathRecoverReset,
			Token:  h.Kit.FormToken("reset", h.Kit.Cookies.Browser(w, r), link),
		},
		Login: u.Email,
		Password: templates.NewPassword{
			Least: h.Passwords.MinLength(), Kinds: h.Passwords.Required(), Another: true, Focus: true, Problem: problem,
		},
	})
}

// refuse counts a link that is over before it answers: guessing one is
// hopeless, and shall not be cheap either.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	if fault.Is(err, fault.Gone) {
		ctx := r.Context()
		if limited := h.Gate.Take(ctx, h.Rules.RecoveryAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 recoveries per address"); limited != nil {
			return limited
		}
	}
	return h.drawRefused(w, r, err)
}

// drawRefused answers for a link that is over, and passes every other error on.
func (h *Handler) drawRefused(w http.ResponseWriter, r *http.Request, err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	h.Kit.Refused(r, err)
	event := audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(confirm.ResetPassword)}}
	if why := fault.As(err).Compared; len(why) > 0 {
		event.Data["reason"] = why[0].Got
	}
	h.Audit.Record(r.Context(), event)
	return h.drawOver(w, r)
}

// forget takes a link from the browser that is over.
func (h *Handler) forget(w http.ResponseWriter, err error) {
	if fault.Is(err, fault.Gone) {
		h.Kit.Cookies.ClearLink(w)
	}
}

// drawOver says that the link does not work, whatever is wrong with it.
func (h *Handler) drawOver(w http.ResponseWriter, r *http.Request) error {
	return h.Kit.Render(w, r, http.StatusGone, templates.ResetOver{Again: protocol.PathRecover})
}
