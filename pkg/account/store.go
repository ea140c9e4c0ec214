package account

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/templates"
)

// Passwords knows and changes passwords. password.Service is one.
type Passwords interface {
	Has(ctx context.Context, userID string) (bool, error)
	Verify(ctx context.Context, userID, plain string) (bool, error)
	ChangeWith(ctx context.Context, userID, plain, except string, also func(ctx context.Context) error) error
	MinLength() int
	Required() []string
}

// Confirmations ask for proofs of an address. confirm.Service is one.
type Confirmations interface {
	Ask(ctx context.Context, a confirm.Ask) (confirm.Asked, error)
	ByLink(ctx context.Context, p confirm.Purpose, link string) (*confirm.Confirmation, error)
	ByCode(ctx context.Context, p confirm.Purpose, id, code string) (*confirm.Confirmation, error)
	Use(ctx context.Context, c *confirm.Confirmation) error
	End(ctx context.Context, userID, reason string, purposes ...confirm.Purpose) error
	Of(ctx context.Context, userID string, p confirm.Purpose) (*confirm.Confirmation, error)
}

// Letters takes mail to people. mail.Service is one.
type Letters interface {
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Consents knows what people allowed. consent.Service is one.
type Consents interface {
	OfUser(ctx context.Context, userID string) ([]consent.Consent, error)
	Withdraw(ctx context.Context, userID, clientID string) error
}

// Grants knows what applications got. grant.Store is one.
type Grants interface {
	OfUser(ctx context.Context, userID string, now time.Time) ([]grant.Grant, error)
}

// Scopes says what scopes mean. scope.Service is one.
type Scopes interface {
	Describe(ctx context.Context, scopes []string) ([]scope.Described, error)
	All(ctx context.Context) ([]scope.API, error)
}

// History knows what happened. audit.Store is one.
type History interface {
	OfUser(ctx context.Context, userID string, page paging.Page, names ...audit.Name) ([]audit.Event, error)
}

// clientOf returns an application, or one that is called by its id when it is
// not known any more.
func (h *Handler) clientOf(ctx context.Context, id string) (*client.Client, error) {
	c, err := h.Opener.Clients.Get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return &client.Client{ID: id, Name: id}, nil
	}
	return c, err
}
