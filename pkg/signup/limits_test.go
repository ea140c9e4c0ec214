package signup_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// tooMany checks that an answer is the page once more, and says how long to
// wait.
func tooMany(t *testing.T, what string, r *stage.Pages, a stage.Answer) {
	t.Helper()
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, "Too many attempts") {
		t.Errorf("%s: status %d, Retry-After %q; want the page to say when to come back", what, a.Status, a.Header.Get("Retry-After"))
	}
	if r.Refusals.Last().Rule == "" || len(r.Audit.Named(audit.LimitExceeded)) == 0 {
		t.Errorf("%s: nobody can explain it", what)
	}
}

func TestFormsPerAddressAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, rule := range map[string]func(*limit.Rules) *limit.Rule{
			"forms": func(r *limit.Rules) *limit.Rule { return &r.SignupAddress },
			"mails": func(r *limit.Rules) *limit.Rule { return &r.MailAddress },
		} {
			r := stage.NewPages(t)
			rule(&r.Signup.Rules).Max = 3
			for i := range 4 {
				b := r.Browser()
				answer := send(b, r.Begin(t, b, "prompt=create"), good("email", strconv.Itoa(i)+"@x.test"))
				if i < 3 && answer.Status != http.StatusSeeOther {
					t.Fatalf("%s: form %d: status %d", name, i+1, answer.Status)
				} else if i == 3 {
					tooMany(t, name, r, answer)
					if !strings.Contains(answer.Body, "3@x.test") || strings.Contains(answer.Body, chosen) {
						t.Errorf("%s: want what was entered, without the password", name)
					}
				}
			}
			elsewhere := r.Browser()
			elsewhere.Address = "198.51.100.7:1"
			if answer := send(elsewhere, r.Begin(t, elsewhere, "prompt=create"), good()); answer.Status != http.StatusSeeOther {
				t.Errorf("%s: another address: status %d", name, answer.Status)
			}
			if n := len(r.Letters.All()); n != 4 {
				t.Errorf("%s: %d letters, want 4", name, n)
			}
			time.Sleep(16 * time.Minute)
			b := r.Browser()
			if answer := send(b, r.Begin(t, b, "prompt=create"), good("email", "later@x.test")); answer.Status != http.StatusSeeOther {
				t.Errorf("%s: later: status %d", name, answer.Status)
			}
		}
	})
}

func TestMailsOnceMoreAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		r.Signup.Rules.MailAddress.Max = 2
		b := r.Browser()
		at := asked(t, r, b, "prompt=create")
		if answer := send(b, at, url.Values{"decision": {"again"}}); answer.Status != http.StatusOK {
			t.Fatalf("once more: status %d", answer.Status)
		}
		tooMany(t, "twice more", r, send(b, at, url.Values{"decision": {"again"}}))
		if answer := send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}}); answer.Status != http.StatusSeeOther {
			t.Errorf("the code of the last letter: status %d", answer.Status)
		}
	})
}

// TestARecipientIsSpared: what one mailbox gets is bounded however many
// browsers ask, and none of them is told.
func TestARecipientIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		for _, email := range []string{"cleo@example.test", "ann@example.test"} {
			var first, last stage.Answer
			for i := range 14 {
				b := r.Browser()
				b.Address = "198.51.100." + strconv.Itoa(i+1) + ":1"
				spelling := email
				if i%2 == 1 {
					spelling = strings.ToUpper(email)
				}
				at := asked(t, r, b, "prompt=create", "email", spelling)
				last = b.Get(at)
				if i == 0 {
					first = last
					again := send(b, at, url.Values{"decision": {"again"}})
					if !strings.Contains(again.Body, "Another message is on its way") {
						t.Errorf("%s: sending again: %d", email, again.Status)
					}
				}
				if i == 13 {
					if again := send(b, at, url.Values{"decision": {"again"}}); !strings.Contains(again.Body, "Another message is on its way") {
						t.Errorf("%s: the page tells that others asked: %d", email, again.Status)
					}
				}
			}
			if alike(first, email) != alike(last, strings.ToUpper(email)) {
				t.Errorf("%s: the page tells that others asked", email)
			}
			n := 0
			for _, l := range r.Letters.All() {
				if strings.EqualFold(l.To.Email, email) {
					n++
				}
			}
			if n != 10 {
				t.Errorf("%s got %d letters, want 10", email, n)
			}
		}
	})
}

func TestCodesPerMailboxAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		wrong := func(b *stage.Browser, at string) stage.Answer { return send(b, at, url.Values{"code": {"0000 000x"}}) }
		var b *stage.Browser
		var at string
		for i := range 10 { // of several proofs: each bears five
			if i%4 == 0 {
				b = r.Browser()
				at = asked(t, r, b, "prompt=create")
			}
			if answer := wrong(b, at); answer.Status != http.StatusOK || !strings.Contains(answer.Body, "not the code") {
				t.Fatalf("wrong code %d: status %d", i+1, answer.Status)
			}
		}
		tooMany(t, "the eleventh", r, wrong(b, at))
		letter := r.Letters.Last(t, "cleo@example.test")
		tooMany(t, "even the right one", r, send(b, at, url.Values{"code": {letter.Code}}))
		other := r.Browser()
		if answer := wrong(other, asked(t, r, other, "prompt=create", "email", "dora@example.test")); answer.Status != http.StatusOK {
			t.Errorf("another mailbox: status %d", answer.Status)
		}
		time.Sleep(16 * time.Minute)
		if answer := send(b, at, url.Values{"code": {letter.Code}}); answer.Status != http.StatusSeeOther {
			t.Errorf("later: status %d", answer.Status)
		}
		if counts := r.Limits.Count("code"); len(counts) == 0 {
			t.Error("nothing was counted")
		} else {
			for key := range counts {
				if strings.Contains(key, "example.test") {
					t.Errorf("the counter %q holds the address", key)
				}
			}
		}
	})
}

func TestAProofBearsFiveCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		b := r.Browser()
		at := asked(t, r, b, "prompt=create")
		letter := r.Letters.Last(t, "cleo@example.test")
		for range 5 {
			send(b, at, url.Values{"code": {"0000 000x"}})
		}
		answer := send(b, at, url.Values{"code": {letter.Code}})
		if answer.Status != http.StatusGone || !strings.Contains(answer.Body, strings.Replace(at, "/register/confirm", "/register", 1)) {
			t.Errorf("the sixth: status %d, want 410 and a way to begin again", answer.Status)
		}
		if n := people(t, r); n != 0 {
			t.Errorf("%d accounts", n)
		}
		if answer := press(b, linkOf(t, letter)); answer.Status != http.StatusSeeOther {
			t.Errorf("the link of the same letter: status %d; nobody guesses it", answer.Status)
		}
	})
}
