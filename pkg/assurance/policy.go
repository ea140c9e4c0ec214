package assurance

import (
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/user"
)

// Policy says who must reach which class, and with what.
type Policy struct {
	// Everyone is the class that everybody must reach; empty: any.
	Everyone string
	// Roles is what holders of a role must reach.
	Roles map[string]string
	// Grace is for how long somebody who is first asked for a second factor may
	// put it off. Zero: they may not.
	Grace time.Duration
	// Taken are the kinds of second factor that the server takes.
	Taken []Factor
}

// Of returns the class that the person must reach wherever they sign in.
func (p *Policy) Of(u *user.User) string {
	class := p.Everyone
	for _, role := range u.Roles {
		class = Highest(class, p.Roles[role])
	}
	return class
}

// Classes returns the classes that people can reach with what the server
// takes, weakest first.
func (p *Policy) Classes() []string {
	var reached []string
	for _, class := range classes {
		if Attainable(class, p.Taken) {
			reached = append(reached, class)
		}
	}
	return reached
}

// Demand is what a request needs of the person, besides that they are signed in.
type Demand struct {
	// Class is what a policy demands. A remembered browser stands for the
	// second factor of it.
	Class string
	// Asked are the classes of which the request wants one (acr_values); only
	// ours, empty: any will do. A remembered browser is not enough.
	Asked []string
	// Usable are the kinds of factor that the person has and may use.
	Usable []Factor
	// AskedAt is when a policy first asked the person for a factor; zero: never.
	AskedAt time.Time
	// Grace is for how long after that they may put it off.
	Grace time.Duration
}

// Demand returns what the request needs of the person. api is what the APIs
// demand that it is for.
func (p *Policy) Demand(f *flow.Flow, c *client.Client, u *user.User, api string) Demand {
	if p == nil { // nobody must anything
		p = &Policy{}
	}
	d := Demand{Class: Highest(p.Of(u), api), Usable: Usable(u.Factors, p.Taken), AskedAt: u.EnrolAskedAt, Grace: p.Grace}
	if c != nil {
		d.Class = Highest(d.Class, c.MinimumACR)
	}
	if f.Request.Own() && !Attainable(d.Class, d.Usable) {
		d.Class = "" // they get a factor in their account: its pages let them in
	}
	d.Asked = Asked(&f.Request)
	return d
}

// Asked returns those classes of acr_values that are ours. When none is, the
// request wants nothing that could be reached, and takes what there is
// (OIDC Core §3.1.2.1: acr_values is voluntary).
func Asked(q *flow.Request) []string {
	var ours []string
	for _, class := range q.ACRValues {
		if Known(class) {
			ours = append(ours, class)
		}
	}
	return ours
}

// wanting returns the class that the session lacks, and whether a policy
// alone demands it; empty: none.
func (in Input) wanting() (class string, policy bool) {
	d, s := in.Demand, in.Session
	if len(d.Asked) > 0 {
		least := ""
		for _, class := range d.Asked {
			if Reaches(s.ACR, class) {
				least = ""
				break
			}
			if least == "" || Reaches(least, class) {
				least = class
			}
		}
		if least != "" {
			return Highest(least, d.Class), false
		}
	}
	if Reaches(s.ACR, d.Class) || s.Trusted && d.Class == TwoFactors {
		return "", false
	}
	return d.Class, true
}

// factor returns the step that leads to the class which is wanting.
func (in Input) factor() Step {
	class, policy := in.wanting()
	switch {
	case class == "":
		return None
	case reachable(class, in.Demand.Usable):
		return SecondFactor
	case policy && in.postponed():
		return None
	}
	return Enrol
}

// Postponable reports whether the person may put off what a policy demands of
// them: until the grace is over that began when it first asked.
func (in Input) Postponable() bool {
	_, policy := in.wanting()
	return policy && in.graceful()
}

func (in Input) graceful() bool {
	d := in.Demand
	return d.Grace > 0 && (d.AskedAt.IsZero() || in.Now.Before(d.AskedAt.Add(d.Grace)))
}

// postponed reports whether nobody need be asked now: within the grace people
// are asked once at each sign-in, and an application that wants no page is
// not stopped.
func (in Input) postponed() bool {
	if !in.graceful() {
		return false
	}
	return in.knows(in.Flow.EnrolLater) || in.Flow.Request.HasPrompt("none") ||
		!in.Demand.AskedAt.IsZero() && !in.knows(in.Flow.FreshLogin)
}
