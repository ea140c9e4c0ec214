package authorize

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/web"
)

// FinisherDeps are what a Finisher needs. All but Health are required.
type FinisherDeps struct {
	Issuer   string
	Kit      *web.Kit
	Clients  Clients
	Scopes   Scopes
	Flows    *flow.Service
	Sessions Sessions
	Users    Users
	Consents Consents
	Codes    Codes
	// TermsVersion is the version of the terms of service in force; empty:
	// nobody is asked.
	TermsVersion string
	// Policy says who must reach which authentication context class.
	Policy *assurance.Policy
	// Health is asked before a code is issued without a saved flow: a code
	// that nobody could redeem is refused at once. Nil: not asked.
	Health Health
}

// Finisher answers the application. It implements flow.Finisher and is safe
// for concurrent use. It is apart from the Handler so that the dispatcher can
// be built with it, and the Handler with the dispatcher.
type Finisher struct {
	issuer   string
	kit      *web.Kit
	clients  Clients
	scopes   Scopes
	flows    *flow.Service
	sessions Sessions
	users    Users
	consents Consents
	codes    Codes
	health   Health
	terms    string
	policy   *assurance.Policy
}

var _ flow.Finisher = (*Finisher)(nil)

// NewFinisher returns a Finisher.
func NewFinisher(d FinisherDeps) *Finisher {
	return &Finisher{
		issuer: d.Issuer, kit: d.Kit, clients: d.Clients, scopes: d.Scopes, flows: d.Flows, sessions: d.Sessions,
		users: d.Users, consents: d.Consents, codes: d.Codes, health: d.Health, terms: d.TermsVersion, policy: d.Policy,
	}
}

// Finish implements flow.Finisher. It believes nobody: client, session and
// person are looked up again, and what is missing is never granted.
func (x *Finisher) Finish(w http.ResponseWriter, r *http.Request, f *flow.Flow) error {
	ctx := r.Context()
	c, err := x.clientOf(ctx, f)
	if err != nil {
		return err
	}
	who, err := x.whoOf(ctx, f)
	if err != nil {
		return err
	}
	step, err := x.missing(ctx, f, c, who)
	switch {
	case err != nil:
		return err
	case step == assurance.None:
		return x.finish(w, r, f, c, who)
	case f.Request.HasPrompt(promptNone):
		return x.Refuse(w, r, f, assurance.Refusal(step))
	}
	return interrupted(step)
}

// finish grants and answers. Nothing is missing.
func (x *Finisher) finish(w http.ResponseWriter, r *http.Request, f *flow.Flow, c *client.Client, who *person) error {
	ctx := r.Context()
	granted, err := x.grant(ctx, &f.Request, c, who)
	if err != nil {
		return x.Refuse(w, r, f, oauth.Fault(err))
	}
	if err := x.end(ctx, f); err != nil {
		return err
	}
	values, err := x.codes.IssueCode(ctx, c, granted, oauth.Who{
		UserID: who.user.ID, SessionID: who.session.ID, AuthTime: who.session.AuthTime,
		ACR: assurance.Told(who.session.ACR, assurance.Asked(&f.Request)), AMR: who.session.AMR,
	})
	if err != nil {
		return x.unissued(w, r, f, c, err)
	}
	return x.send(w, r, destinationOf(c, &f.Request), values)
}

// unissued answers when no code could be made: the application hears what
// concerns it, otherwise the flow is open again, so that the person may press
// the button once more when the store is back.
func (x *Finisher) unissued(w http.ResponseWriter, r *http.Request, f *flow.Flow, c *client.Client, err error) error {
	to := destinationOf(c, &f.Request)
	if to.mayHear(oauth.Fault(err)) {
		return x.refuse(w, r, to, err)
	}
	if again := x.flows.Reopen(r.Context(), f); again != nil {
		trail.Set(r.Context(), "flow_reopen", "failed")
	}
	return fmt.Errorf("issue code: %w", err)
}

// grant returns the request with what is really granted: the scopes that the
// person may have, and the audiences that these need.
func (x *Finisher) grant(ctx context.Context, q *flow.Request, c *client.Client, who *person) (*flow.Request, error) {
	scopes, err := x.scopes.PersonMay(ctx, q.Scopes, who.user.Roles)
	if err != nil {
		return nil, err
	}
	answer, err := x.scopes.Resolve(ctx, scope.Ask{Client: c, Scopes: scopes, Resources: q.Resources, Granted: true})
	if err != nil {
		return nil, err
	}
	granted := *q
	granted.Scopes, granted.Audiences = answer.Scopes, answer.Audiences
	return &granted, nil
}

// end makes this call the one that answers. A flow that was never saved lives
// in this request only, but the store must be there to redeem the code.
func (x *Finisher) end(ctx context.Context, f *flow.Flow) error {
	if !f.Saved && x.health != nil {
		if err := x.health.Ping(ctx); err != nil {
			return fmt.Errorf("short-lived store: %w", err)
		}
	}
	return x.done(ctx, f)
}

// done ends the flow, or leads back who came second.
func (x *Finisher) done(ctx context.Context, f *flow.Flow) error {
	err := x.flows.Done(ctx, f)
	if fault.Is(err, fault.Conflict) {
		late := *fault.As(err)
		late.Kind = fault.Gone
		return x.Over(ctx, f, &late)
	}
	return err
}

// Refuse implements flow.Finisher.
func (x *Finisher) Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error {
	ctx := r.Context()
	c, err := x.clientOf(ctx, f)
	if err != nil {
		return err
	}
	to := destinationOf(c, &f.Request)
	if !to.mayHear(why) {
		return why
	}
	if err := x.done(ctx, f); err != nil {
		return err
	}
	return x.refuse(w, r, to, why)
}

// interrupted answers who would be granted something while a step is missing:
// the session ended, or the account changed, between the last page and now.
func interrupted(step assurance.Step) *fault.Error {
	return fault.New(fault.Conflict, "flow_interrupted", "Something changed while you were signing in. Please try again.").
		Under("OIDC Core §3.1.2.4 nothing is granted while a step is missing").
		Compare("missing", assurance.None.String(), step.String())
}

// offlineAccess drops offline_access where no refresh token could follow
// (OIDC Core §11): a client without the refresh grant. That the person was
// asked, now or before, or that the operator spoke for the client, holds for
// every grant.
func offlineAccess(scopes []string, c *client.Client) []string {
	if c.MayUse(protocol.GrantRefreshToken) || !slices.Contains(scopes, protocol.ScopeOfflineAccess) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == protocol.ScopeOfflineAccess })
}

// clientOf returns the client of the flow, if it still may be answered at the
// redirect URI: half an hour may have passed since that was proven.
func (x *Finisher) clientOf(ctx context.Context, f *flow.Flow) (*client.Client, error) {
	c, err := x.enabled(ctx, f.Request.ClientID)
	if err != nil {
		return nil, err
	}
	trail.Set(ctx, "client_id", c.ID)
	web.About(ctx, c.ID)
	if !c.MatchRedirect(f.Request.RedirectURI) {
		return nil, badRedirect(c, f.Request.RedirectURI).Under(ruleRedirect)
	}
	return c, nil
}
