package federation

import (
	"context"
	"net/http"
	"strings"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// maxForm bounds the body of a form and of an answer, in bytes.
const maxForm = 32 << 10

// Places knows the providers, and what a sign-in there does here. Service is
// one.
type Places interface {
	// Active returns those that are on, in the order of their buttons.
	Active(ctx context.Context) ([]*Provider, error)
	// Get returns one, disabled or not, or fault.NotFound.
	Get(ctx context.Context, id string) (*Provider, error)
	// Upstream opens one that is on, or fault.NotFound. It notes itself what a
	// provider fails at.
	Upstream(ctx context.Context, id string) (Upstream, *Provider, error)
	// Resolve says whom a sign-in there lets in here.
	Resolve(ctx context.Context, p *Provider, who *Person) (Outcome, error)
	// Connect ties a sign-in there to the account of who asked for it here.
	Connect(ctx context.Context, p *Provider, who *Person, userID string) error
	Identities(ctx context.Context, userID string) ([]Identity, error)
	Unlink(ctx context.Context, un Unlinking) error
	// OriginOf returns where a session comes from, with the ID token.
	OriginOf(ctx context.Context, sessionID string) (Origin, string, error)
	// Logout ends the sessions that a logout token is about.
	Logout(ctx context.Context, id, raw string) error
}

// Greeter opens the session of somebody who has just proven who they are.
// login.Handler is one.
type Greeter interface {
	Welcome(w http.ResponseWriter, r *http.Request, f *flow.Flow, u *user.User, p login.Proof) error
}

// HandlerDeps is what a Handler needs. All of it.
type HandlerDeps struct {
	Kit         *web.Kit
	Opener      *visit.Opener
	Steps       room.Steps
	Greeter     Greeter
	Places      Places
	Gate        limit.Gate
	Rules       limit.Rules
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
}

// Handler serves the pages of signing in elsewhere: the way to a provider and
// back, the link to an account of the same address, the list in the account,
// and the end of a session there. It is safe for concurrent use.
type Handler struct {
	HandlerDeps
	rooms room.Keeper
}

// NewHandler returns a handler.
func NewHandler(d HandlerDeps) *Handler {
	return &Handler{d, room.Keeper{Kit: d.Kit, Opener: d.Opener, Steps: d.Steps, Gate: d.Gate, Rules: d.Rules, Audit: d.Audit}}
}

// Ways implements login.Ways.
func (h *Handler) Ways(ctx context.Context) ([]login.Way, error) {
	active, err := h.Places.Active(ctx)
	ways := make([]login.Way, 0, len(active))
	for _, p := range active {
		if p.Interactive() {
			ways = append(ways, login.Way{ID: p.ID, Name: p.Name})
		}
	}
	return ways, err
}

// With serves /login/with, which sends the browser to a provider: to the one
// whose button was pressed, or by GET to the one that the sign-in form has
// chosen itself and noted in the flow.
func (h *Handler) With(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, "GET, POST")
	}
	form := web.Fields{}
	if r.Method == http.MethodPost {
		var err error
		if form, err = web.Form(r, maxForm); err != nil {
			return err
		}
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if !atLogin(v) {
		return h.Steps.Next(w, r, v.Flow)
	}
	if r.Method == http.MethodGet {
		if was := v.Flow.Elsewhere; was != nil && was.Problem == "" {
			return h.begin(w, r, v, was.Provider)
		}
		return h.Kit.SeeOther(w, r, at(protocol.PathLogin, v.Flow.ID))
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "login", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	return h.begin(w, r, v, form["provider"])
}

// atLogin reports whether a sign-in is what the request of a visit misses.
func atLogin(v *visit.Visit) bool { return v.Step == assurance.Login || v.Step == assurance.Create }

// at returns the path of a page for a flow. Flow ids need no escaping.
func at(path, flowID string) string { return path + "?flow=" + flowID }

// begin sends the browser of a visit to a provider.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, v *visit.Visit, id string) error {
	p, err := h.offered(r.Context(), v, id)
	switch {
	case p != nil && fault.Is(err, fault.Denied):
		return h.failed(w, r, v, p, trouble{"off", audit.IdentityRefused, err})
	case err != nil:
		return web.Back(err, at(protocol.PathLogin, v.Flow.ID), "")
	}
	v.Flow.Elsewhere = &flow.Elsewhere{Provider: p.ID, Name: p.Name}
	// Losing to another request of the same tab is fine: what is noted here
	// only chooses the words for who comes back.
	if err := h.Opener.Flows.Save(r.Context(), v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	t := trip{purpose: toSignIn, provider: p.ID, flow: v.Flow.ID, wish: wishOf(v)}
	to, err := h.depart(w, r, t)
	if err != nil {
		return h.unready(w, r, v, p, err)
	}
	return leave(w, to)
}

// unready ends an attempt for which the provider could not be asked.
func (h *Handler) unready(w http.ResponseWriter, r *http.Request, v *visit.Visit, p *Provider, err error) error {
	if fault.Is(err, fault.Limited) {
		return web.Back(err, at(protocol.PathLogin, v.Flow.ID), "")
	}
	return h.failed(w, r, v, p, trouble{problemOf(err), "", err})
}

// offered returns a provider that is on and that the application of the visit
// allows, or fault.Denied and what is known of it. It is asked on the way out
// and on the way back: either may have changed.
func (h *Handler) offered(ctx context.Context, v *visit.Visit, id string) (*Provider, error) {
	p, err := h.provider(ctx, id)
	if err != nil {
		return p, err
	}
	if v.Client != nil && !v.Client.Allows(p.ID) {
		return p, barred("the application allows the provider", "This application takes another way to sign in.").
			Compare("provider", strings.Join(v.Client.Ways, " "), p.ID)
	}
	return p, nil
}

// provider returns one that is on and has a button, or fault.Denied.
func (h *Handler) provider(ctx context.Context, id string) (*Provider, error) {
	p, err := h.Places.Get(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, barred("the provider is known", "There is no such way to sign in.").Compare("provider", "one of ours", id)
	case err != nil:
		return nil, err
	case !p.Interactive():
		return nil, barred("the provider has a button", "There is no such way to sign in.").Compare("provider", "no directory", id)
	case p.Disabled:
		return p, barred("the provider is enabled", "People cannot sign in there at the moment.").
			Compare("provider", "enabled", "disabled").WithHint("portico provider enable %s", id)
	}
	return p, nil
}

// barred is a way that people may not go.
func barred(rule, say string) *fault.Error {
	return fault.New(fault.Denied, "way_not_allowed", say).Under(rule)
}
