package oauth

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/user"
)

// run is one request on its way through fosite: what was read and decided
// before, what the handlers made, and what is written at the very end. fosite
// asks its store ten times for a code exchange; a run answers from memory, so
// that the real store sees two statements.
type run struct {
	p      *Provider
	now    time.Time // one clock reading for everything in the answer
	client *client.Client
	party  *party

	// The authorization request, when a code is issued.
	request *flow.Request

	// The grant and the token request. grant is nil for client credentials.
	grantType string
	grant     *grant.Grant
	standing  *grant.Standing // of a refresh; its Grant is grant
	scopes    []string        // of the access token
	audiences []string
	resolved  *scope.Answer
	person    *user.User // read only when a claim needs it

	// What was made and waits to be written.
	codeHash    string
	challenge   string
	opaque      *grant.OpaqueToken
	refreshHash string
	oldRefresh  grant.Refresh // the token that a refresh spends
	retryKey    string        // empty: this refresh has no retry window
	expires     time.Time     // of the access token
	answer      *TokenAnswer
}

type runKey struct{}

func withRun(ctx context.Context, r *run) context.Context { return context.WithValue(ctx, runKey{}, r) }

// runFrom returns the run of ctx. fosite passes the context on to everything
// that it calls, so a missing one is a programming error.
func runFrom(ctx context.Context) *run { return ctx.Value(runKey{}).(*run) }
