// Package terms asks people who are signed in to accept the terms of service,
// when they have not accepted the version in force. It does not decide who is
// asked (assurance does), and shows no terms: the operator publishes them.
package terms

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// maxForm bounds the body of the form, in bytes.
const maxForm = 4 << 10

// Steps leads on. login.Dispatcher is one.
type Steps interface {
	flow.Dispatcher
	// Refuse answers the application with an error and ends the flow.
	Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error
}

// People records what was accepted. user.Service is one.
type People interface {
	AcceptTerms(ctx context.Context, id, version string) error
}

// Sessions ends the session of whoever declines. session.Service is one.
type Sessions interface {
	End(ctx context.Context, id, reason string) error
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit      *web.Kit
	Opener   *visit.Opener // its TermsVersion is the one in force
	Steps    Steps
	People   People
	Sessions Sessions
	Terms    templates.Terms
}

// Handler serves /login/terms. It is safe for concurrent use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Ask serves the page. GET shows it when an acceptance is what the flow
// misses; POST takes the decision.
func (h *Handler) Ask(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return h.decide(w, r)
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Terms {
		return h.Steps.Next(w, r, v.Flow)
	}
	return h.draw(w, r, v, templates.Problem{})
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v *visit.Visit, problem templates.Problem) error {
	who := templates.Account{Ref: v.User.ID, Name: v.User.Name, Login: v.User.Email}
	if who.Login == "" {
		who.Login = v.User.Username
	}
	return h.Kit.Render(w, r, http.StatusOK, templates.AcceptTerms{
		Form: templates.Form{
			Action: protocol.PathTerms + "?flow=" + v.Flow.ID,
			Token:  h.Kit.FormToken("terms", h.Kit.Cookies.Browser(w, r), v.Flow.ID, v.Session.ID, h.Opener.TermsVersion),
		},
		Client: v.Application(), Account: who, Terms: h.Terms, Again: v.User.TermsVersion != "", Problem: problem,
	})
}

func (h *Handler) decide(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Terms {
		return h.Steps.Next(w, r, v.Flow) // accepted in another tab, or signed out
	}
	// The version is bound: nobody accepts one that they were not shown.
	err = h.Kit.CheckFormToken(form[templates.FieldToken], "terms", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID, v.Session.ID, h.Opener.TermsVersion)
	if err != nil {
		return err
	}
	switch form["decision"] {
	case "accept":
		if err := h.People.AcceptTerms(r.Context(), v.User.ID, h.Opener.TermsVersion); err != nil {
			return err
		}
		return h.Steps.Next(w, r, v.Flow)
	case "deny":
		return h.decline(w, r, v)
	}
	return h.draw(w, r, v, templates.NoDecision)
}

// decline answers the application, or, where a page of Portico asked, signs
// the person out: none of its pages opens without the terms.
func (h *Handler) decline(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	why := fault.New(fault.Denied, protocol.ErrAccessDenied, "The person did not accept the terms of service.").
		Under("signup the terms in force are accepted").Compare("terms", h.Opener.TermsVersion, v.User.TermsVersion)
	if !v.Flow.Request.Own() {
		return h.Steps.Refuse(w, r, v.Flow, why)
	}
	h.Kit.Refused(r, why)
	if err := h.Sessions.End(r.Context(), v.Session.ID, "terms declined"); err != nil {
		return err
	}
	h.Kit.Cookies.ClearSession(w)
	// Ended by another request of the same tab: the way is the same.
	if err := h.Opener.Flows.Done(r.Context(), v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return h.Kit.SeeOther(w, r, protocol.PathSignedOut)
}
