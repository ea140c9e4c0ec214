package recovery_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

const removed = "Your second factors are removed"

// wayBack opens one for the person and returns its link: a local path.
func wayBack(t *testing.T, p *stage.Pages, userID string) string {
	t.Helper()
	ada, err := p.Users.ByIdentifier(ctx, "ada@example.test")
	if fault.Is(err, fault.NotFound) {
		ada = administrator(t, p.Stage, "ada@example.test")
	} else if err != nil {
		t.Fatal(err)
	}
	_, link, err := p.WayBack.Ask(ctx, userID, "lost phone", ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(link, stage.Issuer)
}

// requestOf returns the id of the open request of a person.
func requestOf(t *testing.T, p *stage.Pages, userID string) string {
	t.Helper()
	list, err := p.WayBack.List(ctx, paging.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.UserID == userID {
			return r.ID
		}
	}
	t.Fatalf("no request among %+v", list)
	return ""
}

// enter opens a link in the browser and returns the page of the form.
func enter(t *testing.T, b *stage.Browser, link string) string {
	t.Helper()
	at := stage.Follow(t, b.Get(link))
	if at != "/recover/factors" {
		t.Fatalf("the link leads to %q", at)
	}
	return at
}

// factorsOf returns what the account says of the person's factors, and how
// many apps there are.
func factorsOf(t *testing.T, p *stage.Pages, userID string) (kinds []string, apps int) {
	t.Helper()
	u, err := p.Users.Get(ctx, userID)
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Durable.TOTPs.OfUser(ctx, userID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Factors, len(list)
}

// wantStranded checks that nothing was removed.
func wantStranded(t *testing.T, p *stage.Pages, what, userID string) {
	t.Helper()
	if got, apps := factorsOf(t, p, userID); !slices.Equal(got, []string{"recovery_code", "totp"}) || apps != 1 {
		t.Errorf("%s: the account has %q, and %d apps", what, got, apps)
	}
}

// wantNoWay checks that a link opened nothing, and that every such answer is
// the same and leads on.
func wantNoWay(t *testing.T, what string, answer stage.Answer) {
	t.Helper()
	if answer.Status != http.StatusGone || !strings.Contains(answer.Body, over) || !strings.Contains(answer.Body, `href="/account"`) {
		t.Errorf("%s: status %d, want 410 with a way on; body %.300s", what, answer.Status, answer.Body)
	}
}

func TestWhoLostEveryFactor(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		_, opened, err := p.Sessions.Start(ctx, session.Start{UserID: ann.ID})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		family := grant.Grant{
			ID: "family", UserID: ann.ID, ClientID: p.App.ID, SessionID: opened.ID, RefreshHash: "live", Offline: true,
			CreatedAt: now, RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(time.Hour),
		}
		if err := p.Durable.Grants.Create(ctx, family); err != nil {
			t.Fatal(err)
		}
		thief, err := p.Confirmations.Ask(ctx, confirm.Ask{Purpose: confirm.ChangeEmail, UserID: ann.ID, Email: "eve@example.test", For: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		remembered, _, err := p.Browsers.Trust(ctx, ann.ID)
		if err != nil || remembered == "" {
			t.Fatalf("remember a browser: %q, %v", remembered, err)
		}
		link := wayBack(t, p, ann.ID)
		token := strings.TrimPrefix(link, "/recover/factors?link=")

		b := p.Browser()
		at := enter(t, b, link)
		page := b.Get(at)
		if strings.Contains(page.Body, token) || !strings.Contains(page.Body, `autocomplete="username" value="ann@example.test" readonly`) ||
			!strings.Contains(page.Body, `autocomplete="current-password"`) || page.Header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("the form holds the link, or lacks a field: %s", page.Body)
		}
		wantStranded(t, p, "looking", ann.ID)
		answer := b.Submit(at, "password", stage.Password)
		if answer.Status != http.StatusOK || !strings.Contains(answer.Body, removed) || !strings.Contains(answer.Body, `href="/account"`) {
			t.Fatalf("status %d, body %.500s", answer.Status, answer.Body)
		}
		if got, apps := factorsOf(t, p, ann.ID); len(got) != 0 || apps != 0 {
			t.Errorf("the account has %q, and %d apps", got, apps)
		}
		if b.Cookie(stage.SessionCookie) != "" || b.Cookie(stage.LinkCookie) != "" {
			t.Error("the link signs in, or stays in the browser")
		}
		if s, err := p.Durable.Sessions.ByID(ctx, opened.ID); err != nil || s.EndedAt.IsZero() {
			t.Errorf("an old session is %+v, %v", s, err)
		}
		if g, err := p.Durable.Grants.ByID(ctx, "family"); err != nil || g.RevokedAt.IsZero() {
			t.Errorf("an old refresh family is %+v, %v", g, err)
		}
		if trusted, err := p.Browsers.Trusted(ctx, ann.ID, remembered); trusted || err != nil {
			t.Errorf("a remembered browser: %v, %v", trusted, err)
		}
		if _, err := p.Confirmations.ByLink(ctx, confirm.ChangeEmail, thief.Link); err == nil {
			t.Error("a change of address outlives it")
		}
		if told := p.Letters.Last(t, "ann@example.test"); told.Key != "factors_recovered" || len(told.Facts) < 2 {
			t.Errorf("the owner is told %+v", told)
		}
		if events := p.Audit.Named(audit.FactorsRecovered); len(events) != 1 || events[0].UserID != ann.ID || events[0].Actor != ann.ID {
			t.Errorf("audit has %+v", events)
		}
		wantNoWay(t, "the link again", p.Browser().Get(link))
		if !opens(t, p, ann, stage.Password) {
			t.Error("the password changed")
		}
		if at := stage.Follow(t, b.Submit(p.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password)); !stage.IsPage(at, "/consent") {
			t.Errorf("signing in leads to %q", at)
		}
		if strings.Contains(p.Log.String(), token) || strings.Contains(p.Log.String(), stage.Password) {
			t.Error("the log holds the link or the password")
		}
	})
}

// Grace is for who never had a factor: a link shall not buy days in which the
// password alone is enough.
func TestAWayBackBuysNoGrace(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		time.Sleep(30 * 24 * time.Hour)
		b := p.Browser()
		b.Submit(enter(t, b, wayBack(t, p, ann.ID)), "password", stage.Password)
		if u, err := p.Users.Get(ctx, ann.ID); err != nil || !u.EnrolAskedAt.Equal(ann.CreatedAt) {
			t.Errorf("asked at %v, %v; want that grace counts from %v", u.EnrolAskedAt, err, ann.CreatedAt)
		}
	})
}

func TestTheLinkReplacesNoPassword(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		link := wayBack(t, p, ann.ID)
		b := p.Browser()
		at := enter(t, b, link)
		first := ""
		for _, wrong := range []string{"", "not this one", strings.Repeat("x", 1025), stage.Password + " "} {
			answer := b.Submit(at, "password", wrong)
			for _, counter := range []string{"RateLimit", "RateLimit-Remaining", "RateLimit-Reset"} {
				answer.Header.Del(counter) // they tell how often, and not why
			}
			if got := stage.Alike(answer, "ann@example.test"); first == "" {
				first = got
			} else if got != first {
				t.Errorf("ASVS 6.3.8 a password of %d bytes is answered\n%s\nwant\n%s", len(wrong), got, first)
			}
			if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "do not match") || strings.Contains(answer.Body, removed) {
				t.Errorf("a wrong password: status %d, body %.300s", answer.Status, answer.Body)
			}
			if f := p.Refusals.Last(); f.Code != "login_failed" || f.Rule == "" {
				t.Errorf("the operator is told %+v", f)
			}
		}
		b.Submit(at, "password", "a fifth")
		answer := b.Submit(at, "password", stage.Password)
		if answer.Status != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
			t.Errorf("OWASP ASVS 6.3.1 the sixth try: status %d, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
		}
		login := p.Begin(t, b, "")
		if answer := b.Submit(login, "username", "ann@example.test", "password", stage.Password); answer.Status != http.StatusTooManyRequests {
			t.Errorf("tries at the link and at the sign-in are counted apart: status %d", answer.Status)
		}
		wantStranded(t, p, "wrong passwords", ann.ID)
		if n := len(p.Audit.Named(audit.LoginFailed)); n != 5 || len(p.Audit.Named(audit.FactorsRecovered)) != 0 {
			t.Errorf("audit has %d failures", n)
		}
		time.Sleep(time.Hour)
		if answer := b.Submit(at, "password", stage.Password); !strings.Contains(answer.Body, removed) {
			t.Errorf("later, with the right one: status %d; want that wrong ones spent nothing", answer.Status)
		}
	})
}

// Who signs in elsewhere has no password here: the first factor is asked for
// there, once the second ones are gone.
func TestAPersonWithoutAPassword(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		u, err := p.Users.Create(ctx, user.User{Email: "fed@example.test", Factors: []string{"totp"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := p.Browser()
		at := enter(t, b, wayBack(t, p, u.ID))
		if page := b.Get(at); strings.Contains(page.Body, `name="password"`) {
			t.Error("it asks for a password that nobody has")
		}
		if answer := b.Submit(at); !strings.Contains(answer.Body, removed) || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("status %d", answer.Status)
		}
	})
}

func TestLinksThatAreNoWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		replaced, good := wayBack(t, p, ann.ID), wayBack(t, p, ann.ID)
		token := strings.TrimPrefix(good, "/recover/factors?link=")
		withdrawn := strand(t, p.Stage, "ben@example.test")
		taken := wayBack(t, p, withdrawn.ID)
		if err := p.WayBack.Withdraw(ctx, requestOf(t, p, withdrawn.ID), "shell"); err != nil {
			t.Fatal(err)
		}
		// Its request may end a moment before the link is made.
		crossed := strand(t, p.Stage, "cleo@example.test")
		halfway := wayBack(t, p, crossed.ID)
		if err := p.Durable.FactorRecoveries.End(ctx, requestOf(t, p, crossed.ID), "withdrawn", time.Now()); err != nil {
			t.Fatal(err)
		}
		if events := p.Audit.Named(audit.RecoveryWithdrawn); len(events) != 1 || events[0].Actor != "shell" || events[0].UserID != withdrawn.ID {
			t.Errorf("audit has %+v", events)
		}
		foreign := func(purpose confirm.Purpose, userID string) string {
			asked, err := p.Confirmations.Ask(ctx, confirm.Ask{Purpose: purpose, UserID: userID, For: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			return asked.Link
		}
		for name, link := range map[string]string{
			"empty": "", "garbage": "garbage", "made up": secret.New(secret.ConfirmLink), "cut": token[:len(token)-1],
			"of a forgotten password": foreign(confirm.ResetPassword, ann.ID), "of another address": foreign(confirm.ChangeEmail, ann.ID),
			"of an invitation": foreign(confirm.Invitation, ann.ID), "a session": secret.New(secret.SessionCookie), "with a NUL": token + "\x00",
			"with a header": token + "\r\nSet-Cookie: a=b", "long": strings.Repeat("x", 3000),
			"with a blank": token + " ", "of the purpose, without a request": foreign(confirm.RecoverFactors, withdrawn.ID),
		} {
			b := p.Browser()
			wantNoWay(t, "a link that is "+name, b.Get("/recover/factors?link="+url.QueryEscape(link)))
			if b.Cookie(stage.LinkCookie) != "" {
				t.Errorf("a link that is %s is kept in the browser", name)
			}
			if f := p.Refusals.Last(); f.Code != "link_over" || f.Rule == "" || strings.Contains(f.Error(), token) {
				t.Errorf("a link that is %s: the operator is told %+v", name, f)
			}
		}
		wantNoWay(t, "a replaced link", p.Browser().Get(replaced))
		wantNoWay(t, "a withdrawn link", p.Browser().Get(taken))
		wantNoWay(t, "a link whose request was withdrawn", p.Browser().Get(halfway))
		wantNoWay(t, "a link twice", p.Browser().Get(good+"&link="+token))
		wantNoWay(t, "no link", p.Browser().Get("/recover/factors"))
		wantOver(t, "it as a link of a forgotten password", p.Browser().Get("/recover/reset?link="+token))
		if events := p.Audit.Named(audit.ConfirmationRefused); len(events) == 0 || events[0].Data["purpose"] != "recover_factors" || events[0].Data["reason"] == "" {
			t.Errorf("audit has %+v", events)
		}
		wantStranded(t, p, "refused links", ann.ID)
		wantStranded(t, p, "a withdrawn link", withdrawn.ID)
		b := p.Browser()
		if answer := b.Submit(enter(t, b, good), "password", stage.Password); !strings.Contains(answer.Body, removed) {
			t.Errorf("after all that the good link: status %d", answer.Status)
		}
	})
}

// What carries the link to its person, a mail or a chat, may open it first.
func TestLookingAtAWayBackChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		link := wayBack(t, p, ann.ID)
		for range 20 {
			guard := p.Browser()
			guard.Do(http.MethodHead, link, nil, nil)
			guard.Get(enter(t, guard, link))
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			if answer := p.Browser().Do(method, link, nil, http.Header{"Origin": {stage.Issuer}}); answer.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s: status %d", method, answer.Status)
			}
		}
		wantStranded(t, p, "looking", ann.ID)
		b := p.Browser()
		if answer := b.Submit(enter(t, b, link), "password", stage.Password); !strings.Contains(answer.Body, removed) {
			t.Errorf("its person comes too late: status %d", answer.Status)
		}
	})
}

func TestRefusedWaysBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		b := p.Browser()
		at := enter(t, b, wayBack(t, p, ann.ID))
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", stage.Password)
		with := func(cookie, value string) *stage.Browser {
			other := p.Browser()
			other.SetCookie(stage.BrowserCookie, b.Cookie(stage.BrowserCookie))
			other.SetCookie(stage.LinkCookie, b.Cookie(stage.LinkCookie))
			other.SetCookie(cookie, value)
			return other
		}
		for name, tt := range map[string]struct {
			send   func() stage.Answer
			status int
		}{
			"ASVS 3.5.1 no form token": {func() stage.Answer { return b.Post(at, url.Values{"password": {stage.Password}}) }, http.StatusForbidden},
			"another website": {func() stage.Answer {
				return b.Do(http.MethodPost, at, form, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
			}, http.StatusForbidden},
			"a browser without the link":            {func() stage.Answer { return p.Browser().Post(at, form) }, http.StatusGone},
			"another browser with the link":         {func() stage.Answer { return with(stage.BrowserCookie, "").Post(at, form) }, http.StatusForbidden},
			"a broken link":                         {func() stage.Answer { return with(stage.LinkCookie, b.Cookie(stage.LinkCookie)+"x").Post(at, form) }, http.StatusGone},
			"the token of the form of another link": {func() stage.Answer { return with(stage.LinkCookie, secret.New(secret.ConfirmLink)).Post(at, form) }, http.StatusForbidden},
			"the password twice": {func() stage.Answer {
				return b.Post(at, url.Values{"form_token": form["form_token"], "password": {stage.Password, stage.Password}})
			}, http.StatusBadRequest},
			"a megabyte": {func() stage.Answer {
				return b.Post(at, url.Values{"form_token": form["form_token"], "password": {strings.Repeat("x", 1<<20)}})
			}, http.StatusRequestEntityTooLarge},
			"the link in the address of the form": {func() stage.Answer { return p.Browser().Post(at+"?link="+b.Cookie(stage.LinkCookie), form) }, http.StatusGone},
		} {
			if answer := tt.send(); answer.Status != tt.status || strings.Contains(answer.Body, removed) {
				t.Errorf("%s: status %d, want %d", name, answer.Status, tt.status)
			}
		}
		wantStranded(t, p, "refused forms", ann.ID)
		// Somebody else's name in the form is nothing: the link says whose it is,
		// and the password is theirs.
		ben := strand(t, p.Stage, "ben@example.test")
		form.Set("username", "ben@example.test")
		if answer := b.Post(at, form); !strings.Contains(answer.Body, removed) {
			t.Errorf("after all that: status %d", answer.Status)
		}
		wantStranded(t, p, "a name in the form", ben.ID)
	})
}

// A way back is as good as the person it belongs to.
func TestAWayBackEndsWithItsPerson(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		link := wayBack(t, p, ann.ID)
		b := p.Browser()
		at := enter(t, b, link)
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", stage.Password)
		if err := p.Users.Disable(ctx, ann.ID); err != nil {
			t.Fatal(err)
		}
		wantNoWay(t, "the form", b.Post(at, form))
		wantNoWay(t, "the link", p.Browser().Get(link))
		wantStranded(t, p, "a disabled person", ann.ID)
	})
}

func TestAWayBackLastsItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		started := time.Now()
		link := wayBack(t, p, ann.ID)
		time.Sleep(24*time.Hour - time.Second - time.Since(started))
		b := p.Browser()
		at := enter(t, b, link)
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", stage.Password)
		time.Sleep(2 * time.Second)
		wantNoWay(t, "a form that was opened in time", b.Post(at, form))
		wantNoWay(t, "a link after a day", p.Browser().Get(link))
		wantStranded(t, p, "a late form", ann.ID)
	})
}

// Who lost the password too resets it by mail first: that ends no way back
// that an administrator opened.
func TestAForgottenPasswordKeepsTheWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		link := wayBack(t, p, ann.ID)
		b := p.Browser()
		b.Submit(follow(t, b, forget(t, p, "ann@example.test")), "password", fresh)
		wantStranded(t, p, "security §11.6 a new password", ann.ID)
		if answer := b.Submit(enter(t, b, link), "password", fresh); !strings.Contains(answer.Body, removed) {
			t.Errorf("status %d", answer.Status)
		}
	})
}

func TestFiftyWaysBackAreOne(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		u, err := p.Users.Create(ctx, user.User{Email: "fed@example.test", Factors: []string{"totp"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		link := wayBack(t, p, u.ID)
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			b := p.Browser()
			at := enter(t, b, link)
			form := stage.Hidden(b.Get(at).Body)
			wg.Go(func() {
				<-start
				answer := b.Post(at, form)
				switch {
				case answer.Status == http.StatusOK && strings.Contains(answer.Body, removed):
					won.Add(1)
				case answer.Status != http.StatusGone:
					t.Errorf("a loser got %d", answer.Status)
				}
			})
		}
		close(start)
		wg.Wait()
		told := 0
		for _, letter := range p.Letters.All() {
			if letter.Key == "factors_recovered" {
				told++
			}
		}
		if won.Load() != 1 || told != 1 || len(p.Audit.Named(audit.FactorsRecovered)) != 1 {
			t.Errorf("%d of 50 won, %d letters; want one", won.Load(), told)
		}
	})
}

// Everything happens, with its letter, or nothing.
func TestAWayBackIsOneStep(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		_, opened, err := p.Sessions.Start(ctx, session.Start{UserID: ann.ID})
		if err != nil {
			t.Fatal(err)
		}
		b := p.Browser()
		at := enter(t, b, wayBack(t, p, ann.ID))
		p.Letters.SetDown(true)
		if answer := b.Submit(at, "password", stage.Password); answer.Status < 500 {
			t.Errorf("status %d", answer.Status)
		}
		wantStranded(t, p, "no letter", ann.ID)
		if s, err := p.Durable.Sessions.ByID(ctx, opened.ID); err != nil || !s.EndedAt.IsZero() {
			t.Errorf("a session ended all the same: %+v, %v", s, err)
		}
		p.Letters.SetDown(false)
		if answer := b.Submit(at, "password", stage.Password); !strings.Contains(answer.Body, removed) {
			t.Errorf("the failed try spent the link: status %d", answer.Status)
		}
	})
}

// What a request says of its host has no say in links and letters.
func TestAForgedHostSteersNoWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		link := wayBack(t, p, ann.ID)
		b := p.Browser()
		forged := http.Header{
			"Origin": {stage.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"},
			"Forwarded": {"host=evil.example;proto=http"}, "X-Original-Host": {"evil.example"}, "X-Forwarded-Prefix": {"/evil"}, "Referer": {"https://evil.example/"},
		}
		if at := b.Do(http.MethodGet, link, nil, forged).Location; at != "/recover/factors" {
			t.Fatalf("the link leads to %q", at)
		}
		form := stage.Hidden(b.Get("/recover/factors").Body)
		form.Set("password", stage.Password)
		answer := b.Do(http.MethodPost, "/recover/factors", form, forged)
		if !strings.Contains(answer.Body, removed) || strings.Contains(answer.Body, "evil") {
			t.Errorf("status %d, body %.300s", answer.Status, answer.Body)
		}
		if told := p.Letters.Last(t, "ann@example.test"); !strings.HasPrefix(told.URL, stage.Issuer+"/") {
			t.Errorf("the letter leads to %q", told.URL)
		}
	})
}

// An outage is no reason to let anybody in, nor to spend a link.
func TestAnOutageKeepsTheWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ann := strand(t, p.Stage, "ann@example.test")
		b := p.Browser()
		at := enter(t, b, wayBack(t, p, ann.ID))
		form := stage.Hidden(b.Get(at).Body)
		form.Set("password", stage.Password)
		p.Limits.SetDown(true)
		if answer := b.Post(at, form); answer.Status != http.StatusServiceUnavailable {
			t.Errorf("without counters: status %d", answer.Status)
		}
		p.Limits.SetDown(false)
		wantStranded(t, p, "an outage", ann.ID)
		if answer := b.Submit(at, "password", stage.Password); !strings.Contains(answer.Body, removed) {
			t.Errorf("afterwards: status %d", answer.Status)
		}
	})
}
