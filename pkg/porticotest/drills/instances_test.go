package drills

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

func TestWhatOneInstanceGivesAnotherTakes(t *testing.T) {
	a, b := shared(t).two(t)
	browser := a.NewBrowser()
	code := a.Code(browser, web, everything)
	first := b.Exchange(web, code)
	want(t, "code of A at B", first, http.StatusOK)
	accepted(t, a, first.Text("access_token"))
	next := b.Refresh(web, first.Text("refresh_token"))
	want(t, "refresh at B", next, http.StatusOK)
	accepted(t, a, next.Text("access_token"))

	// The retry of the same refresh is answered alike by the other.
	if again := a.Refresh(web, first.Text("refresh_token")); again.Text("refresh_token") != next.Text("refresh_token") {
		t.Errorf("the retry at A got %d %s, want the answer that B gave", again.Status, again.Raw)
	}
	want(t, "revocation at A", a.Revoke(web, next.Text("refresh_token")), http.StatusOK)
	refused(t, b, web, next)
	refused(t, b, web, first)
	refused(t, a, web, next)
}

func TestARevokedAccessTokenIsRefusedByTheOtherInstanceAtOnce(t *testing.T) {
	a, b := shared(t).two(t)
	_, tokens := login(t, a, web, everything)
	for range 20 {
		access := tokens.Text("access_token")
		accepted(t, b, access)
		want(t, "revocation at A", a.Revoke(web, access), http.StatusOK)
		if i := b.Introspect(machine, access); i.JSON["active"] != false {
			t.Fatalf("introspection at B right after the revocation at A: %s", i.Raw)
		}
		if u := b.Fetch(protocol.PathUserinfo, access); u.Status != http.StatusUnauthorized {
			t.Fatalf("userinfo at B right after the revocation at A: %d", u.Status)
		}
		tokens = b.Refresh(web, tokens.Text("refresh_token"))
		want(t, "refresh at B", tokens, http.StatusOK)
		a, b = b, a
	}
}

func TestLogoutAtOneInstanceEndsTheSessionAtAll(t *testing.T) {
	a, b := shared(t).two(t)
	browser, tokens := login(t, a, web, online)
	_, others := login(t, b, web, online)
	accepted(t, b, tokens.Text("access_token"))
	out := browser.Get(protocol.PathLogout).Submit(nil, "decision", "logout")
	if !strings.Contains(out.Text(), "signed out") {
		t.Fatalf("after logout: %d %s", out.Status, out.Text())
	}
	refused(t, b, web, tokens)
	browser.Via(b)
	page := browser.Get(b.AuthorizeURL(web, online, protocol.Prompt, "none"))
	if got := page.URL.Query().Get("error"); got != protocol.ErrLoginRequired {
		t.Errorf("prompt=none at B after logout at A: got %q at %s, want login_required", got, page.URL)
	}
	accepted(t, a, others.Text("access_token")) // the session of another browser
}

func TestAFlowBegunAtOneInstanceIsFinishedAtTheOther(t *testing.T) {
	a, b := shared(t).two(t)
	browser := a.NewBrowser()
	page := browser.Get(a.AuthorizeURL(web, everything))
	if !page.Has("login-submit") {
		t.Fatalf("no login page: %d %s", page.Status, page.Text())
	}
	browser.Via(b)
	page = page.Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	if !page.Has("consent-allow") {
		t.Fatalf("no consent page: %d %s", page.Status, page.Text())
	}
	browser.Via(a)
	page = page.Submit(nil, "decision", "allow")
	if !page.Left || page.URL.Query().Get("code") == "" {
		t.Fatalf("no code: %s %d %s", page.URL, page.Status, page.Text())
	}
	got := b.Exchange(web, page.URL.Query().Get("code"))
	want(t, "code exchange at B", got, http.StatusOK)
	accepted(t, a, got.Text("access_token"))
}

func TestReuseSeenByOneInstanceEndsTheFamilyAtAll(t *testing.T) {
	a, b := shared(t).two(t)
	_, first := login(t, a, spa, everything)
	second := a.Refresh(spa, first.Text("refresh_token"))
	want(t, "refresh", second, http.StatusOK)
	if reuse := b.Refresh(spa, first.Text("refresh_token")); reuse.Text("error") != protocol.ErrInvalidGrant {
		t.Fatalf("reuse by a public client: %d %s", reuse.Status, reuse.Raw)
	}
	for _, s := range []*porticotest.Server{a, b} {
		refused(t, s, spa, second)
	}
}
