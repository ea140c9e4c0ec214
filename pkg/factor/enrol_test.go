package factor_test

import (
	"net/http"
	"net/url"
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
	"github.com/portico-id/portico/pkg/totp"
)

// demanding returns a rig whose Ann has no factor, though a policy demands the
// class, and may put it off for the grace.
func demanding(t *testing.T, class string, grace time.Duration) *rig {
	t.Helper()
	r := newRig(t, nil)
	r.demand(class)
	r.Opener.Policy.Grace = grace
	return r
}

// askedAt returns when Ann's grace began.
func (r *rig) askedAt(t *testing.T) time.Time {
	t.Helper()
	u, err := r.Users.Get(t.Context(), r.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.EnrolAskedAt
}

func TestWhoHasNoFactorIsLedToOne(t *testing.T) {
	const passkeys, app = "/account/security/passkeys?flow=", "/account/security/app?flow="
	const sms, email = "/account/security/sms?flow=", "/account/security/email?flow="
	for name, tt := range map[string]struct {
		class, query string
		says         string
		want, not    []string
	}{
		"a policy demands one":            {class: "2", says: "Your organisation asks", want: []string{passkeys, app, sms, email}},
		"a policy demands a passkey":      {class: "phr", says: "Your organisation asks", want: []string{passkeys}, not: []string{app, sms, email}},
		"the application asks for one":    {query: "acr_values=2", says: "Shop &amp; Co", want: []string{passkeys, app}},
		"the application asks for phr":    {query: "acr_values=phr", says: "Shop &amp; Co", want: []string{passkeys}, not: []string{app}},
		"it asks for what is reached":     {class: "2", query: "acr_values=1", says: "Your organisation asks", want: []string{app}},
		"it asks for 2, a policy for phr": {class: "phr", query: "acr_values=2", says: "Shop &amp; Co", want: []string{passkeys}, not: []string{app}},
	} {
		t.Run(name, func(t *testing.T) {
			r := demanding(t, tt.class, 0)
			b := r.Browser()
			at := r.password(t, b, tt.query)
			if !stage.IsPage(at, "/login/enrol") {
				t.Fatalf("the password leads to %q", at)
			}
			body := b.Get(at).Body
			flow := strings.TrimPrefix(at, "/login/enrol?flow=")
			for _, want := range append(tt.want, tt.says, "Ann Example", `id="enrol-cancel"`) {
				if strings.HasSuffix(want, "?flow=") {
					want += flow
				}
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, not := range append(tt.not, `id="enrol-later"`) {
				if strings.Contains(body, not) {
					t.Errorf("the page has %q", not)
				}
			}
			if i, j := strings.Index(body, passkeys), strings.Index(body, app); j >= 0 && i > j {
				t.Error("the passkey is not the first")
			}
			r.refusesLater(t, b, at)
			if got := stage.Follow(t, b.Get("/consent?flow="+flow)); !stage.IsPage(got, "/login/enrol") {
				t.Errorf("another address leads to %q", got)
			}
		})
	}
}

// refusesLater checks that what is demanded is not put off.
func (r *rig) refusesLater(t *testing.T, b *stage.Browser, at string) {
	t.Helper()
	before := r.askedAt(t)
	for _, pairs := range [][]string{{"decision", "later"}, {"decision", "allow"}, {}} {
		if a := b.Submit(at, pairs...); a.Status != http.StatusOK || !strings.Contains(a.Body, `id="problem"`) {
			t.Errorf("%v: status %d, %q", pairs, a.Status, a.Location)
		}
	}
	if !r.askedAt(t).Equal(before) || len(r.Finisher.Finished()) != 0 {
		t.Error("it was put off all the same")
	}
}

func TestItMayBePutOffForAWhile(t *testing.T) {
	const grace = 7 * 24 * time.Hour
	r := demanding(t, "2", grace)
	b := r.Browser()
	if at := r.Begin(t, b, ""); !stage.IsPage(at, "/login") {
		t.Fatalf("at %q", at)
	}
	at := r.password(t, b, "")
	body := b.Get(at).Body
	if !stage.IsPage(at, "/login/enrol") || !strings.Contains(body, `id="enrol-later"`) || !strings.Contains(body, clock.Now().Add(grace).UTC().Format("2006-01-02")) {
		t.Fatalf("at %q; want a way to put it off, and until when", at)
	}
	if !r.askedAt(t).IsZero() {
		t.Error("the grace began when the page was shown")
	}
	began := clock.Now()
	if at = stage.Follow(t, b.Submit(at, "decision", "later")); !stage.IsPage(at, "/consent") {
		t.Fatalf("not now leads to %q", at)
	}
	if at = stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Fatalf("then %q", at)
	}
	asked := r.askedAt(t)
	if asked.Before(began.Add(-time.Second)) || asked.After(clock.Now()) {
		t.Errorf("the grace began at %s", asked)
	}
	e := r.Audit.Named(audit.FactorPostponed)
	if len(e) != 1 || e[0].UserID != r.ann.ID || e[0].ClientID != r.App.ID || e[0].SessionID == "" || !strings.HasPrefix(e[0].Data["until"], clock.Now().Add(grace).UTC().Format("2006-01-02")) {
		t.Errorf("recorded %+v", e)
	}
	t.Run("who is signed in is not asked each time", func(t *testing.T) {
		for _, query := range []string{"", "prompt=none"} {
			if at := r.Begin(t, b, query); at != stage.Granted {
				t.Errorf("%q leads to %q", query, at)
			}
		}
	})
	t.Run("the next sign-in asks again, and the grace goes on", func(t *testing.T) {
		defer clock.Jump(2 * 24 * time.Hour)()
		b := r.Browser()
		at := r.password(t, b, "")
		if !stage.IsPage(at, "/login/enrol") {
			t.Fatalf("at %q", at)
		}
		if at = stage.Follow(t, b.Submit(at, "decision", "later")); at != stage.Granted {
			t.Errorf("not now leads to %q", at)
		}
		if !r.askedAt(t).Equal(asked) {
			t.Errorf("the grace begins anew at %s", r.askedAt(t))
		}
	})
	t.Run("acr_values is not put off", func(t *testing.T) {
		before := len(r.Finisher.Finished())
		at := r.Begin(t, b, "acr_values=2")
		if !stage.IsPage(at, "/login/enrol") || strings.Contains(b.Get(at).Body, `id="enrol-later"`) {
			t.Fatalf("at %q", at)
		}
		if a := b.Submit(at, "decision", "later"); a.Status != http.StatusOK || len(r.Finisher.Finished()) != before {
			t.Errorf("not now: status %d", a.Status)
		}
	})
	t.Run("and then it is over", func(t *testing.T) {
		defer clock.Jump(grace)()
		before := len(r.Finisher.Finished())
		b := r.Browser()
		at := r.password(t, b, "")
		if !stage.IsPage(at, "/login/enrol") || strings.Contains(b.Get(at).Body, `id="enrol-later"`) {
			t.Fatalf("at %q, want no way to put it off", at)
		}
		if a := b.Submit(at, "decision", "later"); a.Status != http.StatusOK || len(r.Finisher.Finished()) != before {
			t.Errorf("not now: status %d, %q", a.Status, a.Location)
		}
		if at := r.Begin(t, b, "prompt=none"); !strings.HasPrefix(at, stage.Redirect+"?error=interaction_required") {
			t.Errorf("prompt=none: %q", at)
		}
	})
}

// What one person put off within a request, the next did not.
func TestNobodyPutsItOffForSomebodyElse(t *testing.T) {
	r := demanding(t, "2", time.Hour)
	ben := r.Person(t, "ben@example.test")
	b := r.Browser()
	at := stage.Follow(t, b.Submit(r.password(t, b, ""), "decision", "later"))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("at %q", at)
	}
	chooser := strings.Replace(at, "/consent", "/login/account", 1)
	at = stage.Follow(t, b.Submit(chooser, "account", ""))
	at = stage.Follow(t, b.Submit(at, "username", "ben@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/login/enrol") {
		t.Errorf("the other person is led to %q, want to be asked", at)
	}
	if u, err := r.Users.Get(t.Context(), ben.ID); err != nil || !u.EnrolAskedAt.IsZero() {
		t.Errorf("asked at %s, %v", u.EnrolAskedAt, err)
	}
}

func TestAPersonMayCancelInsteadOfGettingAFactor(t *testing.T) {
	for name, tt := range map[string]struct{ class, query, want string }{
		"RFC 6749 §4.1.2.1 a policy demands one":        {"2", "", "access_denied"},
		"RFC 9470 §5 the application asks for one":      {"", "acr_values=phr", "unmet_authentication_requirements"},
		"the application asks for what is reached":      {"2", "acr_values=1", "access_denied"},
		"it asks for 2 or phr, and none can be reached": {"", "acr_values=phr+2", "unmet_authentication_requirements"},
	} {
		t.Run(name, func(t *testing.T) {
			r := demanding(t, tt.class, time.Hour)
			b := r.Browser()
			at := r.password(t, b, tt.query)
			if got := stage.Follow(t, b.Submit(at, "decision", "deny")); got != stage.Redirect+"?error="+tt.want+"&state=st%26te" {
				t.Errorf("cancel leads to %q", got)
			}
			if !r.askedAt(t).IsZero() {
				t.Error("the grace began")
			}
		})
	}
}

func TestTheEnrolPageIsForItsPerson(t *testing.T) {
	r := demanding(t, "2", time.Hour)
	b, stranger := r.Browser(), r.Browser()
	at := r.password(t, b, "")
	form := stage.Hidden(b.Get(at).Body)
	form.Set("decision", "later")
	r.Begin(t, stranger, "")
	if a := stranger.Post(at, form); a.Status != http.StatusForbidden {
		t.Errorf("another browser: status %d", a.Status)
	}
	if a := b.Post(at, url.Values{"decision": {"later"}}); a.Status != http.StatusForbidden {
		t.Errorf("no token: status %d", a.Status)
	}
	if a := b.Do(http.MethodDelete, at, nil, nil); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: status %d", a.Status)
	}
	if a := b.Get(at + "&decision=later"); a.Status != http.StatusOK {
		t.Errorf("GET: status %d", a.Status)
	}
	b.SetCookie(stage.SessionCookie, "")
	if got := stage.Follow(t, b.Post(at, form)); !stage.IsPage(got, "/login") {
		t.Errorf("signed out meanwhile: %q", got)
	}
	if !r.askedAt(t).IsZero() || len(r.Audit.Named(audit.FactorPostponed)) != 0 {
		t.Error("it was put off")
	}
}

var appKey = regexp.MustCompile(`secret=([A-Z2-7]{32})`)

// The way of somebody new: password, an app, recovery codes, and back in the
// application.
func TestGettingAFactorEndsInTheApplication(t *testing.T) {
	r := demanding(t, "2", 0)
	r.Second.Methods = []factor.Method{r.TOTP}
	b := r.Browser()
	at := r.password(t, b, "")
	app := strings.Replace(at, "/login/enrol", "/account/security/app", 1)
	if !strings.Contains(b.Get(at).Body, app) {
		t.Fatalf("no way from %q to an app", at)
	}
	offered := b.Submit(app, "decision", "begin")
	found := appKey.FindStringSubmatch(offered.Body)
	if found == nil {
		t.Fatalf("no key on the page: status %d", offered.Status)
	}
	code, err := totp.Code(found[1], clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	form := stage.Hidden(offered.Body)
	form.Set("decision", "confirm")
	form.Set("name", "Phone")
	form.Set("code", code)
	codes := stage.Follow(t, b.Post(app, form))
	if !stage.IsPage(codes, protocol.PathAccountCodes) {
		t.Fatalf("the confirmed app leads to %q, want the recovery codes, and the request kept", codes)
	}
	made := b.Submit(codes, "decision", "generate")
	form = stage.Hidden(made.Body)
	form.Set("decision", "done")
	if at = stage.Follow(t, b.Get(stage.Follow(t, b.Post(codes, form)))); !stage.IsPage(at, "/consent") {
		t.Fatalf("the codes lead to %q, want on with the request", at)
	}
	if s := r.session(t, b); s.ACR != "2" {
		t.Errorf("acr %s", s.ACR)
	}
	if at = stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Errorf("then %q", at)
	}
	thief := r.Browser()
	if at := r.pending(t, thief, ""); strings.Contains(thief.Get(at).Body, code) {
		t.Error("the code is shown")
	}
	if a := thief.Submit(r.pending(t, thief, ""), "code", code); a.Status != http.StatusOK {
		t.Errorf("RFC 6238 §5.2 the code that confirmed the app signs in: status %d", a.Status)
	}
}

// A factor that does not reach what is demanded ends on the page again, and
// one that reaches it by a step-up is asked for.
func TestAWeakerFactorIsNotEnough(t *testing.T) {
	r := demanding(t, "phr", 0)
	r.gets(t, r.ann, assurance.TOTP)
	b := r.Browser()
	at := stage.Follow(t, b.Submit(r.pending(t, b, ""), "code", right))
	if !stage.IsPage(at, "/login/enrol") {
		t.Fatalf("the app leads to %q", at)
	}
	r.gets(t, r.ann, assurance.Passkey)
	if at = stage.Follow(t, b.Get(at)); !stage.IsPage(at, "/login/factor") {
		t.Errorf("with a passkey: %q, want it asked for", at)
	}
}
