package porticotest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// bob is the demo person that these stories are about. His pages are German.
var bob = server.DemoPeople[1]

const lanterns = "seven quiet lanterns"

// enter opens a page of the account, through the sign-in if need be.
func enter(b *porticotest.Browser, path, email, password string) *porticotest.Page {
	page := b.Get(path)
	if page.Has("login-submit") {
		page = page.Submit(map[string]string{"username": email, "password": password}, "", "")
	}
	return page
}

// tokensOf signs bob in at the application and returns its tokens.
func tokensOf(t *testing.T, s *porticotest.Server, b *porticotest.Browser) *porticotest.Answer {
	t.Helper()
	page := b.SignIn(s.AuthorizeURL(porticotest.Web, "openid email orders:read offline_access"), bob)
	tokens := s.Exchange(porticotest.Web, page.URL.Query().Get("code"))
	if tokens.Status != http.StatusOK || tokens.Text("refresh_token") == "" {
		t.Fatalf("token answer %d %s", tokens.Status, tokens.Raw)
	}
	return tokens
}

// dead checks that nothing takes the tokens any more.
func dead(t *testing.T, s *porticotest.Server, tokens *porticotest.Answer) {
	t.Helper()
	if a := s.Refresh(porticotest.Web, tokens.Text("refresh_token")); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_grant" {
		t.Errorf("refresh: %d %s", a.Status, a.Raw)
	}
	if a := s.Introspect(porticotest.Machine, tokens.Text("access_token")); a.JSON["active"] != false {
		t.Errorf("introspection: %s", a.Raw)
	}
	if a := s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", a.Status)
	}
}

func TestAccountIsHome(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	page := enter(b, protocol.PathAccount, bob, server.DemoPassword)
	if page.Status != http.StatusOK || page.URL.Path != protocol.PathAccount || !strings.Contains(page.Text(), "Bob Example") {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	for _, path := range []string{
		protocol.PathAccountProfile, protocol.PathAccountEmail, protocol.PathAccountPassword, protocol.PathAccountSessions,
		protocol.PathAccountApplications, protocol.PathAccountHistory, protocol.PathAccountData, protocol.PathAccountDelete,
	} {
		if next := b.Get(path); next.Status != http.StatusOK || next.URL.Path != path {
			t.Errorf("%s: %d at %s", path, next.Status, next.URL)
		}
	}
	if out := b.Get(protocol.PathLogoutConfirm).Submit(nil, "decision", "logout"); !out.Has("signedout-login") || !strings.Contains(out.Body, `href="`+protocol.PathAccount+`"`) {
		t.Errorf("after the sign-out no way leads back: %s", out.Text())
	}
}

func TestAccountChangesItsAddress(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	const email = "robert@example.org"
	page := enter(b, protocol.PathAccountEmail, bob, server.DemoPassword).Submit(map[string]string{"email": email}, "decision", "change")
	if !strings.Contains(page.Text(), email) {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	if l := s.Letter(bob); l.Key != "email_change_asked" || l.Code != "" || !strings.HasPrefix(l.Link, s.URL) {
		t.Errorf("the old address reads %+v", l)
	}
	link := s.Letter(email).Link
	elsewhere := s.NewBrowser().Get(link)
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 50 { // one link, fifty at once
		wg.Go(func() {
			if done := elsewhere.Submit(nil, "", ""); done.Status == http.StatusOK {
				won.Add(1)
			} else if done.Status != http.StatusGone {
				t.Errorf("status %d", done.Status)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won, want 1", won.Load())
	}
	if l := s.Letter(bob); l.Key != "email_changed" {
		t.Errorf("the old address reads %q at last", l.Key)
	}
	if page := b.Get(protocol.PathAccount); !strings.Contains(page.Text(), email) {
		t.Errorf("the account shows %s", page.Text())
	}
	if page := enter(s.NewBrowser(), protocol.PathAccount, email, server.DemoPassword); page.URL.Path != protocol.PathAccount {
		t.Errorf("signing in with the new address ends at %s", page.URL)
	}
	if page := enter(s.NewBrowser(), protocol.PathAccount, bob, server.DemoPassword); page.URL.Path == protocol.PathAccount {
		t.Error("the old address still signs in")
	}
}

func TestAccountChangesItsPassword(t *testing.T) {
	s := porticotest.New(t)
	b, phone := s.NewBrowser(), s.NewBrowser()
	tokens := tokensOf(t, s, phone)
	form := enter(b, protocol.PathAccountPassword, bob, server.DemoPassword)
	page := form.Submit(map[string]string{"password": lanterns}, "", "")
	if !page.Has("done") {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	dead(t, s, tokens)
	if page := phone.Get(protocol.PathAccount); !page.Has("login-submit") {
		t.Errorf("the other browser is still signed in: %s", page.URL)
	}
	if page := b.Get(protocol.PathAccount); page.URL.Path != protocol.PathAccount {
		t.Errorf("this browser is not: %s", page.URL)
	}
	if s.Letter(bob).Key != "password_changed" {
		t.Errorf("the owner reads %q", s.Letter(bob).Key)
	}
	for password, want := range map[string]bool{lanterns: true, server.DemoPassword: false} {
		if page := enter(s.NewBrowser(), protocol.PathAccount, bob, password); (page.URL.Path == protocol.PathAccount) != want {
			t.Errorf("signing in with %q ends at %s", password, page.URL)
		}
	}
}

func TestAccountEndsSessions(t *testing.T) {
	s := porticotest.New(t)
	phone := s.NewBrowser()
	tokens := tokensOf(t, s, phone)
	b := s.NewBrowser()
	page := enter(b, protocol.PathAccountSessions, bob, server.DemoPassword)
	if page = page.Submit(nil, "session", page.Value("sessions-others")); !page.Has("done") {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	dead(t, s, tokens)
	if page := phone.Get(protocol.PathAccount); !page.Has("login-submit") {
		t.Errorf("the other browser is still signed in: %s", page.URL)
	}
}

func TestAccountWithdrawsAnApplication(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	tokens := tokensOf(t, s, b)
	page := b.Get(protocol.PathAccountApplications)
	for _, want := range []string{"Demo web application", "See your email address", "See your orders"} {
		if !strings.Contains(page.Text(), want) {
			t.Errorf("the page lacks %q: %s", want, page.Text())
		}
	}
	if page = page.Submit(nil, "client", porticotest.Web.ID); !page.Has("done") {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	dead(t, s, tokens)
	if again := b.Get(s.AuthorizeURL(porticotest.Web, "openid email")); !again.Has("consent-allow") {
		t.Errorf("the application is not asked for again: %s", again.URL)
	}
}

func TestAccountGivesItsDataAway(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	tokens := tokensOf(t, s, b)
	page := b.Get(protocol.PathAccountData).Submit(nil, "", "")
	if page.Status != http.StatusOK || page.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(page.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %v", page.Status, page.Header)
	}
	var got struct {
		Profile      map[string]any
		Applications []map[string]any
		Grants       []map[string]any
	}
	if err := json.Unmarshal([]byte(page.Body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Profile["email"] != bob || len(got.Applications) != 1 || len(got.Grants) != 1 {
		t.Errorf("the file is %s", page.Body)
	}
	for _, secret := range []string{tokens.Text("access_token"), tokens.Text("refresh_token"), server.DemoPassword, "argon2"} {
		if strings.Contains(page.Body, secret) {
			t.Errorf("the file holds a secret: %.20s", secret)
		}
	}
}

func TestAccountGoesAndStays(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	tokens := tokensOf(t, s, b)
	if page := b.Get(protocol.PathAccountDelete).Submit(map[string]string{"sure": "on"}, "", ""); !strings.Contains(page.Text(), "Your account will be deleted") {
		t.Fatalf("%s %d: %s", page.URL, page.Status, page.Text())
	}
	dead(t, s, tokens)
	if s.Letter(bob).Key != "deletion_asked" {
		t.Errorf("the owner reads %q", s.Letter(bob).Key)
	}
	page := enter(b, s.AuthorizeURL(porticotest.Web, "openid email"), bob, server.DemoPassword)
	if !page.Has("keep-submit") {
		t.Fatalf("the sign-in leads to %s: %s", page.URL, page.Text())
	}
	if silent := b.Get(s.AuthorizeURL(porticotest.Web, "openid email", "prompt", "none")); silent.URL.Query().Get("error") == "" {
		t.Errorf("an application is answered before they decided: %s", silent.URL)
	}
	page = page.Submit(nil, "decision", "keep")
	if !page.Left && !page.Has("consent-allow") {
		t.Errorf("keeping leads to %s", page.URL)
	}
	if page := b.Get(protocol.PathAccount); page.URL.Path != protocol.PathAccount {
		t.Errorf("the account leads to %s", page.URL)
	}
}

// TestAccountIsReallyDeleted lets the job of a running server do it.
func TestAccountIsReallyDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := porticotest.New(t, porticotest.InMemory())
		b := s.NewBrowser()
		tokens := tokensOf(t, s, b)
		b.Get(protocol.PathAccountDelete).Submit(map[string]string{"sure": "on"}, "", "")
		defer clock.Jump(14*24*time.Hour - time.Minute)()
		time.Sleep(30 * time.Second)
		if _, err := s.Users.ByIdentifier(t.Context(), bob); err != nil {
			t.Fatalf("bob is gone before the time: %v", err)
		}
		time.Sleep(3 * time.Minute)
		if _, err := s.Users.ByIdentifier(t.Context(), bob); err == nil {
			t.Fatal("bob is still there")
		}
		if s.Letter(bob).Key != "deleted" {
			t.Errorf("they read %q at last", s.Letter(bob).Key)
		}
		dead(t, s, tokens)
		if page := enter(b, protocol.PathAccount, bob, server.DemoPassword); page.URL.Path == protocol.PathAccount {
			t.Error("bob signs in still")
		}
		s.Stop()
	})
}
