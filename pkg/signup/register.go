package signup

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/login"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Register serves the form of a new account. It may be visited at any time
// of an open flow; without one it begins one of Portico's own.
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	query := r.URL.Query()
	invited := query.Has("invitation") && r.Method != http.MethodPost
	if err := h.allowed(invited || query.Has("flow")); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodPost:
		return h.take(w, r)
	case invited:
		return h.arrive(w, r, query["invitation"])
	case !query.Has("flow"):
		return h.begin(w, r, "")
	}
	v, inv, err := h.open(r)
	switch {
	case fault.CodeOf(err) == codeInvitationOver && v != nil:
		return h.invitationOver(w, r, v, err)
	case err != nil:
		return err
	case v.Flow.Registered:
		return h.Next.Next(w, r, v.Flow) // back button: the form was sent
	}
	page := templates.Register{}
	if inv != nil {
		page.Name, page.Email = inv.Name, inv.Email
	}
	return h.draw(w, r, http.StatusOK, v, inv, page)
}

// begin starts a flow of Portico's own and leads to its form.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, invitation string) error {
	f := h.Opener.Flows.Begin(h.Kit.Cookies.Browser(w, r), flow.Request{Return: protocol.PathAccount})
	f.Invitation = invitation
	if err := h.Opener.Flows.Save(r.Context(), f); err != nil {
		return err
	}
	return h.Kit.SeeOther(w, r, at(protocol.PathSignup, f.ID))
}

// open returns the visit and the invitation that it came with; nil: none. The
// visit is returned too when the invitation is over.
func (h *Handler) open(r *http.Request) (*visit.Visit, *Invitation, error) {
	v, err := h.Opener.Open(r)
	if err != nil {
		return nil, nil, err
	}
	if v.Flow.Invitation == "" {
		return v, nil, h.allowed(false)
	}
	inv, err := readInvitation(r.Context(), h.Proofs, v.Flow.Invitation)
	if err != nil {
		return v, nil, err
	}
	return v, inv, h.allowed(true)
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, status int, v *visit.Visit, inv *Invitation, page templates.Register) error {
	page.Form = templates.Form{
		Action: at(protocol.PathSignup, v.Flow.ID),
		Token:  h.Kit.FormToken("register", h.Kit.Cookies.Browser(w, r), v.Flow.ID),
	}
	page.Client = v.Application()
	page.Invited, page.EmailFixed = inv != nil, inv != nil && inv.Email != ""
	page.AskUsername, page.UsernameNeeded = h.asksUsername(), h.Config.Username == Required
	page.Terms = h.Config.Terms
	page.PasswordMin, page.PasswordKinds = h.Passwords.MinLength(), h.Passwords.Required()
	page.Login = at(protocol.PathLogin, v.Flow.ID)
	return h.Kit.Render(w, r, status, page)
}

// take takes the form. Whether the address was free or taken, a valid form is
// answered with the same words and after the same time.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, inv, err := h.open(r)
	if err != nil && (v == nil || fault.CodeOf(err) != codeInvitationOver) {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "register", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	if err != nil {
		return h.invitationOver(w, r, v, err)
	}
	page, plain, err := h.read(r.Context(), form, inv)
	if err != nil {
		return err
	}
	if page.Failed() {
		return h.draw(w, r, http.StatusOK, v, inv, page)
	}
	err = h.accept(w, r, v, inv, page, plain)
	switch {
	case fault.Is(err, fault.Limited):
		page.Problem = templates.TooMany(fault.As(err).RetryAfter)
	case fault.Is(err, fault.Unavailable):
		page.Problem = templates.Busy
	case fault.CodeOf(err) == codeUsernameTaken:
		page.UsernameProblem = templates.UsernameTaken
		return h.draw(w, r, http.StatusOK, v, inv, page)
	case fault.CodeOf(err) == codeInvitationOver:
		return h.invitationOver(w, r, v, err)
	default:
		return err
	}
	h.Kit.Refused(r, err)
	retryAfter(w, err)
	return h.draw(w, r, web.StatusOf(err), v, inv, page)
}

// accept does what a form without mistakes asks for.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, v *visit.Visit, inv *Invitation, page templates.Register, plain string) error {
	ctx := r.Context()
	if err := h.Gate.Take(ctx, h.Rules.SignupAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 sign-ups per address"); err != nil {
		return err
	}
	wait := even(ctx)
	p := payload{
		Name: page.Name, Username: page.Username, Locale: web.Lang(r).Tag(), Flow: v.Flow.ID, Invitation: v.Flow.Invitation,
	}
	if h.asksTerms() {
		p.Terms, p.TermsAt = h.Config.TermsVersion, clock.Now()
	}
	proven := inv != nil && inv.Proves()
	if !proven && !h.Config.AtOnce {
		if err := h.Gate.Take(ctx, h.Rules.MailAddress, limit.Remote(ctx), clauseMails); err != nil {
			return err
		}
	}
	var err error
	if p.Hash, err = h.Passwords.Hash(ctx, plain); err != nil { // slow, and in every case
		return err
	}
	if !proven && !h.Config.AtOnce {
		if err := h.ask(r, v, page.Email, p); err != nil {
			return err
		}
		if err := wait(); err != nil {
			return err
		}
		return h.Kit.SeeOther(w, r, at(protocol.PathSignupConfirm, v.Flow.ID))
	}
	return h.atOnce(w, r, v, page.Email, p, proven, wait)
}

// atOnce makes the account without asking for a proof: an invitation by mail
// was one, or the operator wants none. In the second case the person signs in
// by themselves, so that the page is the same when the address was taken.
func (h *Handler) atOnce(w http.ResponseWriter, r *http.Request, v *visit.Visit, email string, p payload, proven bool, wait func() error) error {
	u, err := h.create(r.Context(), v.Flow, email, p, nil, proven)
	switch {
	case proven && fault.CodeOf(err) == codeAddressTaken:
		return h.known(w, r, v, err)
	case proven && err == nil:
		return h.Greeter.Welcome(w, r, v.Flow, u, login.Proof{AMR: []string{protocol.AMRPassword}})
	case err != nil && fault.CodeOf(err) != codeAddressTaken:
		return err
	}
	if err := wait(); err != nil {
		return err
	}
	v.Flow.Registered = true
	return h.Next.Next(w, r, v.Flow)
}

// at returns the path of a page of the flow. Flow ids need no escaping.
func at(path, flowID string) string { return path + "?flow=" + flowID }

// busyFor is how long a person waits at least when we cannot answer.
const busyFor = 2 * time.Second

// retryAfter says when to come back (RFC 9110 §10.2.3), in seconds rounded up.
func retryAfter(w http.ResponseWriter, err error) {
	wait := max(fault.As(err).RetryAfter, busyFor)
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}
