package signup_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/signup"
)

var ctx = context.Background()

func TestSigningUp(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := r.Begin(t, b, "prompt=create")
	if !stage.IsPage(at, "/register") {
		t.Fatalf("Initiating User Registration 1.0 §3 prompt=create leads to %q", at)
	}
	at = stage.Follow(t, b.Submit(at, "name", " Cleo Example ", "email", "Cleo@example.test", "password", "a long enough password"))
	if !stage.IsPage(at, "/login") {
		t.Fatalf("after the form: %q, want the login", at)
	}
	if b.Cookie(stage.SessionCookie) != "" {
		t.Error("signing up signs in: that would tell whether the address was taken")
	}
	if body := b.Get(at).Body; !strings.Contains(body, "was not registered before") {
		t.Error("the login page does not say what became of the form")
	}
	at = stage.Follow(t, b.Submit(at, "username", "cleo@example.test", "password", "a long enough password"))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("the new account's login leads to %q", at)
	}
	if at := stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Errorf("then %q", at)
	}
	u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
	if err != nil || u.Name != "Cleo Example" || u.EmailVerified || len(u.Roles) != 0 || u.Disabled {
		t.Errorf("the new person is %+v, %v", u, err)
	}
	if events := r.Audit.Named(audit.UserRegistered); len(events) != 1 || events[0].UserID != u.ID {
		t.Errorf("audit has %+v", events)
	}
	if strings.Contains(r.Log.String(), "cleo@example.test") || strings.Contains(r.Log.String(), "long enough") {
		t.Error("the log holds the address or the password")
	}
}

func TestSigningUpTellsNobodyWhoIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		ann := r.Person(t, "ann@example.test")
		sent := func(email string) (string, time.Duration) {
			b := r.Browser()
			at := r.Begin(t, b, "prompt=create")
			form := stage.Hidden(b.Get(at).Body)
			form.Set("name", "Somebody")
			form.Set("email", email)
			form.Set("password", "a long enough password")
			started := time.Now()
			answer := b.Post(at, form)
			took := time.Since(started)
			next := b.Get(stage.Follow(t, answer))
			return stage.Alike(answer, email) + stage.Alike(next, email), took
		}
		free, freeTook := sent("new@example.test")
		taken, takenTook := sent("ANN@example.test")
		free = strings.ReplaceAll(free, "new@example.test", "NAME")
		if cut(free) != cut(taken) {
			t.Errorf("ASVS 6.3.8 a taken address answers\n%s\na free one\n%s", taken, free)
		}
		// In fake time work takes none: what is left is the least time.
		if freeTook != takenTook || freeTook < 100*time.Millisecond {
			t.Errorf("a taken address takes %v, a free one %v; want the same, longer than the work", takenTook, freeTook)
		}
		if right, err := r.Passwords.Verify(ctx, ann.ID, stage.Password); err != nil || !right {
			t.Error("signing up with a taken address changed its password")
		}
		if u, _ := r.Users.Get(ctx, ann.ID); u.Name != ann.Name {
			t.Error("signing up with a taken address changed its name")
		}
	})
}

// cut removes what differs between any two answers.
func cut(s string) string {
	var kept []string
	for line := range strings.SplitSeq(s, "\n") {
		if !strings.HasPrefix(line, "Location: ") && !strings.HasPrefix(line, "Set-Cookie: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestRefusedSignUps(t *testing.T) {
	r := stage.NewPages(t)
	good := map[string]string{"name": "Cleo", "email": "cleo@example.test", "password": "a long enough password"}
	for name, tt := range map[string]struct {
		field, value, says string
	}{
		"no name":                       {"name", "  ", "Enter your name"},
		"a very long name":              {"name", strings.Repeat("x", 300), "too long"},
		"a name of two lines":           {"name", "Cleo\nAdmin", "cannot be read"},
		"no address":                    {"email", "", "Enter your email"},
		"no address at all":             {"email", "cleo", "such as name@example.com"},
		"a header hidden in it":         {"email", "c@x.test\r\nBcc: d@x.test", "such as name@example.com"},
		"no password":                   {"password", "", "Choose a password"},
		"a short password":              {"password", "fourteen chars", "at least 15 characters"},
		"a password above the bound":    {"password", strings.Repeat("x", password.MaxBytes+1), "too long"},
		"the address as the password":   {"password", "CLEO@example.test", "too close to your name"},
		"the name, drawn out":           {"password", "cleocleocleo-1990", "too close to your name"},
		"a short one, many bytes":       {"password", "пароль пароль", "at least 15 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			b := r.Browser()
			at := r.Begin(t, b, "prompt=create")
			form := stage.Hidden(b.Get(at).Body)
			for field, value := range good {
				form.Set(field, value)
			}
			form.Set(tt.field, tt.value)
			answer := b.Post(at, form)
			if answer.Status != http.StatusOK || !strings.Contains(answer.Body, tt.says) {
				t.Errorf("status %d, want the form saying %q", answer.Status, tt.says)
			}
			if strings.Contains(answer.Body, good["password"]) {
				t.Error("the page shows the password")
			}
			if tt.field != "email" && !strings.Contains(answer.Body, "cleo@example.test") {
				t.Error("the page forgets the address")
			}
		})
	}
	for name, answer := range map[string]stage.Answer{
		"ASVS 3.5.1 no form token": func() stage.Answer {
			b := r.Browser()
			at := r.Begin(t, b, "prompt=create")
			form := stage.Hidden("")
			for field, value := range good {
				form.Set(field, value)
			}
			return b.Post(at, form)
		}(),
		"in another browser": r.Browser().Get(r.Begin(t, r.Browser(), "prompt=create")),
	} {
		if answer.Status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, answer.Status)
		}
	}
	if _, err := r.Users.ByIdentifier(ctx, "cleo@example.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a refused form made an account: %v", err)
	}
}

func TestSignUpsPerAddressAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		for i := range 101 {
			b := r.Browser()
			answer := b.Submit(r.Begin(t, b, "prompt=create"), "name", "N", "email", strconv.Itoa(i)+"@x.test", "password", "a long enough password")
			if (answer.Status == http.StatusTooManyRequests) != (i == 100) {
				t.Fatalf("form %d: status %d", i+1, answer.Status)
			}
			if i == 100 && answer.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	})
}

func TestWhoMaySignUp(t *testing.T) {
	r := stage.NewPages(t)
	for mode, want := range map[signup.Mode]int{signup.Closed: 404, "": 404, signup.Invite: 403} {
		pages := signup.New(signup.Deps{Kit: r.Kit, Opener: r.Opener, Users: r.Users, Passwords: r.Passwords, Limits: r.Limits, Audit: r.Audit, Mode: mode})
		b := &stage.Browser{Handler: r.Kit.Outer(r.Kit.Pages(pages.Register))}
		for _, answer := range []stage.Answer{b.Get("/register"), b.Post("/register", stage.Hidden(""))} {
			if answer.Status != want {
				t.Errorf("mode %q: status %d, want %d", mode, answer.Status, want)
			}
		}
	}
	t.Run("prompt=create is a login where nobody may", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Opener.Signup = false
		b := r.Browser()
		at := r.Begin(t, b, "prompt=create")
		if !stage.IsPage(at, "/login") {
			t.Fatalf("leads to %q", at)
		}
		if strings.Contains(b.Get(at).Body, "/register") {
			t.Error("the login page offers to sign up")
		}
	})
}
