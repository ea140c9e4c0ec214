package porticotest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/user"
)

// member makes a person with a proven address and the demo password.
func member(t *testing.T, s *porticotest.Server, email, name string) *user.User {
	t.Helper()
	hash, err := s.Passwords.Hash(t.Context(), server.DemoPassword)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Users.Create(t.Context(), user.User{Email: email, EmailVerified: true, Name: name}, func(ctx context.Context, id string) error {
		return s.Passwords.Put(ctx, id, hash)
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// twoServers starts a server, and another one where its people may sign in.
func twoServers(t *testing.T) (here, there *porticotest.Server) {
	t.Helper()
	return twoServersWith(t)
}

// twoServersWith is twoServers with settings of the first.
func twoServersWith(t *testing.T, options ...porticotest.Option) (here, there *porticotest.Server) {
	t.Helper()
	here, there = porticotest.New(t, options...), porticotest.New(t)
	app, secret, err := there.Clients.Create(t.Context(), client.Client{
		Name: "The other server", ApplicationType: client.Native, Source: client.Operator, AuthMethod: protocol.AuthSecretBasic,
		RedirectURIs:           []string{here.URL + "/login/callback/there"},
		PostLogoutRedirectURIs: []string{here.URL + "/login/logout/there/done"},
		GrantTypes:             []string{protocol.GrantAuthorizationCode}, ResponseTypes: []string{protocol.ResponseTypeCode},
		Scopes: []string{protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = here.Federation.Create(t.Context(), federation.Provider{
		ID: "there", Kind: federation.OIDC, Name: "There",
		Settings: federation.Settings{Issuer: there.URL, ClientID: app.ID, Create: true, Logout: true},
	}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return here, there
}

// across is one browser of one person at two servers, which know nothing of
// each other's cookies.
type across struct{ here, there *porticotest.Browser }

// signIn presses the button of the provider on the form at address, signs in
// there, and returns the page here that this ends at.
func (b across) signIn(t *testing.T, address, email string) *porticotest.Page {
	t.Helper()
	page := b.here.Get(address)
	if !page.Has("login-submit") {
		t.Fatalf("%s shows no sign-in form:\n%s", address, page.Text())
	}
	away := page.Submit(nil, "provider", "there")
	if !away.Left {
		t.Fatalf("the button leads to %s (%d):\n%s", away.URL, away.Status, away.Text())
	}
	back := b.there.SignIn(away.URL.String(), email)
	return b.here.Get(back.URL.String())
}

// toApp allows what the application asks and returns the code.
func toApp(t *testing.T, page *porticotest.Page) string {
	t.Helper()
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	code := page.URL.Query().Get(protocol.Code)
	if !page.Left || code == "" {
		t.Fatalf("no code at %s (%d):\n%s", page.URL, page.Status, page.Text())
	}
	return code
}

// subject redeems the code and returns whom the ID token is about, with it.
func subject(t *testing.T, s *porticotest.Server, code string) (sub, idToken string) {
	t.Helper()
	tokens := s.Exchange(porticotest.Web, code)
	if tokens.Status != http.StatusOK {
		t.Fatalf("the code: %d %s", tokens.Status, tokens.Raw)
	}
	who := s.Fetch(protocol.PathUserinfo, tokens.Text("access_token"))
	return who.Text("sub"), tokens.Text("id_token")
}

func TestAnotherPorticoSignsPeopleIn(t *testing.T) {
	here, there := twoServers(t)
	member(t, there, "dora@example.test", "Dora Keller")
	ask := here.AuthorizeURL(porticotest.Web, "openid email profile")
	b := across{here.NewBrowser(), there.NewBrowser()}

	first, _ := subject(t, here, toApp(t, b.signIn(t, ask, "dora@example.test")))
	dora, err := here.Users.ByIdentifier(t.Context(), "dora@example.test")
	if err != nil || dora.ID != first || dora.Name != "Dora Keller" || !dora.EmailVerified {
		t.Fatalf("the account made just in time is %+v, %v", dora, err)
	}

	again := across{here.NewBrowser(), there.NewBrowser()}
	second, idToken := subject(t, here, toApp(t, again.signIn(t, ask, "dora@example.test")))
	if second != first {
		t.Errorf("the second sign-in is of %s, the first of %s", second, first)
	}

	// RP-Initiated Logout, on to the other server and back.
	out := again.here.Get(protocol.PathLogout + "?id_token_hint=" + idToken + "&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%2Fsigned-out&state=bye")
	if !out.Left || !strings.HasPrefix(out.URL.String(), there.URL+protocol.PathLogout) {
		t.Fatalf("the logout leads to %s (%d):\n%s", out.URL, out.Status, out.Text())
	}
	done := again.there.Get(out.URL.String())
	if !done.Left || !strings.HasPrefix(done.URL.String(), here.URL+"/login/logout/there/done?") {
		t.Fatalf("the logout there leads to %s (%d):\n%s", done.URL, done.Status, done.Text())
	}
	if end := again.here.Get(done.URL.String()); !end.Left || end.URL.String() != "http://127.0.0.1/signed-out?state=bye" {
		t.Errorf("it ends at %s", end.URL)
	}
	for name, page := range map[string]*porticotest.Page{
		"here":  again.here.Get(ask),
		"there": again.there.Get(there.AuthorizeURL(porticotest.Web, "openid")),
	} {
		if !page.Has("login-submit") {
			t.Errorf("%s the person is still signed in: %s", name, page.URL)
		}
	}
}

func TestAnotherPorticoIsLinkedAfterAProof(t *testing.T) {
	here, there := twoServers(t)
	if _, err := here.Users.ByIdentifier(t.Context(), server.DemoPeople[0]); err != nil {
		t.Fatal(err)
	}
	alice, err := here.Users.ByIdentifier(t.Context(), server.DemoPeople[0])
	if err != nil || !alice.EmailVerified {
		t.Fatalf("alice here: %+v, %v", alice, err)
	}
	ask := here.AuthorizeURL(porticotest.Web, "openid email")
	b := across{here.NewBrowser(), there.NewBrowser()}
	page := b.signIn(t, ask, alice.Email)
	if !strings.Contains(page.Text(), "You already have an account with "+alice.Email) {
		t.Fatalf("%s (%d) says:\n%s", page.URL, page.Status, page.Text())
	}
	form := b.here.Get(page.Link("Sign in"))
	if form.Value("username") != alice.Email {
		t.Errorf("the form names %q", form.Value("username"))
	}
	page = form.Submit(map[string]string{"username": alice.Email, "password": server.DemoPassword}, "", "")
	if sub, _ := subject(t, here, toApp(t, page)); sub != alice.ID {
		t.Errorf("signed in is %s", sub)
	}
	next := across{here.NewBrowser(), there.NewBrowser()}
	if sub, _ := subject(t, here, toApp(t, next.signIn(t, ask, alice.Email))); sub != alice.ID {
		t.Errorf("linked is %s, want alice", sub)
	}
}

func TestAnotherPorticoThatIsDownKeepsNobodyOut(t *testing.T) {
	here, there := twoServers(t)
	there.Stop()
	b := here.NewBrowser()
	page := b.Get(here.AuthorizeURL(porticotest.Web, "openid")).Submit(nil, "provider", "there")
	if page.Left || !page.Has("login-submit") || !strings.Contains(page.Text(), "There does not answer right now") {
		t.Fatalf("%s (%d) says:\n%s", page.URL, page.Status, page.Text())
	}
	page = page.Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	toApp(t, page)
}
