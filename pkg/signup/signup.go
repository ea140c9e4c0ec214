// Package signup lets people make their own account. It tells nobody whether
// an address is taken, and signs nobody in (login does).
package signup

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
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

// Bounds of the form.
const (
	maxForm    = 16 << 10 // bytes
	maxName    = 200      // bytes
	perAddress = 100      // forms per address and window
	window     = 15 * time.Minute
)

// evenTime is how long taking a form lasts at least: writing a person takes
// longer than finding that the address is taken, and nobody may tell.
const evenTime = 400 * time.Millisecond

// Passwords makes the hash of a new password. password.Service is one.
type Passwords interface {
	Check(ctx context.Context, plain string, person ...string) error
	Hash(ctx context.Context, plain string) (string, error)
	Put(ctx context.Context, userID, hash string) error
	MinLength() int
	Required() []string
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit       *web.Kit
	Opener    *visit.Opener
	Next      flow.Dispatcher
	Users     *user.Service
	Passwords Passwords
	Limits    limit.Store
	Audit     audit.Recorder
	Mode      Mode // default Closed
	// LimitFactor multiplies the forms per address; default 1.
	LimitFactor int
}

// Handler serves /register. It is safe for concurrent use.
type Handler struct {
	Deps
	rule limit.Rule
}

// New returns a handler.
func New(d Deps) *Handler {
	return &Handler{Deps: d, rule: limit.Rule{Name: "signup-address", Max: perAddress * max(1, d.LimitFactor), Window: window}}
}

// Register serves the form of a new account. It may be visited at any time
// of an open flow.
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	if err := h.allowed(); err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		return h.take(w, r)
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Flow.Registered {
		return h.Next.Next(w, r, v.Flow) // back button: the form was sent
	}
	return h.draw(w, r, v, templates.Register{})
}

// allowed refuses whoever comes when people may not sign themselves up.
func (h *Handler) allowed() error {
	switch h.Mode {
	case Open:
		return nil
	case Invite:
		return fault.New(fault.Denied, "signup_closed", "An invitation is needed to create an account.").
			Under("signup the mode is open").Compare("signup", string(Open), string(h.Mode)).
			WithHint("set signup to open to let anybody create an account")
	}
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("signup the mode is open").Compare("signup", string(Open), string(h.Mode)).
		WithHint("set signup to open to let anybody create an account")
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v *visit.Visit, page templates.Register) error {
	page.Form = templates.Form{
		Action: protocol.PathSignup + "?flow=" + v.Flow.ID,
		Token:  h.Kit.FormToken("register", h.Kit.Cookies.Browser(w, r), v.Flow.ID),
	}
	page.Client = &templates.Client{
		Name: v.Client.Name, LogoURL: v.Client.LogoURI, PolicyURL: v.Client.PolicyURI,
		TermsURL: v.Client.TosURI, HomeURL: v.Client.ClientURI,
	}
	page.PasswordMin, page.PasswordKinds = h.Passwords.MinLength(), h.Passwords.Required()
	page.Login = protocol.PathLogin + "?flow=" + v.Flow.ID
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// take takes the form. Whether the address was free or taken, a valid form
// leads to the sign-in, with the same words and after the same time.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "register", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	page, plain, err := h.read(r.Context(), form)
	if err != nil {
		return err
	}
	if page.Failed() {
		return h.draw(w, r, v, page)
	}
	ctx := r.Context()
	if err := h.brake(ctx); err != nil {
		return err
	}
	even := time.NewTimer(evenTime)
	defer even.Stop()
	if err := h.create(ctx, v, page, plain); err != nil {
		return err
	}
	select {
	case <-even.C:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	}
	v.Flow.Registered = true
	return h.Next.Next(w, r, v.Flow)
}

// read checks each field by itself.
func (h *Handler) read(ctx context.Context, form web.Fields) (page templates.Register, plain string, err error) {
	page.Name, page.Email = strings.TrimSpace(form["name"]), strings.TrimSpace(form["email"])
	switch {
	case page.Name == "":
		page.NameProblem = templates.NameMissing
	case len(page.Name) > maxName:
		page.NameProblem = templates.NameTooLong
	case user.Validate(&user.User{Username: "x", Name: page.Name}) != nil:
		page.NameProblem = templates.Unreadable
	}
	switch {
	case page.Email == "":
		page.EmailProblem = templates.EmailMissing
	case !user.ValidEmail(page.Email):
		page.EmailProblem = templates.EmailMalformed
	}
	plain = form["password"]
	page.PasswordProblem, err = templates.PasswordProblem(h.Passwords.Check(ctx, plain, page.Name, page.Email), h.Passwords.MinLength())
	return page, plain, err
}

// create makes the person, or nothing when the address is taken. The hash is
// made in both cases, and before anything is looked up.
func (h *Handler) create(ctx context.Context, v *visit.Visit, page templates.Register, plain string) error {
	hash, err := h.Passwords.Hash(ctx, plain)
	if err != nil {
		return err
	}
	u, err := h.Users.Create(ctx, user.User{Name: page.Name, Email: page.Email}, func(ctx context.Context, id string) error {
		return h.Passwords.Put(ctx, id, hash)
	})
	if fault.Is(err, fault.Conflict) {
		return nil
	} else if err != nil {
		return err
	}
	h.Audit.Record(ctx, audit.Event{Name: audit.UserRegistered, Actor: u.ID, UserID: u.ID, ClientID: v.Client.ID})
	return nil
}

// brake bounds how many accounts one address makes.
func (h *Handler) brake(ctx context.Context) error {
	var from netip.Addr
	if t := trail.From(ctx); t != nil {
		from = t.Remote
	}
	got, err := h.Limits.Take(ctx, h.rule, limit.AddressKey(from), clock.Now())
	if err != nil {
		return err
	}
	if !got.Allowed {
		return fault.New(fault.Limited, "rate_limited", "There were too many attempts. Wait a little and try again.").
			Under("OWASP ASVS 2.4.1 sign-ups per address").
			Compare(h.rule.Name, "at most "+strconv.Itoa(h.rule.Max)+" in "+h.rule.Window.String(), "more").
			After(max(got.RetryAfter, time.Second))
	}
	return nil
}
