package stage

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/terms"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/templates"
)

// Pages is a stage with the step pages served, for one application.
type Pages struct {
	*Stage
	Handler http.Handler
	App     *client.Client
	// Next leads from step to step; Mux takes more pages.
	Next *login.Dispatcher
	Mux  *http.ServeMux
	// Login may be given directories before it serves.
	Login *login.Handler
	// Rooms opens the pages of the account; Second asks for second factors, and
	// may be given more methods before it serves; SignInPages signs people in.
	Rooms       *room.Keeper
	Second      *factor.Handler
	SignInPages *login.Handler
	// Apps may lead on elsewhere than to recovery codes.
	Apps *totp.Handler
	// Signup may be given another policy before it serves.
	Signup *signup.Handler
}

// NewPages returns a stage with its pages. change may make the application
// another than Client makes it.
func NewPages(t *testing.T, change ...func(*client.Client)) *Pages {
	t.Helper()
	s := New(t)
	next := login.NewDispatcher(s.Kit, s.Flows, s.Opener, s.Finisher)
	pages := login.New(login.Deps{
		Kit: s.Kit, Dispatcher: next, Sessions: s.Sessions, Users: s.Users,
		Passwords: s.Passwords, Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(), Spreads: s.Spreads, Fingerprint: s.Prints, Audit: s.Audit, Recover: true, Browsers: s.Browsers, Linker: s.Federation,
	})
	forgotten := recovery.New(recovery.Deps{
		Kit: s.Kit, Opener: s.Opener, Users: s.Users, Passwords: s.Passwords, Confirm: s.Confirmations, Letters: s.Letters,
		Tx: s.Durable, Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(), Fingerprint: s.Prints, Audit: s.Audit,
		Trust: pages.Trust, Mail: true,
	})
	wayBack := recovery.NewFactorsPage(recovery.FactorsPageDeps{
		Kit: s.Kit, Opener: s.Opener, Factors: s.WayBack, Has: s.Passwords.Has, Prove: pages.Prove, Trust: pages.Trust,
		Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(), Audit: s.Audit,
	})
	rooms := &room.Keeper{Kit: s.Kit, Opener: s.Opener, Steps: next, Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(), Audit: s.Audit}
	bySMS, byEmail := onetime.SMS{Service: s.OneTime}, onetime.Email{Service: s.OneTime}
	second := factor.New(factor.Deps{
		Kit: s.Kit, Opener: s.Opener, Steps: next, Next: pages, Methods: []factor.Method{s.TOTP, s.RecoveryCodes, bySMS, byEmail}, Listers: []factor.Lister{s.TOTP, bySMS, byEmail},
		Browsers: s.Browsers, Users: s.Users, Book: s.Factors, Rooms: rooms, Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(), Audit: s.Audit,
	})
	onward := &factor.Onward{Rooms: rooms, Codes: s.RecoveryCodes}
	apps := &totp.Handler{Rooms: rooms, Apps: s.TOTP, Raise: pages, Onward: onward}
	paper := &recoverycode.Handler{Rooms: rooms, Codes: s.RecoveryCodes}
	sent := &onetime.Handler{Rooms: rooms, Codes: s.OneTime, Raise: pages, Onward: onward}
	asks := consent.NewHandler(s.Kit, s.Opener, next, s.Consents)
	watch := &limit.Watch{Audit: s.Audit, Count: func(string) {}}
	register := signup.New(signup.Deps{
		Kit: s.Kit, Opener: s.Opener, Next: next, Greeter: pages, Users: s.Users, Passwords: s.Passwords,
		Proofs: s.Confirmations, Letters: s.Letters, Tx: s.Durable, Gate: limit.Gate{Store: s.Limits, Refused: watch.Refused},
		Fingerprint: s.Prints, Audit: s.Audit, Config: signup.Config{Mode: signup.Open},
	})
	accept := terms.New(terms.Deps{Kit: s.Kit, Opener: s.Opener, Steps: next, People: s.Users, Sessions: s.Sessions, Terms: templates.Terms{
		TermsURL: "https://app.example.test/terms", PrivacyURL: "https://app.example.test/privacy",
	}})
	mux := http.NewServeMux()
	p := &Pages{Stage: s, Rooms: rooms, Apps: apps, Second: second, SignInPages: pages, App: s.Client(t, change...), Next: next, Mux: mux, Login: pages, Signup: register}
	mux.Handle("/login", s.Kit.Pages(pages.Login))
	mux.Handle("/login/factor", s.Kit.Pages(second.Step))
	mux.Handle("/login/enrol", s.Kit.Pages(second.Enrol))
	mux.Handle("/account/security", s.Kit.Pages(second.Security))
	mux.Handle("/account/security/browsers", s.Kit.Pages(second.Remembered))
	mux.Handle("/account/security/app", s.Kit.Pages(apps.Account))
	mux.Handle("/account/security/recovery-codes", s.Kit.Pages(paper.Account))
	mux.Handle("/account/security/email", s.Kit.Pages(sent.Email))
	mux.Handle("/account/security/sms", s.Kit.Pages(sent.SMS))
	mux.Handle("/login/account", s.Kit.Pages(pages.Account))
	mux.Handle("/consent", s.Kit.Pages(asks.Consent))
	mux.Handle("/login/terms", s.Kit.Pages(accept.Ask))
	mux.Handle("/register", s.Kit.Pages(register.Register))
	mux.Handle("/register/confirm", s.Kit.Pages(register.Confirm))
	mux.Handle("/recover", s.Kit.Pages(forgotten.Recover))
	mux.Handle("/recover/reset", s.Kit.Pages(forgotten.Reset))
	mux.Handle("/recover/factors", s.Kit.Pages(wayBack.Recover))
	// /start stands for the authorization endpoint: it hands a request over.
	mux.Handle("/start", s.Kit.OpenPages(func(w http.ResponseWriter, req *http.Request) error {
		return next.Next(w, req, s.Flows.Begin(s.Kit.Cookies.Browser(w, req), p.asked(req)))
	}))
	p.Handler = s.Kit.Outer(mux)
	return p
}

// asked reads the request of /start: prompt, login_hint, hint, max_age.
func (p *Pages) asked(req *http.Request) flow.Request {
	v := req.URL.Query()
	q := flow.Request{
		ClientID: p.App.ID, RedirectURI: p.App.RedirectURIs[0], RedirectURISent: true, ResponseType: "code",
		State: "st&te", Scopes: []string{"openid", "email"}, Audiences: []string{Issuer},
		Prompt: strings.Fields(v.Get("prompt")), LoginHint: v.Get("login_hint"), HintSubject: v.Get("hint"),
		UILocales: strings.Fields(v.Get("ui_locales")), Claims: v.Get("claims"), Provider: v.Get("idp"),
	}
	q.ACRValues = strings.Fields(v.Get("acr_values"))
	if v.Has("max_age") {
		zero := 0
		q.MaxAge = &zero
	}
	if v.Has("scope") {
		q.Scopes = strings.Fields(v.Get("scope"))
	}
	return q
}

// Browser returns one without cookies.
func (p *Pages) Browser() *Browser { return &Browser{Handler: p.Handler} }

// Begin starts a flow and returns the page that it leads to.
func (p *Pages) Begin(t *testing.T, b *Browser, query string) string {
	t.Helper()
	return Follow(t, b.Get("/start?"+query))
}

// Follow returns where an answer leads.
func Follow(t *testing.T, a Answer) string {
	t.Helper()
	if a.Status != http.StatusSeeOther {
		t.Fatalf("status %d, want a redirect; body: %.300s", a.Status, a.Body)
	}
	return a.Location
}

// SignIn signs a browser in and allows the application.
func (p *Pages) SignIn(t *testing.T, b *Browser, email string) {
	t.Helper()
	at := Follow(t, b.Submit(p.Begin(t, b, ""), "username", email, "password", Password))
	if strings.HasPrefix(at, "/consent") {
		at = Follow(t, b.Submit(at, "decision", "allow"))
	}
	if at != Granted {
		t.Fatalf("signing in led to %q", at)
	}
}

// Granted is where the browser ends when the application got its code.
const Granted = Redirect + "?code=granted&state=st%26te"

// IsPage reports whether a location is the step page of the path, with a flow.
func IsPage(location, path string) bool {
	id, ok := strings.CutPrefix(location, path+"?flow=")
	if !ok {
		return false
	}
	_, ok = secret.Unwrap(secret.FlowID, id)
	return ok
}
