package porticotest_test

import (
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// TestChromiumAccount looks at every page of the account, on each screen and
// turned around.
func TestChromiumAccount(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	address := func(path string) string { return s.URL + path }
	for name, tt := range map[string]struct {
		path    string
		shows   string
		prepare func(*tab)
	}{
		"account":  {protocol.PathAccount, "main", nil},
		"profile":  {protocol.PathAccountProfile, "profile-save", nil},
		"password": {protocol.PathAccountPassword, "password-save", nil},
		"sessions": {protocol.PathAccountSessions, "sessions-others", func(tb *tab) {
			other := newTab(t, s.URL)
			other.visit(address(protocol.PathAccount))
			other.signIn(server.DemoPeople[0])
			other.shows("main")
			tb.visit(address(protocol.PathAccountSessions))
		}},
		"applications": {protocol.PathAccountApplications, "main", func(tb *tab) {
			tb.visit(app.request(s, "prompt", "consent"))
			tb.press("consent-allow")
			tb.visit(address(protocol.PathAccountApplications))
		}},
		"history": {protocol.PathAccountHistory, "main", nil},
		"data":    {protocol.PathAccountData, "data-download", nil},
		"delete":  {protocol.PathAccountDelete, "delete-submit", nil},
		"delete-refused": {protocol.PathAccountDelete, "problem", func(tb *tab) {
			evaluate[string](tb, `document.getElementById("sure").click(); "ticked"`)
			tb.press("delete-submit") // the only administrator
		}},
		"email": {protocol.PathAccountEmail, "email-submit", nil},
		"email-sent": {protocol.PathAccountEmail, "email-confirm", func(tb *tab) {
			tb.fill("email", "alice@example.net")
			tb.press("email-submit")
		}},
		"prove": {protocol.PathAccountEmail, "prove-submit", func(tb *tab) {
			tb.fill("email", "alice@example.org")
			tb.press("email-submit")
			tb.shows("done")
			tb.visit(s.Letter("alice@example.org").Link)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTab(t, s.URL, app.URL)
			if name == "profile" {
				// Chromium does not know the purposes "url" and "photo" of HTML.
				tb.expect("FormInputHasWrongButWellIntendedAutocompleteValueError")
			}
			tb.visit(address(tt.path))
			tb.signIn(server.DemoPeople[0])
			tb.shows("main")
			if tt.prepare != nil {
				tt.prepare(tb)
			}
			tb.shows(tt.shows)
			for _, on := range screens {
				tb.inspect(name, on)
			}
			evaluate[string](tb, `document.documentElement.dir = "rtl"`)
			tb.inspect(name+"-rtl", screens[2])
			tb.inspect(name+"-rtl", screens[0])
		})
	}
}
