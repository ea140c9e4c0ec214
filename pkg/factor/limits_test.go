package factor_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/totp"
)

func TestSecondFactorsAreLimited(t *testing.T) {
	t.Run("security §11.8 per account: a new sign-in begins no new count", func(t *testing.T) {
		r := newRig(t, app)
		for range 5 { // each in a browser and a request of its own
			b := r.Browser()
			if a := b.Submit(r.pending(t, b, ""), "code", "000000"); a.Status != http.StatusOK {
				t.Fatalf("a wrong code: status %d", a.Status)
			}
		}
		b := r.Browser()
		a := b.Submit(r.pending(t, b, ""), "code", right)
		if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || r.app.count() != 5 {
			t.Errorf("the sixth: status %d, Retry-After %q, looked at %d", a.Status, a.Header.Get("Retry-After"), r.app.count())
		}
		r.nobody(t, b)
		r.refused(t, "rate_limited")
		if e := r.Audit.Named(audit.LoginThrottled); len(e) != 1 || e[0].UserID != r.ann.ID || e[0].Data["factor"] != "totp" {
			t.Errorf("recorded %+v", e)
		}
		defer clock.Jump(16 * time.Minute)()
		if at := stage.Follow(t, b.Submit(r.pending(t, b, ""), "code", right)); !stage.IsPage(at, "/consent") {
			t.Errorf("later the right code leads to %q", at)
		}
	})
	t.Run("and another way begins no new count either", func(t *testing.T) {
		r := newRig(t, []assurance.Factor{assurance.TOTP, assurance.SMS})
		b := r.Browser()
		for range 2 {
			b.Submit(r.pending(t, b, ""), "code", "000000")
			at := r.pending(t, b, "") + "&with=sms"
			b.Submit(at, "decision", "send")
			b.Submit(at, "code", "000000")
		}
		b.Submit(r.pending(t, b, ""), "code", "000000")
		if a := b.Submit(r.pending(t, b, "")+"&with=sms", "decision", "send"); a.Status != http.StatusSeeOther {
			t.Errorf("a code is not sent: status %d", a.Status)
		}
		if a := b.Submit(r.pending(t, b, ""), "code", right); a.Status != http.StatusTooManyRequests {
			t.Errorf("the sixth over all ways: status %d", a.Status)
		}
	})
	t.Run("within one sign-in: then the password is asked for again", func(t *testing.T) {
		r := newRig(t, app)
		r.Second.Rules.SecondFactor.Max = 100 // the account has room
		b := r.Browser()
		at := r.pending(t, b, "")
		old := stage.Hidden(b.Get(at).Body)
		for range 4 {
			if a := b.Submit(at, "code", "000000"); a.Status != http.StatusOK {
				t.Fatalf("status %d", a.Status)
			}
		}
		got := stage.Follow(t, b.Submit(at, "code", "000000"))
		if !stage.IsPage(got, "/login") {
			t.Fatalf("the fifth leads to %q", got)
		}
		if body := b.Get(got).Body; !strings.Contains(body, "wrong too often") {
			t.Error("the login page does not tell why")
		}
		old.Set("code", right)
		if got := stage.Follow(t, b.Post(at, old)); !stage.IsPage(got, "/login") || r.app.count() != 5 {
			t.Errorf("the right code after that leads to %q, looked at %d", got, r.app.count())
		}
		r.nobody(t, b)
		at = stage.Follow(t, b.Submit(got, "username", "ann@example.test", "password", stage.Password))
		if got := stage.Follow(t, b.Submit(at, "code", right)); !stage.IsPage(got, "/consent") {
			t.Errorf("both once more lead to %q", got)
		}
	})
	t.Run("who reads the mail gets no new count with every link", func(t *testing.T) {
		r := newRig(t, app)
		r.Mux.Handle("/reset", r.Kit.Pages(func(w http.ResponseWriter, req *http.Request) error {
			return r.Login.Trust(w, req, r.ann.ID) // as a link to a new password does
		}))
		for range 20 {
			thief := r.Browser()
			at := r.Begin(t, thief, "")
			thief.Get("/reset")
			at = stage.Follow(t, thief.Submit(at, "username", "ann@example.test", "password", stage.Password))
			thief.Submit(at, "code", "000000")
		}
		if n := r.app.count(); n != 5 {
			t.Errorf("%d guesses looked at, want 5", n)
		}
	})
	t.Run("a method that cannot answer counts nothing", func(t *testing.T) {
		r := newRig(t, app)
		b := r.Browser()
		at := r.pending(t, b, "")
		r.app.fail(down())
		for range 12 {
			if a := b.Submit(at, "code", right); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Fatalf("status %d", a.Status)
			}
		}
		r.nobody(t, b)
		r.app.fail(nil)
		if at := stage.Follow(t, b.Submit(at, "code", right)); !stage.IsPage(at, "/consent") {
			t.Errorf("then the right code leads to %q", at)
		}
	})
}

// parallel sends forms at once and returns where each led.
func parallel(b *stage.Browser, at []string, form func(i int) url.Values) []stage.Answer {
	answers, forms := make([]stage.Answer, len(at)), make([]url.Values, len(at))
	for i := range at {
		forms[i] = form(i)
	}
	var wg sync.WaitGroup
	for i := range at {
		wg.Go(func() { answers[i] = b.Post(at[i], forms[i]) })
	}
	wg.Wait()
	return answers
}

// between is a counter during whose first use something else happens.
type between struct {
	limit.Store
	do func()
}

func (s *between) Take(ctx context.Context, rule limit.Rule, key string, now time.Time) (limit.Result, error) {
	if s.do != nil {
		s.do()
		s.do = nil
	}
	return s.Store.Take(ctx, rule, key, now)
}

// meanwhile changes the request of a page as another tab of the browser would.
func (r *rig) meanwhile(t *testing.T, b *stage.Browser, at string, change func(*flow.Flow)) {
	t.Helper()
	f, err := r.Flows.Load(t.Context(), strings.TrimPrefix(at, "/login/factor?flow="), b.Cookie(stage.BrowserCookie))
	if err != nil {
		t.Fatal(err)
	}
	change(f)
	if err := r.Flows.Save(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestTriesOfOneSignInAtOnce(t *testing.T) {
	const many = 50
	t.Run("within one sign-in", func(t *testing.T) {
		r := newRig(t, app)
		r.Second.Rules.SecondFactor.Max = 1000
		b := r.Browser()
		one := r.pending(t, b, "")
		at := slices.Repeat([]string{one}, many)
		form := stage.Hidden(b.Get(one).Body)
		form.Set("code", "000000")
		for range 6 {
			for _, a := range parallel(b, at, func(int) url.Values { return form }) {
				if a.Status >= 400 {
					t.Fatalf("status %d", a.Status)
				}
			}
		}
		if n := r.app.count(); n > 5 {
			t.Errorf("%d guesses were looked at, want at most 5", n)
		}
		r.nobody(t, b)
	})
	t.Run("one that begins after the last is not looked at", func(t *testing.T) {
		r := newRig(t, app)
		b := r.Browser()
		at := r.pending(t, b, "")
		r.meanwhile(t, b, at, func(f *flow.Flow) { f.Pending.Tries = 5 }) // the last is still looked at
		if got := stage.Follow(t, b.Submit(at, "code", right)); !stage.IsPage(got, "/login") || r.app.count() != 0 {
			t.Errorf("leads to %q, looked at %d", got, r.app.count())
		}
		r.refused(t, "factor_failed")
		r.nobody(t, b)
	})
	t.Run("one beside another is not looked at, and counts nothing", func(t *testing.T) {
		r := newRig(t, app)
		b := r.Browser()
		at := r.pending(t, b, "")
		form := stage.Hidden(b.Get(at).Body)
		form.Set("code", right)
		r.Second.Gate.Store = &between{Store: r.Limits, do: func() {
			r.meanwhile(t, b, at, func(f *flow.Flow) { f.Pending.Tries++ })
		}}
		if got := stage.Follow(t, b.Post(at, form)); got != at+"&with=totp" || r.app.count() != 0 {
			t.Errorf("leads to %q, looked at %d", got, r.app.count())
		}
		r.nobody(t, b)
		if got := r.Limits.Count("second-factor"); got["user:"+r.ann.ID] != 0 {
			t.Errorf("counted %v", got)
		}
		if got := stage.Follow(t, b.Post(at, form)); !stage.IsPage(got, "/consent") {
			t.Errorf("once more: %q", got)
		}
	})
	t.Run("RFC 6238 §5.2 one code signs in once, in however many sign-ins it is typed", func(t *testing.T) {
		r := newRig(t, nil)
		r.Second.Rules.SecondFactor.Max = 1000
		r.Second.Methods[0] = r.TOTP
		seed := totp.NewSeed()
		code := func() string {
			t.Helper()
			code, err := totp.Code(seed, clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		if err := r.TOTP.Confirm(t.Context(), factor.Change{UserID: r.ann.ID, Name: "Phone"}, seed, code()); err != nil {
			t.Fatal(err)
		}
		defer clock.Jump(2 * time.Minute)()
		b, at := r.Browser(), make([]string, many)
		for i := range at {
			at[i] = r.pending(t, b, "")
		}
		typed := code()
		parallel(b, at, func(i int) url.Values {
			form := stage.Hidden(b.Get(at[i]).Body)
			form.Set("code", typed)
			return form
		})
		if n := len(r.Audit.Named(audit.LoginSucceeded)); n != 1 {
			t.Errorf("%d sign-ins, want 1", n)
		}
	})
}
