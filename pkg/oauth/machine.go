package oauth

import (
	"context"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
)

// prepareMachine decides a client credentials request (RFC 6749 §4.4): scopes
// of APIs only, all of the client's own when it names none. It asks no store.
func (r *run) prepareMachine(ctx context.Context, form url.Values) error {
	if r.client.Public() {
		return fault.New(fault.Invalid, protocol.ErrUnauthorizedClient, "The client may not use this grant type.").
			Under("RFC 6749 §4.4 client credentials are for clients that have some").
			Compare("token_endpoint_auth_method", "not none", r.client.AuthMethod)
	}
	return r.decide(ctx, words(form.Get(protocol.Scope)), resourcesOf(form), true)
}

// resourcesOf reads the resources that a token is asked for. audience is what
// clients of other servers send for the same wish.
func resourcesOf(form url.Values) []string {
	if res := form[protocol.Resource]; len(res) > 0 {
		return res
	}
	return form[protocol.Audience]
}

func askFor(c *client.Client, scopes, resources []string, machine bool) scope.Ask {
	return scope.Ask{Client: c, Scopes: scopes, Resources: resources, Machine: machine}
}
