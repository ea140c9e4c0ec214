package login

import (
	"errors"
	"net/http"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// Dispatcher implements flow.Dispatcher: it sends the browser to the page of
// the step that is missing, or lets the flow finish. It is safe for
// concurrent use.
type Dispatcher struct {
	kit    *web.Kit
	flows  *flow.Service
	opener *visit.Opener
	finish flow.Finisher
}

// NewDispatcher returns a dispatcher. finish answers the application.
func NewDispatcher(kit *web.Kit, flows *flow.Service, opener *visit.Opener, finish flow.Finisher) *Dispatcher {
	return &Dispatcher{kit: kit, flows: flows, opener: opener, finish: finish}
}

var _ flow.Dispatcher = (*Dispatcher)(nil)

// pages are the pages of the steps.
var pages = map[assurance.Step]string{
	assurance.Create:       protocol.PathSignup,
	assurance.Login:        protocol.PathLogin,
	assurance.SecondFactor: protocol.PathFactor,
	assurance.Enrol:        protocol.PathEnrol,
	assurance.Select:       PathAccount,
	assurance.Keep:         protocol.PathKeep,
	assurance.Terms:        protocol.PathTerms,
	assurance.Consent:      protocol.PathConsent,
}

// Next implements flow.Dispatcher.
func (d *Dispatcher) Next(w http.ResponseWriter, r *http.Request, f *flow.Flow) error {
	v, err := d.opener.Of(r, f)
	if err != nil {
		return err
	}
	return d.proceed(w, r, v)
}

// proceed is Next for a visit that is open already.
func (d *Dispatcher) proceed(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Step == assurance.None && v.Flow.Request.Own() {
		return d.leave(w, r, v.Flow, v.Flow.Request.Return)
	} else if v.Step == assurance.None {
		return d.finish.Finish(w, r, v.Flow)
	}
	if v.Flow.Request.HasPrompt(protocol.PromptNone) {
		return d.Refuse(w, r, v.Flow, assurance.Refusal(v.Step))
	}
	page, ok := pages[v.Step]
	if !ok {
		return fault.As(errors.New("login: no page for the step " + v.Step.String()))
	}
	v.Flow.Step = v.Step.String()
	// Losing to another request of the same tab is fine: the page looks again
	// at what is kept and asks for what is missing there.
	if err := d.flows.Save(r.Context(), v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return d.kit.SeeOther(w, r, at(page, v.Flow.ID))
}

// Enter begins a flow for a page of Portico: the browser comes back to the
// local path want.Return when its person is signed in as want asks: MaxAge,
// ACRValues.
func (d *Dispatcher) Enter(w http.ResponseWriter, r *http.Request, want flow.Request) error {
	return d.Next(w, r, d.flows.Begin(d.kit.Cookies.Browser(w, r), want))
}

// leave ends a flow of a page of Portico.
func (d *Dispatcher) leave(w http.ResponseWriter, r *http.Request, f *flow.Flow, to string) error {
	// Ended by another request of the same tab: the way is the same.
	if err := d.flows.Done(r.Context(), f); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return d.kit.SeeOther(w, r, to)
}

// Refuse answers the application with an error and ends the flow. Who did not
// want to prove again who they are comes back to their account.
func (d *Dispatcher) Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error {
	if f.Request.Own() {
		d.kit.Refused(r, why)
		return d.leave(w, r, f, protocol.PathAccount)
	}
	return d.finish.Refuse(w, r, f, why)
}

// loginIsNext reports whether the login form is the page to show. Who is asked
// to make an account may have one already, and sign in instead.
func loginIsNext(v *visit.Visit) bool {
	return v.Step == assurance.Login || v.Step == assurance.Create
}
