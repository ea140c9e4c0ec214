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
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/user"
)

// invitations of a stage whose pages take them.
func invitations(r *stage.Pages) *signup.Invitations {
	r.Signup.Config.Mode = signup.Invite
	r.Opener.Signup = false
	return &signup.Invitations{
		Confirm: r.Confirmations, Letters: r.Letters, Tx: r.Durable, Users: r.Users, Audit: r.Audit, Mode: signup.Invite,
		TTL: 7 * 24 * time.Hour, URL: func(path string) string { return stage.Issuer + path },
	}
}

// invite makes an invitation and returns the local path of its link.
func invite(t *testing.T, s *signup.Invitations, a signup.Ask) (signup.Invitation, string) {
	t.Helper()
	inv, link, err := s.Make(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(link, stage.Issuer+"/register?invitation=")
	if _, shaped := secret.Unwrap(secret.ConfirmLink, path); !ok || !shaped {
		t.Fatalf("the link is %q", link)
	}
	return inv, "/register?invitation=" + path
}

func TestAnInvitationByMailIsAProof(t *testing.T) {
	r := stage.NewPages(t)
	s := invitations(r)
	r.Signup.Config.Roles = []string{"stranger"}
	r.Signup.Config.Domains = []string{"other.test"}
	inv, path := invite(t, s, signup.Ask{Email: "cleo@example.test", Name: "Cleo Example", Roles: []string{"shopper", "writer"}, Mail: true, Actor: "shell"})
	if l := r.Letters.Last(t, "cleo@example.test"); l.Key != "invite" || l.URL != stage.Issuer+path || l.Code != "" {
		t.Errorf("the letter is %+v", l)
	}
	if events := r.Audit.Named(audit.UserInvited); len(events) != 1 || events[0].Actor != "shell" || events[0].Data["invitation"] != inv.ID || strings.Contains(events[0].Data["roles"], "@") {
		t.Errorf("audit has %+v", events)
	}
	for range 3 { // programs look at links
		r.Browser().Get(path)
	}
	b := r.Browser()
	at := stage.Follow(t, b.Get(path))
	if !stage.IsPage(at, "/register") {
		t.Fatalf("the link leads to %q, want a form whose address is not the link", at)
	}
	body := b.Get(at).Body
	if !strings.Contains(body, `value="cleo@example.test" required readonly`) || !strings.Contains(body, `value="Cleo Example"`) || !strings.Contains(body, "You have been invited") {
		t.Error("the form does not know who was invited")
	}
	at = stage.Follow(t, send(b, at, good("email", "mallory@example.test", "roles", user.Administrator)))
	if at != "/account" || b.Cookie(stage.SessionCookie) == "" {
		t.Errorf("after the form: %q, want to be signed in", at)
	}
	u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
	if err != nil || !u.EmailVerified || strings.Join(u.Roles, " ") != "shopper writer" {
		t.Errorf("the person is %+v, %v; want the roles of the invitation alone", u, err)
	}
	if len(r.Letters.All()) != 1 || people(t, r) != 1 {
		t.Errorf("%d letters and %d accounts, want one each", len(r.Letters.All()), people(t, r))
	}
	if events := r.Audit.Named(audit.UserRegistered); len(events) != 1 || events[0].Data["invitation"] != inv.ID {
		t.Errorf("audit has %+v", events)
	}
	if answer := r.Browser().Get(path); answer.Status != http.StatusGone || !strings.Contains(answer.Body, "This invitation does not work any more") || strings.Contains(answer.Body, "cleo@") {
		t.Errorf("the spent link: status %d", answer.Status)
	}
}

func TestAnInvitationThatIsHandedOverProvesNothing(t *testing.T) {
	for name, email := range map[string]string{"to an address": "cleo@example.test", "to whoever has it": ""} {
		t.Run(name, func(t *testing.T) {
			r := stage.NewPages(t)
			s := invitations(r)
			_, path := invite(t, s, signup.Ask{Email: email, Roles: []string{"shopper"}})
			if len(r.Letters.All()) != 0 {
				t.Fatal("a letter was sent")
			}
			b := r.Browser()
			at := stage.Follow(t, send(b, stage.Follow(t, b.Get(path)), good()))
			if !stage.IsPage(at, "/register/confirm") || people(t, r) != 0 {
				t.Fatalf("after the form: %q and %d accounts, want the page that waits for the proof", at, people(t, r))
			}
			// The invitation is not spent before the address is proven.
			if answer := r.Browser().Get(path); answer.Status != http.StatusSeeOther {
				t.Errorf("the link: status %d", answer.Status)
			}
			if at := stage.Follow(t, send(b, at, url.Values{"code": {r.Letters.Last(t, "cleo@example.test").Code}})); at != "/account" {
				t.Errorf("after the code: %q", at)
			}
			u, err := r.Users.ByIdentifier(ctx, "cleo@example.test")
			if err != nil || !u.EmailVerified || strings.Join(u.Roles, " ") != "shopper" {
				t.Errorf("the person is %+v, %v", u, err)
			}
			if answer := r.Browser().Get(path); answer.Status != http.StatusGone {
				t.Errorf("the spent link: status %d", answer.Status)
			}
		})
	}
}

func TestFiftyUseOneInvitation(t *testing.T) {
	r := stage.NewPages(t)
	_, path := invite(t, invitations(r), signup.Ask{Email: "cleo@example.test", Mail: true})
	const racers = 50
	type racer struct {
		b    *stage.Browser
		at   string
		form url.Values
	}
	var all []racer
	for range racers {
		b := r.Browser()
		at := stage.Follow(t, b.Get(path))
		form := stage.Hidden(b.Get(at).Body)
		for k, v := range good() {
			form[k] = v
		}
		all = append(all, racer{b, at, form})
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for _, one := range all {
		wg.Go(func() {
			switch a := one.b.Post(one.at, one.form); a.Status {
			case http.StatusSeeOther:
				won.Add(1)
			case http.StatusGone, http.StatusConflict, http.StatusServiceUnavailable: // over, taken, or too many hashes at once
			default:
				t.Errorf("a loser got %d", a.Status)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || people(t, r) != 1 {
		t.Errorf("%d of %d won and %d accounts were made, want one", won.Load(), racers, people(t, r))
	}
}

// TestFiftyProofsOfOneInvitation: each of several people proves an address of
// their own, and one invitation makes one account all the same.
func TestFiftyProofsOfOneInvitation(t *testing.T) {
	r := stage.NewPages(t)
	_, path := invite(t, invitations(r), signup.Ask{})
	var presses []func() stage.Answer
	for i := range 12 {
		b := r.Browser()
		email := string(rune('a'+i)) + "@example.test"
		at := stage.Follow(t, send(b, stage.Follow(t, b.Get(path)), good("email", email)))
		form := stage.Hidden(b.Get(at).Body)
		form.Set("code", r.Letters.Last(t, email).Code)
		presses = append(presses, func() stage.Answer { return b.Post(at, form) })
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for _, press := range presses {
		wg.Go(func() {
			a := press()
			if a.Status == http.StatusSeeOther {
				won.Add(1)
			} else if a.Status != http.StatusGone || !strings.Contains(a.Body, "This invitation does not work any more") {
				t.Errorf("a loser got %d", a.Status)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || people(t, r) != 1 {
		t.Errorf("%d won and %d accounts were made, want one", won.Load(), people(t, r))
	}
}

func TestInvitationsThatDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stage.NewPages(t)
		s := invitations(r)
		inv, withdrawn := invite(t, s, signup.Ask{Email: "a@example.test", Mail: true})
		_, old := invite(t, s, signup.Ask{Email: "b@example.test", Mail: true})
		b := r.Browser()
		at := stage.Follow(t, b.Get(withdrawn)) // the form is open
		form := stage.Hidden(b.Get(at).Body)
		for k, v := range good() {
			form[k] = v
		}
		if err := s.Withdraw(ctx, inv.ID, "shell"); err != nil {
			t.Fatal(err)
		}
		if err := s.Withdraw(ctx, inv.ID, "shell"); !fault.Is(err, fault.NotFound) {
			t.Errorf("withdrawing again: %v", err)
		}
		if events := r.Audit.Named(audit.InvitationWithdrawn); len(events) != 1 || events[0].Data["invitation"] != inv.ID {
			t.Errorf("audit has %+v", events)
		}
		left, err := s.List(ctx, paging.Page{})
		if err != nil || len(left) != 1 || left[0].Email != "b@example.test" || !left[0].Mailed {
			t.Errorf("open are %+v, %v", left, err)
		}
		for name, answer := range map[string]stage.Answer{
			"withdrawn":         r.Browser().Get(withdrawn),
			"withdrawn, a form": b.Get(at),
			"withdrawn, sent":   b.Post(at, form),
			"nothing":           r.Browser().Get("/register?invitation="),
			"unknown":           r.Browser().Get("/register?invitation=" + secret.New(secret.ConfirmLink)),
			"twice":             r.Browser().Get(old + "&invitation=x"),
			"its id":            r.Browser().Get("/register?invitation=" + left[0].ID),
		} {
			if answer.Status != http.StatusGone || !strings.Contains(answer.Body, "This invitation does not work any more") {
				t.Errorf("%s: status %d, want 410", name, answer.Status)
			}
			if strings.Contains(answer.Body, "register-submit") {
				t.Errorf("%s: there is a form", name)
			}
		}
		if answer := r.Browser().Get(strings.Replace(old, "/register?invitation", "/register/confirm?link", 1)); answer.Status != http.StatusGone {
			t.Errorf("security §0.7 an invitation as a proof: status %d", answer.Status)
		}
		time.Sleep(7 * 24 * time.Hour)
		if answer := r.Browser().Get(old); answer.Status != http.StatusGone {
			t.Errorf("too old: status %d", answer.Status)
		}
		if n := people(t, r); n != 0 {
			t.Errorf("%d accounts", n)
		}
		if len(r.Audit.Named(audit.ConfirmationRefused)) < 7 {
			t.Error("refusals are not audited")
		}
	})
}

func TestWhoMayBeInvited(t *testing.T) {
	r := stage.NewPages(t)
	s := invitations(r)
	r.Person(t, "ann@example.test")
	for name, tt := range map[string]struct {
		ask  signup.Ask
		kind fault.Kind
	}{
		"no address":                  {signup.Ask{Email: "nobody"}, fault.Invalid},
		"an address with a header":    {signup.Ask{Email: "a@x.test\r\nBcc: b@x.test"}, fault.Invalid},
		"a name of two lines":         {signup.Ask{Name: "a\nb"}, fault.Invalid},
		"a role that is none":         {signup.Ask{Roles: []string{"a role"}}, fault.Invalid},
		"a role twice":                {signup.Ask{Roles: []string{"a", "a"}}, fault.Invalid},
		"an administrator, by name":   {signup.Ask{Roles: []string{user.Administrator}}, fault.Denied},
		"somebody who has an account": {signup.Ask{Email: "ANN@example.test"}, fault.Conflict},
	} {
		if _, link, err := s.Make(ctx, tt.ask); fault.KindOf(err) != tt.kind || link != "" {
			t.Errorf("%s: %v, want kind %v", name, err, tt.kind)
		}
	}
	inv, path := invite(t, s, signup.Ask{Email: "cleo@example.test", Administrator: true, Roles: []string{"writer"}, Mail: true})
	if strings.Join(inv.Roles, " ") != "writer "+user.Administrator {
		t.Errorf("roles %v", inv.Roles)
	}
	b := r.Browser()
	stage.Follow(t, send(b, stage.Follow(t, b.Get(path)), good()))
	if u, err := r.Users.ByIdentifier(ctx, "cleo@example.test"); err != nil || strings.Join(u.Roles, " ") != "writer "+user.Administrator {
		t.Errorf("the person is %+v, %v", u, err)
	}
	s.Mode = signup.Closed
	if _, _, err := s.Make(ctx, signup.Ask{}); !fault.Is(err, fault.Denied) {
		t.Errorf("while nobody may sign up: %v", err)
	}
}

func TestAnInvitedAddressThatGotAnAccount(t *testing.T) {
	r := stage.NewPages(t)
	_, path := invite(t, invitations(r), signup.Ask{Email: "cleo@example.test", Mail: true})
	made := r.Person(t, "cleo@example.test")
	b := r.Browser()
	answer := send(b, stage.Follow(t, b.Get(path)), good())
	if answer.Status != http.StatusConflict || !strings.Contains(answer.Body, "You have an account") || b.Cookie(stage.SessionCookie) != "" {
		t.Errorf("status %d, want a page that leads to the sign-in", answer.Status)
	}
	if right, err := r.Passwords.Verify(ctx, made.ID, stage.Password); err != nil || !right {
		t.Error("the account has another password")
	}
}

func TestAClosedServerTakesNoInvitation(t *testing.T) {
	r := stage.NewPages(t)
	_, path := invite(t, invitations(r), signup.Ask{})
	r.Signup.Config.Mode = signup.Closed
	if answer := r.Browser().Get(path); answer.Status != http.StatusNotFound {
		t.Errorf("status %d, want 404", answer.Status)
	}
}
