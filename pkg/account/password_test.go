package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

const another = "seven quiet lanterns"

// right reports whether it is Ann's password.
func (r *rig) right(t *testing.T, plain string) bool {
	t.Helper()
	right, err := r.Passwords.Verify(ctx, r.ann.ID, plain)
	if err != nil {
		t.Fatal(err)
	}
	return right
}

func TestPasswordAfterAFreshSignIn(t *testing.T) {
	r := newRig(t)
	b, other := r.signIn(t, ann), r.signIn(t, ann)
	if page := b.Get("/account/password").Body; strings.Contains(page, `name="current"`) {
		t.Error("who has just signed in is asked for the old password")
	}
	old, authTime := b.Cookie(stage.SessionCookie), r.session(t, b).AuthTime
	f := form(b, "/account/password", "password", another)
	later(t, 2*time.Minute)
	if at := stage.Follow(t, b.Post("/account/password", f)); at != "/account/password?done=password" {
		t.Fatalf("it led to %q", at)
	}
	if !r.right(t, another) || r.right(t, stage.Password) {
		t.Error("the password is not the new one")
	}
	if r.session(t, other) != nil {
		t.Error("another session lives on")
	}
	now := b.Cookie(stage.SessionCookie)
	if s := r.session(t, b); s == nil || now == old || !s.AuthTime.Equal(authTime) {
		t.Errorf("this session is %+v, new cookie %v; want it under a new cookie, signed in when it was", s, now != old)
	}
	b.SetCookie(stage.SessionCookie, old)
	if r.session(t, b) != nil {
		t.Error("the old cookie still opens the session")
	}
	if l := r.Letters.Last(t, ann); l.Key != "password_changed" {
		t.Errorf("the owner reads %q", l.Key)
	}
	if n := len(r.Audit.Named(audit.PasswordChanged)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestPasswordWithTheOldOne(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	later(t, 10*time.Minute)
	if page := b.Get("/account/password").Body; !strings.Contains(page, `name="current"`) {
		t.Fatal("the old password is not asked for")
	}
	for name, current := range map[string]string{"none": "", "wrong": "wrong horse battery", "another case": strings.ToUpper(stage.Password), "huge": strings.Repeat("x", 5000)} {
		a := b.Submit("/account/password", "current", current, "password", another)
		if a.Status != http.StatusOK || marks(a.Body) != "current-problem" || !r.right(t, stage.Password) {
			t.Errorf("%s: status %d, wrong are %q", name, a.Status, marks(a.Body))
		}
		if strings.Contains(a.Body, another) {
			t.Error("the page shows the password again")
		}
	}
	if n := len(r.Audit.Named(audit.PasswordFailed)); n != 3 {
		t.Errorf("%d failures noted, want 3", n)
	}
	if at := stage.Follow(t, b.Submit("/account/password", "current", stage.Password, "password", another)); at != "/account/password?done=password" || !r.right(t, another) {
		t.Errorf("it led to %q", at)
	}
	if at := b.Get("/account/email"); at.Status != http.StatusOK {
		t.Errorf("who told the old password is asked again: status %d", at.Status)
	}
}

func TestGuessesOfTheOldPasswordAreLimited(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	later(t, 10*time.Minute)
	for range 5 {
		if a := b.Submit("/account/password", "current", "wrong horse battery", "password", another); a.Status != http.StatusOK {
			t.Fatalf("status %d", a.Status)
		}
	}
	for _, current := range []string{"wrong horse battery", stage.Password} {
		if a := b.Submit("/account/password", "current", current, "password", another); a.Status != http.StatusTooManyRequests {
			t.Errorf("the sixth: status %d, want 429", a.Status)
		}
	}
	second := r.signIn(t, ann) // counted for the account, not for the session
	later(t, 6*time.Minute)
	if a := second.Submit("/account/password", "current", stage.Password, "password", another); a.Status != http.StatusTooManyRequests {
		t.Errorf("in another session: status %d, want 429", a.Status)
	}
	if !r.right(t, stage.Password) {
		t.Error("the password changed")
	}
}

func TestRightPasswordsAreNotCounted(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	now := stage.Password
	for n := range 8 {
		later(t, 6*time.Minute)
		next := another + itoa(n)
		if a := b.Submit("/account/password", "current", now, "password", next); a.Status != http.StatusSeeOther {
			t.Fatalf("change %d: status %d", n+1, a.Status)
		}
		now = next
	}
}

func TestNewPasswordsKeepThePolicy(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	for name, plain := range map[string]string{"none": "", "short": "abc", "too long": strings.Repeat("x", 1025), "common": "password123456789"[:8]} {
		a := b.Submit("/account/password", "password", plain)
		if a.Status != http.StatusOK || marks(a.Body) != "password-problem" || !r.right(t, stage.Password) {
			t.Errorf("%s: status %d, wrong are %q", name, a.Status, marks(a.Body))
		}
	}
	if n := len(r.Letters.All()); n != 0 || r.session(t, b) == nil {
		t.Errorf("%d letters", n)
	}
}

func TestAFirstPasswordNeedsAFreshSignIn(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	if err := r.Durable.InTx(ctx, func(ctx ctxt) error { return r.forgetPassword(ctx) }); err != nil {
		t.Fatal(err)
	}
	f := form(b, "/account/password", "password", another)
	later(t, 10*time.Minute)
	if at := stage.Follow(t, b.Get("/account/password")); !stage.IsPage(at, "/login") {
		t.Errorf("the page leads to %q", at)
	}
	if at := stage.Follow(t, b.Post("/account/password", f)); !stage.IsPage(at, "/login") {
		t.Errorf("the form leads to %q", at)
	}
	if has, err := r.Passwords.Has(ctx, r.ann.ID); err != nil || has {
		t.Errorf("a password was set: %v", err)
	}
}

// forgetPassword makes Ann somebody who never had a password.
func (r *rig) forgetPassword(ctx ctxt) error {
	u, err := r.Durable.Users.ByID(ctx, r.ann.ID)
	if err != nil {
		return err
	}
	sessions, err := r.Sessions.OfUser(ctx, u.ID)
	if err != nil {
		return err
	}
	if err := r.Durable.Users.Delete(ctx, u.ID); err != nil {
		return err
	}
	if err := r.Durable.Users.Create(ctx, u); err != nil {
		return err
	}
	for _, s := range sessions {
		if err := r.Durable.Sessions.Create(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func TestPasswordChangesWhenMailCannotBeSent(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.Letters.SetDown(true)
	if a := b.Submit("/account/password", "password", another); a.Status != http.StatusServiceUnavailable || !r.right(t, stage.Password) {
		t.Errorf("with the outbox down: status %d; want 503 and the old password", a.Status)
	}
	r.Letters.SetDown(false)
	if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error { u.Email, u.Username = "", "ann"; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := b.Submit("/account/password", "password", another); a.Status != http.StatusSeeOther || !r.right(t, another) {
		t.Errorf("without an address: status %d", a.Status)
	}
}
