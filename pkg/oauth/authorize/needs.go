package authorize

import (
	"context"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

// Clients finds an application by its id, disabled ones too, or
// fault.NotFound. client.Service is one.
type Clients interface {
	Get(ctx context.Context, id string) (*client.Client, error)
}

// Scopes decides what may be granted. scope.Service is one.
type Scopes interface {
	Resolve(ctx context.Context, ask scope.Ask) (*scope.Answer, error)
	// MinimumACR returns the most demanding class that the APIs of audiences
	// ask of people; higher returns the higher of two.
	MinimumACR(ctx context.Context, audiences []string, higher func(...string) string) (string, error)
	PersonMay(ctx context.Context, scopes, roles []string) ([]string, error)
}

// Sessions finds who is signed in. session.Service is one.
type Sessions interface {
	// FromToken returns the live session of a cookie value, or nil.
	FromToken(ctx context.Context, token string) (*session.Session, error)
	// Get returns the session of a sid, ended ones too, or fault.NotFound.
	Get(ctx context.Context, id string) (*session.Session, error)
}

// Users finds a person, disabled ones too, or fault.NotFound. user.Service is
// one.
type Users interface {
	Get(ctx context.Context, id string) (*user.User, error)
}

// Consents tells whether a remembered consent covers a request.
// consent.Service is one.
type Consents interface {
	Covers(ctx context.Context, userID string, c *client.Client, q *flow.Request) (bool, error)
}

// Codes issues authorization codes. oauth.Provider is one.
type Codes interface {
	IssueCode(ctx context.Context, c *client.Client, q *flow.Request, who oauth.Who) (url.Values, error)
}

// Health answers whether the short-lived store can be reached.
type Health interface {
	Ping(ctx context.Context) error
}
