package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

// GrantTypes are the grant types of the token endpoint.
func GrantTypes() []string {
	return []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken, protocol.GrantClientCredentials}
}

// CheckGrantType refuses a token request without a grant type, or with one
// that does not exist here. It needs no client, so it runs before any is
// authenticated. fosite answers an unknown one with invalid_request.
func CheckGrantType(form url.Values) error {
	switch form.Get(protocol.GrantType) {
	case protocol.GrantAuthorizationCode, protocol.GrantRefreshToken, protocol.GrantClientCredentials:
		return nil
	case "":
		return missing(protocol.GrantType)
	default:
		return fault.New(fault.Invalid, protocol.ErrUnsupportedGrantType, "The grant type is not supported.").
			Under("RFC 6749 §5.2 the grant type is one of ours").
			Compare(protocol.GrantType, strings.Join(GrantTypes(), " "), form.Get(protocol.GrantType))
	}
}

// Token answers a token request of an authenticated client. form is what
// ReadForm returned. Everything is checked first, then signed, and what is
// spent is spent last, in one statement: a failed request spends nothing.
func (p *Provider) Token(ctx context.Context, _ *http.Request, c *client.Client, form url.Values) (*TokenAnswer, error) {
	if err := CheckGrantType(form); err != nil {
		return nil, err
	}
	r := &run{p: p, now: clock.Now(), client: c, party: &party{c: c}, grantType: form.Get(protocol.GrantType)}
	trail.Set(ctx, "grant_type", r.grantType)
	if !c.MayUse(r.grantType) {
		return nil, fault.New(fault.Invalid, protocol.ErrUnauthorizedClient, "The client may not use this grant type.").
			Under("RFC 6749 §5.2 the grant type is registered for the client").
			Compare(protocol.GrantType, strings.Join(c.GrantTypes, " "), r.grantType).
			WithHint("add the grant type to client %q", c.ID)
	}
	var err error
	switch r.grantType {
	case protocol.GrantClientCredentials:
		err = r.prepareMachine(ctx, form)
	case protocol.GrantAuthorizationCode:
		err = r.prepareCode(ctx, form)
	default:
		return p.refresh(ctx, r, form)
	}
	if err != nil {
		return nil, err
	}
	if err := r.sign(ctx, form); err != nil {
		return nil, err
	}
	r.issued(ctx)
	return r.answer, nil
}

// sign lets fosite dispatch the request over its handlers; the last of them
// writes what is spent.
func (r *run) sign(ctx context.Context, form url.Values) error {
	ctx = withRun(ctx, r)
	form = r.narrowed(form)
	session := newSession(r.subject(), time.Time{}, r.now)
	ar, err := r.p.fosite.NewAccessRequest(ctx, formRequest(ctx, http.MethodPost, form), session)
	if err != nil {
		return fmt.Errorf("token request: %w", err)
	}
	for _, s := range r.scopes {
		ar.GrantScope(s)
	}
	for _, a := range r.audiences {
		ar.GrantAudience(a)
	}
	if _, err := r.p.fosite.NewAccessResponse(ctx, ar); err != nil {
		return fmt.Errorf("token answer: %w", err)
	}
	return nil
}

// narrowed is the form with the scope that was decided, so that fosite sees
// no other. Audiences are decided as well and not for fosite to match.
func (r *run) narrowed(form url.Values) url.Values {
	out := make(url.Values, len(form))
	for name, values := range form {
		switch name {
		case protocol.Scope, protocol.Audience, protocol.Resource:
		default:
			out[name] = values
		}
	}
	if len(r.scopes) > 0 {
		out.Set(protocol.Scope, strings.Join(r.scopes, " "))
	}
	return out
}

// decide resolves scopes and resources to what the access token carries and
// how long it lives.
func (r *run) decide(ctx context.Context, scopes, resources []string, machine bool) error {
	a, err := r.p.scopes.Resolve(ctx, askFor(r.client, scopes, resources, machine))
	if err != nil {
		return err
	}
	r.resolved, r.scopes, r.audiences = a, a.Scopes, a.Audiences
	r.party.scopes = a.Scopes
	r.party.life = shortest(r.p.lifetimes.Access, r.client.AccessTokenTTL, a.TokenTTL)
	return nil
}

// shortest returns the smallest of the durations that are set: an API or a
// client may shorten the life of tokens, not lengthen what the other allows.
// The server's own is a default and yields to both.
func shortest(standard time.Duration, wanted ...time.Duration) time.Duration {
	var life time.Duration
	for _, d := range wanted {
		if d > 0 && (life == 0 || d < life) {
			life = d
		}
	}
	if life == 0 {
		life = standard
	}
	return life
}

func missing(parameter string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The request lacks the parameter "+parameter+".").
		Under("RFC 6749 §4 required parameters are there").Compare("parameter", parameter, "")
}

// words splits a space-separated list; empty members are dropped.
func words(s string) []string { return strings.Fields(s) }
