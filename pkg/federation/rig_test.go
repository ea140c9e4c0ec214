package federation_test

import (
	"context"
	"net/url"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var ctx = context.Background()

// ann is who has an account here.
const ann = "ann@example.test"

// place is a provider that says what a test tells it to say.
type place struct {
	mu      sync.Mutex
	who     federation.Person
	err     error // of Finish
	silent  bool  // Begin fails
	sent    []url.Values
	answers []map[string]string
	said    []string // verifiers and nonces that Finish was given
	logout  error
}

const placeURL = "https://idp.example.test/authorize"

func (p *place) Begin(_ context.Context, state, nonce, verifier, redirectURI string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return "", fault.New(fault.Unavailable, "upstream_unavailable", "It does not answer.").Under("the provider answers")
	}
	q := url.Values{"state": {state}, "nonce": {nonce}, "redirect_uri": {redirectURI}, "verifier": {verifier}}
	p.sent = append(p.sent, q)
	return placeURL + "?" + url.Values{"state": {state}, "redirect_uri": {redirectURI}}.Encode(), nil
}

func (p *place) Finish(_ context.Context, answer map[string]string, nonce, verifier, _ string) (*federation.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers, p.said = append(p.answers, answer), append(p.said, nonce+" "+verifier)
	if answer["error"] != "" {
		return nil, fault.New(fault.Denied, federation.CodeCancelled, "The person said no.").Under("RFC 6749 §4.1.2.1 the person agrees")
	}
	if p.err != nil {
		return nil, p.err
	}
	who := p.who
	return &who, nil
}

func (p *place) EndSession(_ context.Context, idToken, returnTo, state string) (string, error) {
	return "https://idp.example.test/logout?" + url.Values{"id_token_hint": {idToken}, "to": {returnTo}, "state": {state}}.Encode(), nil
}

func (p *place) LogoutToken(context.Context, string) (*federation.Logout, error) {
	return nil, p.logout
}

// places are the real service with that provider in place of every real one.
type places struct {
	*federation.Service
	at *place
}

func (p places) Upstream(ctx context.Context, id string) (federation.Upstream, *federation.Provider, error) {
	_, found, err := p.Service.Upstream(ctx, id)
	return p.at, found, err
}

func (p places) Logout(context.Context, string, string) error {
	p.at.mu.Lock()
	defer p.at.mu.Unlock()
	return p.at.logout
}

// rig is a stage with the pages of signing in elsewhere, and two providers.
type rig struct {
	*stage.Pages
	at      *place
	service *federation.Service
	handler *federation.Handler
	ann     *user.User
}

func newRig(t *testing.T, change ...func(*client.Client)) *rig {
	t.Helper()
	p := stage.NewPages(t, change...)
	service := federation.NewService(federation.Deps{
		Store: p.Durable.Federation, Sealer: p.Sealer, Users: p.Users, Passwords: p.Passwords, Sessions: p.Sessions,
		Fetch: safehttp.New(safehttp.Config{}), Audit: p.Audit, Letters: p.Letters, URL: p.Kit.URL,
	}, federation.Config{})
	at := &place{who: federation.Person{
		Issuer: "https://idp.example.test", Subject: "cleo-there", Email: "cleo@example.test", EmailVerified: true, Label: "cleo@example.test",
		Claims: map[string]any{"name": "Cleo"}, Session: "sid-there", IDToken: "id-token",
	}}
	h := federation.NewHandler(federation.HandlerDeps{
		Kit: p.Kit, Opener: p.Opener, Steps: p.Next, Greeter: p.Login, Places: places{service, at},
		Gate: limit.Gate{Store: p.Limits}, Rules: limit.Standard(), Fingerprint: p.Prints, Audit: p.Audit,
	})
	p.Login.Ways, p.Login.Linker = h, service
	p.Mux.Handle("/login/with", p.Kit.Pages(h.With))
	p.Mux.Handle("/login/callback/", p.Kit.OpenPages(h.Callback))
	p.Mux.Handle("/login/link", p.Kit.Pages(h.Link))
	p.Mux.Handle("/login/logout/", p.Kit.API(h.Logout))
	p.Mux.Handle("/account/identities", p.Kit.Pages(h.Identities))
	r := &rig{Pages: p, at: at, service: service, handler: h}
	r.provider(t, "corp", "Example Corp")
	r.provider(t, "hub", "Code Hub")
	r.ann = r.confirmed(t, ann)
	return r
}

// provider adds one. change may alter it.
func (r *rig) provider(t *testing.T, id, name string) {
	t.Helper()
	_, err := r.service.Create(ctx, federation.Provider{
		ID: id, Kind: federation.OIDC, Name: name,
		Settings: federation.Settings{Issuer: "https://idp.example.test", ClientID: "portico", Create: true, Logout: true},
	}, "secret")
	if err != nil {
		t.Fatal(err)
	}
}

// change alters a provider.
func (r *rig) change(t *testing.T, id string, change func(*federation.Provider)) {
	t.Helper()
	if _, err := r.service.Change(ctx, id, "", func(p *federation.Provider) error { change(p); return nil }); err != nil {
		t.Fatal(err)
	}
}

// confirmed makes a person who proved their address.
func (r *rig) confirmed(t *testing.T, email string) *user.User {
	t.Helper()
	u := r.Person(t, email)
	u.EmailVerified = true
	changed, err := r.Users.Update(ctx, *u)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// says makes the provider tell who is there. The subject is that of the name.
func (r *rig) says(change func(*federation.Person)) {
	r.at.mu.Lock()
	defer r.at.mu.Unlock()
	change(&r.at.who)
}

// begin presses the button of a provider and returns the state that went
// along.
func (r *rig) begin(t *testing.T, b *stage.Browser, page, provider string) string {
	t.Helper()
	form := stage.Hidden(b.Get(page).Body)
	form.Set("provider", provider)
	return r.away(t, b.Post("/login/with?"+query(t, page), form))
}

// away returns the state of an answer that leads to the provider.
func (r *rig) away(t *testing.T, a stage.Answer) string {
	t.Helper()
	to := stage.Follow(t, a)
	u, err := url.Parse(to)
	if err != nil || u.Host != "idp.example.test" || u.Path != "/authorize" {
		t.Fatalf("led to %q, want the provider", to)
	}
	return u.Query().Get("state")
}

func query(t *testing.T, page string) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return u.RawQuery
}

// back comes back from a provider.
func back(b *stage.Browser, provider, state string, more ...string) stage.Answer {
	q := url.Values{"code": {"code"}, "state": {state}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return b.Get("/login/callback/" + provider + "?" + q.Encode())
}

// through signs a browser in at the provider and returns where that leads.
func (r *rig) through(t *testing.T, b *stage.Browser, provider string) string {
	t.Helper()
	return stage.Follow(t, back(b, provider, r.begin(t, b, r.Begin(t, b, ""), provider)))
}

// allow presses the button of the consent, when the location is one.
func (r *rig) allow(t *testing.T, b *stage.Browser, at string) string {
	t.Helper()
	if stage.IsPage(at, "/consent") {
		return stage.Follow(t, b.Submit(at, "decision", "allow"))
	}
	return at
}

// session returns the session of a browser; nil: there is none.
func (r *rig) session(t *testing.T, b *stage.Browser) *session.Session {
	t.Helper()
	s, err := r.Sessions.FromToken(ctx, b.Cookie(stage.SessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// identities returns how many a person has.
func (r *rig) identities(t *testing.T, u *user.User) []federation.Identity {
	t.Helper()
	all, err := r.service.Identities(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refusals are the reasons of the events of the name.
func (r *rig) events(name audit.Name) int { return len(r.Audit.Named(name)) }

// signIn returns a browser in which Ann is signed in, for her account.
func (r *rig) signIn(t *testing.T, email string) *stage.Browser {
	t.Helper()
	b := r.Browser()
	r.SignIn(t, b, email)
	return b
}
