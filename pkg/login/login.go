// Package login leads a person through the steps that a request misses, and
// draws two of them: signing in with a password and choosing the account. It
// does not decide what is missing (assurance does) and answers no application
// (the flow.Finisher does).
package login

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// PathAccount is the page that chooses the account.
const PathAccount = protocol.PathLogin + "/account"

// maxForm bounds the body of a form, in bytes.
const maxForm = 16 << 10

// Passwords verifies passwords. password.Service is one.
type Passwords interface {
	Verify(ctx context.Context, userID, plain string) (bool, error)
	VerifyNobody(ctx context.Context, plain string) error
	// Has reports whether the person has a password.
	Has(ctx context.Context, userID string) (bool, error)
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit         *web.Kit
	Dispatcher  *Dispatcher
	Sessions    *session.Service
	Users       *user.Service
	Passwords   Passwords
	Gate        limit.Gate
	Rules       limit.Rules
	Spreads     limit.Spreads
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
	// Recover offers a link to who forgot their password.
	Recover bool
	// Browsers remembers browsers that need none. Nil: none is remembered.
	Browsers Browsers
	// Linker ties a sign-in elsewhere to the account whose owner proved it. Nil:
	// there are no providers.
	Linker Linker
	// Directories know people who have no password here. Nil: there are none.
	Directories Directories
	// Ways knows the providers with whose accounts people may sign in. Nil: none.
	Ways Ways
	// Passkeys offers the way in by a passkey.
	Passkeys bool
	// Suspected hears of attacks that are suspected, by audit event. Nil:
	// nobody does.
	Suspected func(event string)
}

// Handler serves /login and /login/account. It is safe for concurrent use.
type Handler struct {
	Deps
	brake brake
}

// New returns a handler.
func New(d Deps) *Handler {
	return &Handler{Deps: d, brake: newBrake(d)}
}

// Login serves the form that asks who is there. GET shows it when a login is
// what the flow misses; POST takes it.
func (h *Handler) Login(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.show(w, r)
	case http.MethodPost:
		return h.signIn(w, r)
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	v, err := h.Dispatcher.opener.Open(r)
	if err != nil {
		return err
	}
	if !loginIsNext(v) {
		return h.Dispatcher.proceed(w, r, v)
	}
	ways, err := h.ways(r.Context(), v)
	if err != nil {
		return err
	}
	way, found, err := h.straight(r.Context(), v, ways)
	if err != nil {
		return err
	}
	if found && r.Method == http.MethodGet {
		if led, err := h.lead(w, r, v, way); led || err != nil {
			return err
		}
	}
	entry := entry{username: prefill(v), ways: ways}
	switch {
	case v.Flow.FreshLogin && expectsOther(v):
		entry.problem = templates.OtherAccount // they signed in, and are somebody else
	case v.Flow.Elsewhere != nil:
		entry.problem = templates.Elsewhere(v.Flow.Elsewhere.Problem, v.Flow.Elsewhere.Name)
	case v.Flow.FactorFailed:
		entry.problem = templates.SecondFactorFailed
	}
	return h.draw(w, r, http.StatusOK, v, entry)
}

// entry is what the form shows of the attempt before.
type entry struct {
	username string
	remember bool
	problem  templates.Problem
	ways     []Way // nil: not looked for yet
}

// prefill returns who the person is expected to be: whom the application
// named, else who is signed in and has to prove it again.
func prefill(v *visit.Visit) string {
	switch {
	case v.Flow.Link != nil:
		return v.Flow.Link.Email
	case v.Flow.OtherAccount || v.Flow.FreshLogin || expectsOther(v):
		return ""
	case v.Flow.Request.LoginHint != "":
		return v.Flow.Request.LoginHint
	case v.User != nil:
		return loginOf(v.User)
	}
	return ""
}

// expectsOther reports whether the application asked for somebody else than
// who is signed in.
func expectsOther(v *visit.Visit) bool {
	return v.User != nil && v.Flow.Request.HintSubject != "" && v.Flow.Request.HintSubject != v.User.ID
}

// loginOf returns what the person would type.
func loginOf(u *user.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, status int, v *visit.Visit, e entry) error {
	id := v.Flow.ID
	if e.ways == nil {
		var err error
		if e.ways, err = h.ways(r.Context(), v); err != nil {
			return err
		}
	}
	page := templates.Login{
		Form:   templates.Form{Action: at(protocol.PathLogin, id), Token: h.token(w, r, "login", id)},
		Client: v.Application(), Username: e.username, Problem: e.problem,
		Again:         v.User != nil && v.Flow.Link == nil && !v.Flow.OtherAccount && !expectsOther(v) && !e.problem.Is(),
		Registered:    v.Flow.Registered && !e.problem.Is(),
		OfferRemember: true, Remember: e.remember, OfferCancel: v.Client != nil || v.User != nil,
	}
	for _, way := range e.ways {
		page.Ways = append(page.Ways, templates.Way{ID: way.ID, Name: way.Name})
	}
	page.With = at(protocol.PathLoginWith, id)
	if v.Flow.Link != nil && v.Flow.Elsewhere != nil {
		page.Linking = v.Flow.Elsewhere.Name
	}
	if h.Dispatcher.opener.Signup && !v.Flow.Registered && waysOf(v)(client.WayLocal) {
		page.Register = at(protocol.PathSignup, id)
	}
	if h.Recover && waysOf(v)(client.WayLocal) {
		page.Recover = at(protocol.PathRecover, id)
	}
	if v.User != nil {
		page.Switch = at(PathAccount, id)
	}
	h.offerPasskey(w, v, &page)
	return h.Kit.Render(w, r, status, page)
}

// at returns the path of a step page for a flow. Flow ids need no escaping.
func at(path, flowID string) string { return path + "?flow=" + flowID }

func (h *Handler) token(w http.ResponseWriter, r *http.Request, purpose string, bound ...string) string {
	return h.Kit.FormToken(purpose, append([]string{h.Kit.Cookies.Browser(w, r)}, bound...)...)
}

// signIn takes the form.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.Dispatcher.opener.Open(r)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "login", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	if form["decision"] == "deny" {
		return h.Dispatcher.Refuse(w, r, v.Flow, fault.New(fault.Denied, protocol.ErrAccessDenied,
			"The person did not sign in.").Under("RFC 6749 §4.1.2.1 the person signs in"))
	}
	e := entry{username: form["username"], remember: form["remember"] == "on"}
	if problem, refused, err := h.untaken(r.Context(), v); err != nil {
		return err
	} else if refused != nil {
		h.Kit.Refused(r, refused)
		e.problem = problem
		return h.draw(w, r, http.StatusOK, v, e)
	}
	who, err := h.attempt(r.Context(), v, h.device(r), form["username"], form["password"])
	switch {
	case err == nil && who.Link != nil:
		return h.askOwner(w, r, v, who)
	case err == nil:
		return h.Welcome(w, r, v.Flow, who.User, Proof{AMR: []string{protocol.AMRPassword}, Remember: e.remember, Upstream: who.Upstream})
	case fault.Is(err, fault.Unauthenticated):
		h.Kit.Refused(r, err)
		e.problem = templates.WrongCredentials
		// 200: the answer is the form once more, and it is the same for
		// everybody who did not get in.
		return h.draw(w, r, http.StatusOK, v, e)
	case fault.Is(err, fault.Limited):
		h.Kit.Refused(r, err)
		wait := fault.As(err).RetryAfter
		e.problem = templates.TooMany(wait)
		w.Header().Set("Retry-After", seconds(wait))
		return h.draw(w, r, http.StatusTooManyRequests, v, e)
	case fault.Is(err, fault.Unavailable):
		h.Kit.Refused(r, err)
		e.problem = templates.Busy
		if fault.CodeOf(err) == CodeDirectory {
			e.problem = templates.DirectoryDown
		}
		w.Header().Set("Retry-After", seconds(max(fault.As(err).RetryAfter, busyFor)))
		return h.draw(w, r, http.StatusServiceUnavailable, v, e)
	case fault.Is(err, fault.Denied):
		h.Kit.Refused(r, err)
		e.problem = templates.DirectoryStranger
		return h.draw(w, r, http.StatusForbidden, v, e)
	}
	return err
}

// askOwner keeps a sign-in to a directory whose address an account here has,
// and asks for the sign-in to that account: it ties the two (security §11.10).
func (h *Handler) askOwner(w http.ResponseWriter, r *http.Request, v *visit.Visit, who *Arrival) error {
	v.Flow.Link, v.Flow.Elsewhere = who.Link, who.Elsewhere
	if err := h.Dispatcher.flows.Save(r.Context(), v.Flow); err != nil {
		return err
	}
	return h.Kit.SeeOther(w, r, at(protocol.PathLoginLink, v.Flow.ID))
}

// busyFor is how long a person waits at least when we cannot answer.
const busyFor = 2 * time.Second
