package factor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
)

// trustedCookie shows that a browser is remembered.
const trustedCookie = "__Host-portico_trusted"

// session returns the one of the browser.
func (r *rig) session(t *testing.T, b *stage.Browser) *session.Session {
	t.Helper()
	s, err := r.Sessions.FromToken(t.Context(), b.Cookie(stage.SessionCookie))
	if err != nil || s == nil {
		t.Fatalf("there is no session: %v", err)
	}
	return s
}

// raising returns a rig whose Ann signed in by the password, allowed the
// application, and got the kinds after that.
func raising(t *testing.T, b func(*rig) *stage.Browser, kinds ...assurance.Factor) (*rig, *stage.Browser) {
	t.Helper()
	r := newRig(t, nil)
	browser := b(r)
	r.SignIn(t, browser, "ann@example.test")
	r.gets(t, r.ann, kinds...)
	return r, browser
}

func plain(r *rig) *stage.Browser { return r.Browser() }

func TestASessionIsRaised(t *testing.T) {
	r, b := raising(t, plain, assurance.TOTP)
	before, old := r.session(t, b), b.Cookie(stage.SessionCookie)
	back := clock.Jump(20 * time.Minute)
	defer back()
	at := r.Begin(t, b, "acr_values=2")
	if !stage.IsPage(at, "/login/factor") {
		t.Fatalf("acr_values=2 leads to %q", at)
	}
	if body := b.Get(at).Body; strings.Contains(body, `id="factor-restart"`) || strings.Contains(body, `name="trust"`) {
		t.Error("offered to who is signed in, and asked for more: another account, or not to ask again")
	}
	if a := b.Submit(at, "code", "000000"); a.Status != http.StatusOK || r.session(t, b).ACR != "1" {
		t.Errorf("a wrong code: status %d, acr %s", a.Status, r.session(t, b).ACR)
	}
	if at = stage.Follow(t, b.Submit(at, "code", right)); at != stage.Granted {
		t.Fatalf("the right code leads to %q", at)
	}
	after := r.session(t, b)
	if after.ID != before.ID || after.ACR != "2" || strings.Join(after.AMR, " ") != "pwd otp mfa" {
		t.Errorf("the session is %s by %v, acr %s; want the same, raised", after.ID, after.AMR, after.ACR)
	}
	if !after.AuthTime.Equal(before.AuthTime) {
		t.Errorf("auth_time moved from %s to %s", before.AuthTime, after.AuthTime)
	}
	if b.Cookie(stage.SessionCookie) == old {
		t.Error("security §10.1 the cookie is the one from before")
	}
	thief := r.Browser()
	thief.SetCookie(stage.SessionCookie, old)
	if at := r.Begin(t, thief, ""); !stage.IsPage(at, "/login") {
		t.Errorf("the cookie from before leads to %q", at)
	}
	if e := r.Audit.Named(audit.FactorStepUp); len(e) != 1 || e[0].UserID != r.ann.ID || e[0].SessionID != after.ID || e[0].Data["acr"] != "2" {
		t.Errorf("recorded %+v", e)
	}
	if at := r.Begin(t, b, "acr_values=2"); at != stage.Granted {
		t.Errorf("the second time: %q", at)
	}
}

func TestWhatIsAskedForDecidesWhichWayWillDo(t *testing.T) {
	all := []assurance.Factor{assurance.TOTP, assurance.Passkey}
	for name, tt := range map[string]struct {
		query, class string
		app          bool
	}{
		"acr_values=2":                     {query: "acr_values=2", app: true},
		"acr_values=phr":                   {query: "acr_values=phr"},
		"either of two":                    {query: "acr_values=phr+2", app: true},
		"a policy demands phr":             {class: "phr"},
		"a policy demands 2":               {class: "2", app: true},
		"acr_values=2, a policy wants phr": {query: "acr_values=2", class: "phr"},
		"a class of others beside":         {query: "acr_values=urn:x+2", app: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, b := raising(t, plain, all...)
			r.codes.left = 1
			r.demand(tt.class)
			at := r.Begin(t, b, tt.query)
			if !stage.IsPage(at, "/login/factor") {
				t.Fatalf("leads to %q", at)
			}
			body := b.Get(at).Body
			if !strings.Contains(body, `id="passkey-form"`) {
				t.Error("the passkey is not offered")
			}
			for _, weaker := range []string{"totp", "recovery_code"} {
				if got := strings.Contains(body, "factor-with-"+weaker); got != tt.app {
					t.Errorf("%s offered: %v, want %v", weaker, got, tt.app)
				}
				if tt.app {
					continue
				}
				form := stage.Hidden(b.Get(at + "&with=" + weaker).Body)
				form.Set("code", right)
				if a := b.Post(at+"&with="+weaker, form); a.Location == stage.Granted || r.session(t, b).ACR != "1" {
					t.Errorf("%s raises to %s", weaker, r.session(t, b).ACR)
				}
			}
			if at = stage.Follow(t, b.Submit(at, "credential", right, "ceremony", "x")); at != stage.Granted {
				t.Errorf("the passkey leads to %q", at)
			}
		})
	}
	t.Run("a first factor waits for any of them, and then for what is asked", func(t *testing.T) {
		r := newRig(t, all)
		b := r.Browser()
		at := r.pending(t, b, "acr_values=phr")
		at = stage.Follow(t, b.Submit(at+"&with=totp", "code", right))
		if !stage.IsPage(at, "/login/factor") || r.session(t, b).ACR != "2" {
			t.Fatalf("the app leads to %q, want the passkey asked for", at)
		}
		if at = stage.Follow(t, b.Submit(at, "credential", right)); !stage.IsPage(at, "/consent") || r.session(t, b).ACR != "phr" {
			t.Errorf("the passkey leads to %q", at)
		}
	})
	t.Run("a client and its minimum", func(t *testing.T) {
		r := newRig(t, nil, func(c *client.Client) { c.MinimumACR = "2" })
		b := r.Browser()
		if at := r.password(t, b, ""); !stage.IsPage(at, "/login/enrol") {
			t.Errorf("without a factor: %q", at)
		}
		r.gets(t, r.ann, assurance.TOTP)
		at := r.Begin(t, b, "")
		if !stage.IsPage(at, "/login/factor") {
			t.Fatalf("with one: %q", at)
		}
		if at = stage.Follow(t, b.Submit(at, "code", right)); !stage.IsPage(at, "/consent") {
			t.Errorf("then %q", at)
		}
	})
}

func TestNoPageIsShownToWhoWantsNone(t *testing.T) {
	r, b := raising(t, plain, assurance.TOTP)
	old := b.Cookie(stage.SessionCookie)
	if at := r.Begin(t, b, "prompt=none&acr_values=2"); !strings.HasPrefix(at, stage.Redirect+"?error=interaction_required") {
		t.Errorf("RFC 9470 §5 prompt=none leads to %q", at)
	}
	r.demand("2")
	if at := r.Begin(t, b, "prompt=none"); !strings.HasPrefix(at, stage.Redirect+"?error=interaction_required") {
		t.Errorf("a policy, and prompt=none: %q", at)
	}
	if b.Cookie(stage.SessionCookie) != old || r.session(t, b).ACR != "1" {
		t.Error("the session changed")
	}
	r.signOff(t, b)
	if at := r.Begin(t, b, "prompt=none&acr_values=2"); !strings.HasPrefix(at, stage.Redirect+"?error=login_required") {
		t.Errorf("nobody signed in: %q", at)
	}
}

// signOff takes the browser its session away.
func (r *rig) signOff(t *testing.T, b *stage.Browser) {
	t.Helper()
	b.SetCookie(stage.SessionCookie, "")
}

func TestWhoIsSignedInMayStopAStepUp(t *testing.T) {
	r, b := raising(t, plain, assurance.TOTP)
	at := r.Begin(t, b, "acr_values=2")
	if got := stage.Follow(t, b.Submit(at, "decision", "deny")); got != stage.Redirect+"?error=unmet_authentication_requirements&state=st%26te" {
		t.Errorf("cancel leads to %q", got)
	}
	if s := r.session(t, b); s.ACR != "1" {
		t.Errorf("acr %s", s.ACR)
	}
	at = stage.Follow(t, b.Get("/account/security/app"))
	if !stage.IsPage(at, "/login/factor") {
		t.Fatalf("security §11.9 the password alone opens the page of factors: %q", at)
	}
	if got := stage.Follow(t, b.Submit(at, "decision", "deny")); got != "/account" {
		t.Errorf("cancel on the way to one's own page leads to %q", got)
	}
	if got := stage.Follow(t, b.Submit(stage.Follow(t, b.Get("/account/security/app")), "code", right)); got != "/account/security/app" {
		t.Errorf("the right code leads to %q", got)
	}
	if a := b.Get("/account/security/app"); a.Status != http.StatusOK {
		t.Errorf("then the page: status %d", a.Status)
	}
}

func TestARememberedBrowserIsNotAsked(t *testing.T) {
	r := newRig(t, app)
	r.demand("2")
	b := r.Browser()
	answer := b.Submit(r.pending(t, b, ""), "code", right, "trust", "on")
	if c := strings.Join(answer.Header.Values("Set-Cookie"), "\n"); b.Cookie(trustedCookie) == "" || !strings.Contains(c, "Max-Age=2592000") {
		t.Fatalf("cookies %q, want the browser remembered for 30 days", c)
	}
	if at := stage.Follow(t, b.Submit(stage.Follow(t, answer), "decision", "allow")); at != stage.Granted {
		t.Fatalf("at %q", at)
	}
	t.Run("for a policy the password is enough", func(t *testing.T) {
		if at := r.password(t, b, "prompt=login"); at != stage.Granted {
			t.Errorf("leads to %q", at)
		}
		if s := r.session(t, b); s.ACR != "1" || !s.Trusted {
			t.Errorf("acr %s, trusted %v: acr tells what was reached", s.ACR, s.Trusted)
		}
	})
	t.Run("for acr_values it is not", func(t *testing.T) {
		if at := r.Begin(t, b, "acr_values=2"); !stage.IsPage(at, "/login/factor") {
			t.Errorf("signed in: %q", at)
		}
		if at := r.password(t, b, "prompt=login&acr_values=2"); !stage.IsPage(at, "/login/factor") {
			t.Errorf("signing in: %q", at)
		}
	})
	t.Run("for a policy that demands a passkey it is not", func(t *testing.T) {
		r.gets(t, r.ann, assurance.Passkey)
		r.demand("phr")
		if at := r.password(t, b, "prompt=login"); !stage.IsPage(at, "/login/factor") {
			t.Errorf("leads to %q", at)
		}
		r.demand("2")
	})
	t.Run("somebody else is asked in it", func(t *testing.T) {
		ben := r.Person(t, "ben@example.test")
		r.gets(t, ben, assurance.TOTP)
		at := stage.Follow(t, b.Submit(r.Begin(t, b, "prompt=login"), "username", "ben@example.test", "password", stage.Password))
		if !stage.IsPage(at, "/login/factor") {
			t.Errorf("leads to %q", at)
		}
	})
	t.Run("and the person is asked in another", func(t *testing.T) {
		r.pending(t, r.Browser(), "")
	})
	t.Run("after its time it is asked", func(t *testing.T) {
		defer clock.Jump(30 * 24 * time.Hour)()
		r.pending(t, b, "prompt=login")
	})
	t.Run("it is not offered where it would not count", func(t *testing.T) {
		b := r.Browser()
		at := r.pending(t, b, "acr_values=2")
		if strings.Contains(b.Get(at).Body, `name="trust"`) {
			t.Error("offered")
		}
		if b.Submit(at, "code", right, "trust", "on"); b.Cookie(trustedCookie) != "" {
			t.Error("and taken from who sends it all the same")
		}
	})
	t.Run("a wrong code remembers nothing", func(t *testing.T) {
		b := r.Browser()
		if b.Submit(r.pending(t, b, ""), "code", "000000", "trust", "on"); b.Cookie(trustedCookie) != "" {
			t.Error("the browser is remembered")
		}
	})
}
