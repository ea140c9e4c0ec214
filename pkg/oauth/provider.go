package oauth

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
)

// Who is the person that a code is issued for, and how they proved it.
type Who struct {
	UserID    string
	SessionID string
	AuthTime  time.Time
	ACR       string
	AMR       []string
}

// Provider issues codes and tokens. It is safe for concurrent use.
type Provider struct{}

// IssueCode issues the authorization code for a request that passed every
// check, in one statement. The returned values hold code; state, iss and where
// they go are the authorization endpoint's.
func (p *Provider) IssueCode(ctx context.Context, c *client.Client, q *flow.Request, who Who) (url.Values, error) {
	return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Codes cannot be issued at the moment.")
}

// Token answers a token request of an authenticated client.
func (p *Provider) Token(ctx context.Context, r *http.Request, c *client.Client, form url.Values) (*TokenAnswer, error) {
	return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Tokens cannot be issued at the moment.")
}
