package account_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

const grace = 14 * 24 * time.Hour

// goAway asks for the deletion of Ann's account.
func (r *rig) goAway(t *testing.T, b *stage.Browser) {
	t.Helper()
	a := b.Submit("/account/delete", "sure", "on")
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "Your account will be deleted") || b.Cookie(stage.SessionCookie) != "" {
		t.Fatalf("status %d: %.300s", a.Status, a.Body)
	}
}

func TestDeletionEndsEverythingAtOnce(t *testing.T) {
	r := newRig(t)
	b, other := r.signIn(t, ann), r.signIn(t, ann)
	r.allow(t, r.ann, r.App.ID, true)
	r.ask(t, b, fresh)
	for _, sure := range []string{"", "off", "ON", "yes", strings.Repeat("x", 5000)} {
		if a := b.Submit("/account/delete", "sure", sure); a.Status != http.StatusOK || !strings.Contains(a.Body, "Tick the box") || !r.person(t).DeleteAt.IsZero() {
			t.Errorf("sure=%.5q: status %d", sure, a.Status)
		}
	}
	r.goAway(t, b)
	if left := time.Until(r.person(t).DeleteAt); left < grace-time.Minute || left > grace {
		t.Errorf("the account goes in %v, want %v", left, grace)
	}
	if r.session(t, b) != nil || r.session(t, other) != nil {
		t.Error("a session lives on")
	}
	if g, err := r.Durable.Grants.ByID(ctx, "grant-"+r.App.ID+r.ann.ID); err != nil || !g.Revoked() {
		t.Errorf("the grant is %+v, %v", g, err)
	}
	if _, err := r.Confirmations.Of(ctx, r.ann.ID, confirm.ChangeEmail); !fault.Is(err, fault.NotFound) {
		t.Errorf("a change of address is still pending: %v", err)
	}
	if l := r.Letters.Last(t, ann); l.Key != "deletion_asked" || l.Values["Day"] == "" {
		t.Errorf("the owner reads %+v", l)
	}
	if n := len(r.Audit.Named(audit.UserDeletionAsked)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestDeletionIsAllOrNothing(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.Letters.SetDown(true)
	if a := b.Submit("/account/delete", "sure", "on"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", a.Status)
	}
	if !r.person(t).DeleteAt.IsZero() || r.session(t, b) == nil {
		t.Error("a part of it happened")
	}
}

func TestWhoSignsInAgainIsAsked(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.goAway(t, b)
	for _, begin := range []string{"/account/profile", "/start?"} {
		at := stage.Follow(t, b.Get(begin))
		if !stage.IsPage(at, "/login") {
			t.Fatalf("%s leads to %q", begin, at)
		}
		at = stage.Follow(t, b.Submit(at, "username", ann, "password", stage.Password))
		if !stage.IsPage(at, "/login/keep") {
			t.Fatalf("the sign-in leads to %q", at)
		}
		for path := range rooms {
			if to := stage.Follow(t, b.Get(path)); !stage.IsPage(to, "/login/keep") {
				t.Errorf("%s leads to %q before they decided", path, to)
			}
		}
		for _, decision := range []string{"", "x", "KEEP"} {
			if a := b.Submit(at, "decision", decision); a.Status != http.StatusOK || r.person(t).DeleteAt.IsZero() {
				t.Errorf("decision %q: status %d", decision, a.Status)
			}
		}
		if to := stage.Follow(t, b.Submit(at, "decision", "leave")); to != "/signed-out" || b.Cookie(stage.SessionCookie) != "" || r.person(t).DeleteAt.IsZero() {
			t.Errorf("leaving led to %q", to)
		}
	}
	at := stage.Follow(t, b.Submit(stage.Follow(t, b.Get("/start?")), "username", ann, "password", stage.Password))
	other := r.Browser()
	if a := other.Post(at, form(b, at, "decision", "keep")); a.Status < 400 || r.person(t).DeleteAt.IsZero() {
		t.Errorf("the form in another browser: status %d", a.Status)
	}
	if to := stage.Follow(t, b.Submit(at, "decision", "keep")); !stage.IsPage(to, "/consent") {
		t.Errorf("keeping led to %q, want on with the flow", to)
	}
	if !r.person(t).DeleteAt.IsZero() || len(r.Audit.Named(audit.UserKept)) != 1 {
		t.Error("the account is not kept")
	}
	later(t, grace+time.Hour)
	if n, err := account.Remover(r.Users, r.Letters)(ctx, 10); n != 0 || err != nil {
		t.Errorf("removed %d, %v; want nobody", n, err)
	}
}

func TestDeletionIsReallyDone(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error { u.Nickname, u.Locale = "Annikins", "en"; return nil }); err != nil {
		t.Fatal(err)
	}
	r.allow(t, r.ann, r.App.ID, true)
	r.goAway(t, b)
	remove := account.Remover(r.Users, r.Letters)
	if n, err := remove(ctx, 10); n != 0 || err != nil {
		t.Fatalf("removed %d before the time, %v", n, err)
	}
	later(t, grace)
	r.Letters.SetDown(true)
	if n, err := remove(ctx, 10); n != 0 || err == nil {
		t.Errorf("with the outbox down: removed %d, %v; want an error", n, err)
	}
	r.Letters.SetDown(false)
	if n, err := remove(ctx, 10); n != 1 || err != nil {
		t.Fatalf("removed %d, %v; want 1", n, err)
	}
	if n, err := remove(ctx, 10); n != 0 || err != nil {
		t.Errorf("removed %d again, %v", n, err)
	}
	if l := r.Letters.Last(t, ann); l.Key != "deleted" || l.To.UserID != "" || len(l.To.Locales) != 1 {
		t.Errorf("they read %+v", l)
	}
	dump := storagetest.Dump(t, r.Durable)
	for _, gone := range []string{ann, "Annikins", "Ann Example", "argon2"} {
		if strings.Contains(dump, gone) {
			t.Errorf("the database still holds %q", gone)
		}
	}
	for line := range strings.Lines(dump) {
		if strings.Contains(line, r.ann.ID) && !strings.HasPrefix(line, "audit_events.") && !strings.HasPrefix(line, "revocations.") {
			t.Errorf("left: %s", line)
		}
	}
	subject := false
	for _, e := range r.Revoker.Entries() {
		subject = subject || e.Kind == revocation.Subject && e.ID == r.ann.ID
	}
	if n := len(r.Audit.Named(audit.UserDeleted)); n != 1 || !subject {
		t.Errorf("%d events, tokens revoked %v; want one and true", n, subject)
	}
	if heir := r.Person(t, ann); heir.ID == r.ann.ID {
		t.Error("the id was given again")
	}
	if a := b.Submit(stage.Follow(t, b.Get("/account")), "username", ann, "password", "wrong horse battery"); a.Status != http.StatusOK {
		t.Errorf("signing in as the heir: status %d", a.Status)
	}
}

func TestKeepingRacesTheRemoval(t *testing.T) {
	r := newRig(t)
	for n := range 20 {
		u, err := r.Users.Create(ctx, user.User{Username: "racer" + itoa(n)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Users.AskDeletion(ctx, u.ID, 0, nil); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var kept, removed error
		n := 0
		wg.Go(func() { kept = r.Users.Keep(ctx, u.ID) })
		wg.Go(func() { n, removed = account.Remover(r.Users, r.Letters)(ctx, 10) })
		wg.Wait()
		_, err = r.Users.Get(ctx, u.ID)
		if removed != nil || (kept == nil) != (err == nil) || (n == 1) == (kept == nil) {
			t.Fatalf("kept: %v; removed %d, %v; found: %v", kept, n, removed, err)
		}
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	r := newRig(t)
	boss := r.Person(t, "boss@example.test", user.Administrator)
	b := r.signIn(t, "boss@example.test")
	a := b.Submit("/account/delete", "sure", "on")
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "the only administrator") || r.session(t, b) == nil {
		t.Errorf("status %d: %.200s", a.Status, a.Body)
	}
	if u, err := r.Users.Get(ctx, boss.ID); err != nil || !u.DeleteAt.IsZero() {
		t.Errorf("the administrator is %+v, %v", u, err)
	}
	if len(r.Audit.Named(audit.AccountRefused)) != 1 || r.Refusals.Last().Rule == "" {
		t.Error("the refusal is not noted or cannot be explained")
	}
	second := r.Person(t, "second@example.test", user.Administrator)
	var wg sync.WaitGroup
	left := make([]error, 2)
	for i, id := range []string{boss.ID, second.ID} {
		wg.Go(func() { _, left[i] = r.Users.AskDeletion(ctx, id, grace, nil) })
	}
	wg.Wait()
	if (left[0] == nil) == (left[1] == nil) {
		t.Errorf("of two who leave at once: %v and %v; want one to stay", left[0], left[1])
	}
}

func TestDeletionAtOnce(t *testing.T) {
	r := newRig(t, func(d *account.Deps) { d.Grace = 0 })
	b := r.signIn(t, ann)
	if page := b.Get("/account/delete").Body; !strings.Contains(page, "This happens at once") {
		t.Error("the page does not say that there is no way back")
	}
	r.goAway(t, b)
	if n, err := account.Remover(r.Users, r.Letters)(ctx, 10); n != 1 || err != nil {
		t.Errorf("removed %d, %v; want 1", n, err)
	}
}
