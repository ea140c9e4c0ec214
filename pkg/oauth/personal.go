package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// decidePersonal decides scopes, audience and life of tokens about a person:
// never more than was granted (RFC 6749 §6), nor than the client and the
// person may have now.
func (r *run) decidePersonal(ctx context.Context, form url.Values) error {
	scopes, err := r.narrowScopes(form)
	if err != nil {
		return err
	}
	resources, err := r.narrowResources(form)
	if err != nil {
		return err
	}
	if len(resourcesOf(form)) > 0 {
		if scopes, err = r.scopesAt(ctx, scopes, resources); err != nil {
			return err
		}
	}
	if scopes, err = r.scopesOfPerson(ctx, scopes); err != nil {
		return err
	}
	if err := r.decide(ctx, scopes, resources, false); err != nil {
		return err
	}
	if len(scopes) == 0 {
		r.scopes, r.party.scopes = nil, nil // no default may widen an empty grant
	}
	if err := r.withinAudiences(); err != nil {
		return err
	}
	return r.readPersonFor(ctx)
}

// narrowScopes returns the scopes that the tokens may carry. A refresh may ask
// for fewer than were granted, never for more (RFC 6749 §6). Without a wish it
// is all of them that the client's ceiling still holds.
func (r *run) narrowScopes(form url.Values) ([]string, error) {
	asked := words(form.Get(protocol.Scope))
	if r.grantType != protocol.GrantRefreshToken || len(asked) == 0 {
		kept := make([]string, 0, len(r.grant.Scopes))
		for _, s := range r.grant.Scopes {
			if r.client.MayAsk(s) {
				kept = append(kept, s)
			}
		}
		return kept, nil
	}
	for _, s := range asked {
		if !slices.Contains(r.grant.Scopes, s) {
			return nil, fault.New(fault.Invalid, protocol.ErrInvalidScope, "The requested scope was not granted.").
				Under("RFC 6749 §6 a refresh asks for no more than was granted").
				Compare(protocol.Scope, strings.Join(r.grant.Scopes, " "), s)
		}
	}
	return asked, nil
}

// narrowResources returns the resources that the access token is for: those
// of this request, which were granted, or those of the authorization request
// (RFC 8707 §2.2).
func (r *run) narrowResources(form url.Values) ([]string, error) {
	asked := resourcesOf(form)
	if len(asked) == 0 {
		return r.grant.Resources, nil
	}
	for _, a := range asked {
		if !slices.Contains(r.grant.Audiences, a) {
			return nil, r.notGranted(a)
		}
	}
	return asked, nil
}

func (r *run) notGranted(audience string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidTarget, "The requested resource was not granted.").
		Under("RFC 8707 §2.2 a token is for a resource that was granted").
		Compare(protocol.Resource, strings.Join(r.grant.Audiences, " "), audience)
}

// withinAudiences keeps the token inside what was granted: an API or a client
// that changed since may resolve to more.
func (r *run) withinAudiences() error {
	for _, a := range r.audiences {
		if !slices.Contains(r.grant.Audiences, a) {
			return r.notGranted(a)
		}
	}
	return nil
}

// scopesAt drops the scopes of APIs that the token is not for: a token for one
// API must say nothing at another (RFC 8707 §3).
func (r *run) scopesAt(ctx context.Context, scopes, resources []string) ([]string, error) {
	described, err := r.p.scopes.Describe(ctx, scopes)
	if err != nil {
		return nil, err
	}
	kept := make([]string, 0, len(scopes))
	for _, d := range described {
		if d.Audience == "" || slices.Contains(resources, d.Audience) {
			kept = append(kept, d.Name)
		}
	}
	return kept, nil
}

// scopesOfPerson drops the scopes that need a role which the person does not
// hold (any more). The person is read only when such a scope is there.
func (r *run) scopesOfPerson(ctx context.Context, scopes []string) ([]string, error) {
	kept, err := r.p.scopes.PersonMay(ctx, scopes, nil)
	if err != nil || len(kept) == len(scopes) {
		return scopes, err
	}
	if err := r.readPerson(ctx); err != nil {
		return nil, err
	}
	return r.p.scopes.PersonMay(ctx, scopes, r.person.Roles)
}

// readPersonFor reads the person when a claim of the tokens needs it, and
// saves the statement otherwise.
func (r *run) readPersonFor(ctx context.Context) error {
	if !r.wantsRoles() {
		if !r.has(protocol.ScopeOpenID) {
			return nil
		}
		asked, err := r.claimsRequest()
		if err != nil {
			return err
		}
		if !r.client.ProfileInIDToken && !asksIDToken(asked) {
			return nil
		}
	}
	return r.readPerson(ctx)
}

func asksIDToken(asked *claims.Requested) bool { return asked != nil && len(asked.IDToken) > 0 }

// readPerson reads the person once. One who is gone or disabled gets nothing.
func (r *run) readPerson(ctx context.Context) error {
	if r.person != nil {
		return nil
	}
	u, err := r.p.users.ByID(ctx, r.grant.UserID)
	switch {
	case fault.Is(err, fault.NotFound):
		return badGrant("The grant has ended.").Under("OIDC Core §12.1 the person exists").Because(err)
	case err != nil:
		return err
	case u.Disabled:
		return badGrant("The grant has ended.").Under("OIDC Core §12.1 the person is active").Compare("person", "active", "disabled")
	}
	r.person = &u
	return nil
}

// idleLimit is when the refresh token ends unless it is used: never after the
// absolute limit.
func (r *run) idleLimit(absolute time.Time) time.Time {
	idle := r.now.Add(orElse(r.client.RefreshIdleTTL, r.p.lifetimes.RefreshIdle))
	if idle.After(absolute) {
		return absolute
	}
	return idle
}

func orElse(d, standard time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return standard
}

// stamp writes a time for the operator.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
