package signup

import (
	"net/http"
	"strings"

	"github.com/portico-id/portico/pkg/login"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// showLink asks whoever followed the link to press a button. Looking changes
// nothing: programs follow the links of mails as well.
func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, links []string) error {
	link := ""
	if len(links) == 1 {
		link = links[0]
	}
	c, p, err := h.byLink(r, link)
	if err != nil {
		return h.over(w, r, nil, err)
	}
	v, err := h.own(r, p)
	if err != nil {
		return err
	}
	page := templates.SignupLink{Form: h.linkForm(w, r, link), Link: link, Email: c.Email, Elsewhere: v == nil}
	if v != nil {
		page.Client = v.Application()
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) linkForm(w http.ResponseWriter, r *http.Request, link string) templates.Form {
	return templates.Form{
		Action: protocol.PathSignupConfirm,
		Token:  h.Kit.FormToken("register-link", h.Kit.Cookies.Browser(w, r), link),
	}
}

func (h *Handler) byLink(r *http.Request, link string) (*confirm.Confirmation, payload, error) {
	var p payload
	c, err := h.Proofs.ByLink(r.Context(), confirm.SignUp, link)
	if err == nil {
		err = h.Proofs.Payload(c, &p)
	}
	return c, p, err
}

// own returns the flow that asked for the proof, if it is of this browser and
// still open; else nil.
func (h *Handler) own(r *http.Request, p payload) (*visit.Visit, error) {
	f, err := h.Opener.Flows.Load(r.Context(), p.Flow, h.Kit.Cookies.KnownBrowser(r))
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Denied), fault.Is(err, fault.Gone):
		return nil, nil
	case err != nil:
		return nil, err
	}
	web.Prefer(r, f.Request.UILocales...)
	return h.Opener.Of(r, f)
}

// proveByLink takes the button behind a link. In the browser that asked the
// person is signed in and the flow goes on. In another one nobody is: a
// stranger's link must not sign people in to the stranger's account.
func (h *Handler) proveByLink(w http.ResponseWriter, r *http.Request, form web.Fields, link string) error {
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "register-link", h.Kit.Cookies.KnownBrowser(r), link); err != nil {
		return err
	}
	c, p, err := h.byLink(r, link)
	if err != nil {
		return h.over(w, r, nil, err)
	}
	v, err := h.own(r, p)
	if err != nil {
		return err
	}
	return h.finish(w, r, v, c, templates.SignupName{Link: link}, form["username"])
}

// finish makes the account of a proven address. again is the page that asks
// for another username, should it be needed; username is what it sent, or
// empty. v is nil in another browser than the one that asked.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, v *visit.Visit, c *confirm.Confirmation, again templates.SignupName, username string) error {
	ctx := r.Context()
	var p payload
	if err := h.Proofs.Payload(c, &p); err != nil {
		return h.over(w, r, v, err)
	}
	if p.Decoy {
		return h.known(w, r, v, fault.New(fault.Conflict, codeAddressTaken, "There is an account with this address.").
			Under("signup an address has one account"))
	}
	if username = strings.TrimSpace(username); username != "" && p.Username != "" {
		// Each try tells whether a username is free.
		if err := h.Gate.Take(ctx, h.Rules.SignupAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 sign-ups per address"); err != nil {
			return err
		}
		if again.Problem = usernameProblem(username); again.Problem.Is() {
			return h.drawName(w, r, v, again, username)
		}
		p.Username = username
	}
	u, err := h.create(ctx, flowOf(v), c.Email, p, c, true)
	switch {
	case fault.CodeOf(err) == codeAddressTaken:
		return h.known(w, r, v, err)
	case fault.CodeOf(err) == codeUsernameTaken:
		again.Problem = templates.UsernameTaken
		return h.drawName(w, r, v, again, p.Username)
	case fault.CodeOf(err) == codeInvitationOver:
		return h.invitationOver(w, r, v, err)
	case err != nil:
		return h.over(w, r, v, err)
	}
	return h.welcome(w, r, v, u)
}

func flowOf(v *visit.Visit) *flow.Flow {
	if v == nil {
		return nil
	}
	return v.Flow
}

// welcome goes on where the form was sent, or says that it may.
func (h *Handler) welcome(w http.ResponseWriter, r *http.Request, v *visit.Visit, u *user.User) error {
	if v == nil {
		return h.Kit.Render(w, r, http.StatusOK, templates.SignupDone{Email: u.Email, Login: protocol.PathAccount})
	}
	v.Flow.Confirmation = ""
	return h.Greeter.Welcome(w, r, v.Flow, u, login.Proof{AMR: []string{protocol.AMRPassword}})
}

func (h *Handler) drawName(w http.ResponseWriter, r *http.Request, v *visit.Visit, page templates.SignupName, username string) error {
	page.Username = username
	if page.Link != "" {
		page.Form = h.linkForm(w, r, page.Link)
	} else {
		page.Form = h.confirmForm(w, r, v)
	}
	if v != nil {
		page.Client = v.Application()
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}
