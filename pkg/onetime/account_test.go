package onetime_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

const (
	emailPage = "/account/security/email"
	smsPage   = "/account/security/sms"
	codesPage = "/account/security/recovery-codes"
)

// signedIn signs ann in by her password.
func signedIn(t *testing.T, p *stage.Pages, path string) *stage.Browser {
	t.Helper()
	b := p.Browser()
	at := stage.Follow(t, b.Get(path))
	if at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password)); at != path {
		t.Fatalf("signing in leads to %s", at)
	}
	return b
}

func wantPage(t *testing.T, what string, a stage.Answer, status int, words string) {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Body, words) {
		t.Errorf("%s: %d %s; want %d and %q", what, a.Status, a.Body, status, words)
	}
}

func TestEmailCodesFromTheFirstMailToTheLast(t *testing.T) {
	p := stage.NewPages(t)
	ann := proven(t, p.Stage, "ann@example.test")
	k, b := kinds(p.Stage)["email"], signedIn(t, p, emailPage)
	before := b.Cookie(stage.SessionCookie)
	wantPage(t, "no code yet", b.Submit(emailPage, "decision", "confirm", "code", "12345678"), 200, "too old")
	if at := stage.Follow(t, b.Submit(emailPage, "decision", "send")); at != emailPage {
		t.Fatalf("sending leads to %s", at)
	}
	wantPage(t, "a wrong code", b.Submit(emailPage, "decision", "confirm", "code", wrong(k.code(t))), 200, `id="code-problem"`)
	if at := stage.Follow(t, b.Submit(emailPage, "decision", "confirm", "code", k.code(t))); at != codesPage {
		t.Errorf("who got the first factor is led to %s, want recovery codes", at)
	}
	if got := p.Audit.Named(audit.FactorStepUp); len(got) != 1 || got[0].Data["amr"] != "pwd otp mfa" || b.Cookie(stage.SessionCookie) == before {
		t.Errorf("security §10.1 the session after it: %+v, new cookie %v", got, b.Cookie(stage.SessionCookie) != before)
	}
	wantPage(t, "on", b.Get(emailPage), 200, `id="onetime-off"`)
	wantPage(t, "the overview", b.Get("/account/security"), 200, "ann@example.test")

	other := p.Browser()
	at := stage.Follow(t, other.Submit(p.Begin(t, other, ""), "username", "ann@example.test", "password", stage.Password))
	page := other.Get(at)
	wantPage(t, "the page that asks", page, 200, "a…n@example.test")
	if strings.Contains(page.Body, ">ann@example.test<") && !strings.Contains(page.Body, `class="login"`) {
		t.Error("the address is told to who knows the password alone")
	}
	at = stage.Follow(t, other.Submit(at, "decision", "send"))
	wantPage(t, "sent", other.Get(at), 200, `autocomplete="one-time-code"`)
	if next := stage.Follow(t, other.Submit(at, "code", k.code(t))); !strings.HasPrefix(next, "/consent") {
		t.Errorf("the code leads to %s", next)
	}

	if at := stage.Follow(t, b.Submit(emailPage, "decision", "off")); at != emailPage+"?done=factor_removed" {
		t.Errorf("turning off leads to %s", at)
	}
	if u, err := p.Users.Get(t.Context(), ann.ID); err != nil || len(u.Factors) != 0 {
		t.Errorf("after it ann has %v, %v", u.Factors, err)
	}
	form := stage.Hidden(b.Get(emailPage).Body)
	form.Set("decision", "off")
	if a := b.Post(emailPage, form); a.Location != emailPage+"?done=factor_removed" {
		t.Errorf("turned off twice: %d %s", a.Status, a.Location)
	}
	wantPage(t, "no decision", b.Submit(emailPage, "decision", "what"), 200, "press one of the buttons")
}

func TestEmailCodesNeedAProvenAddress(t *testing.T) {
	p := stage.NewPages(t)
	p.Person(t, "ann@example.test")
	b := signedIn(t, p, emailPage)
	page := b.Get(emailPage)
	wantPage(t, "an address that is not proven", page, 200, `href="/account/email"`)
	if strings.Contains(page.Body, `value="send"`) {
		t.Error("a code is offered to it")
	}
	form := stage.Hidden(b.Get(smsPage).Body)
	form.Set("decision", "send")
	if a := b.Post(emailPage, form); a.Status == 303 || len(p.Letters.All()) != 0 {
		t.Errorf("a form of another page: %d", a.Status)
	}
}

func TestTextCodesFromTheNumberToTheLast(t *testing.T) {
	p := stage.NewPages(t)
	ann := proven(t, p.Stage, "ann@example.test")
	b := signedIn(t, p, smsPage)
	for _, typed := range []string{"", "030 123456", "call me", `"><script>alert(1)</script>`, strings.Repeat("9", 200)} {
		wantPage(t, "the number "+typed, b.Submit(smsPage, "decision", "send", "number", typed), 200, `id="number-problem"`)
	}
	if len(p.Texts.Sent()) != 0 {
		t.Fatal("a message went to what is no number")
	}
	p.Texts.SetDown(true)
	down := b.Submit(smsPage, "decision", "send", "number", "+49 30 123456")
	wantPage(t, "while texts cannot be sent", down, 503, "does not work at the moment")
	p.Texts.SetDown(false)
	if at := stage.Follow(t, b.Submit(smsPage, "decision", "send", "number", "+49 30 123456")); at != smsPage {
		t.Fatalf("sending leads to %s", at)
	}
	code := p.Texts.Code(t)
	for range confirm.MaxTries {
		wantPage(t, "a wrong code", b.Submit(smsPage, "decision", "confirm", "code", wrong(code)), 200, `id="code-problem"`)
	}
	wantPage(t, "ASVS 6.6.3 the right one after five wrong ones", b.Submit(smsPage, "decision", "confirm", "code", code), 200, "too old")
	stage.Follow(t, b.Submit(smsPage, "decision", "send", "number", "0049-30-123456"))
	if at := stage.Follow(t, b.Submit(smsPage, "decision", "confirm", "code", p.Texts.Code(t))); at != codesPage {
		t.Errorf("who got the first factor is led to %s", at)
	}
	wantPage(t, "on", b.Get(smsPage), 200, "+4930123456")
	if got := p.Audit.Named(audit.FactorAdded); len(got) != 1 || got[0].Data["factor"] != "sms" || got[0].Data["name"] != "+49 … 56" {
		t.Errorf("the audit has %+v", got)
	}

	other := p.Browser()
	at := stage.Follow(t, other.Submit(p.Begin(t, other, ""), "username", "ann@example.test", "password", stage.Password))
	if page := other.Get(at); strings.Contains(page.Body, "30123456") {
		t.Error("the number is told to who knows the password alone")
	}
	p.Texts.SetDown(true)
	wantPage(t, "SMS down in a sign-in", other.Submit(at, "decision", "send"), 503, "does not work at the moment")
	p.Texts.SetDown(false)
	at = stage.Follow(t, other.Submit(at, "decision", "send"))
	if next := stage.Follow(t, other.Submit(at, "code", p.Texts.Code(t))); !strings.HasPrefix(next, "/consent") {
		t.Errorf("the code leads to %s", next)
	}
	logins := p.Audit.Named(audit.LoginSucceeded)
	if got := logins[len(logins)-1].Data["amr"]; got != "pwd sms mfa" {
		t.Errorf("RFC 8176 §2 the methods are %q", got)
	}
	if at := stage.Follow(t, b.Submit(smsPage, "decision", "off")); at != smsPage+"?done=factor_removed" {
		t.Errorf("turning off leads to %s", at)
	}
	u, err := p.Users.Get(t.Context(), ann.ID)
	if err != nil || len(u.Factors) != 0 || u.PhoneNumber != number {
		t.Errorf("after it ann has %v and the number %q, %v", u.Factors, u.PhoneNumber, err)
	}
}

// Who has a factor proves it before they get or lose another one (security
// §11.9).
func TestThePagesAreForWhoProvedTheirFactorLately(t *testing.T) {
	p := stage.NewPages(t)
	ann := proven(t, p.Stage, "ann@example.test")
	b := signedIn(t, p, smsPage) // by the password alone
	kinds(p.Stage)["email"].turnOn(t, ann)
	form := url.Values{"form_token": {stage.Hidden(b.Get("/account/security/browsers").Body).Get("form_token")}, "decision": {"send"}, "number": {number}}
	for _, path := range []string{emailPage, smsPage, codesPage} {
		if at := stage.Follow(t, b.Get(path)); !strings.HasPrefix(at, "/login/factor") {
			t.Errorf("security §11.9 %s leads to %s", path, at)
		}
	}
	if a := b.Post(smsPage, form); a.Status == 200 || len(p.Texts.Sent()) != 0 {
		t.Errorf("security §11.9 its form: %d", a.Status)
	}
	if a := p.Browser().Get(smsPage); a.Status != 303 || !strings.HasPrefix(a.Location, "/login") {
		t.Errorf("nobody: %d %s", a.Status, a.Location)
	}
}

func TestTheLastFactorStaysWhileAPolicyDemandsOne(t *testing.T) {
	p := stage.NewPages(t)
	ann := proven(t, p.Stage, "ann@example.test")
	p.Factors.Policy.Everyone = "2"
	b := signedIn(t, p, emailPage)
	k := kinds(p.Stage)["email"]
	stage.Follow(t, b.Submit(emailPage, "decision", "send"))
	stage.Follow(t, b.Submit(emailPage, "decision", "confirm", "code", k.code(t)))
	wantPage(t, "the last one", b.Submit(emailPage, "decision", "off"), 200, "last second factor")
	if u, err := p.Users.Get(t.Context(), ann.ID); err != nil || len(u.Factors) != 1 {
		t.Errorf("ann has %v, %v", u.Factors, err)
	}
	changed(t, p.Stage, ann.ID, func(u *user.User) { u.EmailVerified = false })
	wantPage(t, "an address that is not proven any more", b.Get(emailPage), 200, "note warn")
}
