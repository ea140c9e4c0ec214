package recoverycode_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/user"
)

// desk is a stage with its pages and a browser in which Ann is signed in by
// password and app.
type desk struct {
	*stage.Pages
	b   *stage.Browser
	ann *user.User
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	p := stage.NewPages(t)
	ann, seed := withApp(t, p.Stage, "ann@example.test")
	d := &desk{p, p.Browser(), ann}
	if at := signIn(t, p, d.b, seed, page); at != page {
		t.Fatalf("signing in leads to %s", at)
	}
	return d
}

// first enters the password and returns the page that asks for the second
// factor, by a recovery code.
func first(t *testing.T, p *stage.Pages, b *stage.Browser) string {
	t.Helper()
	at := stage.Follow(t, b.Submit(p.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/login/factor") {
		t.Fatalf("the password led to %s", at)
	}
	return at + "&with=recovery_code"
}

func TestOnlyWhoProvedAFactorLatelyGetsCodes(t *testing.T) {
	t.Run("security §11.9 not by the password alone", func(t *testing.T) {
		p := stage.NewPages(t)
		ann := p.Person(t, "ann@example.test")
		b := p.Browser()
		p.SignIn(t, b, ann.Email)
		err := p.Factors.Add(t.Context(), factor.Change{UserID: ann.ID, Kind: assurance.TOTP}, func(context.Context, *user.User) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if a := b.Get(page); !stage.IsPage(a.Location, "/login/factor") {
			t.Errorf("it opens: %d %s", a.Status, a.Location)
		}
		wantLeft(t, p.Stage, ann, 0)
	})
	t.Run("security §11.9 not long after the proof", func(t *testing.T) {
		d := newDesk(t)
		form := stage.Hidden(d.b.Get(page).Body)
		form.Set("decision", "generate")
		t.Cleanup(clock.Jump(6 * time.Minute))
		for what, a := range map[string]stage.Answer{"GET": d.b.Get(page), "POST": d.b.Post(page, form)} {
			if !stage.IsPage(a.Location, "/login") || shown.MatchString(a.Body) {
				t.Errorf("%s: %d %s", what, a.Status, a.Location)
			}
		}
		wantLeft(t, d.Stage, d.ann, 0)
	})
	t.Run("a form is worthless in another browser, and other methods are refused", func(t *testing.T) {
		d := newDesk(t)
		form := stage.Hidden(d.b.Get(page).Body)
		form.Set("decision", "generate")
		if a := d.Browser().Post(page, form); !stage.IsPage(a.Location, "/login") || shown.MatchString(a.Body) {
			t.Errorf("ann's form elsewhere: %d %s", a.Status, a.Location)
		}
		if a := d.b.Do(http.MethodPut, page, form, nil); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %d", a.Status)
		}
		wantLeft(t, d.Stage, d.ann, 0)
	})
}

func TestTheSecondListOnThePageVoidsTheFirst(t *testing.T) {
	d := newDesk(t)
	lists := make([][]string, 2)
	for i := range lists {
		for _, m := range shown.FindAllStringSubmatch(d.b.Submit(page, "decision", "generate").Body, -1) {
			lists[i] = append(lists[i], m[1])
		}
		if len(lists[i]) != recoverycode.Count {
			t.Fatalf("list %d has %d codes", i, len(lists[i]))
		}
	}
	for _, code := range lists[0] {
		if slices.Contains(lists[1], code) {
			t.Errorf("%s is on both lists", code)
		}
		if err := use(d.Stage, d.ann, code); err == nil {
			t.Errorf("%s of the first list counts", code)
		}
	}
	for _, code := range lists[1] {
		if err := use(d.Stage, d.ann, code); err != nil {
			t.Errorf("a code of the second list: %v", err)
		}
	}
	made := d.Audit.Named(audit.CodesGenerated)
	if len(made) != 2 || made[0].UserID != d.ann.ID || made[0].Actor != d.ann.ID || made[0].SessionID == "" {
		t.Errorf("the audit has %+v", made)
	}
	told := 0
	for _, l := range d.Letters.All() {
		if l.Key == "recovery_codes_made" && l.To.Email == d.ann.Email {
			told++
		}
	}
	if told != 2 {
		t.Errorf("the owner was told of %d lists, want 2", told)
	}
	for _, code := range slices.Concat(lists...) {
		if plain := strings.ReplaceAll(code, "-", ""); strings.Contains(d.Log.String(), code) || strings.Contains(d.Log.String(), plain) {
			t.Errorf("the log holds %s", code)
		}
	}
}

// A list whose owner cannot be told of it is not made, and the old one stays.
func TestAListThatFailsLeavesTheOldOne(t *testing.T) {
	d := newDesk(t)
	codes := generate(t, d.Stage, d.ann)
	d.Letters.SetDown(true)
	if a := d.b.Submit(page, "decision", "generate"); a.Status != http.StatusServiceUnavailable || shown.MatchString(a.Body) {
		t.Errorf("while the outbox is down: %d", a.Status)
	}
	d.Letters.SetDown(false)
	wantLeft(t, d.Stage, d.ann, 10)
	if err := use(d.Stage, d.ann, codes[0]); err != nil {
		t.Errorf("the list from before: %v", err)
	}
}

func TestTheLastFactorMayGoWhileThePageIsOpen(t *testing.T) {
	d := newDesk(t)
	form := stage.Hidden(d.b.Get(page).Body)
	form.Set("decision", "generate")
	apps, err := d.TOTP.Apps(t.Context(), d.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.TOTP.Remove(t.Context(), factor.Change{UserID: d.ann.ID}, apps[0].ID); err != nil {
		t.Fatal(err)
	}
	a := d.b.Post(page, form)
	if a.Status != http.StatusOK || shown.MatchString(a.Body) || strings.Contains(a.Body, `value="generate"`) || !strings.Contains(a.Body, `href="/account/security`) {
		t.Errorf("%d %.3000s", a.Status, a.Body)
	}
	wantLeft(t, d.Stage, d.ann, 0)
}

func TestTheSignInThatWaitsGoesOn(t *testing.T) {
	d := newDesk(t)
	at := d.Begin(t, d.b, "acr_values=phr") // Ann has no passkey
	if !stage.IsPage(at, "/login/enrol") {
		t.Fatalf("the request waits at %s", at)
	}
	query := at[strings.Index(at, "?"):]
	if to := stage.Follow(t, d.b.Submit(page+query, "decision", "done")); to != at {
		t.Errorf("going on without codes leads to %s, want %s", to, at)
	}
	made := d.b.Submit(page+query, "decision", "generate")
	form := stage.Hidden(made.Body)
	form.Set("decision", "done")
	if !strings.Contains(made.Body, `action="`+page+query+`"`) {
		t.Errorf("the form forgets who waits: %.3000s", made.Body)
	}
	if to := stage.Follow(t, d.b.Post(page+query, form)); to != at {
		t.Errorf("going on leads to %s, want %s", to, at)
	}
}

// A thief who can write the database gains nothing by giving a row to another
// person: the fingerprint binds the code to its owner.
func TestARowThatIsMovedOpensNothing(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	bob, _ := withApp(t, s, "bob@example.test")
	codes := generate(t, s, ann)
	rows, err := s.Durable.RecoveryCodes.OfUser(t.Context(), ann.ID)
	if err != nil || len(rows) != recoverycode.Count {
		t.Fatal(len(rows), err)
	}
	if err := s.RecoveryCodes.RemoveAll(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i].UserID = bob.ID
	}
	if err := s.Durable.RecoveryCodes.Replace(t.Context(), bob.ID, rows); err != nil {
		t.Fatal(err)
	}
	wantLeft(t, s, bob, 10)
	for _, code := range codes {
		if err := use(s, bob, code); err == nil {
			t.Errorf("ann's %s opens bob's account", code)
		}
	}
}

func TestGuessesEndTheSignInAndSpendNothing(t *testing.T) {
	p := stage.NewPages(t)
	ann, _ := withApp(t, p.Stage, "ann@example.test")
	codes := generate(t, p.Stage, ann)
	b := p.Browser()
	at := first(t, p, b)
	for range 5 {
		b.Submit(at, "code", "0000-0000-0000")
	}
	if to := b.Get(at).Location; !stage.IsPage(to, "/login") {
		t.Errorf("after five guesses the page leads to %q", to)
	}
	if a := b.Submit(at, "code", codes[0]); stage.IsPage(a.Location, "/consent") || b.Cookie(stage.SessionCookie) != "" {
		t.Errorf("a right code after five guesses: %d %s", a.Status, a.Location)
	}
	wantLeft(t, p.Stage, ann, 10)
}

func TestASpentListIsNotOffered(t *testing.T) {
	p := stage.NewPages(t)
	ann, _ := withApp(t, p.Stage, "ann@example.test")
	codes := generate(t, p.Stage, ann)
	for _, code := range codes {
		if err := use(p.Stage, ann, code); err != nil {
			t.Fatal(err)
		}
	}
	b := p.Browser()
	at := first(t, p, b)
	if body := b.Get(strings.TrimSuffix(at, "&with=recovery_code")).Body; strings.Contains(body, "with=recovery_code") {
		t.Error("codes are offered although none is left")
	}
	if a := b.Submit(at, "code", codes[9]); a.Status != http.StatusOK || b.Cookie(stage.SessionCookie) != "" {
		t.Errorf("a spent code: %d %s", a.Status, a.Location)
	}
}
