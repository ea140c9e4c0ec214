package factor

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
)

// maxForm bounds the body of a form, in bytes: a passkey's answer is longer
// than a code.
const maxForm = 32 << 10

// Steps leads from step to step, and answers applications. login.Dispatcher
// is one.
type Steps interface {
	flow.Dispatcher
	// Refuse answers the application with an error and ends the flow.
	Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error
}

// Next goes on with who proved a second factor. login.Handler is one.
type Next interface {
	// Second signs them in, or raises what they are signed in by. trust asks to
	// remember the browser.
	Second(w http.ResponseWriter, r *http.Request, v *visit.Visit, amr []string, trust bool) error
	// CounterKey names the counter of a person's failures in this browser: those
	// that they used before share one of their own, so that strangers cannot
	// keep them out of it.
	CounterKey(r *http.Request, userID string) string
}

// Entry is one factor of a person, as lists show it.
type Entry struct {
	Kind      assurance.Factor
	ID, Name  string
	AddedAt   time.Time
	UsedAt    time.Time // zero: not yet
	Suspended bool      // it opens nothing any more
}

// Lister lists the factors of a kind.
type Lister interface {
	// List returns those of a person, oldest first.
	List(ctx context.Context, userID string) ([]Entry, error)
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit      *web.Kit
	Opener   *visit.Opener
	Steps    Steps
	Next     Next
	Methods  []Method
	Listers  []Lister
	Browsers *Browsers
	Users    *user.Service
	Book     *Book
	Rooms    *room.Keeper
	Gate     limit.Gate
	Rules    limit.Rules
	Audit    audit.Recorder
}

// Handler serves /login/factor, /login/enrol, /account/security and
// /account/security/browsers. It is safe for concurrent use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler { return &Handler{d} }

// method returns the method of a kind, or nil.
func (h *Handler) method(kind assurance.Factor) Method {
	for _, m := range h.Methods {
		if m.Kind() == kind {
			return m
		}
	}
	return nil
}
