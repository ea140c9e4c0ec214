package federation_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

type ctxt = context.Context

const list = "/account/identities"

// link presses the button that links, and returns the state.
func (r *rig) link(t *testing.T, b *stage.Browser, provider string) string {
	t.Helper()
	return r.away(t, b.Submit(list, "decision", "link", "provider", provider))
}

func TestLinkingAndUnlinking(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	page := b.Get(list)
	if !strings.Contains(page.Body, "No other account is linked") || strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action") {
		t.Fatalf("the empty list: %s %.500s", page.Header.Get("Content-Security-Policy"), page.Body)
	}
	if at := stage.Follow(t, back(b, "corp", r.link(t, b, "corp"))); at != list+"?done=linked" {
		t.Fatalf("led to %q", at)
	}
	mine := r.identities(t, r.ann)
	if len(mine) != 1 || mine[0].Label != "cleo@example.test" {
		t.Fatalf("Ann has %+v", mine)
	}
	shown := b.Get(list + "?done=linked").Body
	for _, want := range []string{"The account is linked.", "cleo@example.test", "Example Corp", `value="hub"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if strings.Contains(shown, `value="corp"`) {
		t.Error("what is linked can be linked again")
	}
	if l := r.Letters.Last(t, ann); l.Key != "identity_linked" || l.Values["Provider"] != "Example Corp" || l.Values["Label"] != "cleo@example.test" {
		t.Errorf("the letter is %+v", l)
	}
	other := r.Browser()
	if at := r.allow(t, other, r.through(t, other, "corp")); at != stage.Granted || r.session(t, other).UserID != r.ann.ID {
		t.Fatalf("the sign-in led to %q", at)
	}
	if at := stage.Follow(t, b.Submit(list, "decision", "unlink", "identity", mine[0].ID)); at != list+"?done=unlinked" {
		t.Fatalf("unlinking led to %q", at)
	}
	if len(r.identities(t, r.ann)) != 0 || r.Letters.Last(t, ann).Key != "identity_unlinked" {
		t.Error("it is still there, or Ann is not told")
	}
	if r.session(t, other) != nil {
		t.Error("the session that came from it lives on")
	}
	if r.events(audit.IdentityLinked) != 1 || r.events(audit.IdentityUnlinked) != 1 {
		t.Error("the audit lacks it")
	}
}

// TestLinkingRefuses: nothing is linked, and the list says why.
func TestLinkingRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		away   func(t *testing.T, r *rig, b *stage.Browser)
		answer []string
		words  string
	}{
		"somebody else has it": {away: func(t *testing.T, r *rig, _ *stage.Browser) {
			b := r.Browser()
			r.allow(t, b, r.through(t, b, "corp"))
		}, words: "is already linked"},
		"the person said no": {answer: []string{"error", "access_denied"}, words: wordsCancelled},
		"it does not answer": {away: func(_ *testing.T, r *rig, _ *stage.Browser) {
			r.at.err = fault.New(fault.Unavailable, "upstream_unavailable", "x").Under("x")
		}, words: wordsBusy},
		"it was switched off meanwhile": {away: func(t *testing.T, r *rig, _ *stage.Browser) {
			r.change(t, "corp", func(p *federation.Provider) { p.Disabled = true })
		}, words: wordsOff},
		"somebody else signed in": {away: func(t *testing.T, r *rig, b *stage.Browser) {
			r.confirmed(t, "ben@example.test")
			b.SetCookie(stage.SessionCookie, "")
			r.SignIn(t, b, "ben@example.test")
		}, words: "somebody else signed in"},
		"a new session of the same person": {away: func(t *testing.T, r *rig, b *stage.Browser) {
			b.SetCookie(stage.SessionCookie, "")
			r.SignIn(t, b, ann)
		}, words: "somebody else signed in"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.signIn(t, ann)
			state := r.link(t, b, "corp")
			if tt.away != nil {
				tt.away(t, r, b)
			}
			at := stage.Follow(t, back(b, "corp", state, tt.answer...))
			if !strings.HasPrefix(at, list+"?problem=") || !strings.Contains(b.Get(at).Body, tt.words) {
				t.Errorf("led to %q, want the list to say %q", at, tt.words)
			}
			if len(r.identities(t, r.ann)) != 0 || len(r.Letters.All()) != 0 {
				t.Error("it is linked, or Ann was told so")
			}
		})
	}
	t.Run("nobody is signed in any more", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		state := r.link(t, b, "corp")
		b.SetCookie(stage.SessionCookie, "")
		stage.Follow(t, back(b, "corp", state))
		if len(r.identities(t, r.ann)) != 0 || len(r.at.answers) != 0 {
			t.Error("it is linked")
		}
	})
	t.Run("security §11.9 a sign-in that is too old", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		t.Cleanup(clock.Jump(6 * time.Minute))
		if a := b.Get(list); a.Status != http.StatusOK {
			t.Errorf("to look at the list: %d", a.Status)
		}
		if at := stage.Follow(t, b.Submit(list, "decision", "link", "provider", "corp")); !stage.IsPage(at, "/login") || len(r.at.sent) != 0 {
			t.Errorf("led to %q", at)
		}
	})
	t.Run("a form of another website", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		form := url.Values{"decision": {"link"}, "provider": {"corp"}, "form_token": {"x"}}
		if a := b.Post(list, form); a.Status != http.StatusForbidden || len(r.at.sent) != 0 {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("a provider of nobody's", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		if a := b.Submit(list, "decision", "link", "provider", "nobody"); a.Status != http.StatusForbidden {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("words that a link put into our mouth", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		for _, q := range []string{"problem=hacked&provider=corp", "problem=taken&provider=Call+us", "problem=taken"} {
			if strings.Contains(b.Get(list+"?"+q).Body, `role="alert"`) {
				t.Errorf("%s is told", q)
			}
		}
	})
}

func TestUnlinkingRefuses(t *testing.T) {
	t.Run("the only way in", func(t *testing.T) {
		r := newRig(t)
		b := r.Browser()
		r.allow(t, b, r.through(t, b, "corp"))
		cleo, err := r.Users.Get(ctx, r.session(t, b).UserID)
		if err != nil {
			t.Fatal(err)
		}
		a := b.Submit(list, "decision", "unlink", "identity", r.identities(t, cleo)[0].ID)
		if a.Status != http.StatusConflict || !strings.Contains(a.Body, "your only way to sign in") || len(r.identities(t, cleo)) != 1 {
			t.Errorf("status %d: %.400s", a.Status, a.Body)
		}
		if r.Refusals.Last().Rule == "" || r.events(audit.AccountRefused) != 1 {
			t.Error("the operator does not learn of it")
		}
	})
	t.Run("one of somebody else", func(t *testing.T) {
		r := newRig(t)
		other := r.Browser()
		r.allow(t, other, r.through(t, other, "corp"))
		cleo, err := r.Users.Get(ctx, r.session(t, other).UserID)
		if err != nil {
			t.Fatal(err)
		}
		b := r.signIn(t, ann)
		if a := b.Submit(list, "decision", "unlink", "identity", r.identities(t, cleo)[0].ID); a.Status != http.StatusNotFound || len(r.identities(t, cleo)) != 1 {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("no decision", func(t *testing.T) {
		r := newRig(t)
		b := r.signIn(t, ann)
		if a := b.Submit(list, "decision", "x"); a.Status != http.StatusOK || !strings.Contains(a.Body, `role="alert"`) {
			t.Errorf("status %d", a.Status)
		}
	})
}
