// Package clientauth proves which client is calling: by secret in the Basic
// header or the body, by a signed assertion, or, for public clients, by
// nothing but its id. It issues nothing.
package clientauth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Authenticator authenticates clients. It is safe for concurrent use.
type Authenticator struct{}

// Authenticate returns the client that the request proves to be, enabled and
// by a method it is registered for. A failure is fault.Unauthenticated with
// code invalid_client, the same for an unknown client and a wrong secret.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error) {
	return nil, fault.New(fault.Unauthenticated, protocol.ErrInvalidClient, "Client authentication failed.")
}
