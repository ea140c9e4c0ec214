package recovery_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

var ctx = context.Background()

const (
	fresh = "a password of four words" // the new one
	sent  = "Look into your mailbox"
	over  = "This link does not work any more"
	done  = "Your password is changed"
)

// bubble runs a test on a stage with its pages, in fake time.
func bubble(t *testing.T, run func(t *testing.T, r *stage.Pages)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, stage.NewPages(t)) })
}

// forget asks for a link in a new browser and returns it: a local path.
func forget(t *testing.T, r *stage.Pages, email string) string {
	t.Helper()
	if answer := r.Browser().Submit("/recover", "username", email); answer.Status != http.StatusOK || !strings.Contains(answer.Body, sent) {
		t.Fatalf("asking: status %d, body %.400s", answer.Status, answer.Body)
	}
	return path(t, r, email)
}

// path returns the link of the last letter to the address.
func path(t *testing.T, r *stage.Pages, email string) string {
	t.Helper()
	letter := r.Letters.Last(t, email)
	local, ok := strings.CutPrefix(letter.URL, stage.Issuer)
	if !ok || letter.Key != "reset" || !strings.HasPrefix(local, "/recover/reset?link=ptl_") {
		t.Fatalf("the letter is %s and leads to %q", letter.Key, letter.URL)
	}
	return local
}

// follow opens a link in the browser and returns the page of the form.
func follow(t *testing.T, b *stage.Browser, link string) string {
	t.Helper()
	at := stage.Follow(t, b.Get(link))
	if at != "/recover/reset" {
		t.Fatalf("the link leads to %q", at)
	}
	return at
}

// opens reports whether the person signs in with the password.
func opens(t *testing.T, r *stage.Pages, u *user.User, plain string) bool {
	t.Helper()
	right, err := r.Passwords.Verify(ctx, u.ID, plain)
	if err != nil {
		t.Fatal(err)
	}
	return right
}

func TestAForgottenPassword(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		elsewhere, _, err := r.Sessions.Start(ctx, session.Start{UserID: ann.ID})
		if err != nil {
			t.Fatal(err)
		}
		b := r.Browser()
		login := r.Begin(t, b, "")
		flow := strings.TrimPrefix(login, "/login")
		if !strings.Contains(b.Get(login).Body, `href="/recover`+flow+`"`) {
			t.Fatal("the login page does not offer to recover")
		}
		answer := b.Submit("/recover"+flow, "username", " ANN@example.test ")
		if answer.Status != http.StatusOK || !strings.Contains(answer.Body, sent) || !strings.Contains(answer.Body, "30 minutes") {
			t.Fatalf("asking: status %d, body %.500s", answer.Status, answer.Body)
		}
		letter := r.Letters.Last(t, "ann@example.test")
		if letter.To.UserID != ann.ID || len(letter.Facts) == 0 || len(r.Letters.All()) != 1 {
			t.Errorf("the letter is %+v", letter)
		}
		link := path(t, r, "ann@example.test")
		token := strings.TrimPrefix(link, "/recover/reset?link=")

		at := follow(t, b, link)
		page := b.Get(at)
		if strings.Contains(page.Body, token) || !strings.Contains(page.Body, `autocomplete="username" value="ann@example.test" readonly`) ||
			!strings.Contains(page.Body, `autocomplete="new-password"`) || page.Header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("the form holds the link, or lacks a field: %s", page.Body)
		}
		answer = b.Submit(at, "password", fresh)
		if answer.Status != http.StatusOK || !strings.Contains(answer.Body, done) {
			t.Fatalf("choosing: status %d, body %.500s", answer.Status, answer.Body)
		}
		if b.Cookie(stage.SessionCookie) != "" || b.Cookie(stage.LinkCookie) != "" {
			t.Error("the link signs in, or stays in the browser")
		}
		if opens(t, r, ann, stage.Password) || !opens(t, r, ann, fresh) {
			t.Error("want the old password dead and the new one alive")
		}
		if found, err := r.Sessions.FromToken(ctx, elsewhere); found != nil || err != nil {
			t.Errorf("an old session is %v, %v", found, err)
		}
		if u, err := r.Users.Get(ctx, ann.ID); err != nil || !u.EmailVerified {
			t.Errorf("the mailbox is not proven: %+v, %v", u, err)
		}
		if told := r.Letters.Last(t, "ann@example.test"); told.Key != "password_changed" || told.URL != stage.Issuer+"/account" {
			t.Errorf("the owner is told %+v", told.Letter)
		}
		if !strings.Contains(answer.Body, `href="`+login+`"`) {
			t.Errorf("the way back into the sign-in is missing: %s", answer.Body)
		}
		if at := stage.Follow(t, b.Submit(login, "username", "ann@example.test", "password", fresh)); !stage.IsPage(at, "/consent") {
			t.Errorf("the new password leads to %q", at)
		}
		for name, n := range map[audit.Name]int{
			audit.PasswordResetAsked: 1, audit.PasswordReset: 1, audit.EmailVerified: 1, audit.ConfirmationRefused: 0,
		} {
			if events := r.Audit.Named(name); len(events) != n || n > 0 && events[0].UserID != ann.ID {
				t.Errorf("audit has %+v, want %d of %s", events, n, name)
			}
		}
		kept := r.Log.String() + storagetest.Dump(t, r.Durable)
		for what, secret := range map[string]string{"the link": token, "its body": token[4:47], "the password": fresh} {
			if strings.Contains(kept, secret) {
				t.Errorf("log or database hold %s", what)
			}
		}
		if strings.Contains(r.Log.String(), "ann@example.test") {
			t.Error("the log holds the address")
		}
	})
}

func TestRecoveryWithoutASignIn(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "ann@example.test")
		b := r.Browser()
		if answer := b.Submit("/recover?flow=ptf_nonsense", "username", "ann@example.test"); !strings.Contains(answer.Body, sent) {
			t.Fatalf("a flow that nobody knows: status %d", answer.Status)
		}
		answer := b.Submit(follow(t, b, path(t, r, "ann@example.test")), "password", fresh)
		if !strings.Contains(answer.Body, done) || !strings.Contains(answer.Body, `href="/account"`) {
			t.Errorf("it does not lead to the account: %s", answer.Body)
		}
	})
}

// The mail may be read on another device than the one that asked.
func TestALinkOpensInAnotherBrowser(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		b := r.Browser()
		flow := strings.TrimPrefix(r.Begin(t, b, ""), "/login")
		b.Submit("/recover"+flow, "username", "ann@example.test")
		phone := r.Browser()
		answer := phone.Submit(follow(t, phone, path(t, r, "ann@example.test")), "password", fresh)
		if !strings.Contains(answer.Body, done) || !opens(t, r, ann, fresh) {
			t.Fatalf("status %d", answer.Status)
		}
		if strings.Contains(answer.Body, flow) || !strings.Contains(answer.Body, `href="/account"`) {
			t.Error("the page leads into the flow of another browser")
		}
	})
}

func TestRecoveringTellsNobodyWhoIsThere(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "ann@example.test")
		gone := r.Person(t, "disabled@example.test")
		if err := r.Users.Disable(ctx, gone.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Users.Create(ctx, user.User{Username: "ben"}, nil); err != nil {
			t.Fatal(err)
		}
		for range limit.Standard().MailRecipient.Max { // nobody has it, and it is counted alike
			r.Browser().Submit("/recover", "username", "crowded@example.test")
		}
		r.Person(t, "crowded@example.test")
		tries := 0
		try := func(typed string) (string, time.Duration) {
			tries++ // each from its own address: answers tell how that one fares
			b := &stage.Browser{Handler: r.Handler, Address: fmt.Sprintf("198.51.100.%d:1", tries)}
			form := stage.Hidden(b.Get("/recover").Body)
			form.Set("username", typed)
			started := time.Now()
			answer := b.Post("/recover", form)
			answer.Header.Del("RateLimit") // both tell the time
			answer.Header.Del("RateLimit-Reset")
			return stage.Alike(answer, typed), time.Since(started)
		}
		want, took := try("ann@example.test")
		if !strings.Contains(want, sent) || len(r.Letters.All()) != 1 {
			t.Fatalf("%d letters; answer %.300s", len(r.Letters.All()), want)
		}
		for name, typed := range map[string]string{
			"nobody":             "nobody@example.test",
			"a disabled person":  "disabled@example.test",
			"one without a mail": "ben",
			"one with too many":  "crowded@example.test",
			"a homograph":        "\u0430nn@example.test", // Cyrillic
			"no address at all":  "'; DROP TABLE users; --",
			"a wildcard":         "%",
		} {
			got, taken := try(typed)
			if got != want {
				t.Errorf("ASVS 6.3.8 %s gets\n%s\nwant\n%s", name, got, want)
			}
			// In fake time work takes none: what is left is the least time.
			if taken != took || taken < 100*time.Millisecond {
				t.Errorf("%s takes %v, somebody %v; want the same, longer than the work", name, taken, took)
			}
			if r.Refusals.Last().Rule == "" || r.Refusals.Last().Code != "recovery_unsent" {
				t.Errorf("%s: the operator is told %+v", name, r.Refusals.Last())
			}
		}
		if n := len(r.Letters.All()); n != 1 {
			t.Errorf("%d letters left, want 1", n)
		}
		if strings.Contains(storagetest.Dump(t, r.Durable), "nobody@example.test") {
			t.Error("what was typed is kept")
		}
	})
}

// However a name is typed, the letter goes to the address that the account
// has: an address that only looks the same may be a stranger's.
func TestTheLetterGoesToTheAddressOfTheAccount(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "Ann@Example.test")
		for i, typed := range []string{"ann@example.test", "ANN@EXAMPLE.TEST", "\uff41\uff4e\uff4e@example.test", "\u00a0ann@example.test\t"} {
			r.Browser().Submit("/recover", "username", typed)
			all := r.Letters.All()
			if len(all) != i+1 || all[i].To.Email != "Ann@Example.test" {
				t.Fatalf("%q: the letters are %+v", typed, all)
			}
		}
	})
}

func TestRefusedRecoveries(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "ann@example.test")
		for name, tt := range map[string]struct {
			typed, says string
			status      int
		}{
			"missing":            {"", "Enter your email", http.StatusOK},
			"blanks":             {" \t ", "Enter your email", http.StatusOK},
			"long":               {strings.Repeat("x", 321), "cannot be read", http.StatusOK},
			"huge":               {strings.Repeat("x", 1<<20), "more than we can take", http.StatusRequestEntityTooLarge},
			"control characters": {"ann@example.test\x1b[2J", "cannot be read", http.StatusOK},
			"a hidden header":    {"ann@example.test\r\nBcc: eve@example.test", "cannot be read", http.StatusOK},
			"a NUL":              {"ann@example.test\x00", "cannot continue", http.StatusBadRequest},
			"not UTF-8":          {"ann\xff@example.test", "cannot continue", http.StatusBadRequest},
		} {
			answer := r.Browser().Submit("/recover", "username", tt.typed)
			if answer.Status != tt.status || !strings.Contains(answer.Body, tt.says) {
				t.Errorf("%s: status %d, want %d saying %q", name, answer.Status, tt.status, tt.says)
			}
		}
		for name, tt := range map[string]struct {
			send   func(b *stage.Browser) stage.Answer
			status int
		}{
			"ASVS 3.5.1 no form token": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden("")
				form.Set("username", "ann@example.test")
				b.Get("/recover")
				return b.Post("/recover", form)
			}, http.StatusForbidden},
			"the token of another form": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden(b.Get(r.Begin(t, b, "")).Body)
				form.Set("username", "ann@example.test")
				return b.Post("/recover", form)
			}, http.StatusForbidden},
			"the token of another flow": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden(b.Get("/recover").Body)
				form.Set("username", "ann@example.test")
				return b.Post("/recover"+strings.TrimPrefix(r.Begin(t, b, ""), "/login"), form)
			}, http.StatusForbidden},
			"another browser": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden(r.Browser().Get("/recover").Body)
				form.Set("username", "ann@example.test")
				b.Get("/recover")
				return b.Post("/recover", form)
			}, http.StatusForbidden},
			"another website": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden(b.Get("/recover").Body)
				form.Set("username", "ann@example.test")
				return b.Do(http.MethodPost, "/recover", form, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
			}, http.StatusForbidden},
			"the name twice": {func(b *stage.Browser) stage.Answer {
				form := stage.Hidden(b.Get("/recover").Body)
				form["username"] = []string{"ann@example.test", "ann@example.test"}
				return b.Post("/recover", form)
			}, http.StatusBadRequest},
			"by GET": {func(b *stage.Browser) stage.Answer {
				return b.Get("/recover?username=ann@example.test&form_token=" + stage.Hidden(b.Get("/recover").Body).Get("form_token"))
			}, http.StatusOK},
			"by PUT": {func(b *stage.Browser) stage.Answer {
				return b.Do(http.MethodPut, "/recover", nil, http.Header{"Origin": {stage.Issuer}})
			}, http.StatusMethodNotAllowed},
		} {
			if answer := tt.send(r.Browser()); answer.Status != tt.status || strings.Contains(answer.Body, sent) {
				t.Errorf("%s: status %d, want %d", name, answer.Status, tt.status)
			}
		}
		if n := len(r.Letters.All()); n != 0 {
			t.Errorf("refused forms sent %d letters", n)
		}
	})
}

func TestRecoveriesAreBounded(t *testing.T) {
	t.Run("mails that one address causes, with the time to wait", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *stage.Pages) {
			most := limit.Standard().MailAddress.Max
			for i := range most + 1 {
				answer := r.Browser().Submit("/recover", "username", strings.Repeat("x", i+1)+"@example.test")
				if (answer.Status == http.StatusTooManyRequests) != (i == most) {
					t.Fatalf("form %d: status %d", i+1, answer.Status)
				}
				if i == most && answer.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			other := &stage.Browser{Handler: r.Handler, Address: "198.51.100.9:1"}
			if answer := other.Submit("/recover", "username", "ann@example.test"); answer.Status != http.StatusOK {
				t.Errorf("another address: status %d", answer.Status)
			}
		})
	})
	t.Run("forms and refused links of one address", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *stage.Pages) {
			most := limit.Standard().RecoveryAddress.Max
			for i := range most + 1 {
				answer := r.Browser().Get("/recover/reset?link=guess")
				want := http.StatusGone
				if i == most {
					want = http.StatusTooManyRequests
				}
				if answer.Status != want {
					t.Fatalf("guess %d: status %d, want %d", i+1, answer.Status, want)
				}
			}
			if answer := r.Browser().Submit("/recover", "username", "ann@example.test"); answer.Status != http.StatusTooManyRequests {
				t.Errorf("then a form: status %d", answer.Status)
			}
		})
	})
	t.Run("mails to one mailbox, by whatever name and from wherever, in silence", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *stage.Pages) {
			if _, err := r.Users.Create(ctx, user.User{Email: "ann@example.test", Username: "ann"}, nil); err != nil {
				t.Fatal(err)
			}
			most := limit.Standard().MailRecipient.Max
			for i := range most + 5 {
				b := &stage.Browser{Handler: r.Handler, Address: []string{"192.0.2.1:1", "198.51.100.9:1"}[i%2]}
				typed := []string{"ann", "Ann@example.test", "ANN"}[i%3]
				if answer := b.Submit("/recover", "username", typed); answer.Status != http.StatusOK || !strings.Contains(answer.Body, sent) {
					t.Fatalf("form %d: status %d", i+1, answer.Status)
				}
			}
			if n := len(r.Letters.All()); n != most {
				t.Errorf("%d letters, want %d", n, most)
			}
			time.Sleep(limit.Standard().MailRecipient.Window + time.Second)
			forget(t, r, "ann@example.test")
		})
	})
}

func TestWithoutMailNobodyRecovers(t *testing.T) {
	r := stage.NewPages(t)
	pages := recovery.New(recovery.Deps{Kit: r.Kit, Opener: r.Opener})
	b := &stage.Browser{Handler: r.Kit.Outer(r.Kit.Pages(pages.Recover))}
	for _, answer := range []stage.Answer{b.Get("/recover"), b.Post("/recover", stage.Hidden(""))} {
		if answer.Status != http.StatusNotFound {
			t.Errorf("status %d, want 404", answer.Status)
		}
	}
	if r.Refusals.Last().Hint == "" || r.Refusals.Last().Rule == "" {
		t.Errorf("the operator is told %+v", r.Refusals.Last())
	}
}

func TestAnOutageChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		r.Letters.SetDown(true)
		answer := r.Browser().Submit("/recover", "username", "ann@example.test")
		if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || strings.Contains(answer.Body, sent) {
			t.Errorf("without an outbox: status %d", answer.Status)
		}
		if dump := storagetest.Dump(t, r.Durable); strings.Contains(dump, "confirmations.") {
			t.Error("a link was made that nobody got")
		}
		r.Letters.SetDown(false)
		link := forget(t, r, "ann@example.test")
		b := r.Browser()
		at := follow(t, b, link)
		for name, set := range map[string]func(bool){"the outbox": r.Letters.SetDown, "the counters": r.Limits.SetDown} {
			set(true)
			form := stage.Hidden(`<input type="hidden" name="form_token" value="` + stage.Hidden(b.Get(at).Body).Get("form_token") + `">`)
			form.Set("password", fresh)
			if answer := b.Post(at, form); answer.Status != http.StatusServiceUnavailable {
				t.Errorf("without %s: status %d, want 503", name, answer.Status)
			}
			set(false)
			if !opens(t, r, ann, stage.Password) || opens(t, r, ann, fresh) {
				t.Errorf("without %s the password changed", name)
			}
		}
		if answer := b.Submit(at, "password", fresh); !strings.Contains(answer.Body, done) {
			t.Errorf("afterwards: status %d: the link was spent by what did not happen", answer.Status)
		}
	})
}
