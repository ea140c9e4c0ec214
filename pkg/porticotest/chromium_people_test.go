package porticotest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// Everything that people do for themselves works with scripts turned off:
// they sign up, forget their password, choose another, and look after the
// account.
func TestChromiumPeopleWithoutJavaScript(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.expect("FormInputHasWrongButWellIntendedAutocompleteValueError") // of the profile
	tb.scripts(false)
	enrol(tb, app.request(s, "prompt", "create"), newcomer)
	tb.fill("code", s.Letter(newcomer).Code)
	tb.press("confirm-submit")
	tb.press("consent-allow")
	tb.shows("app")
	app.signedIn(t, s, state)

	tb.visit(s.URL + protocol.PathAccountProfile)
	tb.fill("nickname", "Cleo the first")
	tb.press("profile-save")
	tb.shows("done")
	if u, err := s.Users.ByIdentifier(t.Context(), newcomer); err != nil || u.Nickname != "Cleo the first" {
		t.Errorf("the profile is %+v, %v", u, err)
	}
	tb.visit(s.URL + protocol.PathLogout)
	tb.press("logout-confirm")

	tb.visit(s.URL + protocol.PathRecover)
	tb.fill("username", newcomer)
	tb.press("recover-submit")
	tb.visit(s.Letter(newcomer).Link)
	const next = "seven lanterns beside the quiet harbour"
	tb.fill("password", next)
	tb.press("reset-submit")
	tb.visit(s.URL + protocol.PathAccountSessions)
	tb.fill("username", newcomer, "password", next)
	tb.press("login-submit")
	tb.shows("main")
	if !strings.HasSuffix(tb.address(), protocol.PathAccountSessions) {
		t.Errorf("the new password leads to %s:\n%s", tb.address(), tb.text())
	}
	tb.visit(s.URL + protocol.PathAccountDelete)
	tb.do(chromedp.Click(chromedp.ID("sure")))
	tb.press("delete-submit")
	tb.visit(s.URL + protocol.PathAccount)
	tb.fill("username", newcomer, "password", next)
	tb.press("login-submit")
	tb.press("keep-submit")
	if u, err := s.Users.ByIdentifier(t.Context(), newcomer); err != nil || !u.DeleteAt.IsZero() {
		t.Errorf("the account that was kept is %+v, %v", u, err)
	}
}
