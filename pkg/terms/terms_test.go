package terms_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/flow"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

var ctx = context.Background()

// due signs somebody in who has not accepted the terms in force, and returns
// the page that asks.
func due(t *testing.T, r *stage.Pages, b *stage.Browser, begin string) string {
	t.Helper()
	at := stage.Follow(t, b.Get(begin))
	at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/login/terms") {
		t.Fatalf("the sign-in leads to %q, want the terms", at)
	}
	return at
}

func newPages(t *testing.T) *stage.Pages {
	r := stage.NewPages(t)
	r.Opener.TermsVersion = "2026-11"
	r.Person(t, "ann@example.test")
	r.Mux.Handle("/account", r.Kit.Pages(func(w http.ResponseWriter, req *http.Request) error {
		return r.Next.Enter(w, req, flow.Request{Return: "/account"})
	}))
	return r
}

func TestNewTermsAreAskedForOnce(t *testing.T) {
	r := newPages(t)
	b := r.Browser()
	at := due(t, r, b, "/start?")
	body := b.Get(at).Body
	for _, want := range []string{`id="terms-accept"`, `id="terms-decline"`, "https://app.example.test/terms", "https://app.example.test/privacy"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if next := stage.Follow(t, b.Get(strings.Replace(at, "/login/terms", "/consent", 1))); next != at {
		t.Errorf("security §11.9 another address skips the terms: %q", next)
	}
	if answer := b.Submit(at); answer.Status != http.StatusOK || !strings.Contains(answer.Body, "press one of the buttons") {
		t.Errorf("no decision: status %d", answer.Status)
	}
	if next := stage.Follow(t, b.Submit(at, "decision", "accept")); !stage.IsPage(next, "/consent") {
		t.Fatalf("accepting leads to %q", next)
	}
	u, err := r.Users.ByIdentifier(ctx, "ann@example.test")
	if err != nil || u.TermsVersion != "2026-11" || u.TermsAcceptedAt.IsZero() {
		t.Errorf("the person is %+v, %v", u, err)
	}
	if events := r.Audit.Named(audit.TermsAccepted); len(events) != 1 || events[0].UserID != u.ID || events[0].Data["version"] != "2026-11" {
		t.Errorf("audit has %+v", events)
	}
	if next := stage.Follow(t, b.Get(at)); !stage.IsPage(next, "/consent") {
		t.Errorf("the page, once accepted, leads to %q", next)
	}
	again := r.Browser()
	if next := stage.Follow(t, again.Submit(r.Begin(t, again, ""), "username", "ann@example.test", "password", stage.Password)); !stage.IsPage(next, "/consent") {
		t.Errorf("the next sign-in leads to %q", next)
	}
	r.Opener.TermsVersion = "2027-01"
	if next := stage.Follow(t, again.Get("/start?")); !stage.IsPage(next, "/login/terms") {
		t.Errorf("with newer terms: %q", next)
	} else if !strings.Contains(again.Get(next).Body, "have changed") {
		t.Error("the page does not say that they changed")
	}
}

func TestDecliningTheTerms(t *testing.T) {
	t.Run("RFC 6749 §4.1.2.1 the application hears access_denied", func(t *testing.T) {
		r := newPages(t)
		b := r.Browser()
		if at := stage.Follow(t, b.Submit(due(t, r, b, "/start?"), "decision", "deny")); at != stage.Redirect+"?error=access_denied&state=st%26te" {
			t.Errorf("declining leads to %q", at)
		}
	})
	t.Run("a page of Portico signs out", func(t *testing.T) {
		r := newPages(t)
		b := r.Browser()
		at := due(t, r, b, "/account")
		if next := stage.Follow(t, b.Submit(at, "decision", "deny")); next != "/signed-out" || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("declining leads to %q", next)
		}
		if next := stage.Follow(t, b.Get("/account")); !stage.IsPage(next, "/login") {
			t.Errorf("then the account leads to %q", next)
		}
		if r.Refusals.Last().Rule == "" {
			t.Error("nobody can explain it")
		}
	})
	t.Run("nothing is recorded", func(t *testing.T) {
		r := newPages(t)
		b := r.Browser()
		b.Submit(due(t, r, b, "/start?"), "decision", "deny")
		if u, _ := r.Users.ByIdentifier(ctx, "ann@example.test"); u.TermsVersion != "" || len(r.Audit.Named(audit.TermsAccepted)) != 0 {
			t.Error("declined terms are recorded as accepted")
		}
	})
}

func TestRefusedForms(t *testing.T) {
	r := newPages(t)
	b := r.Browser()
	at := due(t, r, b, "/start?")
	form := stage.Hidden(b.Get(at).Body)
	form.Set("decision", "accept")
	bare := stage.Hidden("")
	bare.Set("decision", "accept")
	if answer := b.Post(at, bare); answer.Status != http.StatusForbidden {
		t.Errorf("ASVS 3.5.1 without a token: status %d, want 403", answer.Status)
	}
	if answer := r.Browser().Post(at, form); answer.Status != http.StatusForbidden {
		t.Errorf("in another browser: status %d, want 403", answer.Status)
	}
	r.Opener.TermsVersion = "2027-01"
	if answer := b.Post(at, form); answer.Status != http.StatusForbidden {
		t.Errorf("terms that the page did not show: status %d, want 403", answer.Status)
	}
	if u, _ := r.Users.ByIdentifier(ctx, "ann@example.test"); u.TermsVersion != "" {
		t.Error("a refused form accepted the terms")
	}
	stranger := r.Browser()
	if answer := stranger.Get(strings.Replace(r.Begin(t, stranger, ""), "/login?", "/login/terms?", 1)); !stage.IsPage(answer.Location, "/login") {
		t.Errorf("who is not signed in: status %d to %q", answer.Status, answer.Location)
	}
	down := b.Get(at)
	form = stage.Hidden(down.Body)
	form.Set("decision", "accept")
	r.FlowKeep.SetDown(true)
	if answer := b.Post(at, form); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("without flows: status %d, want 503", answer.Status)
	}
}
