package authorize

import (
	"context"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
)

// person is somebody who is signed in and may be.
type person struct {
	session *session.Session
	user    *user.User
}

// signedIn returns who is behind the session cookie; nil for nobody. A
// disabled or deleted person is nobody.
func (x *Finisher) signedIn(ctx context.Context, token string) (*person, error) {
	if token == "" {
		return nil, nil
	}
	s, err := x.sessions.FromToken(ctx, token)
	if err != nil || s == nil {
		return nil, err
	}
	return x.active(ctx, s)
}

func (x *Finisher) active(ctx context.Context, s *session.Session) (*person, error) {
	u, err := x.users.Get(ctx, s.UserID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if u.Disabled {
		return nil, nil
	}
	trail.Set(ctx, "user_id", u.ID)
	web.PreferAccount(ctx, u.Locale)
	return &person{session: s, user: u}, nil
}

// missing asks what a request lacks. The remembered consent is looked up only
// when nothing else is missing.
func (x *Finisher) missing(ctx context.Context, f *flow.Flow, c *client.Client, who *person) (assurance.Step, error) {
	in := assurance.Input{Flow: f, Client: c, Covered: true, Now: clock.Now()}
	if who != nil {
		in.Session = who.session
		in.Leaving = !who.user.DeleteAt.IsZero()
		in.TermsDue = x.terms != "" && who.user.TermsVersion != x.terms
		api, err := x.scopes.MinimumACR(ctx, f.Request.Audiences, assurance.Highest)
		if err != nil {
			return assurance.Login, err
		}
		in.Demand = x.policy.Demand(f, c, who.user, api)
	}
	if step := assurance.Missing(in); step != assurance.None {
		return step, nil
	}
	if f.Consented || c.SkipConsent {
		in.Covered = false
		if step := assurance.Missing(in); step == assurance.None {
			return step, nil
		}
	}
	covered, err := x.consents.Covers(ctx, who.user.ID, c, &f.Request)
	if err != nil {
		return assurance.Consent, err
	}
	in.Covered = covered
	return assurance.Missing(in), nil
}

// whoOf returns the person of the session that the flow names, or nil. The
// cookie is not asked: a login in this very request has given a new one.
func (x *Finisher) whoOf(ctx context.Context, f *flow.Flow) (*person, error) {
	if f.SessionID == "" {
		return nil, nil
	}
	s, err := x.sessions.Get(ctx, f.SessionID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if s.UserID != f.UserID {
		return nil, nil
	}
	return x.active(ctx, s)
}
