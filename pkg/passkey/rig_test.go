package passkey_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/passkey"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
)

var ctx = context.Background()

type ctxt = context.Context

func noRoots() *x509.CertPool { return x509.NewCertPool() }

// rpID is the relying party of every rig.
const rpID = "id.example.test"

// Paths of the pages.
const (
	pagePath    = "/account/security/passkeys"
	optionsPath = "/account/security/passkeys/options"
	signInPath  = "/login/passkey"
	askPath     = "/login/passkey/options"
)

// rig is a stage with the pages of passkeys, and with Ann and Bob.
type rig struct {
	*stage.Pages
	passkeys *passkey.Service
	onward   *factor.Onward
	ann, bob *user.User
}

// newRig returns one. change may make the configuration another.
func newRig(t *testing.T, change ...func(*passkey.Config)) *rig {
	t.Helper()
	p := stage.NewPages(t)
	p.Login.Passkeys = true
	cfg := passkey.Config{RPID: rpID, RPName: "Example", Origins: []string{stage.Issuer}}
	for _, c := range change {
		c(&cfg)
	}
	service, err := passkey.New(cfg, passkey.Deps{
		Store: p.Durable.Passkeys, Ceremonies: p.Flows, People: p.Users, Keeper: p.Factors, Letters: p.Letters, Tx: p.Durable,
		Fingerprint: p.Prints, Audit: p.Audit, URL: p.Kit.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Pages: p, passkeys: service, onward: &factor.Onward{Rooms: p.Rooms}}
	signIn := passkey.NewSignIn(passkey.SignInDeps{Kit: p.Kit, Opener: p.Opener, Passkeys: service, Greeter: p.Login, Audit: p.Audit})
	own := passkey.NewRoom(passkey.RoomDeps{Rooms: p.Rooms, Passkeys: service, Raiser: p.Login, Onward: r.onward})
	p.Second.Methods, p.Second.Listers = append(p.Second.Methods, service), append(p.Second.Listers, service)
	for path, serve := range map[string]web.Handler{
		pagePath: own.Page, signInPath: signIn.SignIn,
	} {
		p.Mux.Handle(path, p.Kit.Pages(serve))
	}
	p.Mux.Handle(optionsPath, p.Kit.Data(own.Options))
	p.Mux.Handle(askPath, p.Kit.Data(signIn.Options))
	r.ann, r.bob = p.Person(t, "ann@example.test"), p.Person(t, "bob@example.test")
	return r
}

// key is an authenticator with one credential.
type key struct {
	rp     virtualwebauthn.RelyingParty
	device virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
}

// newKey returns one that verifies its person and is synced to nowhere.
func newKey() *key {
	k := &key{rp: virtualwebauthn.RelyingParty{ID: rpID, Name: "Example", Origin: stage.Issuer}, device: virtualwebauthn.NewAuthenticator()}
	for {
		k.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if len(k.cred.Key.AttestationData()) == 77 { // else a coordinate lost its leading zeros
			return k
		}
	}
}

// asked is what the options endpoints answer.
type asked struct {
	Ceremony  string          `json:"ceremony"`
	PublicKey json.RawMessage `json:"publicKey"`
}

// ask asks for a challenge with the form token of the page at path.
func ask(t *testing.T, b *stage.Browser, page, options string) asked {
	t.Helper()
	answer := b.Post(options, url.Values{"form_token": {stage.Hidden(b.Get(page).Body).Get("form_token")}})
	if answer.Status != 200 || answer.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %.200s", options, answer.Status, answer.Body)
	}
	var a asked
	if err := json.Unmarshal([]byte(answer.Body), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// create answers a challenge for a new credential.
func (k *key) create(t *testing.T, a asked) string {
	t.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(string(a.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	k.device.Options.UserHandle = []byte(options.UserID)
	return virtualwebauthn.CreateAttestationResponse(k.rp, k.device, k.cred, *options)
}

// get answers a challenge with the credential.
func (k *key) get(t *testing.T, a asked) string {
	t.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(string(a.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return virtualwebauthn.CreateAssertionResponse(k.rp, k.device, k.cred, *options)
}

// visitor returns a browser that is signed in by password.
func (r *rig) visitor(t *testing.T, u *user.User) *stage.Browser {
	t.Helper()
	b := r.Browser()
	r.signInAs(t, b, u)
	return b
}

// signInAs signs the browser in by password.
func (r *rig) signInAs(t *testing.T, b *stage.Browser, u *user.User) {
	t.Helper()
	at := stage.Follow(t, b.Get(pagePath))
	if back := stage.Follow(t, b.Submit(at, "username", u.Email, "password", stage.Password)); back != pagePath {
		t.Fatalf("the sign-in led to %q", back)
	}
}

// add sends a new credential.
func add(t *testing.T, b *stage.Browser, k *key, pairs ...string) stage.Answer {
	t.Helper()
	a := ask(t, b, pagePath, optionsPath)
	return b.Submit(pagePath, append([]string{"decision", "add", "ceremony", a.Ceremony, "credential", k.create(t, a), "name", "My key"}, pairs...)...)
}

// enrol gives a person a passkey.
func (r *rig) enrol(t *testing.T, u *user.User, k *key) *stage.Browser {
	t.Helper()
	b := r.visitor(t, u)
	if to := stage.Follow(t, add(t, b, k)); to != pagePath+"?done=factor" {
		t.Fatalf("a new passkey led to %q", to)
	}
	return b
}

// keys returns the passkeys of a person.
func (r *rig) keys(t *testing.T, u *user.User) []passkey.Passkey {
	t.Helper()
	all, err := r.passkeys.Passkeys(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// flow returns the flow of a page's address, as a query.
func flow(at string) string { return at[strings.Index(at, "?"):] }

// begin opens the sign-in of the application.
func (r *rig) begin(t *testing.T, b *stage.Browser) (at string) {
	t.Helper()
	at = r.Begin(t, b, "")
	if !stage.IsPage(at, "/login") {
		t.Fatalf("the sign-in is at %q", at)
	}
	return at
}

// signIn answers the challenge of a sign-in with the key.
func (r *rig) signIn(t *testing.T, b *stage.Browser, k *key, pairs ...string) stage.Answer {
	t.Helper()
	at := r.begin(t, b)
	a := ask(t, b, at, askPath+flow(at))
	return r.send(b, at, append([]string{"ceremony", a.Ceremony, "credential", k.get(t, a)}, pairs...)...)
}

// send sends the form of the passkey of the sign-in page at the address.
func (r *rig) send(b *stage.Browser, at string, pairs ...string) stage.Answer {
	form := stage.Hidden(b.Get(at).Body)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.Post(signInPath+flow(at), form)
}

// session returns the session of a browser, or nil.
func (r *rig) session(t *testing.T, b *stage.Browser) *session.Session {
	t.Helper()
	s, err := r.Sessions.FromToken(ctx, b.Cookie(stage.SessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// later moves the clock for the rest of the test.
func later(t *testing.T, by time.Duration) {
	t.Helper()
	t.Cleanup(clock.Jump(by))
}
