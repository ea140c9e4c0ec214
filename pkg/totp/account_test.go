package totp_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
)

const (
	page     = "/account/security/app"
	overview = "/account/security"
	ann      = "ann@example.test"
)

// desk is a stage with Ann, who is signed in by her password.
type desk struct {
	*stage.Pages
	ann     *user.User
	browser *stage.Browser
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{Pages: stage.NewPages(t)}
	d.Apps.Onward = &factor.Onward{Rooms: d.Rooms} // the way to recovery codes has a test of its own
	d.ann = d.Person(t, ann)
	d.browser = d.signIn(t, ann)
	return d
}

// signIn returns a browser in which the person signed in by a password.
func (d *desk) signIn(t *testing.T, email string) *stage.Browser {
	t.Helper()
	b := d.Browser()
	at := stage.Follow(t, b.Get(page))
	if back := stage.Follow(t, b.Submit(at, "username", email, "password", stage.Password)); back != page {
		t.Fatalf("the sign-in led to %q", back)
	}
	return b
}

func (d *desk) session(t *testing.T, b *stage.Browser) *session.Session {
	t.Helper()
	s, err := d.Sessions.FromToken(t.Context(), b.Cookie(stage.SessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send sends a form of the page that the page need not show.
func (d *desk) send(t *testing.T, b *stage.Browser, pairs ...string) stage.Answer {
	t.Helper()
	f := url.Values{"form_token": {d.Kit.FormToken("account "+page, b.Cookie(stage.BrowserCookie), d.session(t, b).ID)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return b.Post(page, f)
}

// offered is what the page of a new app shows.
type offered struct {
	wrapped string // the hidden field
	seed    string // the key that is typed
	uri     string
	path    string // of the QR code
}

var (
	keyShown  = regexp.MustCompile(`id="totp-key"[^>]*>([A-Z2-7]{4}(?: [A-Z2-7]{4})*)<`)
	linkShown = regexp.MustCompile(`id="totp-open" href="([^"]+)"`)
	inkShown  = regexp.MustCompile(`<path class="ink" d="([^"]+)"/>`)
)

// offer reads a page that shows a new app.
func offer(t *testing.T, a stage.Answer) offered {
	t.Helper()
	key, link, ink := keyShown.FindStringSubmatch(a.Body), linkShown.FindStringSubmatch(a.Body), inkShown.FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || key == nil || link == nil || ink == nil {
		t.Fatalf("status %d to %q, key %q, link %q, QR code %t; want a new app", a.Status, a.Location, key, link, ink != nil)
	}
	return offered{stage.Hidden(a.Body).Get("seed"), strings.ReplaceAll(key[1], " ", ""), html.UnescapeString(link[1]), ink[1]}
}

// begin asks for a new app.
func (d *desk) begin(t *testing.T, b *stage.Browser) offered {
	t.Helper()
	return offer(t, b.Submit(page, "decision", "begin"))
}

// add adds an app and leaves the browser signed in by it.
func (d *desk) add(t *testing.T, b *stage.Browser, name string) totp.App {
	t.Helper()
	o := d.begin(t, b)
	if at := stage.Follow(t, d.confirm(t, b, o, name)); at != overview+"?done=factor" {
		t.Fatalf("adding %s led to %q", name, at)
	}
	all := d.apps(t)
	return all[len(all)-1]
}

func (d *desk) confirm(t *testing.T, b *stage.Browser, o offered, name string) stage.Answer {
	t.Helper()
	return d.send(t, b, "decision", "confirm", "seed", o.wrapped, "name", name, "code", code(t, o.seed, clock.Now()))
}

func (d *desk) apps(t *testing.T) []totp.App {
	t.Helper()
	apps, err := d.TOTP.Apps(t.Context(), d.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return apps
}

// factors returns the kinds that the account says Ann has.
func (d *desk) factors(t *testing.T) []string {
	t.Helper()
	u, err := d.Users.Get(t.Context(), d.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Factors
}

func TestThePageAddsAnApp(t *testing.T) {
	d := newDesk(t)
	old := d.browser.Cookie(stage.SessionCookie)
	answer := d.browser.Submit(page, "decision", "begin")
	o := offer(t, answer)
	if want := d.TOTP.URI(o.seed, ann); o.uri != want {
		t.Errorf("the link opens %s, want %s", o.uri, want)
	}
	if want, err := totp.Draw(o.uri); err != nil || o.path != want.Path {
		t.Errorf("the QR code is not that of the link: %v", err)
	}
	if strings.Contains(answer.Body, "data:") || strings.Contains(answer.Header.Get("Set-Cookie"), o.seed) || answer.Location != "" {
		t.Error("the seed is shown elsewhere than on the page")
	}
	if cc := answer.Header.Get("Cache-Control"); !strings.Contains(cc, "no-store") {
		t.Errorf("the page with the seed has Cache-Control %q", cc)
	}
	if len(d.apps(t)) != 0 || len(d.factors(t)) != 0 {
		t.Error("an app counts before a code confirmed it")
	}
	noSeed(t, d.Stage, o.seed)

	typed := code(t, o.seed, clock.Now())
	added := d.browser.Post(page, form(answer, "decision", "confirm", "name", "Phone", "code", typed[:3]+" "+typed[3:]))
	if at := stage.Follow(t, added); at != overview+"?done=factor" {
		t.Errorf("the confirmation led to %q", at)
	}
	if list := d.browser.Get(page); list.Status != http.StatusOK || !strings.Contains(list.Body, "<bdi>Phone</bdi>") || !strings.Contains(list.Body, "Not used yet") {
		t.Errorf("the list, status %d, lacks the app", list.Status)
	}
	if seen := d.browser.Get(overview + "?done=factor"); !strings.Contains(seen.Body, "The second factor was added.") || !strings.Contains(seen.Body, "Phone") {
		t.Error("the overview does not tell what was done")
	}
	noSeed(t, d.Stage, o.seed)

	t.Run("security §10.1 the session is raised, under another cookie", func(t *testing.T) {
		s := d.session(t, d.browser)
		if s == nil || s.ACR != assurance.TwoFactors || !slices.Contains(s.AMR, "otp") || !slices.Contains(s.AMR, "pwd") {
			t.Fatalf("the session is %+v", s)
		}
		if again, err := d.Sessions.FromToken(t.Context(), old); again != nil || err != nil {
			t.Errorf("the old cookie opens %+v, %v", again, err)
		}
		if n := len(d.Audit.Named(audit.FactorStepUp)); n != 1 {
			t.Errorf("%d events of a step-up, want 1", n)
		}
	})
	t.Run("its owner is told", func(t *testing.T) {
		letter := d.Letters.Last(t, ann)
		if letter.Key != "factor_added" || len(letter.Facts) == 0 || letter.Facts[0].Value != "Phone" {
			t.Errorf("the letter is %+v", letter)
		}
		told := d.Audit.Named(audit.FactorAdded)
		if len(told) != 1 || told[0].UserID != d.ann.ID || told[0].SessionID == "" || told[0].Data["name"] != "Phone" {
			t.Errorf("the events are %+v", told)
		}
	})
	t.Run("RFC 6238 §5.2 the code that confirmed it signs nobody in", func(t *testing.T) {
		b := d.Browser()
		at := stage.Follow(t, b.Submit(d.Begin(t, b, ""), "username", ann, "password", stage.Password))
		if !stage.IsPage(at, "/login/factor") {
			t.Fatalf("the password led to %q", at)
		}
		if a := b.Submit(at, "code", typed); a.Status != http.StatusOK || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("the code was taken: %d, %q", a.Status, a.Location)
		}
		if next := stage.Follow(t, b.Submit(at, "code", code(t, o.seed, clock.Now().Add(30*time.Second)))); !strings.HasPrefix(next, "/consent") {
			t.Errorf("the next code led to %q", next)
		}
	})
}

// form returns the hidden fields of an answer and what the person enters.
func form(a stage.Answer, pairs ...string) url.Values {
	f := stage.Hidden(a.Body)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

func TestAWrongCodeKeepsTheSeed(t *testing.T) {
	d := newDesk(t)
	o := d.begin(t, d.browser)
	for name, typed := range map[string]string{
		"nothing": "", "letters": "abcdef", "five digits": "12345", "another seed's": code(t, totp.NewSeed(), clock.Now()),
		"two steps ago": code(t, o.seed, clock.Now().Add(-90*time.Second)), "much": strings.Repeat("1", 5000),
	} {
		a := d.send(t, d.browser, "decision", "confirm", "seed", o.wrapped, "name", "My <phone>", "code", typed)
		again := offer(t, a)
		if again.seed != o.seed || again.path != o.path {
			t.Errorf("%s: the page shows another seed", name)
		}
		if !strings.Contains(a.Body, `autofocus aria-invalid="true" aria-describedby="code-problem"`) || !strings.Contains(a.Body, `value="My &lt;phone&gt;"`) {
			t.Errorf("%s: the page does not say what is wrong, or lost the name", name)
		}
		if why := d.Refusals.Last(); why.Rule == "" || why.Code != "code_wrong" {
			t.Errorf("%s: the operator is told %+v", name, why)
		}
		o.wrapped = again.wrapped
	}
	if len(d.apps(t)) != 0 || d.session(t, d.browser).ACR != assurance.OneFactor {
		t.Error("a wrong code added an app")
	}
	if at := stage.Follow(t, d.confirm(t, d.browser, o, "Phone")); at != overview+"?done=factor" || len(d.apps(t)) != 1 {
		t.Errorf("the right code led to %q", at)
	}
}

func TestASeedIsWorthlessElsewhere(t *testing.T) {
	d := newDesk(t)
	d.Person(t, "bob@example.test")
	mine, others, bobs := d.begin(t, d.browser), d.begin(t, d.signIn(t, ann)), d.begin(t, d.signIn(t, "bob@example.test"))
	flip := []byte(mine.wrapped)
	flip[len(flip)/2] ^= 1
	for name, o := range map[string]offered{
		"another session of the same person": others, "another person": bobs,
		"changed": {wrapped: string(flip), seed: mine.seed}, "cut": {wrapped: mine.wrapped[:20], seed: mine.seed},
		"in the clear": {wrapped: mine.seed, seed: mine.seed}, "none": {seed: mine.seed}, "no text": {wrapped: "\x00\xff", seed: mine.seed},
		"a seed at rest": {wrapped: "dG90cC8", seed: mine.seed},
	} {
		a := d.confirm(t, d.browser, o, "Phone")
		if keyShown.MatchString(a.Body) || a.Location != "" || len(d.apps(t)) != 0 {
			t.Errorf("security §11.9 %s: status %d, %q", name, a.Status, a.Location)
		}
	}
	if why := d.Refusals.Last(); why.Rule == "" {
		t.Errorf("the operator is told %+v", why)
	}
	if d.session(t, d.browser).ACR != assurance.OneFactor {
		t.Error("the session was raised")
	}
	if at := stage.Follow(t, d.confirm(t, d.browser, mine, "Phone")); at != overview+"?done=factor" {
		t.Errorf("her own led to %q", at)
	}
}

func TestAConfirmedFormIsWorthless(t *testing.T) {
	d := newDesk(t)
	o := d.begin(t, d.browser)
	d.confirm(t, d.browser, o, "Phone")
	letters := len(d.Letters.All())
	for _, after := range []time.Duration{0, 30 * time.Second} {
		a := d.send(t, d.browser, "decision", "confirm", "seed", o.wrapped, "name", "Again", "code", code(t, o.seed, clock.Now().Add(after)))
		if a.Status != http.StatusOK || keyShown.MatchString(a.Body) || !strings.Contains(a.Body, "This page was too old.") {
			t.Errorf("after %s: status %d, %q", after, a.Status, a.Location)
		}
	}
	if apps := d.apps(t); len(apps) != 1 || apps[0].Name != "Phone" || len(d.Letters.All()) != letters {
		t.Errorf("a form that was sent again changed something: %+v", apps)
	}
}

// Whoever has to install an app first takes longer than a sign-in is fresh.
func TestASeedWaitsForAWhile(t *testing.T) {
	t.Run("longer than the sign-in is fresh", func(t *testing.T) {
		d := newDesk(t)
		o := d.begin(t, d.browser)
		t.Cleanup(clock.Jump((room.FreshFor + 60) * time.Second))
		if at := stage.Follow(t, d.browser.Get(page)); !stage.IsPage(at, "/login") {
			t.Fatalf("the page lets in who signed in long ago: %q", at)
		}
		wrong := offer(t, d.send(t, d.browser, "decision", "confirm", "seed", o.wrapped, "name", "Phone", "code", "12345"))
		at := stage.Follow(t, d.confirm(t, d.browser, wrong, "Phone"))
		if at != overview+"?done=factor" || len(d.apps(t)) != 1 {
			t.Errorf("the confirmation led to %q", at)
		}
		if a := d.browser.Get(at); a.Status != http.StatusOK {
			t.Errorf("who has just added an app is sent to %q", a.Location)
		}
	})
	t.Run("no other form of it", func(t *testing.T) {
		d := newDesk(t)
		app := d.add(t, d.browser, "Phone")
		o := d.begin(t, d.browser)
		t.Cleanup(clock.Jump((room.FreshFor + 60) * time.Second))
		for _, decision := range []string{"begin", "rename", "remove", ""} {
			at := stage.Follow(t, d.send(t, d.browser, "decision", decision, "seed", o.wrapped, "app", app.ID, "name", "Mine"))
			if !stage.IsPage(at, "/login") && !stage.IsPage(at, "/login/factor") {
				t.Errorf("%q led to %q", decision, at)
			}
		}
		if apps := d.apps(t); len(apps) != 1 || apps[0].Name != "Phone" {
			t.Errorf("after it there are %+v", apps)
		}
	})
	t.Run("not for ever", func(t *testing.T) {
		d := newDesk(t)
		o := d.begin(t, d.browser)
		t.Cleanup(clock.Jump(15 * time.Minute))
		if at := stage.Follow(t, d.confirm(t, d.browser, o, "Phone")); !stage.IsPage(at, "/login") {
			t.Errorf("a stale seed led to %q", at)
		}
		s := d.session(t, d.browser)
		token, err := d.Sessions.Renew(t.Context(), s, s.ACR, s.AMR) // fresh again, in the same session
		if err != nil {
			t.Fatal(err)
		}
		d.browser.SetCookie(stage.SessionCookie, token)
		if a := d.confirm(t, d.browser, o, "Phone"); !strings.Contains(a.Body, "This page was too old.") || len(d.apps(t)) != 0 {
			t.Errorf("a stale seed: status %d, %q", a.Status, a.Location)
		}
	})
}

// Who knows the password alone has begun, or begins, after the owner got an
// app: they get nothing.
func TestNothingIsGotOrLostByThePasswordAlone(t *testing.T) {
	d := newDesk(t)
	thief := d.signIn(t, ann)
	begun := d.begin(t, thief)
	app := d.add(t, d.browser, "Phone")
	tries := map[string]stage.Answer{
		"a look":                       thief.Get(page),
		"a beginning":                  d.send(t, thief, "decision", "begin"),
		"the end of what was begun":    d.confirm(t, thief, begun, "Mine"),
		"another name":                 d.send(t, thief, "decision", "rename", "app", app.ID, "name", "Mine"),
		"a removal":                    d.send(t, thief, "decision", "remove", "app", app.ID),
		"the end of what others began": d.confirm(t, thief, d.begin(t, d.browser), "Mine"),
	}
	for name, a := range tries {
		if a.Status != http.StatusSeeOther || !stage.IsPage(a.Location, "/login/factor") {
			t.Errorf("security §11.9 %s: status %d, %q", name, a.Status, a.Location)
		}
	}
	if apps := d.apps(t); len(apps) != 1 || apps[0].Name != "Phone" || d.session(t, thief).ACR != assurance.OneFactor {
		t.Errorf("after it there are %+v", apps)
	}
}

func TestNamesAreBounded(t *testing.T) {
	d := newDesk(t)
	o := d.begin(t, d.browser)
	bad := map[string]string{"none": "", "blanks": " \t ", "too long": strings.Repeat("ä", 65), "two lines": "a\nb", "a control": "a\x1bb"}
	for what, name := range bad {
		a := d.confirm(t, d.browser, o, name)
		if again := offer(t, a); again.seed != o.seed || !strings.Contains(a.Body, `aria-describedby="name-problem name-hint"`) {
			t.Errorf("%s: the page shows another seed, or does not say what is wrong", what)
		}
	}
	if len(d.apps(t)) != 0 {
		t.Fatal("an app was added under a bad name")
	}
	app := d.add(t, d.browser, strings.Repeat("ä", 64))
	for what, name := range bad {
		if a := d.send(t, d.browser, "decision", "rename", "app", app.ID, "name", name); a.Status != http.StatusOK || !strings.Contains(a.Body, "at most 64 characters") {
			t.Errorf("rename to %s: status %d, %q", what, a.Status, a.Location)
		}
	}
	if apps := d.apps(t); apps[0].Name != strings.Repeat("ä", 64) || len(d.Audit.Named(audit.FactorRenamed)) != 0 {
		t.Errorf("the name is %q", apps[0].Name)
	}
}

func TestAppsAreRenamedAndRemoved(t *testing.T) {
	d := newDesk(t)
	first, second := d.add(t, d.browser, "Phone"), d.add(t, d.browser, "Tablet")
	if at := stage.Follow(t, d.send(t, d.browser, "decision", "rename", "app", first.ID, "name", " Work & <play> ")); at != page+"?done=factor_renamed" {
		t.Errorf("the rename led to %q", at)
	}
	if a := d.browser.Get(page + "?done=factor_renamed"); !strings.Contains(a.Body, "<bdi>Work &amp; &lt;play&gt;</bdi>") || !strings.Contains(a.Body, "The name was changed.") {
		t.Error("the page lacks the new name")
	}
	if told := d.Audit.Named(audit.FactorRenamed); len(told) != 1 || told[0].Data["name"] != "Work & <play>" || told[0].Actor != d.ann.ID {
		t.Errorf("the events are %+v", told)
	}
	for i, app := range []totp.App{first, second} {
		if at := stage.Follow(t, d.send(t, d.browser, "decision", "remove", "app", app.ID)); at != page+"?done=factor_removed" {
			t.Fatalf("the removal led to %q", at)
		}
		if left, kinds := len(d.apps(t)), len(d.factors(t)); left != 1-i || kinds != 1-i {
			t.Errorf("after %d went there are %d apps and %d kinds", i+1, left, kinds)
		}
	}
	letter, told := d.Letters.Last(t, ann), d.Audit.Named(audit.FactorRemoved)
	if letter.Key != "factor_removed" || letter.Facts[0].Value != "Tablet" || len(told) != 2 || told[0].Data["name"] != "Work & <play>" {
		t.Errorf("the letter is %+v, the events %+v", letter, told)
	}
	if a := d.send(t, d.browser, "decision", "remove", "app", first.ID); a.Status != http.StatusNotFound {
		t.Errorf("a second removal: status %d", a.Status)
	}
}

func TestAppsOfOthersAreNotTheirs(t *testing.T) {
	d := newDesk(t)
	app := d.add(t, d.browser, "Phone")
	d.Person(t, "bob@example.test")
	bob := d.signIn(t, "bob@example.test")
	tries := 0
	for name, id := range map[string]string{"ann's": app.ID, "unknown": "x", "none": "", "huge": strings.Repeat("x", 5000), "odd": "'; --\u202e"} {
		for _, decision := range []string{"rename", "remove"} {
			tries++
			if a := d.send(t, bob, "decision", decision, "app", id, "name", "Bob's"); a.Status != http.StatusNotFound {
				t.Errorf("OWASP ASVS 8.2.2 %s of %s: status %d, want 404", decision, name, a.Status)
			}
			if why := d.Refusals.Last(); why.Rule == "" {
				t.Errorf("%s of %s: the operator is told %+v", decision, name, why)
			}
		}
	}
	if strings.Contains(bob.Get(page).Body, "Phone") {
		t.Error("bob sees ann's")
	}
	if apps := d.apps(t); len(apps) != 1 || apps[0].Name != "Phone" {
		t.Errorf("after it ann has %+v", apps)
	}
	if noted := d.Audit.Named(audit.AccountRefused); len(noted) != tries {
		t.Errorf("%d refusals noted, want %d", len(noted), tries)
	}
}

func TestTheLastAppStaysWhileAPolicyDemandsOne(t *testing.T) {
	d := newDesk(t)
	first, second := d.add(t, d.browser, "Phone"), d.add(t, d.browser, "Tablet")
	d.Factors.Policy.Everyone = assurance.TwoFactors
	if at := stage.Follow(t, d.send(t, d.browser, "decision", "remove", "app", first.ID)); at != page+"?done=factor_removed" {
		t.Errorf("one of two led to %q", at)
	}
	told := len(d.Letters.All())
	a := d.send(t, d.browser, "decision", "remove", "app", second.ID)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "This is your last second factor") || !strings.Contains(a.Body, "<bdi>Tablet</bdi>") {
		t.Errorf("the last one: status %d, %q", a.Status, a.Location)
	}
	if why := d.Refusals.Last(); why.Rule == "" || why.Code != "last_factor" {
		t.Errorf("the operator is told %+v", why)
	}
	if len(d.apps(t)) != 1 || len(d.factors(t)) != 1 || len(d.Letters.All()) != told || len(d.Audit.Named(audit.FactorRemoved)) != 1 {
		t.Error("the refusal changed something")
	}
}

func TestNoMoreAppsThanAnAccountMayHave(t *testing.T) {
	d := newDesk(t)
	waiting := d.begin(t, d.browser)
	for i := range totp.Most {
		d.add(t, d.browser, "App "+string(rune('A'+i)))
	}
	for name, a := range map[string]stage.Answer{
		"the page": d.browser.Get(page), "a beginning": d.send(t, d.browser, "decision", "begin"), "what was begun": d.confirm(t, d.browser, waiting, "One more"),
	} {
		if a.Status != http.StatusOK || keyShown.MatchString(a.Body) || strings.Contains(a.Body, `id="totp-begin"`) || !strings.Contains(a.Body, "as many apps as one account may have") {
			t.Errorf("%s: status %d, %q", name, a.Status, a.Location)
		}
	}
	if n := len(d.apps(t)); n != totp.Most {
		t.Errorf("there are %d, want %d", n, totp.Most)
	}
}

func TestOddFormsChangeNothing(t *testing.T) {
	d := newDesk(t)
	app := d.add(t, d.browser, "Phone")
	foreign := d.Kit.FormToken("account /account/sessions", d.browser.Cookie(stage.BrowserCookie), d.session(t, d.browser).ID)
	for name, a := range map[string]stage.Answer{
		"no token":              d.browser.Post(page, url.Values{"decision": {"remove"}, "app": {app.ID}}),
		"another page's token":  d.browser.Post(page, url.Values{"decision": {"remove"}, "app": {app.ID}, "form_token": {foreign}}),
		"from another site":     d.browser.Do(http.MethodPost, page, url.Values{"decision": {"remove"}, "app": {app.ID}}, http.Header{"Origin": {"https://evil.example"}}),
		"no decision":           d.send(t, d.browser, "app", app.ID),
		"an unknown decision":   d.send(t, d.browser, "decision", "steal", "app", app.ID),
		"another method":        d.browser.Do(http.MethodDelete, page, nil, nil),
		"decisions in the path": d.browser.Get(page + "?decision=remove&app=" + app.ID),
	} {
		if a.Status == http.StatusSeeOther || a.Status >= 500 {
			t.Errorf("%s: status %d, %q", name, a.Status, a.Location)
		}
	}
	if apps := d.apps(t); len(apps) != 1 || apps[0].Name != "Phone" {
		t.Errorf("after it there are %+v", apps)
	}
}

// counter counts the recovery codes of everybody.
type counter int

func (c counter) Left(context.Context, string) (int, error) { return int(c), nil }

func TestWhoHasNoRecoveryCodesIsLedToThem(t *testing.T) {
	for left, want := range map[counter]string{0: "/account/security/recovery-codes", 3: overview + "?done=factor"} {
		d := newDesk(t)
		apps := &totp.Handler{Rooms: d.Rooms, Apps: d.TOTP, Raise: d.Login, Onward: &factor.Onward{Rooms: d.Rooms, Codes: left}}
		d.Mux.Handle(page+"/{$}", d.Kit.Pages(apps.Account))
		o := d.begin(t, d.browser)
		f := url.Values{"form_token": {d.Kit.FormToken("account "+page, d.browser.Cookie(stage.BrowserCookie), d.session(t, d.browser).ID)}}
		for name, value := range map[string]string{"decision": "confirm", "seed": o.wrapped, "name": "Phone", "code": code(t, o.seed, clock.Now())} {
			f.Set(name, value)
		}
		if at := stage.Follow(t, d.browser.Post(page+"/", f)); at != want {
			t.Errorf("with %d codes left it led to %q, want %q", left, at, want)
		}
	}
}

// The application that asks waits meanwhile, and gets its answer.
func TestAnAppThatAnApplicationWaitsFor(t *testing.T) {
	d := newDesk(t)
	d.Opener.Policy.Everyone = assurance.TwoFactors
	b := d.Browser()
	at := stage.Follow(t, b.Submit(d.Begin(t, b, ""), "username", ann, "password", stage.Password))
	id, ok := strings.CutPrefix(at, "/login/enrol?flow=")
	if !ok {
		t.Fatalf("the password led to %q", at)
	}
	there := page + "?flow=" + id
	o := offer(t, b.Submit(there, "decision", "begin"))
	f := form(b.Get(there), "decision", "confirm", "seed", o.wrapped, "name", "Phone", "code", code(t, o.seed, clock.Now()))
	at = stage.Follow(t, b.Post(there, f))
	if stage.IsPage(at, "/login/enrol") { // which sees by the new cookie that nothing is missing
		at = stage.Follow(t, b.Get(at))
	}
	if !strings.HasPrefix(at, "/consent?flow=") {
		t.Fatalf("the confirmation led to %q, want on with the flow", at)
	}
	if end := stage.Follow(t, b.Submit(at, "decision", "allow")); end != stage.Granted {
		t.Errorf("it ended at %q", end)
	}
}
