package drills

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// shortLives makes everything but families end within the hour that the
// clock jumps.
var shortLives = setting(func(c *config.Config) {
	c.SessionIdleTTL, c.RefreshIdleTTL = 20*time.Minute, 30*time.Minute
})

// invalidGrant checks that a token request is refused as RFC 6749 §5.2 says.
func invalidGrant(t *testing.T, what string, a *porticotest.Answer) {
	t.Helper()
	if a.Status != http.StatusBadRequest || a.Text("error") != protocol.ErrInvalidGrant {
		t.Errorf("%s: got %d %s, want invalid_grant", what, a.Status, a.Raw)
	}
}

// jump moves the clock until the test ends, or back is called.
func jump(t *testing.T, by time.Duration) (back func()) {
	undo, done := clock.Jump(by), false
	back = func() {
		if !done {
			done = true
			undo()
		}
	}
	t.Cleanup(back)
	return back
}

// sweep removes what has expired, as the background work does.
func sweep(t *testing.T, s *porticotest.Server) {
	t.Helper()
	if _, err := s.Revocations.DeleteExpired(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Grants.Store().DeleteExpired(t.Context(), clock.Now(), 1000); err != nil {
		t.Fatal(err)
	}
}

func TestTheClockAnHourAheadAndBackRevivesNothing(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *porticotest.Server{
		"Postgres and Redis": func(t *testing.T) *porticotest.Server { return shared(t).instance(t, shortLives) },
		"embedded":           func(t *testing.T) *porticotest.Server { return porticotest.New(t, shortLives) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			aheadAndBack(t, s)
			for _, bad := range []string{`"status":500`, "panic"} {
				if strings.Contains(s.Log.String(), bad) {
					t.Errorf("the log has %s", bad)
				}
			}
		})
	}
}

func aheadAndBack(t *testing.T, s *porticotest.Server) {
	t.Helper()
	m := newSigner(t, s)
	m.takenAgain(s)
	used := m.assertion()
	want(t, "assertion", s.Send(nobody, protocol.PathToken, m.form(used)), http.StatusOK)
	dead, alive := revokedBefore(t, s)
	b := s.NewBrowser()
	spent := s.Code(b, web, everything)
	fromSpent := s.Exchange(web, spent)
	want(t, "code exchange", fromSpent, http.StatusOK)
	code := s.Code(b, web, everything)
	form := s.NewBrowser().Get(s.AuthorizeURL(web, everything))

	back := jump(t, time.Hour)
	access, refresh := alive.Text("access_token"), alive.Text("refresh_token")
	if a := s.Introspect(machine, access); a.JSON["active"] != false {
		t.Errorf("an access token of 15 minutes after an hour: %d %s", a.Status, a.Raw)
	}
	want(t, "userinfo after an hour", s.Fetch(protocol.PathUserinfo, access), http.StatusUnauthorized)
	invalidGrant(t, "a refresh token that was idle for too long", s.Refresh(web, refresh))
	invalidGrant(t, "a code after an hour", s.Exchange(web, code))
	want(t, "a used assertion after an hour", s.Send(nobody, protocol.PathToken, m.form(used)), http.StatusUnauthorized)
	page := form.Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	if page.Left && page.URL.Query().Get(protocol.Code) != "" || page.Status >= http.StatusInternalServerError {
		t.Errorf("a login form after an hour led to %s (%d)", page.URL, page.Status)
	}
	page = b.Get(s.AuthorizeURL(web, everything, protocol.Prompt, "none"))
	if got := page.URL.Query().Get("error"); got != protocol.ErrLoginRequired {
		t.Errorf("a session that was idle for too long: %s", page.URL)
	}
	deadAhead, aliveAhead := revokedBefore(t, s)
	accepted(t, s, aliveAhead.Text("access_token"))
	ahead, _ := login(t, s, web, everything)
	usedAhead := m.assertion()
	want(t, "assertion ahead", s.Send(nobody, protocol.PathToken, m.form(usedAhead)), http.StatusOK)
	sweep(t, s)

	back()
	for _, d := range append(dead, deadAhead...) {
		refused(t, s, web, d)
	}
	want(t, "a used assertion after the way back", s.Send(nobody, protocol.PathToken, m.form(used)), http.StatusUnauthorized)
	want(t, "an assertion used ahead", s.Send(nobody, protocol.PathToken, m.form(usedAhead)), http.StatusUnauthorized)
	invalidGrant(t, "a spent code after the way back", s.Exchange(web, spent))
	refused(t, s, web, fromSpent) // because its code came twice
	login(t, s, web, everything)
	m.takenAgain(s)
	// Whoever signed in ahead of time is signed in still, or not; that is no
	// fault of ours.
	if page := ahead.Get(s.AuthorizeURL(web, everything, protocol.Prompt, "none")); !page.Left || page.URL.Query().Get("error") == protocol.ErrServerError {
		t.Errorf("a session that begins in the future: %d %s", page.Status, page.URL)
	}

	// And an hour behind: other machines were right all the time.
	back = jump(t, -time.Hour)
	for _, d := range append(dead, deadAhead...) {
		refused(t, s, web, d)
	}
	want(t, "a used assertion an hour before", s.Send(nobody, protocol.PathToken, m.form(used)), http.StatusUnauthorized)
	_, behind := login(t, s, web, everything)
	want(t, "revocation", s.Revoke(web, behind.Text("refresh_token")), http.StatusOK)
	back()
	refused(t, s, web, behind)
	invalidGrant(t, "a spent code at last", s.Exchange(web, spent))
	login(t, s, web, everything)
}
