package login_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
)

var ctx = context.Background()

func TestSignIn(t *testing.T) {
	r, b := stage.NewPages(t), (*stage.Browser)(nil)
	ann := r.Person(t, "ann@example.test")
	b = r.Browser()
	at := r.Begin(t, b, "")
	if !stage.IsPage(at, "/login") {
		t.Fatalf("the flow begins at %q, want the login page", at)
	}
	shown := b.Get(at)
	for _, want := range []string{
		"Shop &amp; Co", `name="username"`, `autocomplete="username"`, `name="password"`,
		`autocomplete="current-password"`, `id="login-submit"`, "Sign in",
	} {
		if !strings.Contains(shown.Body, want) {
			t.Errorf("the login page lacks %q", want)
		}
	}
	if got := shown.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	if b.Cookie(stage.SessionCookie) != "" {
		t.Error("ASVS 7.2.4 there is a session before anybody signed in")
	}
	answer := b.Submit(at, "username", " ANN@example.test", "password", stage.Password)
	at = stage.Follow(t, answer)
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("after the login: %q, want the consent page", at)
	}
	session := b.Cookie(stage.SessionCookie)
	if _, ok := secret.Unwrap(secret.SessionCookie, session); !ok {
		t.Fatalf("session cookie %q", session)
	}
	for _, c := range answer.Header.Values("Set-Cookie") {
		if strings.HasPrefix(c, stage.SessionCookie) && strings.Contains(c, "Max-Age") {
			t.Errorf("cookie outlives the browser though nobody asked: %s", c)
		}
	}
	if at = stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Fatalf("after the consent: %q, want the application", at)
	}
	done := r.Finisher.Finished()
	if len(done) != 1 || done[0].UserID != ann.ID || done[0].SessionID == "" || !done[0].FreshLogin {
		t.Errorf("granted to %+v", done)
	}
	events := r.Audit.Named(audit.LoginSucceeded)
	if len(events) != 1 || events[0].UserID != ann.ID || events[0].ClientID != r.App.ID || events[0].SessionID != done[0].SessionID {
		t.Errorf("audit has %+v", events)
	}
	for what, hidden := range map[string]string{"password": stage.Password, "e-mail": "ann@example.test", "cookie": session, "flow": done[0].ID} {
		if strings.Contains(r.Log.String(), hidden) {
			t.Errorf("the log holds the %s", what)
		}
	}
	if !strings.Contains(r.Log.String(), `"user_id":"`+ann.ID+`"`) || !strings.Contains(r.Log.String(), `"client_id":"`+r.App.ID+`"`) {
		t.Error("the log line of the login does not name user and client")
	}

	t.Run("the second time nothing is asked", func(t *testing.T) {
		if at := r.Begin(t, b, ""); at != stage.Granted {
			t.Errorf("with a session and a consent: %q, want the application", at)
		}
	})
	t.Run("stay signed in", func(t *testing.T) {
		b := r.Browser()
		answer := b.Submit(r.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password, "remember", "on")
		if c := strings.Join(answer.Header.Values("Set-Cookie"), "\n"); !strings.Contains(c, "Max-Age=2592000") {
			t.Errorf("cookies %q, want the session to last", c)
		}
	})
}

func TestWhatALoginPageIsFor(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	t.Run("OIDC Core §3.1.2.1 login_hint prefills", func(t *testing.T) {
		b := r.Browser()
		if body := b.Get(r.Begin(t, b, "login_hint=hint%22%3E%40example.test")).Body; !strings.Contains(body, `value="hint&#34;&gt;@example.test"`) {
			t.Error("the hint is not in the form, or not escaped")
		}
	})
	t.Run("OIDC Core §3.1.2.1 ui_locales", func(t *testing.T) {
		b := r.Browser()
		if body := b.Get(r.Begin(t, b, "ui_locales=de")).Body; !strings.Contains(body, `lang="de"`) {
			t.Error("the page is not in German")
		}
	})
	t.Run("OIDC Core §3.1.2.1 prompt=login shows the form again, prefilled and editable", func(t *testing.T) {
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		old := b.Cookie(stage.SessionCookie)
		at := r.Begin(t, b, "prompt=login")
		if !stage.IsPage(at, "/login") {
			t.Fatalf("prompt=login leads to %q", at)
		}
		body := b.Get(at).Body
		if !strings.Contains(body, `value="ann@example.test"`) || strings.Contains(body, "readonly") {
			t.Error("want the account in a field that can be changed")
		}
		if at := stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password)); at != stage.Granted {
			t.Errorf("after the fresh login: %q", at)
		}
		if now := b.Cookie(stage.SessionCookie); now == old {
			t.Error("ASVS 7.2.4 the cookie is the one from before the login")
		}
		b.SetCookie(stage.SessionCookie, old)
		if at := r.Begin(t, b, ""); !stage.IsPage(at, "/login") {
			t.Errorf("the old cookie still leads to %q", at)
		}
	})
	t.Run("OIDC Core §3.1.2.1 max_age=0 demands a login", func(t *testing.T) {
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		if at := r.Begin(t, b, "max_age=0"); !stage.IsPage(at, "/login") {
			t.Errorf("max_age=0 leads to %q", at)
		}
	})
	t.Run("editing the address skips nothing", func(t *testing.T) {
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		before := len(r.Finisher.Finished())
		flow := strings.TrimPrefix(r.Begin(t, b, "prompt=login"), "/login")
		for _, other := range []string{"/consent", "/login"} {
			answer := b.Get(other + flow)
			if answer.Status == http.StatusSeeOther && !stage.IsPage(answer.Location, "/login") {
				t.Errorf("%s leads to %q without the login", other, answer.Location)
			}
		}
		body := b.Get("/login/account" + flow)
		form := stage.Hidden(body.Body)
		form.Set("account", "")
		if at := stage.Follow(t, b.Post("/login/account"+flow, form)); !stage.IsPage(at, "/login") {
			t.Errorf("the chooser leads to %q without the login", at)
		}
		if n := len(r.Finisher.Finished()) - before; n != 0 {
			t.Errorf("%d requests granted without the login", n)
		}
	})
	t.Run("OIDC Core §3.1.2.6 prompt=none is answered, not asked", func(t *testing.T) {
		b := r.Browser()
		if at := r.Begin(t, b, "prompt=none"); !strings.HasPrefix(at, stage.Redirect+"?error=login_required") {
			t.Errorf("without a session: %q", at)
		}
		r.Person(t, "ben@example.test")
		at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "username", "ben@example.test", "password", stage.Password))
		if !stage.IsPage(at, "/consent") {
			t.Fatalf("at %q", at)
		}
		if at := r.Begin(t, b, "prompt=none"); !strings.HasPrefix(at, stage.Redirect+"?error=consent_required") {
			t.Errorf("without a consent: %q", at)
		}
	})
	t.Run("who is asked to make an account may have one, and sign in", func(t *testing.T) {
		b := r.Browser()
		at := r.Begin(t, b, "prompt=create")
		if !stage.IsPage(at, "/register") {
			t.Fatalf("prompt=create leads to %q", at)
		}
		at = strings.Replace(at, "/register", "/login", 1)
		if body := b.Get(at).Body; !strings.Contains(body, `id="login-submit"`) {
			t.Fatal("the link to the sign-in leads back to the registration")
		}
		r.Person(t, "cid@example.test")
		if at := stage.Follow(t, b.Submit(at, "username", "cid@example.test", "password", stage.Password)); !stage.IsPage(at, "/consent") {
			t.Errorf("then %q", at)
		}
	})
	t.Run("RFC 6749 §4.1.2.1 cancel answers access_denied", func(t *testing.T) {
		b := r.Browser()
		if at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "decision", "deny")); at != stage.Redirect+"?error=access_denied&state=st%26te" {
			t.Errorf("cancel leads to %q", at)
		}
	})
}

func TestAnIDTokenHintNamesThePerson(t *testing.T) {
	r, b := stage.NewPages(t), (*stage.Browser)(nil)
	ann, _ := r.Person(t, "ann@example.test"), r.Person(t, "ben@example.test")
	b = r.Browser()
	r.SignIn(t, b, "ben@example.test")
	at := r.Begin(t, b, "hint="+ann.ID)
	if !stage.IsPage(at, "/login") {
		t.Fatalf("OIDC Core §3.1.2.1 another person's session answers for the hint: %q", at)
	}
	at = stage.Follow(t, b.Submit(at, "username", "ben@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/login") {
		t.Fatalf("the wrong person's login leads to %q", at)
	}
	if body := b.Get(at).Body; !strings.Contains(body, "another account") {
		t.Error("the page does not say that another account is expected")
	}
	at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("the right person's login leads to %q", at)
	}
	if at := stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Errorf("then: %q", at)
	}
	if done := r.Finisher.Finished(); done[len(done)-1].UserID != ann.ID {
		t.Error("granted for somebody else than the hint names")
	}
}

func TestRefusedForms(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	credentials := url.Values{"username": {"ann@example.test"}, "password": {stage.Password}}
	with := func(b *stage.Browser, at string, extra url.Values) url.Values {
		form := stage.Hidden(b.Get(at).Body)
		for _, values := range []url.Values{credentials, extra} {
			for name, value := range values {
				form[name] = value
			}
		}
		return form
	}
	tests := map[string]struct {
		send   func(b *stage.Browser, at string) stage.Answer
		status int
	}{
		"ASVS 3.5.1 no form token": {func(b *stage.Browser, at string) stage.Answer {
			b.Get(at)
			return b.Post(at, credentials)
		}, 403},
		"ASVS 3.5.1 a token of another flow": {func(b *stage.Browser, at string) stage.Answer {
			other := stage.Follow(t, b.Get("/start"))
			return b.Post(at, with(b, other, nil))
		}, 403},
		"ASVS 3.5.1 a token of another form": {func(b *stage.Browser, at string) stage.Answer {
			register := strings.Replace(at, "/login", "/register", 1)
			return b.Post(at, with(b, register, nil))
		}, 403},
		"ASVS 3.5.1 a token of another browser": {func(b *stage.Browser, at string) stage.Answer {
			other := r.Browser()
			return b.Post(at, with(other, r.Begin(t, other, ""), nil))
		}, 403},
		"ASVS 3.5.1 from another website": {func(b *stage.Browser, at string) stage.Answer {
			return b.Do("POST", at, with(b, at, nil), http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}})
		}, 403},
		"the browser that did not begin it": {func(b *stage.Browser, at string) stage.Answer {
			form, thief := with(b, at, nil), r.Browser()
			thief.Get("/start")
			return thief.Post(at, form)
		}, 403},
		"a browser without cookies": {func(b *stage.Browser, at string) stage.Answer {
			return r.Browser().Post(at, with(b, at, nil))
		}, 403},
		"a made-up flow": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post("/login?flow="+secret.New(secret.FlowID), with(b, at, nil))
		}, 404},
		"no flow": {func(b *stage.Browser, at string) stage.Answer { return b.Post("/login", with(b, at, nil)) }, 404},
		"two flows": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post(at+"&flow=x", with(b, at, nil))
		}, 404},
		"two usernames": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post(at, with(b, at, url.Values{"username": {"ann@example.test", "ben@example.test"}}))
		}, 400},
		"a NUL byte": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post(at, with(b, at, url.Values{"password": {stage.Password + "\x00"}}))
		}, 400},
		"not UTF-8": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post(at, with(b, at, url.Values{"username": {"\xff\xfe"}}))
		}, 400},
		"a very long username": {func(b *stage.Browser, at string) stage.Answer {
			return b.Post(at, with(b, at, url.Values{"username": {strings.Repeat("a", 1<<16)}}))
		}, 413},
		"another method": {func(b *stage.Browser, at string) stage.Answer { return b.Do("PUT", at, nil, nil) }, 405},
		"credentials by GET": {func(b *stage.Browser, at string) stage.Answer {
			return b.Get(at + "&" + with(b, at, nil).Encode())
		}, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := r.Browser()
			at := r.Begin(t, b, "")
			answer := tt.send(b, at)
			if answer.Status != tt.status {
				t.Errorf("status %d, want %d", answer.Status, tt.status)
			}
			if b.Cookie(stage.SessionCookie) != "" || answer.Header.Get("Location") != "" {
				t.Errorf("somebody got in: %v", answer.Header)
			}
			if tt.status != 200 && (!strings.Contains(answer.Body, "cannot continue") || strings.Contains(answer.Body, "goroutine")) {
				t.Errorf("the page is not our error page: %.200s", answer.Body)
			}
		})
	}
}

func TestTheWayBack(t *testing.T) {
	t.Run("back button after everything is done", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		at := r.Begin(t, b, "")
		form := stage.Hidden(b.Get(at).Body)
		form.Set("username", "ann@example.test")
		form.Set("password", stage.Password)
		asks := stage.Follow(t, b.Post(at, form))
		if at := stage.Follow(t, b.Get(at)); at != asks {
			t.Errorf("the login page, when a consent is missing, leads to %q", at)
		}
		stage.Follow(t, b.Submit(asks, "decision", "allow"))
		for _, past := range []string{at, asks, strings.Replace(at, "/login", "/login/account", 1)} {
			answer := b.Get(past)
			if answer.Status != http.StatusGone || !strings.Contains(answer.Body, `href="/oauth2/authorize?client_id=`) {
				t.Errorf("%s: status %d, want a page that leads back", past, answer.Status)
			}
		}
		if answer := b.Post(at, form); answer.Status != http.StatusGone {
			t.Errorf("sending the form once more: status %d, want 410", answer.Status)
		}
		if n := len(r.Finisher.Finished()); n != 1 {
			t.Errorf("granted %d times", n)
		}
	})
	t.Run("two tabs: what one did the other finds done", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		first, second := r.Begin(t, b, ""), r.Begin(t, b, "")
		if first == second {
			t.Fatal("two tabs share a flow")
		}
		asks := stage.Follow(t, b.Submit(first, "username", "ann@example.test", "password", stage.Password))
		stage.Follow(t, b.Submit(asks, "decision", "allow"))
		if at := stage.Follow(t, b.Get(second)); at != stage.Granted {
			t.Errorf("reloading the other tab leads to %q, want the application", at)
		}
	})
	t.Run("a flow that expired leads back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			b := r.Browser()
			at := r.Begin(t, b, "")
			time.Sleep(31 * time.Minute)
			answer := b.Get(at)
			if answer.Status != http.StatusGone || !strings.Contains(answer.Body, "Back to Shop &amp; Co") {
				t.Errorf("status %d, body lacks the way back", answer.Status)
			}
		})
	})
	t.Run("another browser is told", func(t *testing.T) {
		r := stage.NewPages(t)
		at := r.Begin(t, r.Browser(), "")
		for name, b := range map[string]*stage.Browser{"without cookies": r.Browser(), "with its own": r.Browser()} {
			if name == "with its own" {
				b.Get("/start")
			}
			answer := b.Get(at)
			if answer.Status != http.StatusForbidden || !strings.Contains(answer.Body, "another browser") || strings.Contains(answer.Body, "Shop") {
				t.Errorf("%s: status %d, want a page that says so and names no application", name, answer.Status)
			}
		}
	})
	t.Run("an unknown flow says what to do", func(t *testing.T) {
		answer := stage.NewPages(t).Browser().Get("/login?flow=" + secret.New(secret.FlowID))
		if answer.Status != http.StatusNotFound || !strings.Contains(answer.Body, "start again") {
			t.Errorf("status %d, want 404 and what to do", answer.Status)
		}
	})
	t.Run("an application that was disabled meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			b := r.Browser()
			at := r.Begin(t, b, "")
			row, err := r.Durable.Clients.ByID(ctx, r.App.ID)
			if err != nil {
				t.Fatal(err)
			}
			row.Disabled = true
			if err := r.Durable.Clients.Update(ctx, row); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // longer than clients are remembered
			if answer := b.Get(at); answer.Status != http.StatusForbidden || answer.Location != "" {
				t.Errorf("status %d to %q, want our error page", answer.Status, answer.Location)
			}
		})
	})
}

func TestDependenciesDown(t *testing.T) {
	t.Run("unsure means no: without counters nobody signs in", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		at := r.Begin(t, b, "")
		r.Limits.SetDown(true)
		answer := b.Submit(at, "username", "ann@example.test", "password", stage.Password)
		if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("status %d, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
		}
		if !strings.Contains(answer.Body, "we are busy") || !strings.Contains(answer.Body, `value="ann@example.test"`) || strings.Contains(answer.Body, stage.Password) {
			t.Error("want the form once more, with the name and without the password")
		}
		r.Limits.SetDown(false)
		if !stage.IsPage(stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password)), "/consent") {
			t.Error("the same tab does not recover")
		}
	})
	t.Run("without flows every page is 503", func(t *testing.T) {
		r := stage.NewPages(t)
		b := r.Browser()
		at := r.Begin(t, b, "")
		r.FlowKeep.SetDown(true)
		for _, path := range []string{at, "/start", strings.Replace(at, "/login", "/consent", 1), strings.Replace(at, "/login", "/register", 1)} {
			if answer := b.Get(path); answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%s: status %d, want 503", path, answer.Status)
			}
		}
	})
}

func TestTheClientIsShownAsWhatItIs(t *testing.T) {
	r := stage.NewPages(t, func(c *client.Client) {
		c.Name = `<script>alert(1)</script>"'`
		c.LogoURI, c.PolicyURI, c.TosURI = "https://app.example.test/logo.png", "https://app.example.test/policy", "https://app.example.test/terms"
	})
	b := r.Browser()
	answer := b.Get(r.Begin(t, b, ""))
	if strings.Contains(answer.Body, "<script>alert") {
		t.Error("the client's name is markup")
	}
	for _, want := range []string{"https://app.example.test/logo.png", "https://app.example.test/policy", "https://app.example.test/terms"} {
		if !strings.Contains(answer.Body, want) {
			t.Errorf("OIDC Registration §2 the page lacks %s", want)
		}
	}
	if csp := answer.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "img-src 'self' https://app.example.test") {
		t.Errorf("policy %q keeps the logo away", csp)
	}
}
