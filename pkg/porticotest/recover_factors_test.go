package porticotest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

// enrolApp gives a person an authenticator app.
func enrolApp(t *testing.T, s *porticotest.Server, databaseURL, email string) *user.User {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), databaseURL, storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	u, err := s.FindUser(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	app := totp.App{ID: "app-of-" + u.ID, UserID: u.ID, Name: "Phone", Sealed: []byte("sealed"), CreatedAt: time.Now()}
	if err := d.TOTPs.Create(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	change := factor.Change{UserID: u.ID, Kind: assurance.TOTP, Name: "Phone", Actor: u.ID}
	if err := s.Factors.Add(t.Context(), change, func(context.Context, *user.User) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return u
}

// strandedLink returns the link of a way back in for somebody who has a factor
// that nobody has, and the language of the person of the address.
func strandedLink(t *testing.T, s *porticotest.Server, email string) string {
	t.Helper()
	speaker, err := s.FindUser(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	u := member(t, s, "stranded-"+secret.ID()+"@example.test", speaker.Name)
	u.Locale = speaker.Locale
	if _, err := s.Users.Update(t.Context(), *u); err != nil {
		t.Fatal(err)
	}
	change := factor.Change{UserID: u.ID, Kind: assurance.TOTP, Name: "Phone", Actor: u.ID}
	if err := s.Factors.Add(t.Context(), change, func(context.Context, *user.User) error { return nil }); err != nil {
		t.Fatal(err)
	}
	_, link, err := s.AskRecovery(t.Context(), u.ID, "lost phone", server.DemoPeople[0])
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// Somebody lost the phone with the only second factor. An administrator opens
// a way back in, another approves it; the link and the password lead to where
// a new factor is set up, and nothing that was signed in before is left.
func TestWhoLostThePhone(t *testing.T) {
	databaseURL := ""
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		databaseURL = c.DatabaseURL
		c.MFARoles, c.MFAMethods, c.RecoveryFourEyes = []string{"staff=2"}, []string{"totp"}, config.SwitchOn
	}))
	alice, bob := server.DemoPeople[0], server.DemoPeople[1]
	elsewhere := s.NewBrowser()
	elsewhere.SignIn(s.AuthorizeURL(porticotest.Web, "openid offline_access"), bob)
	page := elsewhere.Get(s.AuthorizeURL(porticotest.Web, "openid offline_access"))
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	old := s.Exchange(porticotest.Web, page.URL.Query().Get("code"))
	if old.Text("refresh_token") == "" {
		t.Fatalf("before: %s", old.Raw)
	}
	lost := enrolApp(t, s, databaseURL, bob)
	if _, err := s.Users.Change(t.Context(), lost.ID, func(_ context.Context, u *user.User) error {
		u.Roles = append(u.Roles, "staff") // of whom a policy demands two factors
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	b := s.NewBrowser()
	page = b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	page = page.Submit(map[string]string{"username": bob, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathFactor {
		t.Fatalf("with a second factor a password leads to %s (%d)", page.URL, page.Status)
	}

	if _, _, err := s.AskRecovery(t.Context(), bob, "lost phone", bob); err == nil {
		t.Fatal("who is no administrator opened a way back")
	}
	r, link, err := s.AskRecovery(t.Context(), bob, "lost phone", alice)
	if err != nil || link != "" {
		t.Fatalf("asking: %q, %v", link, err)
	}
	second, err := s.CreateUser(t.Context(), user.User{Email: "second@example.com", Roles: []string{user.Administrator}}, "another long enough password")
	if err != nil {
		t.Fatal(err)
	}
	if _, link, err = s.ApproveRecovery(t.Context(), r.ID, second.ID); err != nil || !strings.HasPrefix(link, s.URL+protocol.PathRecoverFactors+"?link=ptl_") {
		t.Fatalf("approving: %q, %v", link, err)
	}
	if told := s.Letter(bob); told.Key != "factor_recovery_asked" || strings.Contains(told.Text, "ptl_") || strings.Contains(told.Text, alice) {
		t.Errorf("the person is told %+v", told)
	}

	page = b.Get(link)
	if page.URL.RawQuery != "" || !page.Has("recover-factors-submit") || page.Value("username") != bob {
		t.Fatalf("the link leads to %s (%d): %s", page.URL, page.Status, page.Text())
	}
	if again := page.Submit(map[string]string{"password": "not this one"}, "", ""); !again.Has("problem") {
		t.Errorf("a wrong password: %d %s", again.Status, again.Text())
	}
	done := page.Submit(map[string]string{"password": server.DemoPassword}, "", "")
	if done.Status != http.StatusOK || !done.Has("recover-factors-on") {
		t.Fatalf("using it: %d %s", done.Status, done.Text())
	}
	if told := s.Letter(bob); told.Key != "factors_recovered" {
		t.Errorf("the owner is told %s", told.Key)
	}
	if held, err := s.FactorsOf(t.Context(), lost.ID); err != nil || len(held) != 0 {
		t.Errorf("left are %+v, %v", held, err)
	}
	if a := s.Refresh(porticotest.Web, old.Text("refresh_token")); a.Status != http.StatusBadRequest || a.Text("error") != protocol.ErrInvalidGrant {
		t.Errorf("an old refresh token: %d %s", a.Status, a.Raw)
	}
	if a := s.Fetch(protocol.PathUserinfo, old.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo with an old token: %d", a.Status)
	}
	if gone := elsewhere.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none")); gone.URL.Query().Get("error") != protocol.ErrLoginRequired {
		t.Errorf("an old session: %s", gone.URL)
	}
	if over := s.NewBrowser().Get(link); over.Status != http.StatusGone || !over.Has("recover-factors-login") {
		t.Errorf("the link once more: %d %s", over.Status, over.Text())
	}
	if log := s.Log.String(); strings.Contains(log, strings.SplitAfter(link, "link=")[1]) || strings.Contains(log, server.DemoPassword) {
		t.Error("the log holds the link or the password")
	}
	signInAgain(t, s, done, bob)
}

// signInAgain follows the way on from the last page: the password is enough to
// be let to where a new factor is set up, because a policy demands one, and to
// nothing else.
func signInAgain(t *testing.T, s *porticotest.Server, done *porticotest.Page, email string) {
	t.Helper()
	b := s.NewBrowser()
	if page := b.Get(done.Link("Sign in")); !page.Has("login-submit") {
		t.Fatalf("on leads to %s (%d): %s", page.URL, page.Status, page.Text())
	}
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	page = page.Submit(map[string]string{"username": email, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathEnrol {
		t.Errorf("signing in leads to %s (%d), want to a new factor", page.URL, page.Status)
	}
}
