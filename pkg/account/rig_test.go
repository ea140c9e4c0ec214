package account_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var ctx = context.Background()

type ctxt = context.Context

// ann is who most tests are about.
const ann = "ann@example.test"

// rig is a stage with the pages of the account.
type rig struct {
	*stage.Pages
	handler *account.Handler
	ann     *user.User
}

// newRig returns one with Ann. change may make the handler another.
func newRig(t *testing.T, change ...func(*account.Deps)) *rig {
	t.Helper()
	p := stage.NewPages(t)
	deps := account.Deps{
		Kit: p.Kit, Opener: p.Opener, Steps: p.Next, Sessions: p.Sessions, Users: p.Users, Passwords: p.Passwords,
		Confirmations: p.Confirmations, Letters: p.Letters, Consents: p.Consents, Grants: p.Durable.Grants, Scopes: p.APIs,
		History: p.Durable.Audit, Tx: p.Durable, Gate: limit.Gate{Store: p.Limits}, Rules: limit.Standard(),
		Fingerprint: p.Prints, Audit: recorder{p.Audit, p.Durable.Audit}, Usernames: true, Grace: 14 * 24 * time.Hour, Factors: p.Second.Listers,
	}
	for _, c := range change {
		c(&deps)
	}
	h := account.New(deps)
	for path, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"/account": h.Overview, "/account/profile": h.Profile, "/account/email": h.Email, "/account/email/confirm": h.Confirm,
		"/account/password": h.Password, "/account/sessions": h.Devices, "/account/applications": h.Applications,
		"/account/history": h.Past, "/account/data": h.Data, "/account/delete": h.Delete, "/login/keep": h.Keep,
	} {
		p.Mux.Handle(path, p.Kit.Pages(serve))
	}
	return &rig{Pages: p, handler: h, ann: p.Person(t, ann)}
}

// recorder stores events at once, so that the history has them.
type recorder struct {
	*stage.Audit
	store audit.Store
}

var events struct {
	sync.Mutex
	n int
}

func (r recorder) Record(ctx context.Context, e audit.Event) {
	r.Audit.Record(ctx, e)
	events.Lock()
	events.n++
	e.ID = "event-" + strings.Repeat("0", 6-len(itoa(events.n))) + itoa(events.n)
	events.Unlock()
	e.At = clock.Now()
	if err := r.store.Append(ctx, []audit.Event{e}); err != nil {
		panic(err)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// signIn returns a browser of the person, who came through the sign-in of a
// page of the account.
func (r *rig) signIn(t *testing.T, email string) *stage.Browser {
	t.Helper()
	b := r.Browser()
	at := stage.Follow(t, b.Get("/account"))
	if !stage.IsPage(at, "/login") {
		t.Fatalf("/account leads to %q, want the sign-in", at)
	}
	if back := stage.Follow(t, b.Submit(at, "username", email, "password", stage.Password)); back != "/account" {
		t.Fatalf("the sign-in led to %q", back)
	}
	return b
}

// session returns the session of a browser.
func (r *rig) session(t *testing.T, b *stage.Browser) *session.Session {
	t.Helper()
	s, err := r.Sessions.FromToken(ctx, b.Cookie(stage.SessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// person reads Ann anew.
func (r *rig) person(t *testing.T) *user.User {
	t.Helper()
	u, err := r.Users.Get(ctx, r.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// later moves the clock for the rest of the test.
func later(t *testing.T, by time.Duration) {
	t.Helper()
	t.Cleanup(clock.Jump(by))
}

// field returns the value of a field of a page.
func field(page, name string) string {
	m := regexp.MustCompile(`name="` + regexp.QuoteMeta(name) + `"[^>]* value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// form returns the fields of a page that a browser sends back unseen.
func form(b *stage.Browser, path string, pairs ...string) url.Values {
	f := stage.Hidden(b.Get(path).Body)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// serve sends a request with the cookies of the browser and returns the status.
func serve(r *rig, b *stage.Browser, req *http.Request) int {
	for _, name := range []string{stage.SessionCookie, stage.BrowserCookie} {
		req.AddCookie(&http.Cookie{Name: name, Value: b.Cookie(name)})
	}
	req.RemoteAddr = "192.0.2.1:1234"
	w := httptest.NewRecorder()
	r.Handler.ServeHTTP(w, req)
	return w.Code
}

// manyFields is a form of more fields than any page has.
func manyFields() string {
	var all strings.Builder
	for n := range 100 {
		all.WriteString("f" + itoa(n) + "=&")
	}
	return all.String()
}

// send sends a form that the page need not show.
func (r *rig) send(t *testing.T, b *stage.Browser, path string, pairs ...string) stage.Answer {
	t.Helper()
	f := url.Values{"form_token": {r.Kit.FormToken("account "+path, b.Cookie(stage.BrowserCookie), r.session(t, b).ID)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return b.Post(path, f)
}
