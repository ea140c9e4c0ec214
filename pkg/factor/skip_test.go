package factor_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

var app = []assurance.Factor{assurance.TOTP}

func TestTheSecondFactorCannotBeSkipped(t *testing.T) {
	r := newRig(t, app)
	t.Run("security §11.9 by another address", func(t *testing.T) {
		b := r.Browser()
		at := r.pending(t, b, "")
		query := strings.TrimPrefix(at, "/login/factor")
		hidden := stage.Hidden(b.Get(at).Body)
		for _, path := range []string{
			"/consent" + query, "/login/account" + query, "/login/enrol" + query, "/login/terms" + query, "/login" + query,
			"/account/security" + query, "/account/security/app" + query, "/account/security/browsers",
		} {
			if a := b.Get(path); a.Status == http.StatusSeeOther && !stage.IsPage(a.Location, "/login/factor") && !stage.IsPage(a.Location, "/login") {
				t.Errorf("GET %s leads to %q", path, a.Location)
			}
			form := url.Values{"form_token": hidden["form_token"], "decision": {"allow"}, "account": {r.ann.ID}, "browser": {"all"}}
			if a := b.Post(path, form); a.Status == http.StatusSeeOther && !stage.IsPage(a.Location, "/login/factor") && !stage.IsPage(a.Location, "/login") {
				t.Errorf("POST %s leads to %q", path, a.Location)
			}
			r.nobody(t, b)
		}
	})
	t.Run("by another request of the same browser", func(t *testing.T) {
		b := r.Browser()
		r.pending(t, b, "")
		if at := r.Begin(t, b, ""); !stage.IsPage(at, "/login") {
			t.Errorf("another request leads to %q", at)
		}
		if at := r.Begin(t, b, "prompt=none"); !strings.HasPrefix(at, stage.Redirect+"?error=login_required") {
			t.Errorf("prompt=none leads to %q", at)
		}
		r.nobody(t, b)
	})
	t.Run("by a form without a code", func(t *testing.T) {
		b := r.Browser()
		at := r.pending(t, b, "")
		for name, pairs := range map[string][]string{
			"empty": {}, "an empty code": {"code", ""}, "no decision we know": {"decision", "allow"}, "a send that is none": {"decision", "send"},
			"a passkey for an app": {"credential", right, "ceremony", "x"},
		} {
			if a := b.Submit(at, pairs...); a.Status != http.StatusOK {
				t.Errorf("%s: status %d, %q", name, a.Status, a.Location)
			}
			r.nobody(t, b)
		}
		if r.app.count() != 0 || len(r.Limits.Count("second-factor")) != 0 {
			t.Errorf("what is empty was a try: %v", r.Limits.Count("second-factor"))
		}
	})
	t.Run("by a kind that the person does not have", func(t *testing.T) {
		b := r.Browser()
		at := r.pending(t, b, "")
		for _, kind := range []string{"passkey", "sms", "recovery_code", "pwd", ""} {
			form := stage.Hidden(b.Get(at).Body)
			form.Set("credential", right)
			b.Post(at+"&with="+kind, form)
			r.nobody(t, b)
		}
		if r.passkey.count() != 0 || r.sms.count() != 0 || r.codes.count() != 0 {
			t.Error("a method looked at what somebody without it sent")
		}
	})
	t.Run("from another browser", func(t *testing.T) {
		b, stranger := r.Browser(), r.Browser()
		at := r.pending(t, b, "")
		form := stage.Hidden(b.Get(at).Body)
		form.Set("code", right)
		r.Begin(t, stranger, "")
		for name, a := range map[string]stage.Answer{"GET": stranger.Get(at), "POST": stranger.Post(at, form)} {
			if a.Status != http.StatusForbidden {
				t.Errorf("%s: status %d", name, a.Status)
			}
		}
		r.nobody(t, stranger)
		r.nobody(t, b)
	})
	t.Run("without the token of this form", func(t *testing.T) {
		b := r.Browser()
		at := r.pending(t, b, "")
		other := stage.Hidden(b.Get(r.pending(t, b, "")).Body)
		for name, form := range map[string]url.Values{
			"none":            {"code": {right}},
			"another request": {"code": {right}, "form_token": other["form_token"]},
			"a broken one":    {"code": {right}, "form_token": {"x"}},
		} {
			if a := b.Post(at, form); a.Status != http.StatusForbidden {
				t.Errorf("%s: status %d", name, a.Status)
			}
		}
		form := stage.Hidden(b.Get(at).Body)
		form.Set("code", right)
		if a := b.Do(http.MethodPost, at, form, http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}}); a.Status != http.StatusForbidden {
			t.Errorf("another site's form: status %d", a.Status)
		}
		form["code"] = []string{right, right}
		if a := b.Post(at, form); a.Status != http.StatusBadRequest {
			t.Errorf("security §0.2 a field twice: status %d", a.Status)
		}
		form["code"] = []string{strings.Repeat("1", 64<<10)}
		if a := b.Post(at, form); a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("security §0.4 a huge code: status %d", a.Status)
		}
		if r.app.count() != 0 {
			t.Error("a form that is not ours was looked at")
		}
		r.nobody(t, b)
	})
}

func TestAFirstFactorDoesNotWaitForEver(t *testing.T) {
	late := func(by time.Duration) func(*testing.T, *rig) {
		return func(t *testing.T, _ *rig) { t.Cleanup(clock.Jump(by)) }
	}
	change := func(do func(*user.User)) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			if _, err := r.Users.Change(t.Context(), r.ann.ID, func(_ context.Context, u *user.User) error { do(u); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		meanwhile func(*testing.T, *rig)
		in        bool
	}{
		"nine minutes":             {late(9 * time.Minute), true},
		"ten minutes":              {late(10 * time.Minute), false},
		"the clock was moved back": {late(-5 * time.Minute), false},
		"the person was disabled":  {change(func(u *user.User) { u.Disabled = true }), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, app)
			b := r.Browser()
			at := r.pending(t, b, "")
			form := stage.Hidden(b.Get(at).Body)
			form.Set("code", right)
			tt.meanwhile(t, r)
			got := stage.Follow(t, b.Post(at, form))
			if want := map[bool]string{true: "/consent", false: "/login"}[tt.in]; !stage.IsPage(got, want) {
				t.Errorf("the right code leads to %q, want %s", got, want)
			}
			if (b.Cookie(stage.SessionCookie) != "") != tt.in || (r.app.count() != 0) != tt.in {
				t.Errorf("signed in: %v, looked at %d", b.Cookie(stage.SessionCookie) != "", r.app.count())
			}
		})
	}
	t.Run("the factor is gone meanwhile", func(t *testing.T) {
		r := newRig(t, app)
		b := r.Browser()
		at := r.pending(t, b, "")
		change(func(u *user.User) { u.Factors = nil })(t, r)
		if a := b.Submit(at, "code", right); a.Status != http.StatusOK || strings.Contains(a.Body, `name="code"`) || r.app.count() != 0 {
			t.Errorf("status %d, looked at %d", a.Status, r.app.count())
		}
		r.nobody(t, b)
		if got := stage.Follow(t, b.Submit(at, "decision", "restart")); !stage.IsPage(got, "/login") {
			t.Errorf("the way back leads to %q", got)
		}
	})
}
