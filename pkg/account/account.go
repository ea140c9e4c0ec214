// Package account is what people do with their own account: see and change
// what is known about them, prove and replace their address, choose a
// password, end sessions, take back what applications may do, read what
// happened, take their data with them, and leave. It signs nobody in (login
// does) and keeps nothing itself.
package account

import (
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Bounds of the pages.
const (
	maxForm = 64 << 10 // bytes
)

// Deps is what a Handler needs. All of it but the last part.
type Deps struct {
	Kit           *web.Kit
	Opener        *visit.Opener
	Steps         room.Steps
	Sessions      *session.Service
	Users         *user.Service
	Passwords     Passwords
	Confirmations Confirmations
	Letters       Letters
	Consents      Consents
	Grants        Grants
	Scopes        Scopes
	History       History
	Tx            user.Transactor
	Gate          limit.Gate
	Rules         limit.Rules
	Fingerprint   *secret.Fingerprinter
	Audit         audit.Recorder

	// Factors list the second factors of people, one for each kind.
	Factors []factor.Lister
	// Usernames says whether people may choose one; UsernameRequired that
	// they must have one.
	Usernames, UsernameRequired bool
	// Grace is how long an account may still be kept after its owner asked
	// for its deletion.
	Grace time.Duration
}

// Handler serves /account, what is below it, and /login/keep. It is safe for
// concurrent use.
type Handler struct {
	Deps
	rooms room.Keeper
}

// New returns a handler.
func New(d Deps) *Handler {
	return &Handler{d, room.Keeper{Kit: d.Kit, Opener: d.Opener, Steps: d.Steps, Gate: d.Gate, Rules: d.Rules, Audit: d.Audit}}
}

// serve lets the right people into a room.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, in room.Room) error {
	return h.rooms.Serve(w, r, in)
}

// again sends the person to prove who they are.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, path string) error {
	age := room.FreshFor - 1
	return h.Steps.Enter(w, r, flow.Request{Return: path, MaxAge: &age})
}

// brake bounds the changes that come from one address.
func (h *Handler) brake(r *http.Request) error {
	return h.Gate.Take(r.Context(), h.Rules.AccountAddress, limit.Remote(r.Context()), "OWASP ASVS 2.4.1 account changes per address")
}

// form returns what the form of a page sends back.
func (h *Handler) form(w http.ResponseWriter, r *http.Request, v *room.Visitor, path string) templates.Form {
	return h.rooms.Form(w, r, v, path)
}

// done leads to the page that tells what was done.
func (h *Handler) done(w http.ResponseWriter, r *http.Request, path, code string) error {
	return h.Kit.SeeOther(w, r, path+"?done="+code)
}

// account is the person as pages show them.
func account(u *user.User) templates.Account {
	a := templates.Account{Ref: u.ID, Name: u.Name, Login: u.Email}
	if a.Login == "" {
		a.Login = u.Username
	}
	return a
}

// record notes an event that the person caused.
func (h *Handler) record(r *http.Request, v *room.Visitor, e audit.Event) {
	e.Actor, e.UserID, e.SessionID = v.User.ID, v.User.ID, v.Session.ID
	h.Audit.Record(r.Context(), e)
}

// refused notes that something was tried which is not theirs to do, and
// returns why it is refused.
func (h *Handler) refused(r *http.Request, v *room.Visitor, what string, why *fault.Error) error {
	h.note(r, v, what)
	return why
}

func (h *Handler) note(r *http.Request, v *room.Visitor, what string) {
	h.record(r, v, audit.Event{Name: audit.AccountRefused, Data: map[string]string{"what": what}})
}

// unknown is the answer about what is not this person's: as if there were no
// such thing.
func unknown(what, got string) *fault.Error {
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("OWASP ASVS 8.2.2 people reach what is theirs").Compare(what, "one of this person", got)
}
