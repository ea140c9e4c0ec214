package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

const fresh = "new@example.test"

// ask asks for another address.
func (r *rig) ask(t *testing.T, b *stage.Browser, email string) {
	t.Helper()
	if at := stage.Follow(t, b.Submit("/account/email", "decision", "change", "email", email)); at != "/account/email?done=email" {
		t.Fatalf("asking led to %q", at)
	}
}

// link returns the local path of the link of a letter.
func link(t *testing.T, l stage.Queued) string {
	t.Helper()
	path, ok := strings.CutPrefix(l.URL, stage.Issuer)
	if !ok {
		t.Fatalf("the link of %s is %q", l.Key, l.URL)
	}
	return path
}

func TestAddressChangesByLinkInAnotherBrowser(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	if _, err := r.Confirmations.Ask(ctx, confirm.Ask{Purpose: confirm.ResetPassword, UserID: r.ann.ID, Email: ann, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	r.ask(t, b, " "+fresh)
	if l := r.Letters.Last(t, ann); l.Key != "email_change_asked" || l.To.UserID != r.ann.ID || l.Code != "" {
		t.Errorf("the old address reads %+v", l)
	}
	letter := r.Letters.Last(t, fresh)
	if letter.Key != "email_change" || letter.Code == "" {
		t.Errorf("the new address reads %+v", letter)
	}
	if u := r.person(t); u.Email != ann {
		t.Fatalf("the address changed before it was proven: %q", u.Email)
	}
	if page := b.Get("/account").Body; !strings.Contains(page, fresh) {
		t.Error("the overview does not tell what is pending")
	}
	other := r.Browser() // nobody is signed in there
	path := link(t, letter)
	for range 2 { // a mail program looks too
		if a := other.Get(path); a.Status != http.StatusOK || r.person(t).Email != ann {
			t.Fatalf("looking at the link: status %d, address %q", a.Status, r.person(t).Email)
		}
	}
	a := other.Submit(path)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "Your new address is in use") {
		t.Fatalf("status %d: %.300s", a.Status, a.Body)
	}
	if u := r.person(t); u.Email != fresh || !u.EmailVerified {
		t.Errorf("the person is %q, verified %v", u.Email, u.EmailVerified)
	}
	if l := r.Letters.Last(t, ann); l.Key != "email_changed" {
		t.Errorf("the old address reads %q at last", l.Key)
	}
	if _, err := r.Confirmations.Of(ctx, r.ann.ID, confirm.ResetPassword); !fault.Is(err, fault.NotFound) {
		t.Errorf("a reset link of the old address is still open: %v", err)
	}
	if r.session(t, b) == nil {
		t.Error("the session ended")
	}
	if n, m := len(r.Audit.Named(audit.EmailChangeAsked)), len(r.Audit.Named(audit.EmailChanged)); n != 1 || m != 1 {
		t.Errorf("%d and %d events, want one each", n, m)
	}
	for name, again := range map[string]stage.Answer{"the link": other.Get(path), "the form": other.Post(path, form(other, path))} {
		if again.Status != http.StatusGone && again.Status != http.StatusForbidden {
			t.Errorf("%s works again: status %d", name, again.Status)
		}
	}
	if r.Person(t, ann); r.person(t).Email != fresh {
		t.Error("the old address is not free")
	}
}

func TestAddressChangesByCode(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	code := r.Letters.Last(t, fresh).Code
	for _, wrong := range []string{"", "1", "0000 0000", "１２３４", strings.Repeat("1", 5000)} {
		if wrong == code {
			continue
		}
		a := b.Submit("/account/email", "decision", "confirm", "code", wrong)
		if a.Status != http.StatusOK || marks(a.Body) != "code-problem" || r.person(t).Email != ann {
			t.Errorf("the code %.10q: status %d, wrong are %q", wrong, a.Status, marks(a.Body))
		}
	}
	if a := b.Submit("/account/email", "decision", "confirm", "code", code); a.Status != http.StatusOK || r.person(t).Email != ann {
		t.Errorf("a right code after five wrong ones: status %d, address %q", a.Status, r.person(t).Email)
	}
	if n := len(r.Audit.Named(audit.ConfirmationRefused)); n != 5 {
		t.Errorf("%d refusals noted, want 5", n)
	}
	r.ask(t, b, fresh)
	if at := stage.Follow(t, b.Submit("/account/email", "decision", "confirm", "code", strings.ReplaceAll(r.Letters.Last(t, fresh).Code, " ", "-"))); at != "/account?done=changed" {
		t.Errorf("the code led to %q", at)
	}
	if u := r.person(t); u.Email != fresh {
		t.Errorf("the address is %q", u.Email)
	}
	if a := b.Submit("/account/email", "decision", "confirm", "code", code); a.Status != http.StatusOK || !strings.Contains(a.Body, "does not work any more") {
		t.Errorf("a code with nothing pending: status %d", a.Status)
	}
}

func TestCodesAreLimitedOverAllMails(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	for n := range 10 {
		if n%4 == 0 {
			r.ask(t, b, fresh)
		}
		if a := b.Submit("/account/email", "decision", "confirm", "code", "0000 0000"); a.Status != http.StatusOK {
			t.Fatalf("try %d: status %d", n+1, a.Status)
		}
	}
	r.ask(t, b, fresh)
	if a := b.Submit("/account/email", "decision", "confirm", "code", r.Letters.Last(t, fresh).Code); a.Status != http.StatusTooManyRequests {
		t.Errorf("the eleventh: status %d, want 429", a.Status)
	}
	if got := r.person(t).Email; got != ann {
		t.Errorf("the address is %q", got)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	for name, email := range map[string]string{
		"empty": "", "blank": "  ", "no address": "ann", "two": "a@x.test,b@x.test", "a name around it": "Ann <a@x.test>",
		"a header in it": "a@x.test\r\nBcc: b@x.test", "a control character": "a\x01@x.test", "one turned around": "a\u202e@x.test", "huge": strings.Repeat("a", 5000) + "@x.test",
		"the same": ann, "the same, spelled otherwise": "ANN@Example.test", "the same, full width": "ａnn@example.test",
	} {
		a := b.Submit("/account/email", "decision", "change", "email", email)
		if a.Status != http.StatusOK || marks(a.Body) != "email-problem" {
			t.Errorf("%s: status %d, wrong are %q", name, a.Status, marks(a.Body))
		}
	}
	for _, decision := range []string{"", "delete", "CHANGE"} {
		if a := b.Submit("/account/email", "decision", decision, "email", fresh); a.Status != http.StatusOK || !strings.Contains(a.Body, "press one of the buttons") {
			t.Errorf("decision %q: status %d", decision, a.Status)
		}
	}
	if n := len(r.Letters.All()); n != 0 || r.person(t).Email != ann {
		t.Errorf("%d letters left", n)
	}
}

// TestNobodyLearnsWhichAddressIsTaken compares a free address with a taken one.
func TestNobodyLearnsWhichAddressIsTaken(t *testing.T) {
	r := newRig(t)
	r.Person(t, "bob@example.test")
	answers := map[string]string{}
	for _, email := range []string{"bob@example.test", "free@example.test"} {
		b := r.signIn(t, ann)
		a := b.Submit("/account/email", "decision", "change", "email", email)
		for _, page := range []stage.Answer{a, b.Get("/account/email?done=email"), b.Get("/account"), b.Submit("/account/email", "decision", "confirm", "code", "0000 0000")} {
			for name := range page.Header { // they count on, whatever is asked
				if strings.HasPrefix(name, "Ratelimit") {
					page.Header.Del(name)
				}
			}
			answers[email] += stage.Alike(page, email)
		}
	}
	if answers["bob@example.test"] != answers["free@example.test"] {
		t.Errorf("the answers differ:\n%s\n---\n%s", answers["bob@example.test"], answers["free@example.test"])
	}
	l := r.Letters.Last(t, "bob@example.test")
	if l.Key != "email_taken" || l.URL != "" || l.Code != "" {
		t.Errorf("the owner reads %+v, want a notice that opens nothing", l)
	}
	if n := len(r.Letters.All()); n != 4 {
		t.Errorf("%d letters, want two for each", n)
	}
}

func TestAnAddressTakenMeanwhile(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	r.Person(t, fresh)
	path := link(t, r.Letters.Last(t, fresh))
	if a := b.Submit(path); a.Status != http.StatusConflict || r.person(t).Email != ann {
		t.Errorf("status %d, address %q; want a conflict and no change", a.Status, r.person(t).Email)
	}
}

func TestLaterAsksEndEarlierOnes(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	first := link(t, r.Letters.Last(t, fresh))
	r.ask(t, b, "other@example.test")
	if a := b.Get(first); a.Status != http.StatusGone {
		t.Errorf("the first link after a second: status %d", a.Status)
	}
	second := link(t, r.Letters.Last(t, "other@example.test"))
	if at := stage.Follow(t, b.Submit("/account/email", "decision", "drop")); at != "/account/email?done=dropped" {
		t.Errorf("dropping led to %q", at)
	}
	if a := b.Get(second); a.Status != http.StatusGone {
		t.Errorf("a link that was dropped: status %d", a.Status)
	}
	r.ask(t, b, fresh)
	later(t, time.Hour)
	if a := b.Get(link(t, r.Letters.Last(t, fresh))); a.Status != http.StatusGone {
		t.Errorf("a link after an hour: status %d", a.Status)
	}
	if got := r.person(t).Email; got != ann {
		t.Errorf("the address is %q", got)
	}
}

func TestLinksThatAreNone(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	whole := link(t, r.Letters.Last(t, fresh))
	_, secret, _ := strings.Cut(whole, "change=")
	reset, err := r.Confirmations.Ask(ctx, confirm.Ask{Purpose: confirm.ResetPassword, UserID: r.ann.ID, Email: ann, For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"none": "/account/email/confirm", "empty": "/account/email/confirm?change=", "garbage": "/account/email/confirm?change=x",
		"of another purpose": "/account/email/confirm?verify=" + secret, "of a reset": "/account/email/confirm?change=" + reset.Link,
		"cut": whole[:len(whole)-1], "twice": whole + "&change=" + secret, "with more": whole + "&x=1", "both": whole + "&verify=" + secret,
		"a NUL": "/account/email/confirm?change=%00", "huge": "/account/email/confirm?change=" + strings.Repeat("x", 5000),
	} {
		if a := b.Get(path); a.Status != http.StatusGone && a.Status != http.StatusRequestURITooLong {
			t.Errorf("%s: status %d", name, a.Status)
		}
		if a := b.Post(strings.ReplaceAll(path, "%00", ""), url.Values{"link": {secret}}); a.Status < 400 {
			t.Errorf("%s, sent without a token: status %d", name, a.Status)
		}
	}
	if len(r.Audit.Named(audit.ConfirmationRefused)) == 0 || r.Refusals.Last().Rule == "" {
		t.Error("refused links are not noted")
	}
	other := r.Browser()
	if a := other.Post(whole, form(b, whole)); a.Status != http.StatusForbidden {
		t.Errorf("the form of another browser: status %d", a.Status)
	}
	f := form(b, whole)
	f.Set("link", reset.Link)
	if a := b.Post(whole, f); a.Status != http.StatusForbidden {
		t.Errorf("the token of another link: status %d", a.Status)
	}
	if a := b.Do(http.MethodPut, whole, nil, nil); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d", a.Status)
	}
	if u := r.person(t); u.Email != ann {
		t.Errorf("the address is %q", u.Email)
	}
}

func TestFiftyRaceForOneLink(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	path := link(t, r.Letters.Last(t, fresh))
	f := form(b, path)
	var won, gone atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch a := b.Post(path, f); a.Status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusGone:
				gone.Add(1)
			default:
				t.Errorf("status %d: %.200s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || gone.Load() != 49 {
		t.Errorf("%d won and %d were late, want 1 and 49", won.Load(), gone.Load())
	}
	changed := 0
	for _, l := range r.Letters.All() {
		if l.Key == "email_changed" {
			changed++
		}
	}
	if n := len(r.Audit.Named(audit.EmailChanged)); n != 1 || changed != 1 {
		t.Errorf("%d events and %d letters, want one each", n, changed)
	}
}

func TestAnAddressIsProven(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	if page := b.Get("/account").Body; !strings.Contains(page, "account-verify") {
		t.Fatal("the overview does not offer it")
	}
	if at := stage.Follow(t, b.Submit("/account", "decision", "verify")); at != "/account/email?done=verify" {
		t.Fatalf("asking led to %q", at)
	}
	letter := r.Letters.Last(t, ann)
	if letter.Key != "email_verify" {
		t.Fatalf("the letter is %q", letter.Key)
	}
	if at := stage.Follow(t, b.Submit("/account/email", "decision", "confirm", "code", letter.Code)); at != "/account?done=verified" {
		t.Errorf("the code led to %q", at)
	}
	if u := r.person(t); !u.EmailVerified || u.Email != ann || len(r.Audit.Named(audit.EmailVerified)) != 1 {
		t.Errorf("the person is %+v", u)
	}
	if page := b.Get("/account").Body; strings.Contains(page, "account-verify") {
		t.Error("it is offered still")
	}
	before := len(r.Letters.All())
	if stage.Follow(t, r.send(t, b, "/account", "decision", "verify")); len(r.Letters.All()) != before {
		t.Error("a proven address is proven again")
	}
}

func TestAProofOfAnotherAddressProvesNothing(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	stage.Follow(t, b.Submit("/account", "decision", "verify"))
	path := link(t, r.Letters.Last(t, ann))
	if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error { u.Email = fresh; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := b.Submit(path); a.Status != http.StatusGone || r.person(t).EmailVerified {
		t.Errorf("status %d, verified %v", a.Status, r.person(t).EmailVerified)
	}
}

func TestDisabledPeopleProveNothing(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	path := link(t, r.Letters.Last(t, fresh))
	if err := r.Users.Disable(ctx, r.ann.ID); err != nil {
		t.Fatal(err)
	}
	if a := r.Browser().Submit(path); a.Status != http.StatusForbidden && a.Status != http.StatusGone {
		t.Errorf("status %d", a.Status)
	}
	if got := r.person(t).Email; got != ann {
		t.Errorf("the address is %q", got)
	}
}

func TestMailsAreLimited(t *testing.T) {
	r := newRig(t, func(d *account.Deps) {
		d.Rules.MailRecipient = limit.Rule{Name: "mail-recipient", Max: 2, Window: time.Hour}
	})
	b := r.signIn(t, ann)
	for range 2 {
		r.ask(t, b, fresh)
	}
	if a := b.Submit("/account/email", "decision", "change", "email", "NEW@example.test"); a.Status != http.StatusTooManyRequests {
		t.Errorf("a third mail to one mailbox: status %d", a.Status)
	}
	for key := range r.Limits.Count("mail-recipient") {
		if strings.Contains(key, "@") {
			t.Errorf("a counter holds an address: %q", key)
		}
	}
}

func TestMailThatCannotBeQueued(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.ask(t, b, fresh)
	path := link(t, r.Letters.Last(t, fresh))
	r.Letters.SetDown(true)
	if a := b.Submit("/account/email", "decision", "change", "email", "other@example.test"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("asking: status %d, want 503", a.Status)
	}
	if a := b.Submit(path); a.Status != http.StatusServiceUnavailable || r.person(t).Email != ann {
		t.Errorf("the link: status %d, address %q; want 503 and no change", a.Status, r.person(t).Email)
	}
	r.Letters.SetDown(false)
	if a := b.Submit(path); a.Status != http.StatusOK || r.person(t).Email != fresh {
		t.Errorf("the link was lost: status %d", a.Status)
	}
}
