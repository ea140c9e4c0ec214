// Package signup lets people make their own account, by themselves or asked
// in. Unless the operator wants it otherwise an account exists only after its
// e-mail address is proven, by link or by code, and until then no page tells
// whether the address is taken: the mail does. It opens no session (login
// does).
package signup

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/login"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Mode says who may create an account.
type Mode string

// Modes, as PORTICO_SIGNUP has them.
const (
	Open   Mode = "open"
	Invite Mode = "invite"
	Closed Mode = "closed"
)

// Presence says whether the form has a field. Anything else is Off.
type Presence string

// Presences, as PORTICO_SIGNUP_USERNAME has them.
const (
	Off      Presence = "off"
	Optional Presence = "optional"
	Required Presence = "required"
)

// Config is the policy of the operator.
type Config struct {
	Mode Mode // default Closed
	// AtOnce makes accounts without a proof of the address: then the form
	// tells whether it was free.
	AtOnce bool
	// Domains are those whose addresses may sign up; empty: all.
	Domains  []string
	Username Presence // default Off
	// Roles are what everybody who comes without an invitation is given.
	Roles []string
	// Terms are shown; TermsVersion is what accepting them records.
	Terms        templates.Terms
	TermsVersion string
}

// Passwords makes the hash of a new password. password.Service is one.
type Passwords interface {
	Check(ctx context.Context, plain string, person ...string) error
	Hash(ctx context.Context, plain string) (string, error)
	Put(ctx context.Context, userID, hash string) error
	MinLength() int
	Required() []string
}

// Letters takes mail. mail.Service is one.
type Letters interface {
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Transactor runs work in one transaction. storage.Durable is one.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Greeter opens the session of somebody who has just proven who they are.
// login.Handler is one.
type Greeter interface {
	Welcome(w http.ResponseWriter, r *http.Request, f *flow.Flow, u *user.User, p login.Proof) error
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit         *web.Kit
	Opener      *visit.Opener
	Next        flow.Dispatcher
	Greeter     Greeter
	Users       *user.Service
	Passwords   Passwords
	Proofs      *confirm.Service
	Letters     Letters
	Tx          Transactor
	Gate        limit.Gate
	Rules       limit.Rules // zero: limit.Standard
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
	Config      Config
}

// Handler serves /register and /register/confirm. It is safe for concurrent
// use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler {
	if d.Rules.SignupAddress.Max == 0 {
		d.Rules = limit.Standard()
	}
	return &Handler{Deps: d}
}

// evenTime is how long taking a form lasts at least. What is done for a free
// address and for a taken one is the same, but not to the microsecond, and
// nobody may tell.
const evenTime = 400 * time.Millisecond

// even returns a wait for the end of evenTime from now.
func even(ctx context.Context) (wait func() error) {
	timer := time.NewTimer(evenTime)
	return func() error {
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return fault.As(ctx.Err())
		}
	}
}

// allowed refuses whoever comes when people may not sign themselves up, or
// not without an invitation.
func (h *Handler) allowed(invited bool) error {
	switch {
	case h.Config.Mode == Open, h.Config.Mode == Invite && invited:
		return nil
	case h.Config.Mode == Invite:
		return fault.New(fault.Denied, "signup_closed", "An invitation is needed to create an account.").
			Under("signup the mode is open").Compare("signup", string(Open), string(h.Config.Mode)).
			WithHint("set signup to open to let anybody create an account, or ask people in with portico user invite")
	}
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("signup the mode is open").Compare("signup", string(Open), string(h.Config.Mode)).
		WithHint("set signup to open to let anybody create an account")
}
