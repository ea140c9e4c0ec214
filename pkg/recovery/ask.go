package recovery

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// evenTime is how long taking a form lasts at least: writing a letter takes
// longer than finding that there is nobody to write to, and nobody may tell.
const evenTime = 400 * time.Millisecond

// Why no letter leaves: for the operator alone. The person always reads the
// same.
const (
	reasonUnknown  = "no such person"
	reasonDisabled = "person is disabled"
	reasonNoEmail  = "person has no email address"
	reasonLimited  = "too many mails to this mailbox"
)

// Recover serves the form that asks who forgot their password.
func (h *Handler) Recover(w http.ResponseWriter, r *http.Request) error {
	if err := h.allowed(); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		v, err := h.visit(r)
		if err != nil {
			return err
		}
		p := placeOf(v)
		return h.drawAsk(w, r, p, p.hint, templates.Problem{})
	case http.MethodPost:
		return h.ask(w, r)
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

func (h *Handler) drawAsk(w http.ResponseWriter, r *http.Request, p place, typed string, problem templates.Problem) error {
	return h.Kit.Render(w, r, http.StatusOK, templates.Recover{
		Form:   templates.Form{Action: p.again, Token: h.Kit.FormToken("recover", h.Kit.Cookies.Browser(w, r), p.flow)},
		Client: p.client, Username: typed, Problem: problem, Login: p.login,
	})
}

// ask takes the form. Whoever it names, the answer has the same words and
// takes the same time (ASVS 6.3.8).
func (h *Handler) ask(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.visit(r)
	if err != nil {
		return err
	}
	p := placeOf(v)
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "recover", h.Kit.Cookies.KnownBrowser(r), p.flow); err != nil {
		return err
	}
	typed := strings.TrimSpace(form["username"])
	if problem := readable(typed); problem.Is() {
		return h.drawAsk(w, r, p, typed, problem)
	}
	ctx := r.Context()
	if err := h.brake(ctx); err != nil {
		return err
	}
	even := time.NewTimer(evenTime)
	defer even.Stop()
	if err := h.answer(r, typed, p.flow); err != nil {
		return err
	}
	select {
	case <-even.C:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.RecoverSent{
		Client: p.client, Minutes: minutes, Again: p.again, Login: p.login,
	})
}

// readable says what is wrong with an identifier as it was typed, whoever has
// it.
func readable(typed string) templates.Problem {
	switch {
	case typed == "":
		return templates.IdentifierMissing
	case len(typed) > maxIdentifier || strings.ContainsFunc(typed, unicode.IsControl):
		return templates.Unreadable
	}
	return templates.Problem{}
}

// brake bounds how many forms one address sends, and how many mails it causes.
// A mail counts whether it leaves or not.
func (h *Handler) brake(ctx context.Context) error {
	if err := h.Gate.Take(ctx, h.Rules.RecoveryAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 recoveries per address"); err != nil {
		return err
	}
	return h.Gate.Take(ctx, h.Rules.MailAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 mails per address")
}

// answer sends the letter, or does as much without. An error is the same for
// everybody: a store is down.
func (h *Handler) answer(r *http.Request, typed, flowID string) error {
	ctx := r.Context()
	u, err := h.Users.ByIdentifier(ctx, typed)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	why, err := h.unsent(ctx, u, typed)
	if err != nil {
		return err
	}
	if err := h.send(r, u, flowID, why); err != nil {
		return err
	}
	event := audit.Event{Name: audit.PasswordResetAsked}
	if u != nil {
		event.UserID = u.ID
	}
	if why != "" {
		event.Data = map[string]string{"reason": why}
		h.Kit.Refused(r, fault.New(fault.Denied, "recovery_unsent", "No mail was sent.").
			Under("OWASP ASVS 6.3.8 the person exists, is not disabled, has a mailbox, and gets few mails").Compare("recovery", "sent", why))
	}
	h.Audit.Record(ctx, event)
	return nil
}

// unsent returns why the person gets no letter, or "". Mails are counted for
// the mailbox they would go to, or for the name that nobody has.
func (h *Handler) unsent(ctx context.Context, u *user.User, typed string) (why string, err error) {
	mailbox := typed
	switch {
	case u == nil:
		why = reasonUnknown
	case u.Disabled:
		why = reasonDisabled
	case u.Email == "":
		why = reasonNoEmail
	}
	if u != nil && u.Email != "" {
		mailbox = u.Email
	}
	err = h.Gate.Take(ctx, h.Rules.MailRecipient, limit.MailboxKey(h.Fingerprint, mailbox), "OWASP ASVS 2.4.1 mails per recipient")
	if fault.Is(err, fault.Limited) {
		return reasonLimited, nil
	}
	return why, err
}

// purse is what belongs to a link.
type purse struct {
	Flow string // where the person came from; "": nowhere
}

// errUnsent takes back what was only done to take the time.
var errUnsent = errors.New("recovery: nobody to write to")

// nobody is an id that no person has.
const nobody = "nobody"

// send makes the link and queues the letter, in one transaction. The link goes
// to the address of the account, however its name was typed, and leads to the
// configured issuer: nothing of the request has a say. When there is a reason
// why not, the link is made and taken back.
func (h *Handler) send(r *http.Request, u *user.User, flowID, why string) error {
	ask := confirm.Ask{Purpose: confirm.ResetPassword, UserID: nobody, For: linkLife, Payload: purse{flowID}}
	if why == "" {
		ask.UserID, ask.Email = u.ID, u.Email
	}
	err := h.Tx.InTx(r.Context(), func(ctx context.Context) error {
		asked, err := h.Confirm.Ask(ctx, ask)
		if err != nil {
			return err
		}
		if why != "" {
			return errUnsent
		}
		return h.Letters.Queue(ctx, notice.Owner(u, web.Lang(r).Tag()), templates.Letter{
			Key: "reset", URL: h.Kit.URL(protocol.PathRecoverReset + "?link=" + asked.Link),
			Values: map[string]string{"Minutes": strconv.Itoa(minutes)}, Facts: notice.Circumstances(ctx),
		})
	})
	if errors.Is(err, errUnsent) {
		return nil
	}
	return err
}
