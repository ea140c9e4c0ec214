package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestChoosingTheAccount(t *testing.T) {
	setup := func(t *testing.T) (*stage.Pages, *stage.Browser) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		return r, b
	}
	t.Run("OIDC Core §3.1.2.1 select_account asks who is signed in", func(t *testing.T) {
		r, b := setup(t)
		at := r.Begin(t, b, "prompt=select_account")
		if !stage.IsPage(at, "/login/account") {
			t.Fatalf("select_account leads to %q", at)
		}
		body := b.Get(at).Body
		if !strings.Contains(body, "ann@example.test") || !strings.Contains(body, "Shop &amp; Co") {
			t.Error("the page does not name account and application")
		}
		u, _ := r.Users.ByIdentifier(ctx, "ann@example.test")
		if at := stage.Follow(t, b.Submit(at, "account", u.ID)); at != stage.Granted {
			t.Errorf("going on as Ann leads to %q", at)
		}
	})
	t.Run("OIDC Core §3.1.2.1 select_account without a session is a login", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		at := r.Begin(t, b, "prompt=select_account")
		if !stage.IsPage(at, "/login") {
			t.Fatalf("leads to %q", at)
		}
		at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password))
		if !stage.IsPage(at, "/consent") {
			t.Errorf("who has just signed in is asked again: %q", at)
		}
	})
	t.Run("another account signs in anew and the other's session ends", func(t *testing.T) {
		r, b := setup(t)
		ben := r.Person(t, "ben@example.test")
		old := b.Cookie(stage.SessionCookie)
		at := stage.Follow(t, b.Submit(r.Begin(t, b, "prompt=select_account"), "account", ""))
		if !stage.IsPage(at, "/login") {
			t.Fatalf("another account leads to %q", at)
		}
		if body := b.Get(at).Body; strings.Contains(body, "ann@example.test") {
			t.Error("the form names the account that is not wanted")
		}
		at = stage.Follow(t, b.Submit(at, "username", "ben@example.test", "password", stage.Password))
		if !stage.IsPage(at, "/consent") {
			t.Fatalf("the consent of one person counts for another: %q", at)
		}
		if at := stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
			t.Fatalf("at %q", at)
		}
		done := r.Finisher.Finished()
		if done[len(done)-1].UserID != ben.ID {
			t.Error("granted for the wrong person")
		}
		if s, err := r.Sessions.FromToken(ctx, old); s != nil || err != nil {
			t.Errorf("the session before is %v, %v", s, err)
		}
	})
	t.Run("who asked for another account and changes their mind goes on", func(t *testing.T) {
		r, b := setup(t)
		u, _ := r.Users.ByIdentifier(ctx, "ann@example.test")
		at := r.Begin(t, b, "prompt=select_account")
		stage.Follow(t, b.Submit(at, "account", ""))
		if at := stage.Follow(t, b.Submit(at, "account", u.ID)); at != stage.Granted {
			t.Errorf("leads to %q", at)
		}
	})
	t.Run("the session of another tab does not stand in for another account", func(t *testing.T) {
		r, b := setup(t)
		at := stage.Follow(t, b.Submit(r.Begin(t, b, "prompt=select_account"), "account", ""))
		if again := b.Get(at); again.Status != http.StatusOK {
			t.Errorf("reloading the form: status %d to %q", again.Status, again.Location)
		}
		if n := len(r.Finisher.Finished()); n != 1 {
			t.Errorf("%d requests stage.Granted, want the first only", n)
		}
	})

	tests := map[string]struct {
		form   func(hidden url.Values) url.Values
		status int
	}{
		"no choice":                {func(f url.Values) url.Values { return f }, 200},
		"somebody else's account":  {func(f url.Values) url.Values { f.Set("account", "nobody"); return f }, 200},
		"ASVS 3.5.1 no form token": {func(url.Values) url.Values { return url.Values{"account": {""}} }, 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, b := setup(t)
			at := r.Begin(t, b, "prompt=select_account")
			if answer := b.Post(at, tt.form(stage.Hidden(b.Get(at).Body))); answer.Status != tt.status {
				t.Errorf("status %d, want %d", answer.Status, tt.status)
			}
			if n := len(r.Finisher.Finished()); n != 1 {
				t.Errorf("%d requests stage.Granted, want the first only", n)
			}
		})
	}
}
