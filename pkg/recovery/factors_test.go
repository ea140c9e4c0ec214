package recovery_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

// strand gives a person factors that they will have lost.
func strand(t *testing.T, s *stage.Stage, email string) *user.User {
	t.Helper()
	u, err := s.Users.Change(ctx, s.Person(t, email).ID, func(_ context.Context, u *user.User) error {
		u.Factors = []string{"recovery_code", "totp"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	app := totp.App{ID: "app-of-" + u.ID, UserID: u.ID, Name: "Phone", Sealed: []byte("sealed"), CreatedAt: u.CreatedAt}
	if err := s.Durable.TOTPs.Create(ctx, app); err != nil {
		t.Fatal(err)
	}
	return u
}

// administrator makes somebody who may administer.
func administrator(t *testing.T, s *stage.Stage, email string) *user.User {
	t.Helper()
	return s.Person(t, email, user.Administrator)
}

// wantCode checks a refusal: its code, and that explain is told the rule.
func wantCode(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.As(err); f == nil || f.Kind != kind || f.Code != code || f.Rule == "" {
		t.Errorf("%s: %v (%+v), want code %s under a rule", what, err, f, code)
	}
}

func TestAnAdministratorOpensAWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ada, ann := administrator(t, p.Stage, "ada@example.test"), strand(t, p.Stage, "ann@example.test")
		r, link, err := p.WayBack.Ask(ctx, ann.ID, " lost her phone, I called her ", ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(link, stage.Issuer+"/recover/factors?link=ptl_") || r.ApprovedBy != ada.ID || r.Reason != "lost her phone, I called her" {
			t.Errorf("link %q, request %+v", link, r)
		}
		letter := p.Letters.Last(t, "ann@example.test")
		if letter.Key != "factor_recovery_asked" || len(letter.Facts) != 1 || letter.Facts[0].Key != "time" || strings.Contains(letter.URL, "link=") {
			t.Errorf("the person is told %+v: want when, and neither who nor the link", letter)
		}
		events := p.Audit.Named(audit.RecoveryAsked)
		if len(events) != 1 || events[0].Actor != ada.ID || events[0].UserID != ann.ID || events[0].Data["reason"] != r.Reason || events[0].Data["recovery"] != r.ID {
			t.Errorf("audit has %+v", events)
		}
		if n := len(p.Audit.Named(audit.RecoveryApproved)); n != 0 {
			t.Errorf("%d approvals: nobody else agreed", n)
		}
		list, err := p.WayBack.List(ctx, paging.Page{})
		if err != nil || len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("listed %+v, %v", list, err)
		}
		token := strings.TrimPrefix(link, stage.Issuer+"/recover/factors?link=")
		if kept := p.Log.String() + storagetest.Dump(t, p.Durable); strings.Contains(kept, token) || strings.Contains(kept, token[4:]) {
			t.Error("log or database hold the link")
		}
		_, _, err = p.WayBack.Approve(ctx, r.ID, administrator(t, p.Stage, "ben@example.test").ID)
		wantCode(t, "an approval of what has a link", err, fault.Conflict, "already_approved")
	})
}

func TestWhoMayOpenAWayBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ada, ann := administrator(t, p.Stage, "ada@example.test"), strand(t, p.Stage, "ann@example.test")
		former := administrator(t, p.Stage, "former@example.test")
		if err := p.Users.Disable(ctx, former.ID); err != nil {
			t.Fatal(err)
		}
		off := strand(t, p.Stage, "off@example.test")
		if err := p.Users.Disable(ctx, off.ID); err != nil {
			t.Fatal(err)
		}
		bare := p.Person(t, "bare@example.test")
		for name, tt := range map[string]struct {
			who, reason, by string
			kind            fault.Kind
			code            string
		}{
			"by a person without the role":         {ann.ID, "x", bare.ID, fault.Denied, "not_administrator"},
			"by who lost them":                     {ann.ID, "x", ann.ID, fault.Denied, "not_administrator"},
			"by a disabled administrator":          {ann.ID, "x", former.ID, fault.Denied, "not_administrator"},
			"by nobody":                            {ann.ID, "x", "", fault.Denied, "not_administrator"},
			"by a made-up id":                      {ann.ID, "x", secret.ID(), fault.Denied, "not_administrator"},
			"without a reason":                     {ann.ID, " \t", ada.ID, fault.Invalid, "reason_missing"},
			"with a reason of a megabyte":          {ann.ID, strings.Repeat("x", 1<<20), ada.ID, fault.Invalid, "reason_missing"},
			"with a reason that forges a log line": {ann.ID, "x\nactor=shell", ada.ID, fault.Invalid, "reason_missing"},
			"with a reason that is not UTF-8":      {ann.ID, "x\xff", ada.ID, fault.Invalid, "reason_missing"},
			"for who is disabled":                  {off.ID, "x", ada.ID, fault.Denied, "user_disabled"},
			"for who has no factor":                {bare.ID, "x", ada.ID, fault.Conflict, "no_factors"},
		} {
			_, link, err := p.WayBack.Ask(ctx, tt.who, tt.reason, tt.by)
			wantCode(t, name, err, tt.kind, tt.code)
			if link != "" {
				t.Errorf("%s: a link came back", name)
			}
		}
		if _, _, err := p.WayBack.Ask(ctx, "nobody", "x", ada.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("for nobody: %v, want not found", err)
		}
		if list, err := p.WayBack.List(ctx, paging.Page{}); err != nil || len(list) != 0 || len(p.Letters.All()) != 0 {
			t.Errorf("refusals left %+v, %v and %d letters", list, err, len(p.Letters.All()))
		}
	})
}

func TestFourEyes(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		p.WayBack.FourEyes = true
		ada, ben := administrator(t, p.Stage, "ada@example.test"), administrator(t, p.Stage, "ben@example.test")
		ann := strand(t, p.Stage, "ann@example.test")
		r, link, err := p.WayBack.Ask(ctx, ann.ID, "lost phone", ada.ID)
		if err != nil || link != "" || r.Approved() {
			t.Fatalf("Ask = %+v, %q, %v; want one that waits, without a link", r, link, err)
		}
		if n := len(p.Letters.All()); n != 0 {
			t.Errorf("%d letters: nothing is open yet", n)
		}
		_, link, err = p.WayBack.Approve(ctx, r.ID, ada.ID)
		wantCode(t, "by the same administrator", err, fault.Denied, "same_administrator")
		_, _, err = p.WayBack.Approve(ctx, r.ID, p.Person(t, "eve@example.test").ID)
		wantCode(t, "by a person without the role", err, fault.Denied, "not_administrator")
		if _, _, err := p.WayBack.Approve(ctx, "nope", ben.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("of nothing: %v", err)
		}
		if link != "" || len(p.Letters.All()) != 0 {
			t.Error("a refused approval gave a link or sent a letter")
		}

		var won atomic.Int32
		var wg sync.WaitGroup
		admins := []*user.User{ben, administrator(t, p.Stage, "cleo@example.test")}
		for n := range 50 {
			wg.Go(func() {
				r, link, err := p.WayBack.Approve(ctx, r.ID, admins[n%2].ID)
				switch {
				case err == nil && link != "" && r.Approved():
					won.Add(1)
				case fault.CodeOf(err) != "already_approved":
					t.Errorf("a racer got %q, %v", link, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || len(p.Letters.All()) != 1 || len(p.Audit.Named(audit.RecoveryApproved)) != 1 {
			t.Errorf("%d approved it, %d letters, audit %+v; want one of each", won.Load(), len(p.Letters.All()), p.Audit.Named(audit.RecoveryApproved))
		}
	})
}

func TestFourEyesAreTwoPeopleWhoStillMay(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		p.WayBack.FourEyes = true
		ada, ben := administrator(t, p.Stage, "ada@example.test"), administrator(t, p.Stage, "ben@example.test")
		own, err := p.Users.Change(ctx, ben.ID, func(_ context.Context, u *user.User) error { u.Factors = []string{"totp"}; return nil })
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := p.WayBack.Ask(ctx, own.ID, "lost phone", ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.WayBack.Approve(ctx, r.ID, ben.ID)
		wantCode(t, "by who gets in", err, fault.Denied, "own_recovery")

		if err := p.Users.Disable(ctx, ada.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err = p.WayBack.Approve(ctx, r.ID, administrator(t, p.Stage, "cleo@example.test").ID)
		wantCode(t, "when who asked may not any more", err, fault.Denied, "not_administrator")

		late, _, err := p.WayBack.Ask(ctx, strand(t, p.Stage, "ann@example.test").ID, "lost phone", ben.ID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		_, _, err = p.WayBack.Approve(ctx, late.ID, administrator(t, p.Stage, "dan@example.test").ID)
		wantCode(t, "too late", err, fault.Gone, "recovery_over")
		wantCode(t, "a withdrawal too late", p.WayBack.Withdraw(ctx, late.ID, "shell"), fault.Gone, "recovery_over")
		if n, err := p.WayBack.DeleteExpired(ctx, 10); n != 0 || err != nil {
			t.Errorf("removed %d, %v at once: nobody could be told why", n, err)
		}
		time.Sleep(24*time.Hour + time.Second)
		if n, err := p.WayBack.DeleteExpired(ctx, 10); n != 2 || err != nil {
			t.Errorf("removed %d, %v a day later; want both", n, err)
		}
	})
}

// The letter and the link exist both or not at all.
func TestNoWayBackIsOpenedInSecret(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		ada, ben := administrator(t, p.Stage, "ada@example.test"), administrator(t, p.Stage, "ben@example.test")
		ann := strand(t, p.Stage, "ann@example.test")
		p.Letters.SetDown(true)
		_, link, err := p.WayBack.Ask(ctx, ann.ID, "lost phone", ada.ID)
		if err == nil || link != "" {
			t.Errorf("Ask = %q, %v", link, err)
		}
		p.WayBack.FourEyes = true
		r, _, err := p.WayBack.Ask(ctx, ann.ID, "lost phone", ada.ID) // sends no letter
		if err != nil {
			t.Fatal(err)
		}
		if _, link, err := p.WayBack.Approve(ctx, r.ID, ben.ID); err == nil || link != "" {
			t.Errorf("Approve = %q, %v", link, err)
		}
		p.Letters.SetDown(false)
		if _, link, err := p.WayBack.Approve(ctx, r.ID, ben.ID); err != nil || link == "" {
			t.Errorf("once letters can be sent: %q, %v; want that the first try left nothing", link, err)
		}
	})
}

// Who has no mailbox is let in all the same.
func TestAPersonWithoutAMailboxIsNotStranded(t *testing.T) {
	bubble(t, func(t *testing.T, p *stage.Pages) {
		u, err := p.Users.Create(ctx, user.User{Username: "ann", Factors: []string{"totp"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, link, err := p.WayBack.Ask(ctx, u.ID, "lost phone", administrator(t, p.Stage, "ada@example.test").ID); err != nil || link == "" {
			t.Errorf("Ask = %q, %v", link, err)
		}
	})
}
