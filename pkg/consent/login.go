package consent

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// pathAccount is the page that chooses another account.
const pathAccount = protocol.PathLogin + "/account"

// maxForm bounds the body of the form, in bytes.
const maxForm = 4 << 10

// Steps leads on. login.Dispatcher is one.
type Steps interface {
	flow.Dispatcher
	// Refuse answers the application with an error and ends the flow.
	Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error
}

// Handler serves /consent. It is safe for concurrent use.
type Handler struct {
	kit    *web.Kit
	opener *visit.Opener
	steps  Steps
	svc    *Service
}

// NewHandler returns a handler of the consent page.
func NewHandler(kit *web.Kit, opener *visit.Opener, steps Steps, svc *Service) *Handler {
	return &Handler{kit: kit, opener: opener, steps: steps, svc: svc}
}

// Consent serves the page that asks. GET shows it when a consent is what the
// flow misses; POST takes the decision.
func (h *Handler) Consent(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return h.decide(w, r)
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	v, err := h.opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Consent {
		return h.steps.Next(w, r, v.Flow)
	}
	return h.draw(w, r, v, templates.Problem{})
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v *visit.Visit, problem templates.Problem) error {
	q, c := &v.Flow.Request, v.Client
	scopes, err := h.svc.scopes.PersonMay(r.Context(), q.Scopes, v.User.Roles)
	if err != nil {
		return err
	}
	own, apis, err := h.words(r, q, scopes)
	if err != nil {
		return err
	}
	browser := h.kit.Cookies.Browser(w, r)
	return h.kit.Render(w, r, http.StatusOK, templates.Consent{
		Form: templates.Form{
			Action: protocol.PathConsent + "?flow=" + v.Flow.ID,
			Token:  h.kit.FormToken("consent", browser, v.Flow.ID, v.Session.ID),
		},
		Client: templates.Client{
			Name: c.Name, LogoURL: c.LogoURI, PolicyURL: c.PolicyURI,
			TermsURL: c.TosURI, HomeURL: c.ClientURI,
		},
		RedirectURI: q.RedirectURI,
		Account:     account(v.User),
		Scopes:      own, APIs: apis,
		Remembered: assurance.Verifiable(c, q.RedirectURI),
		Unverified: c.Source == client.Dynamic,
		Switch:     pathAccount + "?flow=" + v.Flow.ID,
		Problem:    problem,
	})
}

func account(u *user.User) templates.Account {
	a := templates.Account{Ref: u.ID, Name: u.Name, Login: u.Email}
	if a.Login == "" {
		a.Login = u.Username
	}
	return a
}

// words sorts what is asked for into Portico's own scopes and those of each
// API. A claim that is asked for by itself is told as the scope it belongs
// to: that is what the person would give away of it at most.
func (h *Handler) words(r *http.Request, q *flow.Request, scopes []string) (own []string, apis []templates.API, err error) {
	described, err := h.svc.scopes.Describe(r.Context(), scopes)
	if err != nil {
		return nil, nil, err
	}
	at := map[string]int{} // by audience
	for _, d := range described {
		if d.Audience == "" {
			own = append(own, d.Name)
			continue
		}
		i, ok := at[d.Audience]
		if !ok {
			i = len(apis)
			at[d.Audience], apis = i, append(apis, templates.API{Name: d.API, Audience: d.Audience})
		}
		apis[i].Scopes = append(apis[i].Scopes, templates.Scope{Name: d.Name, Description: d.Description})
	}
	single, err := singleClaims(q.Claims, scopes)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range single {
		if s := claims.ScopeOf(name); !slices.Contains(own, s) {
			own = append(own, s)
		}
	}
	all, err := h.svc.scopes.All(r.Context())
	return own, plain(apis, at, q, all), err
}

// plain adds the APIs that are named as resource without any scope of theirs:
// the tokens will be good for them all the same (RFC 8707 §2).
func plain(apis []templates.API, at map[string]int, q *flow.Request, all []scope.API) []templates.API {
	for _, resource := range q.Resources {
		if _, ok := at[resource]; ok || !slices.Contains(q.Audiences, resource) {
			continue
		}
		api := templates.API{Audience: resource}
		if i := slices.IndexFunc(all, func(a scope.API) bool { return a.Audience == resource }); i >= 0 {
			api.Name = all[i].Name
		}
		at[resource], apis = len(apis), append(apis, api)
	}
	return apis
}

// decide takes the form.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Consent && v.Step != assurance.None {
		return h.steps.Next(w, r, v.Flow) // signed out meanwhile, or too long ago
	}
	if err := h.kit.CheckFormToken(form[templates.FieldToken], "consent", h.kit.Cookies.KnownBrowser(r), v.Flow.ID, v.Session.ID); err != nil {
		return err
	}
	switch form["decision"] {
	case "allow":
		return h.allow(w, r, v)
	case "deny":
		return h.deny(w, r, v)
	}
	return h.draw(w, r, v, templates.NoDecision)
}

func (h *Handler) allow(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ctx, q := r.Context(), &v.Flow.Request
	if err := h.svc.Allow(ctx, v.User, v.Client, q); err != nil {
		return err
	}
	h.record(r, v, audit.ConsentGranted)
	v.Flow.Consented = true
	return h.steps.Next(w, r, v.Flow)
}

func (h *Handler) deny(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	h.record(r, v, audit.ConsentDenied)
	return h.steps.Refuse(w, r, v.Flow, fault.New(fault.Denied, protocol.ErrAccessDenied,
		"The person did not allow it.").Under("RFC 6749 §4.1.2.1 the person allows the request"))
}

func (h *Handler) record(r *http.Request, v *visit.Visit, name audit.Name) {
	h.svc.audit.Record(r.Context(), audit.Event{
		Name: name, Actor: v.User.ID, UserID: v.User.ID,
		ClientID: v.Client.ID, SessionID: v.Session.ID,
		Data: map[string]string{"scope": fault.Clip(strings.Join(v.Flow.Request.Scopes, " "))},
	})
}
