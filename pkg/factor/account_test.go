package factor_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/protocol"
)

const (
	security = "/account/security"
	browsers = "/account/security/browsers"
)

// listed lists what the test says, of every person.
type listed []factor.Entry

func (l listed) List(context.Context, string) ([]factor.Entry, error) { return l, nil }

// broken cannot list.
type broken struct{}

func (broken) List(context.Context, string) ([]factor.Entry, error) { return nil, down() }

func TestTheSecurityPageShowsWhatAPersonHas(t *testing.T) {
	r := newRig(t, []assurance.Factor{assurance.TOTP, assurance.Passkey})
	at := clock.Now()
	r.Second.Listers = []factor.Lister{
		listed{{Kind: assurance.Passkey, ID: "p", Name: "Laptop <b>", AddedAt: at, UsedAt: at}, {Kind: assurance.Passkey, ID: "q", Name: "Old key", AddedAt: at, Suspended: true}},
		listed{{Kind: assurance.TOTP, ID: "t", Name: "Phone", AddedAt: at}},
	}
	r.codes.left = 7
	b := r.Browser()
	if got := stage.Follow(t, b.Get(security)); !stage.IsPage(got, "/login") {
		t.Errorf("nobody signed in: %q", got)
	}
	r.signIn(t, b)
	body := b.Get(security).Body
	for _, want := range []string{
		"Laptop &lt;b&gt;", "Old key", "Switched off", "Phone", "7 codes are left", `href="/account/security/passkeys"`, `href="/account/security/app"`,
		`href="/account/security/sms"`, `href="/account/security/email"`, `href="` + protocol.PathAccountCodes + `"`, `href="/account/password"`, `href="` + browsers + `"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "demands a second factor") || strings.Contains(body, "You have no recovery codes") {
		t.Error("the page warns of what is not so")
	}
	if a := b.Post(security, stage.Hidden(body)); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", a.Status)
	}
	t.Run("says when a policy demands a factor", func(t *testing.T) {
		r.Factors.Policy.Everyone = "2"
		defer func() { r.Factors.Policy.Everyone = "" }()
		if !strings.Contains(b.Get(security).Body, "demands a second factor") {
			t.Error("it does not")
		}
	})
	t.Run("warns who has no recovery codes", func(t *testing.T) {
		r.codes.left = 0
		if !strings.Contains(b.Get(security).Body, "You have no recovery codes") {
			t.Error("it does not")
		}
	})
	t.Run("a kind that is not taken is shown to who has one, so that they can remove it", func(t *testing.T) {
		r.Opener.Policy.Taken = []assurance.Factor{assurance.Passkey}
		defer func() { r.Opener.Policy.Taken = assurance.Factors() }()
		body := b.Get(security).Body
		if !strings.Contains(body, "Phone") || strings.Contains(body, `href="/account/security/sms"`) {
			t.Error("want the app, and nothing to add that is not taken")
		}
	})
	t.Run("is an error when a list cannot be had", func(t *testing.T) {
		r.Second.Listers = append(r.Second.Listers, broken{})
		if a := b.Get(security); a.Status != http.StatusServiceUnavailable {
			t.Errorf("status %d", a.Status)
		}
	})
}

var browserID = regexp.MustCompile(`name="browser" value="([^"]+)"`)

func TestRememberedBrowsersAreForgotten(t *testing.T) {
	r := newRig(t, app)
	remember := func(b *stage.Browser) {
		t.Helper()
		at := stage.Follow(t, b.Submit(r.pending(t, b, "prompt=login"), "code", right, "trust", "on"))
		if stage.IsPage(at, "/consent") {
			b.Submit(at, "decision", "allow")
		}
		if b.Cookie(trustedCookie) == "" {
			t.Fatal("the browser is not remembered")
		}
	}
	one, two := r.Browser(), r.Browser()
	if got := stage.Follow(t, one.Get(browsers)); !stage.IsPage(got, "/login") {
		t.Errorf("nobody signed in: %q", got)
	}
	remember(one)
	defer clock.Jump(time.Second)() // the later one is listed first
	remember(two)
	body := two.Get(browsers).Body
	ids := browserID.FindAllStringSubmatch(body, -1)
	if len(ids) != 3 || ids[2][1] != "all" { // one, two, and all of them
		t.Fatalf("the page lists %v", ids)
	}
	if until := clock.Now().Add(30 * 24 * time.Hour).UTC().Format("2006-01-02"); !strings.Contains(body, until) || !strings.Contains(body, "192.0.2.1") {
		t.Error("the page does not say until when, or from where")
	}
	t.Run("only one's own", func(t *testing.T) {
		person, ben := r.Person(t, "ben@example.test"), r.Browser()
		r.SignIn(t, ben, "ben@example.test")
		if body := ben.Get(browsers).Body; strings.Contains(body, ids[0][1]) || !strings.Contains(body, "No browser is remembered") {
			t.Error("ben sees ann's")
		}
		if _, _, err := r.Browsers.Trust(t.Context(), person.ID); err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]string{"ann's": ids[0][1], "unknown": "x", "empty": "", "huge": strings.Repeat("x", 5000), "odd": "\u202e'"} {
			form := stage.Hidden(two.Get(browsers).Body)
			if a := ben.Post(browsers, form); a.Status != http.StatusForbidden {
				t.Errorf("%s with ann's token: status %d", name, a.Status)
			}
			if a := post(ben, browsers, "browser", id); a.Status != http.StatusNotFound {
				t.Errorf("%s: status %d, want 404", name, a.Status)
			}
		}
		if list, err := r.Browsers.List(t.Context(), r.ann.ID); err != nil || len(list) != 2 {
			t.Errorf("%d are left, %v", len(list), err)
		}
	})
	t.Run("one", func(t *testing.T) {
		if got := stage.Follow(t, post(two, browsers, "browser", ids[1][1])); got != browsers+"?done=browser" {
			t.Errorf("leads to %q", got)
		}
		if !strings.Contains(two.Get(browsers+"?done=browser").Body, "The browser is asked again.") {
			t.Error("the page does not say what was done")
		}
		r.pending(t, one, "prompt=login")
		if at := r.password(t, two, "prompt=login"); at != stage.Granted {
			t.Errorf("the other is asked too: %q", at)
		}
	})
	t.Run("all", func(t *testing.T) {
		remember(one)
		if got := stage.Follow(t, post(two, browsers, "browser", "all")); got != browsers+"?done=browser" || two.Cookie(trustedCookie) != "" {
			t.Errorf("leads to %q, cookie %q", got, two.Cookie(trustedCookie))
		}
		r.pending(t, one, "prompt=login")
		r.pending(t, two, "prompt=login")
		if n := len(r.Audit.Named(audit.BrowserForgotten)); n != 2 {
			t.Errorf("recorded %d times", n)
		}
	})
}

// post sends the form of a page with another field, whoever may offer it.
func post(b *stage.Browser, path, name, value string) stage.Answer {
	form := stage.Hidden(b.Get(path).Body)
	form.Set(name, value)
	return b.Post(path, form)
}
