package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
)

// noState stands in for state: fosite refuses a request without eight
// characters of it, and RFC 6749 §4.1.1 only recommends one. The caller adds
// the real one to its answer.
const noState = "no-state"

// Who is the person that a code is issued for, and how they proved it.
type Who struct {
	UserID    string
	SessionID string
	AuthTime  time.Time
	ACR       string
	AMR       []string
}

// IssueCode issues the authorization code for a request that passed every
// check of the authorization endpoint, in one statement. The returned values
// hold code alone; state, iss and where they go are the endpoint's.
func (p *Provider) IssueCode(ctx context.Context, c *client.Client, q *flow.Request, who Who) (url.Values, error) {
	if err := mayIssue(c, q, who); err != nil {
		return nil, err
	}
	now := clock.Now()
	r := &run{
		p: p, now: now, client: c, request: q, scopes: q.Scopes, audiences: q.Audiences,
		party: &party{c: c, redirect: q.RedirectURI, scopes: q.Scopes},
	}
	ctx = withRun(ctx, r)
	ar, err := p.fosite.NewAuthorizeRequest(ctx, r.synthetic(ctx))
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	gid := secret.ID()
	ar.SetID(gid)
	for _, s := range q.Scopes {
		ar.GrantScope(s)
	}
	for _, a := range q.Audiences {
		ar.GrantAudience(a)
	}
	resp, err := p.fosite.NewAuthorizeResponse(ctx, ar, newSession(who.UserID, who.AuthTime, now))
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	if err := p.grants.Store().Create(ctx, r.newGrant(gid, who)); err != nil {
		return nil, err
	}
	p.record(ctx, audit.Event{
		Name: audit.CodeIssued, Actor: who.UserID, UserID: who.UserID, ClientID: c.ID, SessionID: who.SessionID,
		Data: map[string]string{"grant": gid, "scope": strings.Join(q.Scopes, " ")},
	})
	return url.Values{protocol.Code: {resp.GetCode()}}, nil
}

// mayIssue is the last look before a code exists: whatever reached this point
// by another way than the table of checks ends here.
func mayIssue(c *client.Client, q *flow.Request, who Who) error {
	refuse := func(code, rule string) *fault.Error {
		return fault.New(fault.Invalid, code, "The authorization request is not valid.").Under(rule)
	}
	switch {
	case c.Disabled:
		return refuse(protocol.ErrUnauthorizedClient, "the client is enabled").Compare("client", "enabled", "disabled")
	case !c.MayUse(protocol.GrantAuthorizationCode):
		return refuse(protocol.ErrUnauthorizedClient, "RFC 6749 §4.1.2.1 the client is registered for codes")
	case c.ID != q.ClientID:
		return refuse(protocol.ErrInvalidRequest, "RFC 6749 §4.1.1 the request is the client's").Compare("client_id", c.ID, q.ClientID)
	case !c.MatchRedirect(q.RedirectURI):
		return refuse(protocol.ErrInvalidRequest, "RFC 6749 §3.1.2.3 the redirect URI is registered").Compare("redirect_uri", strings.Join(c.RedirectURIs, " "), q.RedirectURI)
	case c.PKCERequired() && q.Challenge == "":
		return refuse(protocol.ErrInvalidRequest, "RFC 9700 §2.1.1 the client sends a code challenge").WithHint("the client must use PKCE with S256")
	case q.Challenge != "" && !validChallenge(q.Challenge):
		return refuse(protocol.ErrInvalidRequest, "RFC 7636 §4.2 the challenge is a SHA-256 in base64url")
	case who.UserID == "" || who.SessionID == "" || who.AuthTime.IsZero():
		return fault.New(fault.Internal, protocol.ErrServerError, "Something went wrong on our side.").
			Under("a code is issued to somebody who signed in")
	}
	return nil
}

// synthetic is the request as fosite should see it: only what was validated,
// nothing of what the browser sent besides. fosite hands the request on to its
// handlers, which read no header of it.
func (r *run) synthetic(ctx context.Context) *http.Request {
	q := r.request
	form := url.Values{
		protocol.ClientID:     {q.ClientID},
		protocol.RedirectURI:  {q.RedirectURI},
		protocol.ResponseType: {protocol.ResponseTypeCode},
		protocol.Scope:        {strings.Join(q.Scopes, " ")},
		protocol.State:        {noState},
	}
	if q.Challenge != "" {
		form.Set(protocol.CodeChallenge, q.Challenge)
		form.Set(protocol.CodeChallengeMethod, protocol.ChallengeS256)
	}
	return formRequest(ctx, http.MethodGet, form)
}

// newGrant is the one row behind the code.
func (r *run) newGrant(id string, who Who) grant.Grant {
	q := r.request
	g := grant.Grant{
		ID: id, ClientID: r.client.ID, UserID: who.UserID, SessionID: who.SessionID,
		Scopes: q.Scopes, Audiences: q.Audiences, Resources: q.Resources,
		CodeHash: r.codeHash, CodeExpiresAt: r.now.Add(r.p.lifetimes.Code),
		Challenge: r.challenge, Nonce: q.Nonce, ClaimsRequest: q.Claims, DPoPKey: q.DPoPKey,
		AuthTime: who.AuthTime, ACR: who.ACR, AMR: who.AMR,
		Offline:   slices.Contains(q.Scopes, protocol.ScopeOfflineAccess),
		CreatedAt: r.now,
	}
	if q.RedirectURISent {
		g.RedirectURI = q.RedirectURI
	}
	return g
}

// formRequest is a request whose form was read already.
func formRequest(ctx context.Context, method string, form url.Values) *http.Request {
	r := &http.Request{Method: method, URL: &url.URL{Path: "/"}, Header: http.Header{}, Form: form, PostForm: form}
	return r.WithContext(ctx)
}
