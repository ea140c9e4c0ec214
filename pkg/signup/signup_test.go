package signup_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

var ctx = context.Background()

// password that the people of these tests choose.
const chosen = "many unrelated words"

// good is a form without mistakes.
func good(pairs ...string) url.Values {
	form := url.Values{"name": {"Cleo Example"}, "email": {"cleo@example.test"}, "password": {chosen}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// send sends the form of the page at path.
func send(b *stage.Browser, path string, form url.Values) stage.Answer {
	all := stage.Hidden(b.Get(path).Body)
	for name := range form {
		all[name] = form[name]
	}
	return b.Post(path, all)
}

// asked sends the sign-up form and returns the page that waits for the proof.
func asked(t *testing.T, r *stage.Pages, b *stage.Browser, query string, pairs ...string) string {
	t.Helper()
	at := stage.Follow(t, send(b, strings.Replace(r.Begin(t, b, query), "/login?", "/register?", 1), good(pairs...)))
	if !stage.IsPage(at, "/register/confirm") {
		t.Fatalf("after the form: %q, want the page that waits for the proof", at)
	}
	return at
}

// linkOf returns the local path of the link of a letter.
func linkOf(t *testing.T, l stage.Queued) string {
	t.Helper()
	path, ok := strings.CutPrefix(l.URL, stage.Issuer)
	if !ok {
		t.Fatalf("the link %q does not begin with the issuer", l.URL)
	}
	return path
}

func people(t *testing.T, r *stage.Pages) int {
	t.Helper()
	list, err := r.Users.List(ctx, paging.Page{Size: paging.MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSigningUpByCode(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := r.Begin(t, b, "prompt=create")
	if !stage.IsPage(at, "/register") {
		t.Fatalf("Initiating User Registration 1.0 §3 prompt=create leads to %q", at)
	}
	at = stage.Follow(t, send(b, at, good("name", " Cleo Example ", "email", "Cleo@example.test")))
	page := b.Get(at)
	for _, want := range []string{"Cleo@example.test", `name="code"`, `autocomplete="one-time-code"`, `inputmode="numeric"`, `id="confirm-submit"`} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := people(t, r); n != 0 {
		t.Fatalf("%d accounts before the address is proven", n)
	}
	if b.Cookie(stage.SessionCookie) != "" {
		t.Error("somebody is signed in before the address is proven")
	}
	letter := r.Letters.Last(t, "Cleo@example.test")
	if letter.Key != "signup" || letter.Name != "" || letter.To.Name != "" {
		t.Errorf("the letter is %+v; want one that greets nobody by what a stranger typed", letter)
	}
	at = stage.Follow(t, send(b, at, url.Values{"code": {letter.Code}}))
	if !stage.IsPage(at, "/consent") || b.Cookie(stage.SessionCookie) == "" {
		t.Fatalf("after the right code: %q, want to be signed in and back in the flow", at)
	}
	if at := stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Errorf("then %q", at)
	}
	u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
	if err != nil || u.Name != "Cleo Example" || !u.EmailVerified || len(u.Roles) != 0 || u.Disabled || u.Locale != "en" {
		t.Errorf("the new person is %+v, %v", u, err)
	}
	if right, err := r.Passwords.Verify(ctx, u.ID, chosen); err != nil || !right {
		t.Errorf("the password is not the chosen one: %v", err)
	}
	for _, name := range []audit.Name{audit.UserRegistered, audit.EmailVerified, audit.LoginSucceeded} {
		if events := r.Audit.Named(name); len(events) != 1 || events[0].UserID != u.ID || events[0].ClientID != r.App.ID {
			t.Errorf("audit has %+v of %s", events, name)
		}
	}
	for _, secret := range []string{"cleo@example.test", chosen, letter.Code, letter.URL} {
		if strings.Contains(strings.ToLower(r.Log.String()), strings.ToLower(secret)) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestSigningUpTellsNobodyWhoIsThere compares every answer of a free address
// with that of one that has an account.
func TestSigningUpTellsNobodyWhoIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		ann := r.Person(t, "ann@example.test")
		walk := func(email, from string) (seen []string) {
			b := r.Browser()
			b.Address = from // what is left of its limits is told to each address
			see := func(what string, do func() stage.Answer) stage.Answer {
				started := time.Now()
				a := do()
				seen = append(seen, what+" after "+time.Since(started).String()+"\n"+alike(a, email))
				return a
			}
			at := r.Begin(t, b, "prompt=create")
			at = stage.Follow(t, see("form", func() stage.Answer { return send(b, at, good("email", email)) }))
			see("page", func() stage.Answer { return b.Get(at) })
			see("no code", func() stage.Answer { return send(b, at, url.Values{"code": {""}}) })
			see("again", func() stage.Answer { return send(b, at, url.Values{"decision": {"again"}}) })
			for range 6 { // the last ones are one too many
				see("code", func() stage.Answer { return send(b, at, url.Values{"code": {"1234 567x"}}) })
			}
			see("over", func() stage.Answer { return b.Get(at) })
			login := strings.Replace(at, "/register/confirm", "/login", 1)
			see("login", func() stage.Answer { return send(b, login, url.Values{"username": {email}, "password": {chosen}}) })
			return seen
		}
		free, taken := walk("new@example.test", "192.0.2.7:1"), walk("ANN@example.test", "192.0.2.8:1")
		for i := range free {
			if free[i] != taken[i] {
				t.Errorf("ASVS 6.3.8 for a taken address step %d is\n%s\nfor a free one\n%s", i, taken[i], free[i])
			}
		}
		if !strings.HasPrefix(free[0], "form after 400ms") {
			t.Errorf("the form took %.40s; want longer than the work", free[0])
		}
		if l := r.Letters.Last(t, "ann@example.test"); l.Key != "signup_known" || l.Code != "" || l.URL != stage.Issuer+"/account" || l.To.UserID != ann.ID {
			t.Errorf("the owner's letter is %+v; want one that leads to the sign-in, to the address of the account", l)
		}
		if l := r.Letters.Last(t, "new@example.test"); l.Key != "signup" || l.Code == "" {
			t.Errorf("the other letter is %+v", l)
		}
		if right, err := r.Passwords.Verify(ctx, ann.ID, stage.Password); err != nil || !right {
			t.Error("signing up with a taken address changed its password")
		}
		if u, _ := r.Users.Get(ctx, ann.ID); u.Name != ann.Name || people(t, r) != 1 {
			t.Error("signing up with a taken address changed an account")
		}
	})
}

var perAnswer = regexp.MustCompile(`(Location|Set-Cookie|Ratelimit-Reset|;t=)[^\n,]*`) // resets are spread at random

// alike removes what differs between any two answers.
func alike(a stage.Answer, email string) string {
	return perAnswer.ReplaceAllString(stage.Alike(a, email), "$1")
}

func TestSigningUpWithoutAProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		r.Signup.Config.AtOnce = true
		r.Person(t, "ann@example.test")
		var answers []string
		for _, email := range []string{"cleo@example.test", "ann@example.test"} {
			b := r.Browser()
			b.Address = map[bool]string{true: "192.0.2.7:1", false: "192.0.2.8:1"}[email == "ann@example.test"]
			started := time.Now()
			answer := send(b, r.Begin(t, b, "prompt=create"), good("email", email))
			if took := time.Since(started); took != 400*time.Millisecond {
				t.Errorf("%s took %v", email, took)
			}
			at := stage.Follow(t, answer)
			if !stage.IsPage(at, "/login") || b.Cookie(stage.SessionCookie) != "" {
				t.Fatalf("after the form: %q, want the login", at)
			}
			next := b.Get(at)
			if !strings.Contains(next.Body, "was not registered before") {
				t.Error("the login page does not say what became of the form")
			}
			answers = append(answers, alike(answer, email)+alike(next, email))
			if email == "cleo@example.test" {
				if at := stage.Follow(t, b.Submit(at, "username", email, "password", chosen)); !stage.IsPage(at, "/consent") {
					t.Errorf("the new account's login leads to %q", at)
				}
			}
		}
		if answers[0] != answers[1] {
			t.Errorf("a taken address answers\n%s\na free one\n%s", answers[1], answers[0])
		}
		u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
		if err != nil || u.EmailVerified || len(r.Audit.Named(audit.EmailVerified)) != 0 {
			t.Errorf("the address counts as proven: %+v, %v", u, err)
		}
		if len(r.Letters.All()) != 0 {
			t.Error("a letter was sent")
		}
	})
}

func TestMassAssignment(t *testing.T) {
	r := stage.NewPages(t)
	r.Signup.Config.Roles = []string{"shopper"}
	b := r.Browser()
	at := asked(t, r, b, "prompt=create",
		"role", user.Administrator, "roles", user.Administrator, "Roles", user.Administrator, "email_verified", "true", "id", "mine", "sub", "mine",
		"username", "boss", "disabled", "true", "terms_version", "9", "invitation", "x", "locale", "tlh", "hash", "x", "client", "x", "flow", "x")
	send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}, "roles": {user.Administrator}, "username": {"boss"}, "email": {"boss@example.test"}})
	u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Roles) != 1 || u.Roles[0] != "shopper" || u.Username != "" || u.ID == "mine" || u.Disabled || u.TermsVersion != "" || u.Locale != "en" {
		t.Errorf("a stranger chose more than their name and password: %+v", u)
	}
}

func TestRefusedSignUps(t *testing.T) {
	r := stage.NewPages(t)
	r.Signup.Config.Domains = []string{"example.test", "x.test", "bücher.example"}
	r.Signup.Config.Username = signup.Optional
	r.Signup.Config.Terms = templates.Terms{TermsURL: "https://id.example.test/terms", PrivacyURL: "https://id.example.test/privacy"}
	for name, tt := range map[string]struct {
		field, value, says string
	}{
		"no name":                      {"name", "  ", "Enter your name"},
		"a very long name":             {"name", strings.Repeat("x", 300), "too long"},
		"a name of two lines":          {"name", "Cleo\nAdmin", "cannot be read"},
		"a name turned around":         {"name", "Cleo \u202eoelC", "cannot be read"},
		"a name with hidden letters":   {"name", "C\u200bleo", "cannot be read"},
		"no address":                   {"email", "", "Enter your email"},
		"a blank that is not seen":     {"email", "c\u00a0c@x.test", "such as name@example.com"},
		"no address at all":            {"email", "cleo", "such as name@example.com"},
		"a header hidden in it":        {"email", "c@x.test\r\nBcc: d@x.test", "such as name@example.com"},
		"an address turned around":     {"email", "c\u202e@x.test", "such as name@example.com"},
		"two addresses":                {"email", "c@x.test,d@x.test", "such as name@example.com"},
		"another domain":               {"email", "cleo@other.test", "cannot be used here"},
		"a subdomain":                  {"email", "cleo@sub.example.test", "cannot be used here"},
		"a lookalike domain":           {"email", "cleo@еxample.test", "cannot be used here"},
		"a domain behind another":      {"email", "cleo@example.test.evil.test", "cannot be used here"},
		"no password":                  {"password", "", "Choose a password"},
		"a short password":             {"password", "fourteen chars", "at least 15 characters"},
		"a password above the bound":   {"password", strings.Repeat("x", password.MaxBytes+1), "too long"},
		"the address as the password":  {"password", "CLEO@example.test", "too close to your name"},
		"a short one, many bytes":      {"password", "пароль пароль", "at least 15 characters"},
		"the username, drawn out":      {"password", "cleo1cleo1cleo1!", "too close to your name"},
		"a username like an address":   {"username", "cleo@example.test", "letters of one script"},
		"a username of two scripts":    {"username", "сleo", "letters of one script"},
		"the username of an operator":  {"username", "Ad-min", "cannot be chosen"},
		"terms that are not accepted":  {"terms", "", "acceptance of the terms"},
		"terms that are half accepted": {"terms", "yes", "acceptance of the terms"},
	} {
		t.Run(name, func(t *testing.T) {
			b := r.Browser()
			answer := send(b, r.Begin(t, b, "prompt=create"), good("username", "cleo1", "terms", "on", tt.field, tt.value))
			if answer.Status != http.StatusOK || !strings.Contains(answer.Body, tt.says) {
				t.Errorf("status %d, want the form saying %q", answer.Status, tt.says)
			}
			if strings.Contains(answer.Body, chosen) {
				t.Error("the page shows the password")
			}
			for field, kept := range map[string]string{"email": "cleo@example.test", "name": "Cleo Example", "username": "cleo1", "terms": " checked"} {
				if tt.field != field && !strings.Contains(answer.Body, kept) {
					t.Errorf("the page forgets the %s", field)
				}
			}
		})
	}
	for name, answer := range map[string]stage.Answer{
		"ASVS 3.5.1 no form token": func() stage.Answer {
			b := r.Browser()
			return b.Post(r.Begin(t, b, "prompt=create"), good())
		}(),
		"in another browser": r.Browser().Get(r.Begin(t, r.Browser(), "prompt=create")),
	} {
		if answer.Status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, answer.Status)
		}
	}
	if n := people(t, r); n != 0 || len(r.Letters.All()) != 0 {
		t.Errorf("refused forms made %d accounts and %d letters", n, len(r.Letters.All()))
	}
	for _, email := range []string{"cleo@EXAMPLE.test", "cleo@bücher.example", "cleo@xn--bcher-kva.example"} {
		b := r.Browser()
		if answer := send(b, r.Begin(t, b, "prompt=create"), good("terms", "on", "email", email)); answer.Status != http.StatusSeeOther {
			t.Errorf("%s: status %d, want it taken", email, answer.Status)
		}
	}
}

func TestAcceptedTermsAreRecorded(t *testing.T) {
	r := stage.NewPages(t)
	r.Signup.Config.Terms, r.Signup.Config.TermsVersion = templates.Terms{TermsURL: "https://id.example.test/terms"}, "2026-11"
	r.Opener.TermsVersion = "2026-11"
	b := r.Browser()
	at := asked(t, r, b, "prompt=create", "terms", "on")
	at = stage.Follow(t, send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}}))
	if !stage.IsPage(at, "/consent") {
		t.Errorf("whoever accepted the terms is led to %q", at)
	}
	u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
	if err != nil || u.TermsVersion != "2026-11" || u.TermsAcceptedAt.IsZero() {
		t.Errorf("the person is %+v, %v", u, err)
	}
	if events := r.Audit.Named(audit.TermsAccepted); len(events) != 1 || events[0].Data["version"] != "2026-11" || events[0].UserID != u.ID {
		t.Errorf("audit has %+v", events)
	}
}

func TestWhoMaySignUp(t *testing.T) {
	for mode, want := range map[signup.Mode]int{signup.Closed: 404, "": 404, signup.Invite: 403} {
		r := stage.NewPages(t)
		b := r.Browser()
		at := asked(t, r, b, "prompt=create")
		letter := r.Letters.Last(t, "cleo@example.test")
		form := stage.Hidden(b.Get(at).Body)
		form.Set("code", letter.Code)
		register := strings.Replace(at, "/confirm", "", 1)
		r.Signup.Config.Mode = mode
		for path, answer := range map[string]stage.Answer{
			"GET":  r.Browser().Get("/register"),
			"POST": r.Browser().Post("/register", good()),
			"form": b.Get(register),
			"code": b.Post(at, form),
			"link": send(b, linkOf(t, letter), nil),
		} {
			if answer.Status != want {
				t.Errorf("mode %q: %s answers %d, want %d", mode, path, answer.Status, want)
			}
		}
		if n := people(t, r); n != 0 {
			t.Errorf("mode %q: %d accounts", mode, n)
		}
	}
}

func TestSigningUpWithoutAnApplication(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := stage.Follow(t, b.Get("/register"))
	if !stage.IsPage(at, "/register") {
		t.Fatalf("without a flow: %q, want one of Portico's own", at)
	}
	at = stage.Follow(t, send(b, at, good()))
	at = stage.Follow(t, send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}}))
	if at != "/account" {
		t.Errorf("in the end: %q, want the account", at)
	}
	if b.Cookie(stage.SessionCookie) == "" {
		t.Error("nobody is signed in")
	}
	if events := r.Audit.Named(audit.UserRegistered); len(events) != 1 || events[0].ClientID != "" {
		t.Errorf("audit has %+v", events)
	}
}

func TestWrongMethods(t *testing.T) {
	r := stage.NewPages(t)
	for _, path := range []string{"/register", "/register/confirm", "/login/terms"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			if answer := r.Browser().Do(method, path, nil, http.Header{"Origin": {stage.Issuer}}); answer.Status != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("%s %s: status %d", method, path, answer.Status)
			}
		}
	}
}

func TestTheClientIsShownOnEveryStep(t *testing.T) {
	r := stage.NewPages(t, func(c *client.Client) { c.Name = `<b>"Shop` })
	b := r.Browser()
	at := asked(t, r, b, "prompt=create")
	for _, path := range []string{strings.Replace(at, "/confirm", "", 1), at, linkOf(t, r.Letters.Last(t, "cleo@example.test"))} {
		body := b.Get(path).Body
		if strings.Contains(body, `<b>"Shop`) {
			t.Errorf("%s: the client's name is markup", path)
		}
	}
}

func TestWithoutCountersNobodySignsUp(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := r.Begin(t, b, "prompt=create")
	r.Limits.SetDown(true)
	answer := send(b, at, good())
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, "cleo@example.test") || strings.Contains(answer.Body, chosen) {
		t.Errorf("status %d; want the form once more, with what was entered", answer.Status)
	}
	r.Limits.SetDown(false)
	r.Letters.SetDown(true)
	if answer := send(b, at, good()); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("without an outbox: status %d, want 503", answer.Status)
	}
	r.Letters.SetDown(false)
	if answer := send(b, at, good()); answer.Status != http.StatusSeeOther || len(r.Letters.All()) != 1 {
		t.Errorf("the same tab does not recover: status %d, %d letters", answer.Status, len(r.Letters.All()))
	}
	if _, err := r.Users.ByIdentifier(ctx, "cleo@example.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an account was made: %v", err)
	}
}
