// Package visit opens what a step page is about: the flow of this browser,
// the application that asks, who is signed in, and which step is missing. It
// draws nothing and saves nothing; login, consent and signup stand on it.
package visit

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
)

// Visit is one request to a step page.
type Visit struct {
	Flow   *flow.Flow
	Client *client.Client // nil: a page of Portico asks
	// Session and User are who is signed in in this browser; nil: nobody, or
	// somebody who is disabled.
	Session *session.Session
	User    *user.User
	// Step is the first one that is missing. A person who asked for another
	// account has to sign in, whoever Session is.
	Step assurance.Step
	// Proving is whom the step SecondFactor asks: who is signed in, or who
	// proved a first factor within the flow and is not signed in yet. Nil for
	// every other step.
	Proving *user.User
	// Postponable holds when the step Enrol may be put off.
	Postponable bool
	// Demand is what the request needs of the person; without a person it is
	// what is known.
	Demand assurance.Demand
}

// APIs knows what APIs demand of people. scope.Service is one.
type APIs interface {
	MinimumACR(ctx context.Context, audiences []string, higher func(...string) string) (string, error)
}

// Clients finds applications. client.Service is one.
type Clients interface {
	Get(ctx context.Context, id string) (*client.Client, error)
}

// Consents knows what people allowed. consent.Service is one.
type Consents interface {
	Covers(ctx context.Context, userID string, c *client.Client, q *flow.Request) (bool, error)
}

// Way gives an error about a flow that is over a way back to the application.
// flow.Finisher is one.
type Way interface {
	Over(ctx context.Context, f *flow.Flow, err error) error
}

// Opener opens visits. It is safe for concurrent use.
type Opener struct {
	Cookies  web.Cookies
	Flows    *flow.Service
	Sessions *session.Service
	Users    *user.Service
	Clients  Clients
	Consents Consents
	// Way leads from a flow that is over back to the application.
	Way Way
	// TermsVersion is the version of the terms of service in force; empty:
	// nobody is asked.
	TermsVersion string
	// Signup holds when people may create accounts; prompt=create asks for a
	// login otherwise.
	Signup bool
	// Policy says who must reach which authentication context class.
	Policy assurance.Policy
	APIs   APIs
}

// Open opens the flow that the query names. Errors are ready for a page: an
// unknown flow, one of another browser, and one that is over, with the way
// back to the application.
func (o *Opener) Open(r *http.Request) (*Visit, error) { return o.Named(r, flowID(r)) }

// Named is Open for a flow whose id came by another way.
func (o *Opener) Named(r *http.Request, id string) (*Visit, error) {
	f, err := o.Flows.Load(r.Context(), id, o.Cookies.KnownBrowser(r))
	if f != nil {
		web.Prefer(r, f.Request.UILocales...)
		trail.Set(r.Context(), "client_id", f.Request.ClientID)
		web.About(r.Context(), f.Request.ClientID)
	}
	if k := fault.KindOf(err); k == fault.Gone || k == fault.NotFound || k == fault.Denied {
		_, _, _ = o.SignedIn(r) // for the language of the page that says so
	}
	if fault.Is(err, fault.Gone) && f != nil && f.Request.Own() {
		return nil, web.Back(err, f.Request.Return, "")
	} else if fault.Is(err, fault.Gone) && f != nil {
		return nil, o.Way.Over(r.Context(), f, err)
	} else if err != nil {
		return nil, err
	}
	return o.Of(r, f)
}

// flowID returns the one flow of the query; several are none.
func flowID(r *http.Request) string {
	if ids := r.URL.Query()["flow"]; len(ids) == 1 {
		return ids[0]
	}
	return ""
}

// Of opens a flow that is at hand.
func (o *Opener) Of(r *http.Request, f *flow.Flow) (*Visit, error) {
	s, u, err := o.SignedIn(r)
	if err != nil {
		return nil, err
	}
	return o.With(r.Context(), f, s, u)
}

// SignedIn returns the session of this browser and its person, or nil for
// both; from then on the pages speak that person's language. A session whose person is gone or disabled counts for nothing.
func (o *Opener) SignedIn(r *http.Request) (*session.Session, *user.User, error) {
	ctx := r.Context()
	s, err := o.Sessions.FromToken(ctx, o.Cookies.Session(r))
	if err != nil || s == nil {
		return nil, nil, err
	}
	u, err := o.Users.Get(ctx, s.UserID)
	if fault.Is(err, fault.NotFound) || err == nil && u.Disabled {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	trail.Set(ctx, "user_id", u.ID)
	trail.Set(ctx, "sid", s.ID)
	web.PreferAccount(ctx, u.Locale)
	return s, u, nil
}

// With opens a flow for a session that is at hand: of somebody who has just
// signed in. What another person did within the flow is forgotten.
func (o *Opener) With(ctx context.Context, f *flow.Flow, s *session.Session, u *user.User) (*Visit, error) {
	var c *client.Client
	if !f.Request.Own() {
		var err error
		if c, err = o.client(ctx, f.Request.ClientID); err != nil {
			return nil, err
		}
		web.About(ctx, c.ID)
	}
	if s != nil && f.UserID != s.UserID {
		f.FreshLogin, f.AccountChosen, f.Consented, f.EnrolLater = false, false, false, false
		f.UserID = s.UserID
	}
	if s != nil {
		f.SessionID = s.ID
	}
	if u != nil {
		web.PreferAccount(ctx, u.Locale)
	}
	v := &Visit{Flow: f, Client: c, Session: s, User: u}
	step, err := o.missing(ctx, v)
	v.Step = step
	return v, err
}

func (o *Opener) client(ctx context.Context, id string) (*client.Client, error) {
	c, err := o.Clients.Get(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && c.Disabled {
		return nil, fault.New(fault.Denied, protocol.ErrInvalidClient, "This application is not known here any more.").
			Under("RFC 6749 §4.1.2.1 the client exists and is enabled").Compare("client_id", "enabled", id).Because(err)
	}
	return c, err
}

// missing asks for the stored consent only when nothing else is missing.
func (o *Opener) missing(ctx context.Context, v *Visit) (assurance.Step, error) {
	in := assurance.Input{Flow: v.Flow, Client: v.Client, Session: v.Session, Covered: true, Now: clock.Now()}
	if v.Flow.OtherAccount && !v.Flow.FreshLogin {
		in.Session = nil
	}
	v.Demand.Asked = assurance.Asked(&v.Flow.Request)
	if v.User != nil {
		in.Leaving = !v.User.DeleteAt.IsZero()
		in.TermsDue = o.TermsVersion != "" && v.User.TermsVersion != o.TermsVersion
		api, err := o.APIs.MinimumACR(ctx, v.Flow.Request.Audiences, assurance.Highest)
		if err != nil {
			return assurance.Login, err
		}
		in.Demand = o.Policy.Demand(v.Flow, v.Client, v.User, api)
		v.Demand = in.Demand
	}
	step := o.possible(assurance.Missing(in), v)
	switch {
	case step == assurance.SecondFactor:
		v.Proving = v.User
		return step, nil
	case step == assurance.Enrol:
		v.Postponable = in.Postponable()
		return step, nil
	case step == assurance.Login || step == assurance.Create:
		return o.begun(ctx, v, step)
	case step != assurance.None || v.Flow.Request.Own():
		return step, nil
	}
	covered, err := o.Consents.Covers(ctx, v.User.ID, v.Client, &v.Flow.Request)
	if err != nil {
		return step, err
	}
	in.Covered = covered
	return o.possible(assurance.Missing(in), v), nil
}

// begun returns what is missing of a login: the second factor, when somebody
// proved a first one within this flow and still may sign in.
func (o *Opener) begun(ctx context.Context, v *Visit, step assurance.Step) (assurance.Step, error) {
	if !v.Flow.Waits(clock.Now()) {
		return step, nil
	}
	u, err := o.Users.Get(ctx, v.Flow.Pending.UserID)
	if fault.Is(err, fault.NotFound) || err == nil && u.Disabled {
		return step, nil
	} else if err != nil {
		return step, err
	}
	v.Proving = u
	web.PreferAccount(ctx, u.Locale)
	return assurance.SecondFactor, nil
}

// possible turns a demand for a new account into one for a login when the
// form was sent already, or nobody may create one.
func (o *Opener) possible(step assurance.Step, v *Visit) assurance.Step {
	if step == assurance.Create && (!o.Signup || v.Flow.Registered) {
		return assurance.Login
	}
	return step
}
