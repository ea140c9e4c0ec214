package login_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/signup"
)

var ctx = context.Background()

// rig is a stage with the step pages served.
type rig struct {
	*stage.Stage
	handler http.Handler
	client  *client.Client
}

func newRig(t *testing.T, change ...func(*client.Client)) *rig {
	t.Helper()
	s := stage.New(t)
	next := login.NewDispatcher(s.Kit, s.Flows, s.Opener, s.Finisher)
	pages := login.New(login.Deps{Kit: s.Kit, Dispatcher: next, Sessions: s.Sessions, Users: s.Users,
		Passwords: s.Passwords, Limits: s.Limits, Fingerprint: s.Prints, Audit: s.Audit})
	asks := consent.NewHandler(s.Kit, s.Opener, next, s.Consents)
	register := signup.New(signup.Deps{Kit: s.Kit, Opener: s.Opener, Next: next, Users: s.Users,
		Passwords: s.Passwords, Limits: s.Limits, Audit: s.Audit, Mode: signup.Open})
	r := &rig{Stage: s, client: s.Client(t, change...)}
	mux := http.NewServeMux()
	mux.Handle("/login", s.Kit.Pages(pages.Login))
	mux.Handle("/login/account", s.Kit.Pages(pages.Account))
	mux.Handle("/consent", s.Kit.Pages(asks.Consent))
	mux.Handle("/register", s.Kit.Pages(register.Register))
	// /start stands for the authorization endpoint: it hands a request over.
	mux.Handle("/start", s.Kit.OpenPages(func(w http.ResponseWriter, req *http.Request) error {
		return next.Next(w, req, s.Flows.Begin(s.Kit.Cookies.Browser(w, req), r.asked(req)))
	}))
	r.handler = s.Kit.Outer(mux)
	return r
}

// asked reads the request of /start: prompt, login_hint, hint, max_age.
func (r *rig) asked(req *http.Request) flow.Request {
	v := req.URL.Query()
	q := flow.Request{
		ClientID: r.client.ID, RedirectURI: r.client.RedirectURIs[0], RedirectURISent: true, ResponseType: "code",
		State: "st&te", Scopes: []string{"openid", "email"}, Audiences: []string{stage.Issuer},
		Prompt: strings.Fields(v.Get("prompt")), LoginHint: v.Get("login_hint"), HintSubject: v.Get("hint"),
		UILocales: strings.Fields(v.Get("ui_locales")), Claims: v.Get("claims"),
	}
	if v.Has("max_age") {
		zero := 0
		q.MaxAge = &zero
	}
	if v.Has("scope") {
		q.Scopes = strings.Fields(v.Get("scope"))
	}
	return q
}

func (r *rig) browser() *stage.Browser { return &stage.Browser{Handler: r.handler} }

// begin starts a flow and returns the page that it leads to.
func (r *rig) begin(t *testing.T, b *stage.Browser, query string) string {
	t.Helper()
	return follow(t, b.Get("/start?"+query))
}

// follow returns where an answer leads.
func follow(t *testing.T, a stage.Answer) string {
	t.Helper()
	if a.Status != http.StatusSeeOther {
		t.Fatalf("status %d, want a redirect; body: %.300s", a.Status, a.Body)
	}
	return a.Location
}

// signIn signs a browser in and allows the application.
func (r *rig) signIn(t *testing.T, b *stage.Browser, email string) {
	t.Helper()
	at := follow(t, b.Submit(r.begin(t, b, ""), "username", email, "password", stage.Password))
	if strings.HasPrefix(at, "/consent") {
		at = follow(t, b.Submit(at, "decision", "allow"))
	}
	if at != granted {
		t.Fatalf("signing in led to %q", at)
	}
}

const granted = stage.Redirect + "?code=granted&state=st%26te"

// page reports whether a location is the page, with a flow.
func page(location, path string) bool {
	id, ok := strings.CutPrefix(location, path+"?flow=")
	if !ok {
		return false
	}
	_, ok = secret.Unwrap(secret.FlowID, id)
	return ok
}
