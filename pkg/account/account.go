// Package account is what people do with their own account: see and change
// what is known about them, prove and replace their address, choose a
// password, end sessions, take back what applications may do, read what
// happened, take their data with them, and leave. It signs nobody in (login
// does) and keeps nothing itself.
package account

import (
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
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
	maxForm  = 64 << 10 // bytes
	freshFor = 300      // seconds for which a sign-in lets people do what is sensitive
)

// Deps is what a Handler needs. All of it but the last part.
type Deps struct {
	Kit           *web.Kit
	Opener        *visit.Opener
	Steps         Steps
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

	// Usernames says whether people may choose one; UsernameRequired that
	// they must have one.
	Usernames, UsernameRequired bool
	// Grace is how long an account may still be kept after its owner asked
	// for its deletion.
	Grace time.Duration
}

// Handler serves /account, what is below it, and /login/keep. It is safe for
// concurrent use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler { return &Handler{d} }

// visitor is who looks at a page of the account.
type visitor struct {
	session *session.Session
	user    *user.User
}

// room is one page of the account.
type room struct {
	path string
	// fresh holds when only people who proved lately who they are come in.
	fresh bool
	show  func(w http.ResponseWriter, r *http.Request, v *visitor) error
	// take takes a form whose token was checked; nil: the page has none. A
	// stale sign-in comes to it only when the page is not fresh.
	take func(w http.ResponseWriter, r *http.Request, v *visitor, form web.Fields) error
}

// serve lets the right people into a room. Nobody, or somebody whose sign-in
// is too old, is sent to sign in and comes back to the page; what they sent is
// forgotten. So is somebody on the way out, who is asked whether they stay.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, in room) error {
	if err := in.allows(w, r.Method); err != nil {
		return err
	}
	web.Policy{Private: true}.Set(w.Header())
	if r.Method == http.MethodPost {
		if err := h.brake(r); err != nil {
			return err
		}
	}
	s, u, err := h.Opener.SignedIn(r)
	switch {
	case err != nil:
		return err
	case u == nil || !u.DeleteAt.IsZero():
		return h.Steps.Enter(w, r, in.path, nil)
	}
	v := &visitor{s, u}
	if r.Method == http.MethodPost {
		return h.takeForm(w, r, in, v)
	}
	if in.fresh && !v.fresh() {
		return h.again(w, r, in.path)
	}
	return in.show(w, r, v)
}

func (in room) allows(w http.ResponseWriter, method string) error {
	switch {
	case method == http.MethodGet, method == http.MethodHead, method == http.MethodPost && in.take != nil:
		return nil
	case in.take == nil:
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

func (h *Handler) takeForm(w http.ResponseWriter, r *http.Request, in room, v *visitor) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], purpose(in.path), h.Kit.Cookies.KnownBrowser(r), v.session.ID); err != nil {
		return err
	}
	if in.fresh && !v.fresh() {
		return h.again(w, r, in.path)
	}
	return in.take(w, r, v, form)
}

// fresh reports whether the person proved lately who they are. A time ahead
// of ours proves nothing: the clock was moved.
func (v *visitor) fresh() bool {
	since := clock.Since(v.session.AuthTime)
	return since >= -time.Minute && since < freshFor*time.Second
}

// again sends the person to prove who they are. One second less than what
// fresh asks for: who is sent away must not be sent back at once.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, path string) error {
	age := freshFor - 1
	return h.Steps.Enter(w, r, path, &age)
}

// brake bounds the changes that come from one address.
func (h *Handler) brake(r *http.Request) error {
	return h.Gate.Take(r.Context(), h.Rules.AccountAddress, limit.Remote(r.Context()), "OWASP ASVS 2.4.1 account changes per address")
}

// purpose names the form of a page for its token.
func purpose(path string) string { return "account " + path }

// form returns what the form of a page sends back: it is worthless in another
// browser, in another session and on another page.
func (h *Handler) form(w http.ResponseWriter, r *http.Request, v *visitor, path string) templates.Form {
	return templates.Form{Action: path, Token: h.Kit.FormToken(purpose(path), h.Kit.Cookies.Browser(w, r), v.session.ID)}
}

// desk is what stands around a page. Only known codes of what was done are
// shown.
func desk(r *http.Request, path string) templates.Desk {
	d := templates.Desk{Path: path}
	if done := r.URL.Query()["done"]; len(done) == 1 {
		d.Done = done[0]
	}
	return d
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
func (h *Handler) record(r *http.Request, v *visitor, e audit.Event) {
	e.Actor, e.UserID, e.SessionID = v.user.ID, v.user.ID, v.session.ID
	h.Audit.Record(r.Context(), e)
}

// refused notes that something was tried which is not theirs to do, and
// returns why it is refused.
func (h *Handler) refused(r *http.Request, v *visitor, what string, why *fault.Error) error {
	h.note(r, v, what)
	return why
}

func (h *Handler) note(r *http.Request, v *visitor, what string) {
	h.record(r, v, audit.Event{Name: audit.AccountRefused, Data: map[string]string{"what": what}})
}

// unknown is the answer about what is not this person's: as if there were no
// such thing.
func unknown(what, got string) *fault.Error {
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("OWASP ASVS 8.2.2 people reach what is theirs").Compare(what, "one of this person", got)
}
