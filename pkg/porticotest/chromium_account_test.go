package porticotest_test

import (
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// TestChromiumAccount looks at every page of the account on each screen, and
// at those of somebody who reads from right to left.
func TestChromiumAccount(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	addSpeakers(t, s)
	address := func(path string) string { return s.URL + path }
	for name, tt := range map[string]struct {
		path    string
		shows   string
		prepare func(tb *tab, who string)
	}{
		"account":  {protocol.PathAccount, "main", nil},
		"profile":  {protocol.PathAccountProfile, "profile-save", nil},
		"password": {protocol.PathAccountPassword, "password-save", nil},
		"sessions": {protocol.PathAccountSessions, "sessions-others", func(tb *tab, who string) {
			other := newTab(t, s.URL)
			other.visit(address(protocol.PathAccount))
			other.signIn(who)
			other.shows("main")
			tb.visit(address(protocol.PathAccountSessions))
		}},
		"applications": {protocol.PathAccountApplications, "main", func(tb *tab, _ string) {
			tb.visit(app.request(s, "prompt", "consent"))
			tb.press("consent-allow")
			tb.visit(address(protocol.PathAccountApplications))
		}},
		"history": {protocol.PathAccountHistory, "main", nil},
		"data":    {protocol.PathAccountData, "data-download", nil},
		"delete":  {protocol.PathAccountDelete, "delete-submit", nil},
		"delete-refused": {protocol.PathAccountDelete, "problem", func(tb *tab, _ string) {
			evaluate[string](tb, `document.getElementById("sure").click(); "ticked"`)
			tb.press("delete-submit") // the only administrator
		}},
		"email": {protocol.PathAccountEmail, "email-submit", nil},
		"email-sent": {protocol.PathAccountEmail, "email-confirm", func(tb *tab, who string) {
			tb.fill("email", fresh(who))
			tb.press("email-submit")
		}},
		"prove": {protocol.PathAccountEmail, "prove-submit", func(tb *tab, who string) {
			next := fresh(who)
			tb.fill("email", next)
			tb.press("email-submit")
			tb.shows("done")
			tb.visit(s.Letter(next).Link)
		}},
	} {
		for _, who := range []string{server.DemoPeople[0], arabic} {
			if name == "delete-refused" && who != server.DemoPeople[0] {
				continue // anybody else may go
			}
			t.Run(name+" of "+who, func(t *testing.T) {
				tb := newTab(t, s.URL, app.URL)
				if name == "profile" {
					// Chromium does not know the purposes "url" and "photo" of HTML.
					tb.expect("FormInputHasWrongButWellIntendedAutocompleteValueError")
				}
				tb.visit(address(tt.path))
				tb.signIn(who)
				tb.shows("main")
				if tt.prepare != nil {
					tt.prepare(tb, who)
				}
				tb.shows(tt.shows)
				picture, on := name, screens
				if who == arabic {
					picture, on = name+"-ar", []screen{screens[2], screens[1]}
					if dir := evaluate[string](tb, `document.documentElement.dir`); dir != "rtl" {
						t.Errorf("the page reads %q, want from right to left", dir)
					}
				}
				for _, one := range on {
					tb.inspect(picture, one)
				}
			})
		}
	}
}
