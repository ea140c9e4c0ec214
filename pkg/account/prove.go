package account

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// purposes are what a link may prove, by the parameter that carries it.
var purposes = map[string]confirm.Purpose{"change": confirm.ChangeEmail, "verify": confirm.VerifyEmail}

// Confirm serves the page behind a link. It needs no sign-in, because mail is
// often read elsewhere; the link proves what it is for. Following it changes
// nothing, because mail programs do so too: a button does.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) error {
	web.Policy{Private: true}.Set(w.Header())
	what, link := linkOf(r)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return h.takeLink(w, r, what)
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	c, err := h.openLink(r.Context(), what, link)
	if err != nil {
		return h.lost(w, r, what, err)
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.Prove{
		Form: templates.Form{
			Action: protocol.PathAccountEmailConfirm + "?" + what + "=",
			Token:  h.Kit.FormToken("prove", h.Kit.Cookies.Browser(w, r), link),
		},
		Link: link, Email: c.Email, Change: c.Purpose == confirm.ChangeEmail,
	})
}

// openLink returns the open proof of a link. Its page speaks the language of
// the account.
func (h *Handler) openLink(ctx context.Context, what, link string) (*confirm.Confirmation, error) {
	c, err := h.Confirmations.ByLink(ctx, purposes[what], link)
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Get(ctx, c.UserID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	} else if err == nil {
		web.PreferAccount(ctx, u.Locale)
	}
	return c, nil
}

// linkOf returns the one link of the query and what it is for.
func linkOf(r *http.Request) (what, link string) {
	q := r.URL.Query()
	for name := range purposes {
		if values := q[name]; len(values) == 1 && len(q) == 1 {
			return name, values[0]
		}
	}
	return "", ""
}

func (h *Handler) takeLink(w http.ResponseWriter, r *http.Request, what string) error {
	if err := h.brake(r); err != nil {
		return err
	}
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	link := form["link"]
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "prove", h.Kit.Cookies.KnownBrowser(r), link); err != nil {
		return err
	}
	c, err := h.openLink(r.Context(), what, link)
	if err == nil {
		err = h.prove(r, c)
	}
	if err != nil {
		return h.lost(w, r, what, err)
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.Proven{Email: c.Email, Change: c.Purpose == confirm.ChangeEmail})
}

// lost notes a link that does not work, and says where to get another.
func (h *Handler) lost(w http.ResponseWriter, r *http.Request, what string, err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	h.Kit.Refused(r, err)
	h.Audit.Record(r.Context(), audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(purposes[what])}})
	return h.Kit.Render(w, r, http.StatusGone, templates.ProofOver{})
}

// prove spends a confirmation and does what it is for.
func (h *Handler) prove(r *http.Request, c *confirm.Confirmation) error {
	if c.Purpose == confirm.ChangeEmail {
		return h.changeEmail(r, c)
	}
	return h.verifyEmail(r, c)
}

// over is the answer when the account is not what it was when the mail left.
func over(why string) *fault.Error {
	return fault.New(fault.Gone, "link_over", "This link is over: it was used, replaced by a newer one, or is too old.").
		Under("OWASP ASVS 6.5.1 the account still waits for the proof").Compare("account", "the same as when the mail left", why)
}

// stands refuses people who may not sign in.
func stands(u *user.User) error {
	if u.Disabled || !u.DeleteAt.IsZero() && !u.DeleteAt.After(clock.Now()) {
		return over("disabled or on the way out")
	}
	return nil
}

// verifyEmail notes that the address of the account is proven.
func (h *Handler) verifyEmail(r *http.Request, c *confirm.Confirmation) error {
	_, err := h.Users.Change(r.Context(), c.UserID, func(ctx context.Context, u *user.User) error {
		if err := stands(u); err != nil {
			return err
		}
		if user.Normalise(u.Email) != user.Normalise(c.Email) {
			return over("another address")
		}
		u.EmailVerified = true
		return h.Confirmations.Use(ctx, c)
	})
	if err != nil {
		return gone(err)
	}
	h.Audit.Record(r.Context(), audit.Event{Name: audit.EmailVerified, Actor: c.UserID, UserID: c.UserID})
	return nil
}

// changeEmail gives the account its new address, tells the old one, and ends
// what was sent to it: a link of the old mailbox opens nothing any more. Those
// who are signed in stay so, because the address is not what they signed in
// with.
func (h *Handler) changeEmail(r *http.Request, c *confirm.Confirmation) error {
	_, err := h.Users.Change(r.Context(), c.UserID, func(ctx context.Context, u *user.User) error {
		if err := stands(u); err != nil {
			return err
		}
		old := *u
		u.Email, u.EmailVerified = c.Email, true
		if err := h.Confirmations.Use(ctx, c); err != nil {
			return err
		}
		if err := h.Confirmations.End(ctx, u.ID, "address changed", confirm.ResetPassword, confirm.VerifyEmail); err != nil {
			return err
		}
		return h.tell(ctx, r, &old, old.Email, templates.Letter{Key: "email_changed", URL: h.Kit.URL(protocol.PathAccount)})
	})
	if fault.Is(err, fault.Conflict) {
		return fault.Hide(err, fault.Conflict, "email_taken", "This address belongs to another account by now.").
			Under("account an address belongs to one person")
	} else if err != nil {
		return gone(err)
	}
	h.Audit.Record(r.Context(), audit.Event{Name: audit.EmailChanged, Actor: c.UserID, UserID: c.UserID})
	return nil
}

// gone turns a person who is not there any more into a link that is over.
func gone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return over("deleted").Because(err)
	}
	return err
}

// giveBack undoes the count of an attempt that was no failure, also when the
// person has gone meanwhile. If it fails, the count is only stricter.
func (h *Handler) giveBack(ctx context.Context, rule limit.Rule, key string) {
	ctx = context.WithoutCancel(ctx)
	if err := h.Gate.Give(ctx, rule, key); err != nil {
		trail.Set(ctx, "limit_give", "failed")
	}
}
