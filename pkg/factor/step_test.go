package factor_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// right is the code that the methods of these tests take.
const right = "424242"

// method is a kind of factor whose code is always the same.
type method struct {
	kind  assurance.Factor
	amr   string
	asked atomic.Int32 // codes that were looked at
}

func (m *method) Kind() assurance.Factor { return m.kind }

func (m *method) Verify(_ context.Context, a *factor.Attempt) ([]string, error) {
	m.asked.Add(1)
	if a.Form["code"] != right {
		return nil, fault.New(fault.Unauthenticated, "code_wrong", "No.").Under("test").Compare("code", "right", "another")
	}
	return []string{m.amr}, nil
}

// sender is one that sends its code first.
type sender struct {
	method
	down bool
	sent int
}

func (s *sender) Send(_ context.Context, a *factor.Attempt) error {
	if s.down {
		return fault.New(fault.Unavailable, "sms_down", "Not now.").Under("test")
	}
	s.sent++
	a.Flow.Code = "sent"
	return nil
}

func (s *sender) To(context.Context, *user.User) (string, error) { return "+43 … 42", nil }

// pages is a stage with Ann, who has an app, and methods that take one code.
type pages struct {
	*stage.Pages
	app  *method
	text *sender
	ann  *user.User
}

func newPages(t *testing.T, kinds ...assurance.Factor) *pages {
	t.Helper()
	p := &pages{Pages: stage.NewPages(t), app: &method{kind: assurance.TOTP, amr: "otp"}, text: &sender{method: method{kind: assurance.SMS, amr: "sms"}}}
	p.Second.Methods = []factor.Method{p.app, p.text}
	p.ann = p.Person(t, "ann@example.test")
	p.gets(t, kinds...)
	return p
}

// gets gives Ann factors.
func (p *pages) gets(t *testing.T, kinds ...assurance.Factor) {
	t.Helper()
	for _, kind := range kinds {
		if err := p.Factors.Add(t.Context(), factor.Change{UserID: p.ann.ID, Kind: kind}, stored); err != nil {
			t.Fatal(err)
		}
	}
}

// first enters the password and returns the page that follows.
func (p *pages) first(t *testing.T, b *stage.Browser, query string) string {
	t.Helper()
	return stage.Follow(t, b.Submit(p.Begin(t, b, query), "username", p.ann.Email, "password", stage.Password))
}

func (p *pages) signedIn(t *testing.T) int {
	t.Helper()
	all, err := p.Sessions.OfUser(t.Context(), p.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestNobodyIsSignedInBeforeTheSecondFactor(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	b := p.Browser()
	at := p.first(t, b, "")
	if !stage.IsPage(at, "/login/factor") || p.signedIn(t) != 0 || b.Cookie(stage.SessionCookie) != "" {
		t.Fatalf("after the password: at %s, %d sessions, cookie %q", at, p.signedIn(t), b.Cookie(stage.SessionCookie))
	}
	query := at[strings.Index(at, "?"):]
	for _, path := range []string{"/consent" + query, "/login/account" + query, "/login/enrol" + query, "/login/terms" + query, "/login" + query} {
		if to := b.Get(path).Location; !stage.IsPage(to, "/login/factor") {
			t.Errorf("security §11.9: %s leads to %q", path, to)
		}
	}
	for _, path := range []string{"/account/security", "/account/security/app", "/account/security/browsers"} {
		if to := b.Get(path).Location; !stage.IsPage(to, "/login") {
			t.Errorf("security §11.9: %s leads to %q", path, to)
		}
	}
	for name, code := range map[string]string{"an empty form": "", "a wrong code": "000000", "the password": stage.Password} {
		if a := b.Submit(at, "code", code); a.Status != http.StatusOK || !strings.Contains(a.Body, `id="problem"`) {
			t.Errorf("%s: %d %.200s", name, a.Status, a.Body)
		}
	}
	if to := stage.Follow(t, b.Submit(at, "code", right)); !stage.IsPage(to, "/consent") || p.signedIn(t) != 1 {
		t.Errorf("after the code: at %s, %d sessions", to, p.signedIn(t))
	}
	all, err := p.Sessions.OfUser(t.Context(), p.ann.ID)
	if err != nil || all[0].ACR != "2" || strings.Join(all[0].AMR, " ") != "pwd otp mfa" {
		t.Errorf("session %+v, %v", all, err)
	}
	failed := p.Audit.Named(audit.FactorFailed)
	if len(failed) != 2 || failed[0].UserID != p.ann.ID || failed[0].Data["factor"] != "totp" || failed[0].Data["reason"] != "another" {
		t.Errorf("recorded %+v", failed)
	}
}

func TestAPendingSignInBelongsToItsBrowserAndItsTime(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	b := p.Browser()
	at := p.first(t, b, "")
	other := p.Browser()
	other.Get("/login") // gets a cookie of its own
	form := stage.Hidden(b.Get(at).Body)
	form.Set("code", right)
	if a := other.Post(at, form); a.Status != http.StatusForbidden {
		t.Errorf("another browser: %d", a.Status)
	}
	if a := b.Do(http.MethodPost, at, form, http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}}); a.Status != http.StatusForbidden {
		t.Errorf("another site's form: %d", a.Status)
	}
	form.Del("form_token")
	if a := b.Post(at, form); a.Status < 400 {
		t.Errorf("without the form token: %d", a.Status)
	}
	back := clock.Jump(10*time.Minute + time.Second)
	if to := b.Get(at).Location; !stage.IsPage(to, "/login") {
		t.Errorf("after ten minutes: at %q, want the password again", to)
	}
	back()
	if _, err := p.Users.Change(t.Context(), p.ann.ID, func(_ context.Context, u *user.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := b.Submit(at, "code", right); p.signedIn(t) != 0 || strings.HasPrefix(a.Location, "/consent") {
		t.Errorf("disabled meanwhile: %d %s", a.Status, a.Location)
	}
}

func TestGuessingIsLimitedPerAccountAndPerSignIn(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	b := p.Browser()
	at := p.first(t, b, "")
	for try := range 5 {
		a := b.Submit(at, "code", "000000")
		if last := try == 4; last != (a.Status == http.StatusSeeOther) {
			t.Fatalf("try %d: %d", try+1, a.Status)
		} else if last && !strings.Contains(b.Get(a.Location).Body, "wrong too often") {
			t.Errorf("the password is asked for without a word why: %.300s", b.Get(a.Location).Body)
		}
	}
	if to := p.first(t, b, ""); !stage.IsPage(to, "/login/factor") {
		t.Fatalf("a new sign-in: at %s", to)
	} else if a := b.Submit(to, "code", right); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("security §11.8: a new flow begins a new count: %d", a.Status)
	}
	if n := p.app.asked.Load(); n != 5 {
		t.Errorf("%d codes were looked at, want 5", n)
	}
}

func TestGuessesInParallelGetNoMore(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	browsers := make([]*stage.Browser, 50)
	at := make([]string, len(browsers))
	for i := range browsers {
		browsers[i] = p.Browser()
		at[i] = p.first(t, browsers[i], "")
	}
	var wg sync.WaitGroup
	for i, b := range browsers {
		wg.Go(func() { b.Submit(at[i], "code", "000000") })
	}
	wg.Wait()
	if n := p.app.asked.Load(); n != 5 {
		t.Errorf("%d codes were looked at, want 5", n)
	}
}

// Who knows the password keeps nobody out of a browser that they used before.
func TestStrangersDoNotLockPeopleOutOfTheirBrowser(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	mine := p.Browser()
	stage.Follow(t, mine.Submit(p.first(t, mine, ""), "code", right))
	theirs := p.Browser()
	at := p.first(t, theirs, "")
	for range 5 {
		theirs.Submit(at, "code", "000000")
	}
	if a := mine.Submit(p.first(t, mine, "prompt=login"), "code", right); a.Status != http.StatusSeeOther {
		t.Errorf("their own browser: %d", a.Status)
	}
}

func TestThereIsAWayForward(t *testing.T) {
	p := newPages(t, assurance.TOTP, assurance.SMS)
	b := p.Browser()
	at := p.first(t, b, "")
	page := b.Get(at).Body
	if !strings.Contains(page, `id="factor-with-sms"`) || !strings.Contains(page, `id="code"`) {
		t.Errorf("the best way and the other: %.2000s", page)
	}
	p.text.down = true
	a := b.Submit(at+"&with=sms", "decision", "send")
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `id="factor-with-totp"`) || !strings.Contains(a.Body, "does not work at the moment") {
		t.Errorf("text messages are down: %d %.2000s", a.Status, a.Body)
	}
	p.text.down = false
	sent := stage.Follow(t, b.Submit(at+"&with=sms", "decision", "send"))
	if p.text.sent != 1 || !strings.Contains(b.Get(sent).Body, "+43 … 42") || !strings.Contains(b.Get(sent).Body, `id="factor-again"`) {
		t.Errorf("after it was sent: %d, %.500s", p.text.sent, b.Get(sent).Body)
	}
	b.Get(sent)
	if p.text.sent != 1 {
		t.Error("looking at the page sends a code")
	}
	if to := stage.Follow(t, b.Submit(sent, "code", right)); !stage.IsPage(to, "/consent") {
		t.Errorf("after the code: %s", to)
	}
	again := p.Browser()
	at = p.first(t, again, "")
	if to := stage.Follow(t, again.Submit(at, "decision", "restart")); !stage.IsPage(to, "/login") {
		t.Errorf("somebody else: %s", to)
	}
	at = p.first(t, again, "")
	if to := stage.Follow(t, again.Submit(at, "decision", "deny")); !strings.Contains(to, "error=access_denied") {
		t.Errorf("cancelled: %s", to)
	}
	at = p.first(t, again, "acr_values=2")
	if to := stage.Follow(t, again.Submit(at, "decision", "deny")); !strings.Contains(to, "error=unmet_authentication_requirements") {
		t.Errorf("cancelled what the application asks for: %s", to)
	}
	if a := b.Do(http.MethodDelete, at, nil, nil); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", a.Status)
	}
}

func TestStoresThatAreDownRefuse(t *testing.T) {
	p := newPages(t, assurance.TOTP)
	b := p.Browser()
	at := p.first(t, b, "")
	form := stage.Hidden(b.Get(at).Body)
	form.Set("code", right)
	p.Limits.SetDown(true)
	if a := b.Post(at, form); a.Status != http.StatusServiceUnavailable || p.signedIn(t) != 0 || p.app.asked.Load() != 0 {
		t.Errorf("counters down: %d, %d codes looked at", a.Status, p.app.asked.Load())
	}
}

func TestEnrolmentMayBePutOffWithinTheGrace(t *testing.T) {
	p := newPages(t)
	p.Opener.Policy = assurance.Policy{Everyone: "2", Grace: 48 * time.Hour, Taken: assurance.Factors()}
	b := p.Browser()
	at := p.first(t, b, "")
	if !stage.IsPage(at, "/login/enrol") {
		t.Fatalf("at %s", at)
	}
	page := b.Get(at).Body
	if !strings.Contains(page, "/account/security/app?flow=") || !strings.Contains(page, `id="enrol-later"`) || strings.Contains(page, "enrol-email") {
		t.Errorf("%.2500s", page)
	}
	if a := b.Submit(at, "decision", "nonsense"); a.Status != http.StatusOK || !strings.Contains(a.Body, `id="problem"`) {
		t.Errorf("no decision: %d", a.Status)
	}
	if to := stage.Follow(t, b.Submit(at, "decision", "later")); !stage.IsPage(to, "/consent") {
		t.Fatalf("put off: %s", to)
	} else {
		stage.Follow(t, b.Submit(to, "decision", "allow"))
	}
	if n := len(p.Audit.Named(audit.FactorPostponed)); n != 1 {
		t.Errorf("%d recorded", n)
	}
	for _, query := range []string{"", "prompt=none"} {
		if to := p.Begin(t, b, query); to != stage.Granted {
			t.Errorf("the next request %q of the same session: %s", query, to)
		}
	}
	if to := p.first(t, b, "prompt=login"); !stage.IsPage(to, "/login/enrol") {
		t.Errorf("the next sign-in: %s", to)
	}
	t.Cleanup(clock.Jump(48*time.Hour + time.Second))
	again := p.Browser()
	at = p.first(t, again, "")
	if page := again.Get(at).Body; !stage.IsPage(at, "/login/enrol") || strings.Contains(page, `id="enrol-later"`) {
		t.Errorf("after the grace: at %s", at)
	}
	if a := again.Submit(at, "decision", "later"); a.Status != http.StatusOK {
		t.Errorf("putting it off after the grace: %d %s", a.Status, a.Location)
	}
	if to := stage.Follow(t, again.Submit(at, "decision", "deny")); !strings.Contains(to, "error=access_denied") {
		t.Errorf("cancelled: %s", to)
	}
}

// A step-up by somebody who is signed in asks for the factor alone, and leads
// to getting one that reaches it.
func TestAStepUpAsksForWhatIsMissing(t *testing.T) {
	p := newPages(t)
	b := p.Browser()
	p.SignIn(t, b, p.ann.Email)
	if to := p.Begin(t, b, "acr_values=2"); !stage.IsPage(to, "/login/enrol") {
		t.Errorf("without a factor: %s", to)
	} else if strings.Contains(b.Get(to).Body, "enrol-later") {
		t.Error("what an application asks for may be put off")
	}
	p.gets(t, assurance.TOTP)
	cookie := b.Cookie(stage.SessionCookie)
	at := p.Begin(t, b, "acr_values=2")
	if !stage.IsPage(at, "/login/factor") {
		t.Fatalf("with one: %s", at)
	}
	if to := stage.Follow(t, b.Submit(at, "code", right)); to != stage.Granted {
		t.Errorf("after the code: %s", to)
	}
	if b.Cookie(stage.SessionCookie) == cookie {
		t.Error("security §10.1: the cookie did not change")
	}
	if to := p.Begin(t, b, "acr_values=phr"); !stage.IsPage(to, "/login/enrol") {
		t.Errorf("a class that the app does not reach: %s", to)
	}
}

func TestTheSecurityPageShowsWhatThereIs(t *testing.T) {
	p := newPages(t)
	b := p.Browser()
	p.SignIn(t, b, p.ann.Email)
	page := b.Get("/account/security").Body
	if !strings.Contains(page, "/account/security/app") || strings.Contains(page, "demands a second factor") {
		t.Errorf("%.3000s", page)
	}
	token, _, err := p.Browsers.Trust(t.Context(), p.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Browsers.List(t.Context(), p.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a := b.Submit("/account/security/browsers", "browser", "not-mine"); a.Status != http.StatusNotFound {
		t.Errorf("a browser of nobody: %d", a.Status)
	}
	stage.Follow(t, b.Submit("/account/security/browsers", "browser", list[0].ID))
	if ok, _ := p.Browsers.Trusted(t.Context(), p.ann.ID, token); ok {
		t.Error("the forgotten browser is trusted")
	}
}
