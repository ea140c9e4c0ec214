package porticotest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// authenticator is one that a tab has at hand.
type authenticator struct {
	tb *tab
	id webauthn.AuthenticatorID
}

// authenticator gives the tab one that verifies its person.
func (tb *tab) authenticator() *authenticator {
	tb.t.Helper()
	a := &authenticator{tb: tb}
	tb.do(command(webauthn.Enable, webauthn.EnableParams{}), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
			Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			},
		})
		if err == nil {
			a.id = made.AuthenticatorID
		}
		return err
	}))
	return a
}

// touched says whether somebody touches it when it asks.
func (a *authenticator) touched(yes bool) {
	a.tb.t.Helper()
	a.tb.do(a.touching(yes))
}

// touch is somebody who touches it from now on, also when it asks already.
func (a *authenticator) touch() chromedp.Action[chromedp.Void] { return a.touching(true) }

func (a *authenticator) touching(yes bool) chromedp.Action[chromedp.Void] {
	return command(webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes})
}

// recognises says whether it recognises who touches it.
func (a *authenticator) recognises(yes bool) {
	a.tb.t.Helper()
	a.tb.do(command(webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: yes}))
}

// signOut ends the session of the tab.
func (tb *tab) signOut(s *porticotest.Server) {
	tb.t.Helper()
	tb.visit(s.URL + protocol.PathLogout)
	tb.press("logout-confirm")
}

// offered is true once the browser offers passkeys while the name is typed.
const offered = `document.getElementById("username").getAttribute("autocomplete") === "username webauthn"`

// TestChromiumPasskey follows a passkey from its making to its end.
func TestChromiumPasskey(t *testing.T) {
	s := porticotest.New(t, porticotest.Host("localhost"))
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.expect("NavigationEntryMarkedSkippable") // nobody touches the page itself
	device := tb.authenticator()
	who := server.DemoPeople[1]
	passkeys := s.URL + protocol.PathAccountPasskeys

	// On the page of the account.
	tb.visit(passkeys)
	tb.signIn(who)
	tb.shows("passkey-add")
	for _, on := range screens {
		tb.inspect("passkeys-none", on)
	}
	device.recognises(false)
	tb.do(chromedp.Click(chromedp.ID("passkey-add")))
	tb.until(`document.querySelector("#passkey-form [role=status]").textContent.includes("No passkey was used")`)
	tb.inspect("passkeys-cancelled", screens[2])
	device.recognises(true)
	tb.fill("name", "My laptop")
	tb.press("passkey-add")
	if want := s.URL + protocol.PathAccountCodes; tb.address() != want { // so that nobody is stranded
		t.Errorf("the first passkey led to %s, want %s", tb.address(), want)
	}
	tb.visit(passkeys)
	tb.shows("passkey-add")
	for _, on := range screens {
		tb.inspect("passkeys", on)
	}
	if !strings.Contains(tb.text(), "My laptop") || !strings.Contains(tb.text(), "On one device only") {
		t.Errorf("the page does not list the passkey:\n%s", tb.text())
	}
	tb.do(chromedp.Click(chromedp.ID("passkey-add")))
	tb.until(`document.querySelector("#passkey-form [role=status]").textContent.includes("in use already")`)

	// First step of a sign-in, by the button.
	tb.signOut(s)
	device.touched(false)
	tb.visit(app.request(s))
	tb.shows("passkey-submit")
	tb.until(offered)
	for _, on := range screens {
		tb.inspect("login-passkey", on)
	}
	device.recognises(false)
	tb.do(chromedp.Click(chromedp.ID("passkey-submit")), device.touch())
	tb.until(`document.querySelector("#passkey-login [role=status]").textContent.includes("No passkey was used")`)
	device.touched(false)
	device.recognises(true)
	tb.visit(app.request(s))
	tb.until(offered)
	tb.load(chromedp.Click(chromedp.ID("passkey-submit")), device.touch())
	tb.press("consent-allow")
	tb.shows("app")
	app.signedIn(t, s, state)

	// While the name is typed: the browser offers it by itself.
	tb.signOut(s)
	device.touched(false)
	tb.visit(app.request(s))
	tb.until(offered)
	tb.load(device.touch())
	tb.shows("app")
	app.signedIn(t, s, state)

	// After the password.
	tb.signOut(s)
	device.touched(false)
	tb.visit(app.request(s))
	tb.until(offered)
	tb.signIn(who)
	tb.shows("factor-submit")
	for _, on := range screens {
		tb.inspect("factor-passkey", on)
	}
	tb.load(chromedp.Click(chromedp.ID("factor-submit")), device.touch())
	tb.shows("app")
	app.signedIn(t, s, state)

	// To its end.
	tb.visit(passkeys)
	evaluate[bool](tb, `document.querySelector("details").open = true`)
	tb.load(chromedp.Click(chromedp.CSS("button[value=remove]")))
	tb.shows("done")
	if !strings.Contains(tb.text(), "There is no passkey yet.") {
		t.Errorf("after the removal:\n%s", tb.text())
	}
	tb.signOut(s)
	device.touched(false) // it does not know that it opens nothing any more
	tb.visit(app.request(s))
	tb.signIn(who)
	tb.shows("app")
	app.signedIn(t, s, state)
}

// TestChromiumPasskeyWithoutScripts: what needs a script is not offered where
// none runs.
func TestChromiumPasskeyWithoutScripts(t *testing.T) {
	s := porticotest.New(t, porticotest.Host("localhost"))
	tb := newTab(t, s.URL)
	tb.scripts(false)
	tb.visit(s.URL + protocol.PathAccountPasskeys)
	if got := evaluate[bool](tb, `document.getElementById("passkey-login").checkVisibility()`); got {
		t.Error("the sign-in offers a button that does nothing")
	}
	tb.signIn(server.DemoPeople[1])
	tb.shows("main")
	if got := evaluate[bool](tb, `document.getElementById("passkey-form").checkVisibility()`); got || !strings.Contains(tb.text(), "runs no scripts") {
		t.Errorf("the account does not say what is missing:\n%s", tb.text())
	}
}
