// Package assurance decides what is missing before a request may be granted:
// a login, a choice of account, a registration, a consent. It is pure: it
// reads no store and shows no page, so prompt and max_age are one table.
package assurance

import (
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/session"
)

// Step is the next thing a person has to do.
type Step int

// Steps, in the order in which they are asked.
const (
	None         Step = iota // nothing is missing
	Create                   // make an account (prompt=create)
	Login                    // prove who they are, again if need be
	SecondFactor             // prove it by another factor too
	Enrol                    // get a factor that is demanded
	Select                   // confirm the account
	Keep                     // keep an account that is on its way to deletion
	Terms                    // accept the terms of service
	Consent                  // allow the application
)

// String names the step for logs and for flow.Flow.Step.
func (s Step) String() string {
	switch s {
	case None:
		return "none"
	case Create:
		return "create"
	case Login:
		return "login"
	case SecondFactor:
		return "factor"
	case Enrol:
		return "enrol"
	case Select:
		return "select"
	case Keep:
		return "keep"
	case Terms:
		return "terms"
	case Consent:
		return "consent"
	default:
		return "unknown"
	}
}

// Input is everything the decision looks at.
type Input struct {
	// Flow is the request and what happened within it. Its facts (FreshLogin,
	// AccountChosen, Consented) count only for Flow.UserID.
	Flow   *flow.Flow
	Client *client.Client
	// Session is the one of this browser; nil: nobody is signed in. The
	// caller has checked that its person is active.
	Session *session.Session
	// Leaving holds when the person asked for the deletion of their account.
	Leaving bool
	// TermsDue holds when the person has not accepted the terms in force.
	TermsDue bool
	// Covered holds when a remembered consent covers the request. Who wants
	// to spare the look-up asks Missing with true first: only when it answers
	// None does the consent matter.
	Covered bool
	// Demand is what the request needs of who is signed in.
	Demand Demand
	Now    time.Time
}

// Missing returns the first step that is missing, or None.
func Missing(in Input) Step {
	q := &in.Flow.Request
	fresh := in.knows(in.Flow.FreshLogin)
	switch {
	case q.HasPrompt("create") && !fresh:
		return Create
	case in.Session == nil || !in.Session.Live(in.Now):
		return Login
	case in.Flow.OtherAccount && !fresh:
		return Login
	case in.otherPerson():
		return Login
	case in.demandsFreshLogin() && !fresh:
		return Login
	}
	if step := in.factor(); step != None {
		return step
	}
	switch {
	case q.HasPrompt("select_account") && !fresh && !in.knows(in.Flow.AccountChosen):
		return Select
	case in.Leaving:
		return Keep
	case in.TermsDue:
		return Terms
	case in.demandsConsent() && !in.knows(in.Flow.Consented):
		return Consent
	}
	return None
}
