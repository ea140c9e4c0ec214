package account

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Password serves the form of a new password. Who proved lately who they are
// need not tell the old one; who has none must have done so.
func (h *Handler) Password(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccountPassword,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			has, err := h.Passwords.Has(r.Context(), v.User.ID)
			if err != nil {
				return err
			}
			if !has && !v.Fresh() {
				return h.again(w, r, protocol.PathAccountPassword)
			}
			return h.drawPassword(w, r, v, templates.ChangePassword{First: !has})
		},
		Take: h.takePassword,
	})
}

func (h *Handler) drawPassword(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.ChangePassword) error {
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountPassword), h.form(w, r, v, protocol.PathAccountPassword)
	page.Username, page.Current = account(v.User).Login, !page.First && !v.Fresh()
	page.Password.Least, page.Password.Kinds, page.Password.Another = h.Passwords.MinLength(), h.Passwords.Required(), !page.First
	page.Password.Focus = !page.Current && !page.Failed()
	return h.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) takePassword(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	ctx := r.Context()
	has, err := h.Passwords.Has(ctx, v.User.ID)
	if err != nil {
		return err
	}
	if !has && !v.Fresh() {
		return h.again(w, r, protocol.PathAccountPassword)
	}
	page := templates.ChangePassword{First: !has}
	proved := has && !v.Fresh()
	if proved {
		if page.CurrentProblem, err = h.current(r, v, form["current"]); err != nil {
			return err
		} else if page.CurrentProblem.Is() {
			return h.drawPassword(w, r, v, page)
		}
	}
	err = h.Passwords.ChangeWith(ctx, v.User.ID, form["password"], v.Session.ID, func(ctx context.Context) error {
		return h.tell(ctx, r, v.User, v.User.Email, templates.Letter{Key: "password_changed", URL: h.Kit.URL(protocol.PathAccountPassword)})
	})
	problem, err := templates.PasswordProblem(err, h.Passwords.MinLength())
	if err != nil {
		return err
	} else if problem.Is() {
		page.Password.Problem = problem
		return h.drawPassword(w, r, v, page)
	}
	if err := h.turn(ctx, w, v, proved); err != nil {
		return err
	}
	return h.done(w, r, protocol.PathAccountPassword, "password")
}

// current checks the old password. Each try is counted before the password is
// looked at and given back when it was right. The counter is that of the
// account's own pages: strangers who fail to sign in do not use it up, and a
// stolen session has no more tries than they have.
func (h *Handler) current(r *http.Request, v *room.Visitor, plain string) (templates.Problem, error) {
	if plain == "" {
		return templates.CurrentMissing, nil
	}
	ctx, rule, key := r.Context(), h.Rules.LoginAccount, "account:"+v.User.ID
	if err := h.Gate.Take(ctx, rule, key, "OWASP ASVS 6.3.1 failures per account"); err != nil {
		return templates.Problem{}, err
	}
	right, err := h.Passwords.Verify(ctx, v.User.ID, plain)
	if err != nil || right {
		h.giveBack(ctx, rule, key)
		return templates.Problem{}, err
	}
	h.record(r, v, audit.Event{Name: audit.PasswordFailed})
	h.Kit.Refused(r, fault.New(fault.Unauthenticated, "password_wrong", "This is not the present password.").
		Under("OWASP ASVS 6.2.3 a change needs the old password or a fresh sign-in").Compare("current", "the present password", "another"))
	return templates.CurrentWrong, nil
}

// turn gives this browser a new cookie: the old one opens nothing any more,
// should anybody have it (ASVS 7.2.4). To tell the old password is to prove
// who one is, but for people who signed in with more than a password; to
// choose a new one is not.
func (h *Handler) turn(ctx context.Context, w http.ResponseWriter, v *room.Visitor, proved bool) error {
	s := v.Session
	turn := func() (string, error) { return h.Sessions.Rotate(ctx, s) }
	if proved && !assurance.Reaches(s.ACR, assurance.TwoFactors) {
		turn = func() (string, error) { return h.Sessions.Renew(ctx, s, s.ACR, s.AMR) }
	}
	token, err := turn()
	if err != nil {
		return err
	}
	h.Kit.Cookies.SetSession(w, token, s.CookieLife(clock.Now()))
	return nil
}
