package federation_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// TestTheStateIsOursAndComesBackOnce: what comes back must be what this
// browser took to this provider.
func TestTheStateIsOursAndComesBackOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		send   func(t *testing.T, r *rig, b *stage.Browser, state string) stage.Answer
		status int
	}{
		"RFC 9700 §4.7 the state of another browser": {func(t *testing.T, r *rig, _ *stage.Browser, state string) stage.Answer {
			other := r.Browser()
			r.Begin(t, other, "")
			return back(other, "corp", state)
		}, http.StatusForbidden},
		"RFC 9700 §4.7 a browser without a cookie": {func(_ *testing.T, r *rig, _ *stage.Browser, state string) stage.Answer {
			return back(r.Browser(), "corp", state)
		}, http.StatusForbidden},
		"RFC 6749 §10.12 a state that came before": {func(t *testing.T, _ *rig, b *stage.Browser, state string) stage.Answer {
			stage.Follow(t, back(b, "corp", state, "error", "access_denied"))
			return back(b, "corp", state)
		}, http.StatusNotFound},
		"RFC 9700 §4.4 the state of another provider": {func(_ *testing.T, _ *rig, b *stage.Browser, state string) stage.Answer {
			return back(b, "hub", state)
		}, http.StatusForbidden},
		"RFC 6749 §10.12 no state": {func(_ *testing.T, _ *rig, b *stage.Browser, _ string) stage.Answer {
			return b.Get("/login/callback/corp?code=code")
		}, http.StatusNotFound},
		"RFC 6749 §10.12 a state of nobody's": {func(_ *testing.T, _ *rig, b *stage.Browser, _ string) stage.Answer {
			return back(b, "corp", "state")
		}, http.StatusNotFound},
		"RFC 6749 §3.1 two states": {func(_ *testing.T, _ *rig, b *stage.Browser, state string) stage.Answer {
			return b.Get("/login/callback/corp?code=code&state=" + state + "&state=" + state)
		}, http.StatusBadRequest},
		"a request that was parked is no state": {func(t *testing.T, r *rig, b *stage.Browser, _ string) stage.Answer {
			id, err := r.Flows.Park(ctx, url.Values{"purpose": {"sign in"}, "provider": {"corp"}})
			if err != nil {
				t.Fatal(err)
			}
			return back(b, "corp", id)
		}, http.StatusNotFound},
		"half an hour later": {func(t *testing.T, _ *rig, b *stage.Browser, state string) stage.Answer {
			t.Cleanup(clock.Jump(30 * time.Minute))
			return back(b, "corp", state)
		}, http.StatusNotFound},
		"by a method that takes no answer": {func(_ *testing.T, _ *rig, b *stage.Browser, state string) stage.Answer {
			return b.Do(http.MethodPut, "/login/callback/corp?code=code&state="+state, nil, nil)
		}, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.Browser()
			state := r.begin(t, b, r.Begin(t, b, ""), "corp")
			asked := len(r.at.answers)
			a := tt.send(t, r, b, state)
			if a.Status != tt.status {
				t.Errorf("status %d, want %d: %.400s", a.Status, tt.status, a.Body)
			}
			if n := len(r.at.answers); n > asked+1 || n == asked+1 && !strings.Contains(name, "before") {
				t.Errorf("the provider was asked %d times", n-asked)
			}
			if r.session(t, b) != nil {
				t.Error("somebody is signed in")
			}
			if n := r.events(audit.IdentityRefused); tt.status == http.StatusForbidden && n != 1 {
				t.Errorf("%d events %s, want one", n, audit.IdentityRefused)
			}
		})
	}
}

func TestAnAnswerByPostComesBackByGet(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	state := r.begin(t, b, r.Begin(t, b, ""), "corp")
	// A form of the provider's website carries no cookies of ours.
	form := url.Values{"code": {"code"}, "state": {state}, "user": {`{"name":{"firstName":"Cleo"}}`}}
	foreign := r.Browser()
	a := foreign.Do(http.MethodPost, "/login/callback/corp", form, http.Header{"Origin": {"https://idp.example.test"}, "Sec-Fetch-Site": {"cross-site"}})
	to := stage.Follow(t, a)
	if len(r.at.answers) != 0 || strings.Contains(to, "code=") || !strings.HasPrefix(to, "/login/callback/corp?parked=") {
		t.Fatalf("the POST led to %q, and the provider was asked %d times", to, len(r.at.answers))
	}
	if again := foreign.Get(to); again.Status != http.StatusForbidden {
		t.Errorf("in another browser: %d", again.Status)
	}
	state = r.begin(t, b, r.Begin(t, b, ""), "corp")
	form.Set("state", state)
	to = stage.Follow(t, b.Do(http.MethodPost, "/login/callback/corp", form, http.Header{"Sec-Fetch-Site": {"cross-site"}}))
	if at := r.allow(t, b, stage.Follow(t, b.Get(to))); at != stage.Granted {
		t.Errorf("led to %q", at)
	}
	if got := r.at.answers[0]["user"]; !strings.Contains(got, "Cleo") {
		t.Errorf("the provider's other fields are lost: %v", r.at.answers[0])
	}
	if again := b.Get(to); again.Status != http.StatusNotFound {
		t.Errorf("once more: %d", again.Status)
	}
}

// TestARequestThatIsOverLeadsBack: nobody is let in by it.
func TestARequestThatIsOverLeadsBack(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	page := r.Begin(t, b, "")
	first, second := r.begin(t, b, page, "corp"), r.begin(t, b, page, "hub") // two tabs of one request
	if at := r.allow(t, b, stage.Follow(t, back(b, "corp", first))); at != stage.Granted {
		t.Fatalf("the first led to %q", at)
	}
	sessions := r.events(audit.LoginSucceeded)
	over := back(b, "hub", second)
	if over.Status != http.StatusGone || !strings.Contains(over.Body, "/oauth2/authorize?client_id=") {
		t.Errorf("the second: %d %.300s", over.Status, over.Body)
	}
	if r.events(audit.LoginSucceeded) != sessions || len(r.at.answers) != 1 {
		t.Error("a request that is over signed somebody in")
	}
}

func TestWhoIsPastTheSignInGoesOn(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	page := r.Begin(t, b, "")
	form := stage.Hidden(b.Get(page).Body)
	form.Set("provider", "corp")
	at := stage.Follow(t, b.Submit(page, "username", ann, "password", stage.Password))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("led to %q", at)
	}
	if to := stage.Follow(t, b.Post("/login/with?"+query(t, page), form)); to != at || len(r.at.sent) != 0 {
		t.Errorf("the button of the form before leads to %q, want %q", to, at)
	}
}

func TestTwoTabsGoTheirOwnWays(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	one, two := r.Begin(t, b, ""), r.Begin(t, b, "")
	first, second := r.begin(t, b, one, "corp"), r.begin(t, b, two, "corp")
	if at := r.allow(t, b, stage.Follow(t, back(b, "corp", second))); at != stage.Granted {
		t.Errorf("the second tab: %q", at)
	}
	if at := r.allow(t, b, stage.Follow(t, back(b, "corp", first))); at != stage.Granted {
		t.Errorf("the first tab: %q", at)
	}
}

// TestAFreshSignInIsPassedOn: a session at the provider must not answer for
// the person.
func TestAFreshSignInIsPassedOn(t *testing.T) {
	for name, tt := range map[string]struct {
		age   time.Duration
		words string
	}{
		"OIDC Core §3.1.2.1 the person was asked":            {0, ""},
		"OIDC Core §3.1.2.1 the provider signs in by itself": {time.Hour, wordsStale},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.says(func(p *federation.Person) { p.Claims["auth_time"] = float64(clock.Now().Add(-tt.age).Unix()) })
			b := r.Browser()
			page := r.Begin(t, b, "prompt=login")
			form := stage.Hidden(b.Get(page).Body)
			form.Set("provider", "corp")
			to, err := url.Parse(stage.Follow(t, b.Post("/login/with?"+query(t, page), form)))
			if err != nil || to.Query().Get("prompt") != "login" {
				t.Fatalf("the provider is asked by %v", to)
			}
			at := stage.Follow(t, back(b, "corp", to.Query().Get("state")))
			if tt.words == "" {
				if at = r.allow(t, b, at); at != stage.Granted {
					t.Errorf("led to %q", at)
				}
			} else if at != page || !strings.Contains(b.Get(at).Body, tt.words) {
				t.Errorf("led to %q", at)
			}
		})
	}
}

func TestAnswersAreCounted(t *testing.T) {
	r := newRig(t)
	r.at.err = fault.New(fault.Denied, federation.CodeUntrusted, "x").Under("RFC 6749 §5.2 the code is one")
	b := r.Browser()
	for i := range 21 {
		a := back(b, "corp", r.begin(t, b, r.Begin(t, b, ""), "corp"))
		if limited := a.Status == http.StatusTooManyRequests; limited != (i >= 20) {
			t.Fatalf("answer %d: status %d", i+1, a.Status)
		}
	}
	if len(r.at.answers) != 20 {
		t.Errorf("the provider was asked %d times", len(r.at.answers))
	}
}
