//go:build unix

package porticotest_test

import (
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// everyMethod turns on every kind of second factor.
var everyMethod = porticotest.With(func(c *config.Config) { c.MFAMethods = []string{"passkey", "totp", "email", "sms"} })

// signing is one way to sign in, by a person of its own.
type signing struct {
	*testing.T
	s, there *porticotest.Server
	b        *porticotest.Browser
	email    string
}

// password enters the password and returns the page that follows.
func (x *signing) password(extra ...string) *porticotest.Page {
	page := x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid", extra...))
	return page.Submit(map[string]string{"username": x.email, "password": server.DemoPassword}, "", "")
}

// app adds an authenticator app to the person, wherever they are known.
func (x *signing) app() *porticotest.Authenticator { return x.s.AddAuthenticator(x.email) }

// elsewhere signs in at the other server, whose word may be trusted.
func (x *signing) elsewhere(trusted bool) *porticotest.Page {
	_, err := x.s.Federation.Change(x.Context(), "there", "", func(p *federation.Provider) error { p.Settings.TrustAMR = trusted; return nil })
	if err != nil {
		x.Fatal(err)
	}
	return across{x.b, x.there.NewBrowser()}.signIn(x.T, x.s.AuthorizeURL(porticotest.Web, "openid"), x.email)
}

// ways are the ways to sign in, in the order of the table.
var ways = []struct {
	name string
	do   func(x *signing) *porticotest.Page
}{
	{"password", func(x *signing) *porticotest.Page { return x.password() }},
	{"password, authenticator app", func(x *signing) *porticotest.Page {
		app := x.app()
		return x.password().Submit(map[string]string{"code": app.Code()}, "", "")
	}},
	{"password, in a remembered browser", func(x *signing) *porticotest.Page {
		app := x.app()
		x.password().Submit(map[string]string{"code": app.Code(), "trust": "on"}, "", "")
		return x.password("prompt", "login")
	}},
	{"password, then authenticator app as a step-up", func(x *signing) *porticotest.Page {
		finish(x.password())
		app := x.app()
		return x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid", "acr_values", "2")).Submit(map[string]string{"code": app.Code()}, "", "")
	}},
	{"provider", func(x *signing) *porticotest.Page { return x.elsewhere(false) }},
	{"provider, authenticator app", func(x *signing) *porticotest.Page {
		finish(x.elsewhere(false))
		app := x.app()
		x.b = x.s.NewBrowser()
		return x.elsewhere(false).Submit(map[string]string{"code": app.Code()}, "", "")
	}},
	{"provider whose amr is trusted (password)", func(x *signing) *porticotest.Page { return x.elsewhere(true) }},
	{"directory", func(x *signing) *porticotest.Page {
		return x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": "dora", "password": "of-dora"}, "", "")
	}},
	{"directory, authenticator app", func(x *signing) *porticotest.Page {
		enter := map[string]string{"username": "dora", "password": "of-dora"}
		finish(x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid")).Submit(enter, "", ""))
		app := x.s.AddAuthenticator("dora@corp.test")
		x.b = x.s.NewBrowser()
		return x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid")).Submit(enter, "", "").Submit(map[string]string{"code": app.Code()}, "", "")
	}},
}

// finish allows what is asked, if it is.
func finish(page *porticotest.Page) *porticotest.Page {
	if page.Has("consent-allow") {
		return page.Submit(nil, "decision", "allow")
	}
	return page
}

// What applications are told of every way to sign in: the truth of this login.
func TestGoldenOfAssurance(t *testing.T) {
	s, there := twoServersWith(t, everyMethod)
	corp(t, s)
	table := map[string]any{}
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			x := &signing{T: t, s: s, there: there, b: s.NewBrowser(), email: "person" + string(rune('a'+i)) + "@example.test"}
			member(t, there, x.email, "Person")
			if !strings.HasPrefix(w.name, "provider") && !strings.HasPrefix(w.name, "directory") {
				member(t, s, x.email, "Person")
			}
			page := finish(w.do(x))
			if !page.Left {
				t.Fatalf("ends at %s (%d): %s", page.URL, page.Status, page.Text())
			}
			claims := claimsOf(t, s.Exchange(porticotest.Web, page.URL.Query().Get(protocol.Code)).Text("id_token"))
			row := map[string]any{"acr": claims["acr"], "amr": claims["amr"]}
			// A class that was reached is told by the name that was asked for.
			for _, class := range assurance.Classes() {
				got := x.b.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none", "acr_values", class))
				if code := got.URL.Query().Get(protocol.Code); code != "" {
					row["asked for "+class] = claimsOf(t, s.Exchange(porticotest.Web, code).Text("id_token"))["acr"]
				} else {
					row["asked for "+class] = got.URL.Query().Get("error")
				}
			}
			table[w.name] = row
		})
	}
	golden(t, s, "assurance", table)
}
