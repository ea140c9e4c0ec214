package signup_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/user"
)

func TestTheLinkInTheSameBrowserGoesOnWithTheFlow(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	waits := asked(t, r, b, "prompt=create")
	letter := r.Letters.Last(t, "cleo@example.test")
	link := linkOf(t, letter)
	for range 3 { // a program that looks at the links of mails
		for _, who := range []*stage.Browser{b, r.Browser()} {
			if answer := who.Get(link); answer.Status != http.StatusOK || !strings.Contains(answer.Body, `id="confirm-submit"`) {
				t.Fatalf("the link answers %d", answer.Status)
			}
		}
	}
	if people(t, r) != 0 || b.Cookie(stage.SessionCookie) != "" {
		t.Fatal("security §12.6 looking at the link made an account")
	}
	page := b.Get(link)
	if strings.Contains(page.Body, "another browser") || !strings.Contains(page.Body, "Shop &amp; Co") {
		t.Error("the page does not know the browser that asked")
	}
	at := stage.Follow(t, b.Post("/register/confirm", stage.Hidden(page.Body)))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("after the button: %q, want to be back in the flow", at)
	}
	if at := stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Errorf("then %q", at)
	}
	if u, err := r.Users.ByIdentifier(ctx, "cleo@example.test"); err != nil || !u.EmailVerified {
		t.Errorf("the person is %+v, %v", u, err)
	}
	if answer := b.Get(waits); answer.Status != http.StatusGone || !strings.Contains(answer.Body, "client_id=") {
		t.Errorf("the first tab answers %d, want a page that leads back to the application", answer.Status)
	}
}

func TestTheLinkInAnotherBrowserSignsNobodyIn(t *testing.T) {
	r := stage.NewPages(t)
	b, other := r.Browser(), r.Browser()
	waits := asked(t, r, b, "prompt=create")
	page := other.Get(linkOf(t, r.Letters.Last(t, "cleo@example.test")))
	if !strings.Contains(page.Body, "another browser") || strings.Contains(page.Body, "Shop") {
		t.Error("the page does not warn, or names an application")
	}
	answer := other.Post("/register/confirm", stage.Hidden(page.Body))
	if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "Your address is confirmed") || !strings.Contains(answer.Body, `href="/account"`) {
		t.Errorf("after the button: %d", answer.Status)
	}
	if other.Cookie(stage.SessionCookie) != "" {
		t.Error("a stranger's link signs people in")
	}
	// The first tab: the person says that they followed it.
	body := b.Get(strings.Replace(waits, "/register/confirm", "/login", 1)).Body
	if !strings.Contains(body, `id="login-submit"`) {
		t.Fatal("the first tab does not lead to the sign-in")
	}
	at := stage.Follow(t, b.Submit(strings.Replace(waits, "/register/confirm", "/login", 1), "username", "cleo@example.test", "password", chosen))
	if !stage.IsPage(at, "/consent") {
		t.Errorf("the sign-in leads to %q", at)
	}
}

func TestAFlowThatExpiredCountsAsAnotherBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		b := r.Browser()
		asked(t, r, b, "prompt=create")
		time.Sleep(time.Hour)
		answer := send(b, linkOf(t, r.Letters.Last(t, "cleo@example.test")), nil)
		if answer.Status != http.StatusForbidden && answer.Status != http.StatusOK {
			t.Fatalf("status %d", answer.Status)
		}
		page := b.Get(linkOf(t, r.Letters.Last(t, "cleo@example.test")))
		if answer := b.Post("/register/confirm", stage.Hidden(page.Body)); people(t, r) != 1 || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("status %d, %d accounts; want one, and nobody signed in", answer.Status, people(t, r))
		}
	})
}

// press presses the button behind a link.
func press(b *stage.Browser, link string) stage.Answer {
	return b.Post("/register/confirm", stage.Hidden(b.Get(link).Body))
}

func TestFiftyProofsMakeOneAccount(t *testing.T) {
	const racers = 50
	for name, prepare := range map[string]func(t *testing.T, r *stage.Pages, b *stage.Browser, at string, l stage.Queued) func() stage.Answer{
		"by code": func(_ *testing.T, _ *stage.Pages, b *stage.Browser, at string, l stage.Queued) func() stage.Answer {
			form := stage.Hidden(b.Get(at).Body)
			form.Set("code", l.Code)
			return func() stage.Answer { return b.Post(at, form) }
		},
		"by link": func(t *testing.T, _ *stage.Pages, b *stage.Browser, _ string, l stage.Queued) func() stage.Answer {
			form := stage.Hidden(b.Get(linkOf(t, l)).Body)
			return func() stage.Answer { return b.Post("/register/confirm", form) }
		},
		"by link in other browsers": func(t *testing.T, r *stage.Pages, _ *stage.Browser, _ string, l stage.Queued) func() stage.Answer {
			presses := make(chan func() stage.Answer, racers)
			for range racers {
				other := r.Browser()
				form := stage.Hidden(other.Get(linkOf(t, l)).Body)
				presses <- func() stage.Answer { return other.Post("/register/confirm", form) }
			}
			return func() stage.Answer { return (<-presses)() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := stage.NewPages(t)
			r.Signup.Rules.Code.Max = racers
			b := r.Browser()
			at := asked(t, r, b, "prompt=create")
			one := prepare(t, r, b, at, r.Letters.Last(t, "cleo@example.test"))
			var won atomic.Int32
			var wg sync.WaitGroup
			for range racers {
				wg.Go(func() {
					switch a := one(); a.Status {
					case http.StatusOK, http.StatusSeeOther:
						won.Add(1)
					case http.StatusGone, http.StatusConflict:
					default:
						t.Errorf("a loser got %d: %.200s", a.Status, a.Body)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || people(t, r) != 1 || len(r.Audit.Named(audit.UserRegistered)) != 1 {
				t.Errorf("%d of %d won and %d accounts were made, want one", won.Load(), racers, people(t, r))
			}
		})
	}
}

func TestProofsThatDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		foreign, err := r.Confirmations.Ask(ctx, confirm.Ask{Purpose: confirm.ResetPassword, Email: "cleo@example.test", For: time.Hour, Code: true})
		if err != nil {
			t.Fatal(err)
		}
		b := r.Browser()
		at := asked(t, r, b, "prompt=create")
		first := r.Letters.Last(t, "cleo@example.test")
		if answer := send(b, at, url.Values{"decision": {"again"}}); !strings.Contains(answer.Body, "Another message is on its way") {
			t.Errorf("sending again answers %d", answer.Status)
		}
		second := r.Letters.Last(t, "cleo@example.test")
		if first.Code == second.Code || first.URL == second.URL {
			t.Fatal("the second letter has the secrets of the first")
		}
		used := r.Browser()
		asked(t, r, used, "prompt=create", "email", "dora@example.test")
		spent := r.Letters.Last(t, "dora@example.test")
		press(r.Browser(), linkOf(t, spent))
		if people(t, r) != 1 {
			t.Fatal("the link to be spent made no account")
		}
		for name, link := range map[string]string{
			"nothing":           "/register/confirm?link=",
			"garbage":           "/register/confirm?link=%00%ff",
			"unknown":           "/register/confirm?link=" + secret.New(secret.ConfirmLink),
			"of another kind":   "/register/confirm?link=" + secret.New(secret.RefreshToken),
			"twice":             linkOf(t, second) + "&link=x",
			"another purpose":   "/register/confirm?link=" + foreign.Link,
			"replaced":          linkOf(t, first),
			"spent":             linkOf(t, spent),
			"an id, not a link": "/register/confirm?link=" + foreign.ID,
		} {
			before := len(r.Audit.Named(audit.ConfirmationRefused))
			answer := r.Browser().Get(link)
			if answer.Status != http.StatusGone || !strings.Contains(answer.Body, `href="/account"`) || !strings.Contains(answer.Body, `href="/register"`) {
				t.Errorf("%s: status %d, want 410 and two ways on", name, answer.Status)
			}
			if len(r.Audit.Named(audit.ConfirmationRefused)) != before+1 || r.Refusals.Last().Rule == "" {
				t.Errorf("%s: not audited, or without a rule", name)
			}
		}
		form := stage.Hidden(r.Browser().Get(linkOf(t, second)).Body)
		if answer := r.Browser().Post("/register/confirm", form); answer.Status != http.StatusForbidden {
			t.Errorf("ASVS 3.5.1 another browser's form: status %d, want 403", answer.Status)
		}
		for name, code := range map[string]string{"of the first letter": first.Code, "of another purpose": foreign.Code, "of another person": spent.Code, "garbage": "\u202e12"} {
			answer := send(b, at, url.Values{"code": {code}})
			if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "not the code of the message") {
				t.Errorf("the code %s: status %d", name, answer.Status)
			}
		}
		time.Sleep(25 * time.Minute)
		if answer := b.Get(at); answer.Status != http.StatusOK {
			t.Errorf("after 25 minutes: %d", answer.Status)
		}
		late := r.Browser()
		time.Sleep(24 * time.Hour)
		if answer := late.Get(linkOf(t, second)); answer.Status != http.StatusGone {
			t.Errorf("a link of yesterday: status %d, want 410", answer.Status)
		}
		if people(t, r) != 1 {
			t.Errorf("%d accounts", people(t, r))
		}
	})
}

func TestAnAccountThatWasMadeMeanwhile(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := asked(t, r, b, "prompt=create")
	letter := r.Letters.Last(t, "cleo@example.test")
	made := r.Person(t, "CLEO@example.test")
	for name, answer := range map[string]stage.Answer{
		"the code":                     send(b, at, url.Values{"code": {letter.Code}}),
		"the link":                     press(b, linkOf(t, letter)),
		"the link, in another browser": press(r.Browser(), linkOf(t, letter)),
	} {
		if answer.Status != http.StatusConflict || !strings.Contains(answer.Body, "There is an account with this address") {
			t.Errorf("%s: status %d, want a page that leads to the sign-in", name, answer.Status)
		}
	}
	if b.Cookie(stage.SessionCookie) != "" {
		t.Error("somebody is signed in to the account of another")
	}
	if right, err := r.Passwords.Verify(ctx, made.ID, stage.Password); err != nil || !right || people(t, r) != 1 {
		t.Error("the other account was changed")
	}
}

func TestAUsernameThatIsTakenIsAskedForAfterTheProof(t *testing.T) {
	for name, byLink := range map[string]bool{"by code": false, "by link": true} {
		t.Run(name, func(t *testing.T) {
			r := stage.NewPages(t)
			r.Signup.Config.Username = signup.Required
			if _, err := r.Users.Create(ctx, user.User{Username: "cleo1"}, nil); err != nil {
				t.Fatal(err)
			}
			b := r.Browser()
			// The form does not tell that the name is taken.
			at := asked(t, r, b, "prompt=create", "username", "Cleo1")
			letter := r.Letters.Last(t, "cleo@example.test")
			answer := stage.Answer{}
			if byLink {
				answer = press(b, linkOf(t, letter))
				at = "/register/confirm"
			} else {
				answer = send(b, at, url.Values{"code": {letter.Code}})
			}
			if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "Somebody else has this username") {
				t.Fatalf("status %d, want to be asked for another username", answer.Status)
			}
			if people(t, r) != 1 || b.Cookie(stage.SessionCookie) != "" {
				t.Fatal("somebody was made or signed in")
			}
			next := stage.Hidden(answer.Body)
			for typed, says := range map[string]string{"admin": "cannot be chosen", "сleo": "letters of one script", "CLEO1": "Somebody else has this username"} {
				next.Set("username", typed)
				if answer := b.Post(at, next); !strings.Contains(answer.Body, says) {
					t.Errorf("%q: status %d, want %q", typed, answer.Status, says)
				}
			}
			if !byLink {
				forged := url.Values{"proven": {"x"}, "username": {"cleo2"}, "form_token": next["form_token"]}
				if answer := b.Post(at, forged); answer.Status != http.StatusForbidden {
					t.Errorf("without the right code: status %d, want 403", answer.Status)
				}
			}
			next.Set("username", "cleo2")
			if at := stage.Follow(t, b.Post(at, next)); !stage.IsPage(at, "/consent") {
				t.Errorf("then %q", at)
			}
			if u, err := r.Users.ByIdentifier(ctx, "cleo2"); err != nil || u.Email != "cleo@example.test" {
				t.Errorf("the person is %+v, %v", u, err)
			}
		})
	}
}

func TestThePresenceOfAUsername(t *testing.T) {
	for presence, wants := range map[signup.Presence]string{signup.Off: "", signup.Optional: "", signup.Required: "Enter a username"} {
		r := stage.NewPages(t)
		r.Signup.Config.Username = presence
		b := r.Browser()
		at := r.Begin(t, b, "prompt=create")
		if has := strings.Contains(b.Get(at).Body, `id="username"`); has != (presence != signup.Off) {
			t.Errorf("%s: the form has the field: %v", presence, has)
		}
		if answer := send(b, at, good("username", " ")); wants == "" && answer.Status != http.StatusSeeOther || !strings.Contains(answer.Body, wants) {
			t.Errorf("%s: without one: status %d", presence, answer.Status)
		}
	}
}

func TestAnotherAddress(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := asked(t, r, b, "prompt=create", "email", "wrong@example.test")
	form := strings.Replace(at, "/register/confirm", "/register", 1)
	if !strings.Contains(b.Get(at).Body, `href="`+form+`"`) {
		t.Error("the page offers no other address")
	}
	again := stage.Follow(t, send(b, form, good()))
	if again != at || !strings.Contains(b.Get(at).Body, "cleo@example.test") {
		t.Errorf("the other address leads to %q", again)
	}
	if answer := send(b, at, url.Values{"code": {r.Letters.Last(t, "wrong@example.test").Code}}); !strings.Contains(answer.Body, "not the code") {
		t.Errorf("the code of the first address: status %d", answer.Status)
	}
	stage.Follow(t, send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}}))
	if _, err := r.Users.ByIdentifier(ctx, "wrong@example.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the first address has an account: %v", err)
	}
}

func TestTheProofPageOfAFlowThatWaitsForNone(t *testing.T) {
	r := stage.NewPages(t)
	b := r.Browser()
	at := strings.Replace(r.Begin(t, b, ""), "/login", "/register/confirm", 1)
	if next := stage.Follow(t, b.Get(at)); !stage.IsPage(next, "/login") {
		t.Errorf("it leads to %q, want the step that is missing", next)
	}
	if answer := b.Get("/register/confirm"); answer.Status != http.StatusNotFound {
		t.Errorf("without a flow: status %d, want 404", answer.Status)
	}
	if answer := b.Post(at, url.Values{"code": {"1234 5678"}}); answer.Status != http.StatusForbidden {
		t.Errorf("without a form token: status %d, want 403", answer.Status)
	}
}
