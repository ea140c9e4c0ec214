package recovery_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// wantOver checks that a link opened nothing, and that every such answer is
// the same.
func wantOver(t *testing.T, what string, answer stage.Answer) {
	t.Helper()
	if answer.Status != http.StatusGone || !strings.Contains(answer.Body, over) || !strings.Contains(answer.Body, `href="/recover"`) {
		t.Errorf("%s: status %d, want 410 with a way to ask anew; body %.300s", what, answer.Status, answer.Body)
	}
}

func TestLinksThatOpenNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		replaced := forget(t, r, "ann@example.test")
		good := forget(t, r, "ann@example.test")
		foreign := func(p confirm.Purpose) string {
			asked, err := r.Confirmations.Ask(ctx, confirm.Ask{Purpose: p, UserID: ann.ID, Email: ann.Email, For: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			return asked.Link
		}
		token := strings.TrimPrefix(good, "/recover/reset?link=")
		for name, link := range map[string]string{
			"empty":                        "",
			"garbage":                      "garbage",
			"made up":                      secret.New(secret.ConfirmLink),
			"cut":                          token[:len(token)-1],
			"of an address to verify":      foreign(confirm.VerifyEmail),
			"of another address":           foreign(confirm.ChangeEmail),
			"of an invitation":             foreign(confirm.Invitation),
			"a session":                    secret.New(secret.SessionCookie),
			"a NUL":                        token + "\x00",
			"control characters":           token + "\r\nSet-Cookie: a=b",
			"a look-alike":                 strings.Replace(token, "p", "\u0440", 1), // Cyrillic
			"long":                         strings.Repeat("x", 3000),
			"with what belongs to nothing": token + "&",
		} {
			b := r.Browser()
			answer := b.Get("/recover/reset?link=" + url.QueryEscape(link))
			wantOver(t, "a link that is "+name, answer)
			if b.Cookie(stage.LinkCookie) != "" {
				t.Errorf("a link that is %s is kept in the browser", name)
			}
			if f := r.Refusals.Last(); f.Code != "link_over" || f.Rule == "" || strings.Contains(f.Error(), token) {
				t.Errorf("a link that is %s: the operator is told %+v", name, f)
			}
		}
		wantOver(t, "a replaced link", r.Browser().Get(replaced))
		wantOver(t, "a link twice", r.Browser().Get(good+"&link="+token))
		wantOver(t, "no link", r.Browser().Get("/recover/reset"))
		events := r.Audit.Named(audit.ConfirmationRefused)
		if len(events) == 0 || events[0].Data["purpose"] != "reset_password" || events[0].Data["reason"] == "" {
			t.Errorf("audit has %+v", events)
		}
		b := r.Browser()
		if answer := b.Submit(follow(t, b, good), "password", fresh); !strings.Contains(answer.Body, done) {
			t.Errorf("after all that the good link: status %d", answer.Status)
		}
		wantOver(t, "a spent link", r.Browser().Get(good))
		if opens(t, r, ann, stage.Password) || !opens(t, r, ann, fresh) {
			t.Error("want the new password alone")
		}
	})
}

// A link is as good as the person it belongs to.
func TestALinkEndsWithItsPerson(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, r *stage.Pages, u user.User){
		"disabled": func(t *testing.T, r *stage.Pages, u user.User) {
			if err := r.Users.Disable(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
		},
		"in another mailbox": func(t *testing.T, r *stage.Pages, u user.User) {
			u.Email = "moved@example.test"
			if _, err := r.Users.Update(ctx, u); err != nil {
				t.Fatal(err)
			}
		},
		"without a mailbox": func(t *testing.T, r *stage.Pages, u user.User) {
			u.Email, u.Username = "", "ann"
			if _, err := r.Users.Update(ctx, u); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *stage.Pages) {
				ann := r.Person(t, "ann@example.test")
				link := forget(t, r, "ann@example.test")
				b := r.Browser()
				at := follow(t, b, link)
				form := stage.Hidden(b.Get(at).Body)
				form.Set("password", fresh)
				change(t, r, *ann)
				wantOver(t, "the form", b.Post(at, form))
				wantOver(t, "the link", r.Browser().Get(link))
				if !opens(t, r, ann, stage.Password) {
					t.Error("the password changed")
				}
				if u, err := r.Users.Get(ctx, ann.ID); err != nil || u.EmailVerified {
					t.Errorf("a mailbox counts as proven: %+v, %v", u, err)
				}
			})
		})
	}
}

// Who is on their way out may come back: the sign-in asks them.
func TestALeavingPersonRecovers(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		leaving := *ann
		leaving.DeleteAt = time.Now().Add(24 * time.Hour)
		if err := r.Durable.Users.Update(ctx, leaving); err != nil {
			t.Fatal(err)
		}
		b := r.Browser()
		if answer := b.Submit(follow(t, b, forget(t, r, "ann@example.test")), "password", fresh); !strings.Contains(answer.Body, done) {
			t.Fatalf("status %d", answer.Status)
		}
		if u, err := r.Users.Get(ctx, ann.ID); err != nil || u.DeleteAt.IsZero() {
			t.Errorf("a new password keeps the account without asking: %+v, %v", u, err)
		}
	})
}

// Mail programs and their guards open every link before its reader does.
func TestLookingAtALinkChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		link := forget(t, r, "ann@example.test")
		for range 20 {
			guard := r.Browser()
			guard.Do(http.MethodHead, link, nil, nil)
			guard.Get(follow(t, guard, link))
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			if answer := r.Browser().Do(method, link, nil, http.Header{"Origin": {stage.Issuer}}); answer.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s: status %d", method, answer.Status)
			}
		}
		if !opens(t, r, ann, stage.Password) {
			t.Error("looking changed the password")
		}
		b := r.Browser()
		if answer := b.Submit(follow(t, b, link), "password", fresh); !strings.Contains(answer.Body, done) {
			t.Errorf("the reader comes too late: status %d", answer.Status)
		}
	})
}

func TestRefusedPasswords(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		b := r.Browser()
		at := follow(t, b, forget(t, r, "ann@example.test"))
		for name, tt := range map[string]struct {
			plain, says string
			status      int
		}{
			"missing":   {"", "Choose a password", http.StatusOK},
			"short":     {"fourteen chars", "at least 15 characters", http.StatusOK},
			"long":      {strings.Repeat("x", 1025), "too long", http.StatusOK},
			"huge":      {strings.Repeat("x", 1<<20), "more than we can take", http.StatusRequestEntityTooLarge},
			"a NUL":     {fresh + "\x00", "cannot continue", http.StatusBadRequest},
			"not UTF-8": {fresh + "\xff", "cannot continue", http.StatusBadRequest},
		} {
			answer := b.Submit(at, "password", tt.plain)
			if answer.Status != tt.status || !strings.Contains(answer.Body, tt.says) {
				t.Errorf("%s: status %d, want %d saying %q", name, answer.Status, tt.status, tt.says)
			}
			if tt.plain != "" && strings.Contains(answer.Body, `value="`+tt.plain) {
				t.Errorf("%s: the page shows the password", name)
			}
		}
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", fresh)
		for name, tt := range map[string]struct {
			send   func() stage.Answer
			status int
		}{
			"ASVS 3.5.1 no form token": {func() stage.Answer { return b.Post(at, url.Values{"password": {fresh}}) }, http.StatusForbidden},
			"another website": {func() stage.Answer {
				return b.Do(http.MethodPost, at, form, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
			}, http.StatusForbidden},
			"a browser without the link": {func() stage.Answer { return r.Browser().Post(at, form) }, http.StatusGone},
			"another browser with the link": {func() stage.Answer {
				other := r.Browser()
				other.SetCookie(stage.LinkCookie, b.Cookie(stage.LinkCookie))
				return other.Post(at, form)
			}, http.StatusForbidden},
			"a broken cookie": {func() stage.Answer {
				other := r.Browser()
				other.SetCookie(stage.BrowserCookie, b.Cookie(stage.BrowserCookie))
				other.SetCookie(stage.LinkCookie, b.Cookie(stage.LinkCookie)+"x")
				return other.Post(at, form)
			}, http.StatusGone},
			"the token of the form of another link": {func() stage.Answer {
				other := r.Browser()
				other.SetCookie(stage.BrowserCookie, b.Cookie(stage.BrowserCookie))
				other.SetCookie(stage.LinkCookie, secret.New(secret.ConfirmLink))
				return other.Post(at, form)
			}, http.StatusForbidden},
			"the password twice": {func() stage.Answer {
				twice := url.Values{"form_token": form["form_token"], "password": {fresh, fresh}}
				return b.Post(at, twice)
			}, http.StatusBadRequest},
		} {
			if answer := tt.send(); answer.Status != tt.status {
				t.Errorf("%s: status %d, want %d", name, answer.Status, tt.status)
			}
		}
		if !opens(t, r, ann, stage.Password) || opens(t, r, ann, fresh) {
			t.Error("a refused form changed the password")
		}
		// Somebody else's name in the form is nothing: the link says whose it is.
		ben := r.Person(t, "ben@example.test")
		form.Set("username", "ben@example.test")
		form.Set("link", secret.New(secret.ConfirmLink))
		form.Set("role", "portico:admin")
		if answer := b.Post(at, form); !strings.Contains(answer.Body, done) {
			t.Errorf("after all that: status %d", answer.Status)
		}
		if opens(t, r, ben, fresh) || !opens(t, r, ann, fresh) {
			t.Error("the form chose whose password it is")
		}
		if u, err := r.Users.Get(ctx, ann.ID); err != nil || len(u.Roles) != 0 {
			t.Errorf("the form gave roles: %+v, %v", u, err)
		}
	})
}

func TestFiftyResetsAreOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		link := forget(t, r, "ann@example.test")
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			b := r.Browser()
			at := follow(t, b, link)
			form := stage.Hidden(b.Get(at).Body)
			form.Set("password", fresh)
			wg.Go(func() {
				<-start
				answer := b.Post(at, form)
				switch {
				case answer.Status == http.StatusOK && strings.Contains(answer.Body, done):
					won.Add(1)
				case answer.Status != http.StatusGone:
					t.Errorf("a loser got %d", answer.Status)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 50 won, want 1", won.Load())
		}
		told := 0
		for _, letter := range r.Letters.All() {
			if letter.Key == "password_changed" {
				told++
			}
		}
		if told != 1 || len(r.Audit.Named(audit.PasswordReset)) != 1 || !opens(t, r, ann, fresh) {
			t.Errorf("told %d times, audit %+v; want once", told, r.Audit.Named(audit.PasswordReset))
		}
	})
}

func TestALinkLastsHalfAnHour(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		started := time.Now()
		link := forget(t, r, "ann@example.test")
		time.Sleep(30*time.Minute - time.Second - time.Since(started))
		b := r.Browser()
		at := follow(t, b, link)
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", fresh)
		time.Sleep(2 * time.Second)
		wantOver(t, "a form that was opened in time", b.Post(at, form))
		wantOver(t, "a link after half an hour", r.Browser().Get(link))
		if !opens(t, r, ann, stage.Password) {
			t.Error("a late form changed the password")
		}

		started = time.Now()
		link = forget(t, r, "ann@example.test")
		time.Sleep(30*time.Minute - time.Second - time.Since(started))
		if answer := b.Submit(follow(t, b, link), "password", fresh); !strings.Contains(answer.Body, done) {
			t.Errorf("a second before its end: status %d", answer.Status)
		}
	})
}

// A thief who was in the account may have asked for another address: that must
// not outlive them.
func TestAResetEndsEveryOtherProof(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		ann := r.Person(t, "ann@example.test")
		thief, err := r.Confirmations.Ask(ctx, confirm.Ask{Purpose: confirm.ChangeEmail, UserID: ann.ID, Email: "eve@example.test", For: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		b := r.Browser()
		b.Submit(follow(t, b, forget(t, r, "ann@example.test")), "password", fresh)
		if _, err := r.Confirmations.ByLink(ctx, confirm.ChangeEmail, thief.Link); err == nil {
			t.Error("the address can still be changed by the old proof")
		}
	})
}

// Who guessed at their own password until nothing went any more goes on at
// once; strangers elsewhere do not.
func TestWhoRecoveredNeedNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "ann@example.test")
		b, stranger := r.Browser(), &stage.Browser{Handler: r.Handler, Address: "198.51.100.9:1"}
		login := r.Begin(t, b, "")
		for range 5 {
			b.Submit(login, "username", "ann@example.test", "password", "not this one either")
		}
		if answer := b.Submit(login, "username", "ann@example.test", "password", stage.Password); answer.Status != http.StatusTooManyRequests {
			t.Fatalf("the sixth try: status %d; this proves nothing then", answer.Status)
		}
		b.Submit(follow(t, b, forget(t, r, "ann@example.test")), "password", fresh)
		if answer := b.Submit(login, "username", "ann@example.test", "password", fresh); answer.Status != http.StatusSeeOther {
			t.Errorf("the new password: status %d, want to be let in", answer.Status)
		}
		if answer := stranger.Submit(r.Begin(t, stranger, ""), "username", "ann@example.test", "password", "guess"); answer.Status != http.StatusTooManyRequests {
			t.Errorf("a stranger: status %d, want 429 still", answer.Status)
		}
	})
}

// What a request says of its host has no say in the letter.
func TestAForgedHostSteersNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *stage.Pages) {
		r.Person(t, "ann@example.test")
		b := r.Browser()
		form := stage.Hidden(b.Get("/recover").Body)
		form.Set("username", "ann@example.test")
		answer := b.Do(http.MethodPost, "/recover", form, http.Header{
			"Origin": {stage.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"},
			"Forwarded": {"host=evil.example;proto=http"}, "X-Original-Host": {"evil.example"}, "X-Forwarded-Prefix": {"/evil"}, "Referer": {"https://evil.example/"},
		})
		if answer.Status != http.StatusOK {
			t.Fatalf("status %d", answer.Status)
		}
		if letter := r.Letters.Last(t, "ann@example.test"); !strings.HasPrefix(letter.URL, stage.Issuer+"/recover/reset?link=") {
			t.Errorf("the letter leads to %q", letter.URL)
		}
	})
}
