package porticotest_test

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/user"
)

// names are what people of a language are called; one is long.
var names = map[string]string{
	"en": "Alexandrina Featherstonehaugh-Cholmondeley of Upper Wallop",
	"de": "Greta Beispiel", "ar": "أمينة العربي",
}

// speaker makes somebody new who reads the language.
func speaker(t *testing.T, s *porticotest.Server, language string) string {
	t.Helper()
	u := user.User{Email: rand.Text()[:6] + "@example.com", Name: names[language], Locale: language, EmailVerified: true}
	if _, err := s.CreateUser(t.Context(), u, server.DemoPassword); err != nil {
		t.Fatal(err)
	}
	return u.Email
}

// factorPage is a page about second factors or accounts elsewhere in a state
// that people come to.
type factorPage struct {
	shows   string
	prepare func(v *visitor)
}

// visitor is somebody at a page: here is the server, app an application of
// it, there another server where people of the same address sign in.
type visitor struct {
	*tab
	here, there *porticotest.Server
	app         *webApp
	who         string
	language    string
}

// ask begins a sign-in to the application and types the password.
func (v *visitor) ask(extra ...string) {
	v.t.Helper()
	v.visit(v.app.request(v.here, extra...))
	v.signIn(v.who)
}

// room opens a page of the account, and signs in when it must.
func (v *visitor) room(path string) {
	v.t.Helper()
	v.visit(v.here.URL + path)
	if v.has("login-submit") {
		v.signIn(v.who)
	}
}

// scan begins to add an authenticator app, on its page, and returns the app.
func (v *visitor) scan() *porticotest.Authenticator {
	v.t.Helper()
	v.press("totp-begin")
	v.shows("totp-key")
	return v.here.NewAuthenticator(evaluate[string](v.tab, `document.getElementById("totp-key").textContent`))
}

// elsewhere signs in at the other server with the button of its name.
func (v *visitor) elsewhere() {
	v.t.Helper()
	v.load(chromedp.Click(chromedp.CSS(`button[value="there"]`)))
	v.signIn(v.who)
	if v.has("consent-allow") {
		v.press("consent-allow")
	}
}

// device connects a device that keeps passkeys and confirms by itself.
func (v *visitor) device() {
	v.t.Helper()
	v.do(command(webauthn.Enable, webauthn.EnableParams{}), command(webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	}))
}

var factorPages = map[string]factorPage{
	"login-ways": {"passkey-submit", func(v *visitor) { v.visit(v.app.request(v.here)) }},
	"login-ways-wrong": {"problem", func(v *visitor) {
		v.visit(v.app.request(v.here))
		v.fill("username", v.who, "password", "not this one")
		v.press("login-submit")
	}},
	"factor-totp": {"factor-submit", func(v *visitor) {
		v.here.AddAuthenticator(v.who)
		v.ask()
	}},
	"factor-totp-wrong": {"problem", func(v *visitor) {
		v.here.AddAuthenticator(v.who)
		v.ask()
		v.fill("code", "000000")
		v.press("factor-submit")
	}},
	"factor-passkey": {"factor-submit", func(v *visitor) {
		v.passkey()
		v.here.AddAuthenticator(v.who)
		v.do(command(webauthn.Disable, cdp.Empty{}))
		v.visit(v.app.request(v.here, "prompt", "login"))
		v.fill("password", server.DemoPassword)
		v.press("login-submit")
	}},
	"enrol": {"enrol-totp", func(v *visitor) { v.ask("acr_values", "2") }},
	"link": {"link-on", func(v *visitor) {
		v.visit(v.app.request(v.here))
		v.elsewhere()
	}},
	"link-login": {"login-submit", func(v *visitor) {
		v.visit(v.app.request(v.here))
		v.elsewhere()
		v.press("link-on")
	}},
	"security-none": {"main", func(v *visitor) { v.room(protocol.PathAccountSecurity) }},
	"security-some": {"main", func(v *visitor) {
		v.passkey()
		v.here.AddAuthenticator(v.who)
		v.here.AddAuthenticator(v.who)
		v.room(protocol.PathAccountSecurity)
	}},
	"app-none": {"totp-begin", func(v *visitor) { v.room(protocol.PathAccountTOTP) }},
	"app-new": {"totp-confirm", func(v *visitor) {
		v.room(protocol.PathAccountTOTP)
		v.scan()
	}},
	"app-new-wrong": {"code-problem", func(v *visitor) {
		v.room(protocol.PathAccountTOTP)
		v.scan()
		v.fill("code", "000000", "name", "A phone with a name that is as long as such a name may ever get")
		v.press("totp-confirm")
	}},
	"app-list": {"done", func(v *visitor) {
		v.room(protocol.PathAccountTOTP)
		app := v.scan()
		v.fill("code", app.Code(), "name", "A phone with a name that is as long as such a name may ever get")
		v.press("totp-confirm")
		if !v.has("done") { // recovery codes come first
			v.visit(v.here.URL + protocol.PathAccountTOTP + "?done=factor")
		}
		v.do(chromedp.Click(chromedp.CSS("details summary")))
	}},
	"browsers-none": {"main", func(v *visitor) { v.room(protocol.PathAccountBrowsers) }},
	"browsers": {"browsers-all", func(v *visitor) {
		app := v.here.AddAuthenticator(v.who)
		v.ask()
		v.fill("code", app.Code())
		v.do(chromedp.Click(chromedp.CSS("[name=trust]")))
		v.press("factor-submit")
		v.room(protocol.PathAccountBrowsers)
	}},
	"passkeys-none": {"passkey-add", func(v *visitor) { v.room(protocol.PathAccountPasskeys) }},
	"passkeys": {"main", func(v *visitor) {
		v.passkey()
		v.visit(v.here.URL + protocol.PathAccountPasskeys)
		v.do(chromedp.Click(chromedp.CSS("details summary")))
	}},
	"identities-none": {"main", func(v *visitor) { v.room(protocol.PathAccountIdentities) }},
	"identities": {"main", func(v *visitor) {
		v.room(protocol.PathAccountIdentities)
		v.elsewhere()
		v.visit(v.here.URL + protocol.PathAccountIdentities)
	}},
}

// passkey adds one on its page.
func (v *visitor) passkey() {
	v.t.Helper()
	v.room(protocol.PathAccountPasskeys)
	v.device()
	v.press("passkey-add")
	v.do(command(webauthn.Disable, cdp.Empty{}))
}

// Every page about second factors and accounts elsewhere, in the states that
// people come to, on each screen; keys reach all that can be pressed, in the
// order of the page, and fingers hit it.
func TestChromiumFactors(t *testing.T) {
	here, there := twoServersWith(t, porticotest.Host("localhost"))
	app := newWebApp(t, porticotest.Web)
	for name, tt := range factorPages {
		for _, language := range []string{"en", "de", "ar"} {
			t.Run(name+" "+language, func(t *testing.T) {
				v := &visitor{tab: newTab(t, here.URL, there.URL, app.URL), here: here, there: there, app: app, language: language}
				v.who = speaker(t, here, language)
				u := user.User{Email: v.who, Name: names[language], Locale: language, EmailVerified: true}
				if _, err := there.CreateUser(t.Context(), u, server.DemoPassword); err != nil {
					t.Fatal(err)
				}
				v.look(name, tt)
			})
		}
	}
}

// look brings the page to its state and looks at it.
func (v *visitor) look(name string, p factorPage) {
	v.t.Helper()
	v.expect("Autofocus processing was blocked") // by a driver that types before the page is drawn
	v.do(command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": v.language}}))
	p.prepare(v)
	v.shows(p.shows)
	if got := evaluate[string](v.tab, `document.documentElement.lang`); got != v.language {
		v.t.Errorf("the page is in %q, want %q", got, v.language)
	}
	on := screens
	switch v.language {
	case "en":
		v.walk()
	case "de": // the words differ, the colours do not
		on = screens[2:3]
	case "ar": // right to left
		on = []screen{screens[2], screens[1]}
	}
	for _, one := range on {
		v.inspect(name+"-"+v.language, one)
		if one.phone {
			v.fingers()
		}
	}
}

// pressable are the elements of a page that people can press or fill.
const pressable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
	.filter(e => e.checkVisibility({visibilityProperty: true}))`

// walk presses Tab from the top of the page to its end.
func (tb *tab) walk() {
	tb.t.Helper()
	want := evaluate[[]string](tb, `(() => { const all = `+pressable+`; all[0].focus(); return all.map(e => e.outerHTML); })()`)
	for i, next := range want {
		if i > 0 {
			tb.do(chromedp.KeyEvent(kb.Tab))
		}
		at := evaluate[map[string]string](tb, `(() => { const e = document.activeElement, c = getComputedStyle(e);
			return {html: e.outerHTML, outline: c.outlineStyle, shadow: c.boxShadow}; })()`)
		if at["html"] != next {
			tb.t.Errorf("after %d times Tab the focus is on %.120s, want %.120s", i, at["html"], next)
			return
		}
		if i > 0 && at["outline"] == "none" && at["shadow"] == "none" {
			tb.t.Errorf("the focus on %.120s is not seen", next)
		}
	}
}

// fingers looks for controls below 44 pixels; links in sentences may be lower.
func (tb *tab) fingers() {
	tb.t.Helper()
	small := evaluate[[]string](tb, pressable+`.map(e => e.type === "checkbox" ? e.closest("label") || e : e)
		.filter(e => e.tagName !== "A" || e.matches(".button, .ways a, .rooms a"))
		.filter(e => !e.matches(".reveal")).filter(e => e.getBoundingClientRect().height < 44)
		.map(e => e.getBoundingClientRect().height + " " + e.outerHTML.slice(0, 120))`)
	for _, s := range small {
		tb.t.Errorf("too low for a finger: %s", s)
	}
}

// A policy leads to a second factor, at once or later.
func TestChromiumFactorsUnderAPolicy(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.MFAEveryone, c.MFAGrace = "2", 7*24*time.Hour
	}))
	app := newWebApp(t, porticotest.Web)
	for name, tt := range map[string]factorPage{
		"enrol-later": {"enrol-later", func(v *visitor) { v.ask() }},
		"security-demanded": {"main", func(v *visitor) {
			a := v.here.AddAuthenticator(v.who)
			v.room(protocol.PathAccountSecurity)
			v.fill("code", a.Code())
			v.press("factor-submit")
		}},
		"app-last": {"problem", func(v *visitor) {
			a := v.here.AddAuthenticator(v.who)
			v.room(protocol.PathAccountTOTP)
			v.fill("code", a.Code())
			v.press("factor-submit")
			v.do(chromedp.Click(chromedp.CSS("details summary")))
			v.load(chromedp.Click(chromedp.CSS(`button[value="remove"]`)))
		}},
	} {
		for _, language := range []string{"en", "de", "ar"} {
			t.Run(name+" "+language, func(t *testing.T) {
				v := &visitor{tab: newTab(t, s.URL, app.URL), here: s, app: app, language: language, who: speaker(t, s, language)}
				v.look(name, tt)
			})
		}
	}
}

// texted finds the code of the newest text message in the log.
var texted = regexp.MustCompile(`a text message stands here.*?"text":"[^"]*?(\d[\d ]*\d)`)

// withApp opens a page of the account as somebody who has an authenticator app
// and nothing else.
func (v *visitor) withApp(path string) {
	v.t.Helper()
	app := v.here.AddAuthenticator(v.who)
	v.room(path)
	v.fill("code", app.Code())
	v.press("factor-submit")
	v.shows("main")
	if v.has("factor-submit") {
		v.t.Fatalf("the code was not taken:\n%s", v.text())
	}
}

// number asks for a text message to a number, on its page, and returns the code.
func (v *visitor) number() string {
	v.t.Helper()
	v.room(protocol.PathAccountSMS)
	v.fill("number", fmt.Sprintf("+49 151 %08d", time.Now().UnixNano()%1e8)) // one gets few messages
	v.press("onetime-send")
	v.shows("onetime-confirm")
	all := texted.FindAllStringSubmatch(v.here.Log.String(), -1)
	if len(all) == 0 {
		v.t.Fatal("no text message")
	}
	return all[len(all)-1][1]
}

// mailed asks for a code by mail, on its page.
func (v *visitor) mailed() {
	v.t.Helper()
	v.room(protocol.PathAccountEmailCode)
	v.press("onetime-send")
	v.shows("onetime-confirm")
}

// byMail takes codes by mail as the only second factor, in another browser
// than that of the visitor.
func (v *visitor) byMail() {
	v.t.Helper()
	b := v.here.NewBrowser()
	page := b.Get(protocol.PathAccountEmailCode).Submit(map[string]string{"username": v.who, "password": server.DemoPassword}, "", "")
	page.Submit(nil, "decision", "send").Submit(map[string]string{"code": v.here.Letter(v.who).Code}, "decision", "confirm")
}

// The pages of codes: on paper, by mail and by text message.
func TestChromiumCodes(t *testing.T) {
	s := porticotest.New(t, everyMethod)
	app := newWebApp(t, porticotest.Web)
	for name, tt := range map[string]factorPage{
		"security-codes": {"main", func(v *visitor) { v.withApp(protocol.PathAccountSecurity) }},
		"codes-none":     {"main", func(v *visitor) { v.room(protocol.PathAccountCodes) }},
		"codes-never": {"codes-generate", func(v *visitor) {
			v.withApp(protocol.PathAccountCodes)
		}},
		"codes-new": {"codes-done", func(v *visitor) {
			v.withApp(protocol.PathAccountCodes)
			v.press("codes-generate")
		}},
		"codes-left": {"codes-left", func(v *visitor) {
			v.withApp(protocol.PathAccountCodes)
			v.press("codes-generate")
			v.visit(v.here.URL + protocol.PathAccountCodes)
		}},
		"factor-code-on-paper": {"problem", func(v *visitor) {
			v.withApp(protocol.PathAccountCodes)
			v.press("codes-generate")
			v.visit(v.app.request(v.here, "prompt", "login"))
			v.fill("password", server.DemoPassword)
			v.press("login-submit")
			v.press("factor-with-recovery_code")
			v.fill("code", "not one of them")
			v.press("factor-submit")
		}},
		"email-code":       {"onetime-send", func(v *visitor) { v.room(protocol.PathAccountEmailCode) }},
		"email-code-waits": {"onetime-confirm", (*visitor).mailed},
		"email-code-wrong": {"code-problem", func(v *visitor) {
			v.mailed()
			v.fill("code", "00000000")
			v.press("onetime-confirm")
		}},
		"email-code-on": {"onetime-off", func(v *visitor) {
			v.byMail()
			v.ask()
			v.factorByMail()
			v.room(protocol.PathAccountEmailCode)
		}},
		"factor-email": {"factor-send", func(v *visitor) {
			v.byMail()
			v.ask()
		}},
		"factor-email-sent": {"factor-again", func(v *visitor) {
			v.byMail()
			v.ask()
			v.press("factor-send")
		}},
		"text-code":       {"onetime-send", func(v *visitor) { v.room(protocol.PathAccountSMS) }},
		"text-code-waits": {"onetime-confirm", func(v *visitor) { v.number() }},
		"text-code-on": {"onetime-off", func(v *visitor) {
			code := v.number()
			v.fill("code", code)
			v.press("onetime-confirm")
			v.visit(v.here.URL + protocol.PathAccountSMS)
		}},
	} {
		for _, language := range []string{"en", "de", "ar"} {
			t.Run(name+" "+language, func(t *testing.T) {
				v := &visitor{tab: newTab(t, s.URL, app.URL), here: s, app: app, language: language, who: speaker(t, s, language)}
				v.look(name, tt)
			})
		}
	}
}

// factorByMail answers the step that asks for a code by mail.
func (v *visitor) factorByMail() {
	v.t.Helper()
	v.press("factor-send")
	v.fill("code", v.here.Letter(v.who).Code)
	v.press("factor-submit")
}

// Scripts turned off: somebody adds an authenticator app and signs in with it.
func TestChromiumAuthenticatorWithoutJavaScript(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.scripts(false)
	v := &visitor{tab: tb, here: s, app: app, who: speaker(t, s, "en")}
	v.room(protocol.PathAccountSecurity)
	v.load(chromedp.Click(chromedp.CSS(`.thing a[href$="` + protocol.PathAccountTOTP + `"]`)))
	phone := v.scan()
	v.fill("code", phone.Code())
	v.press("totp-confirm")
	tb.visit(s.URL + protocol.PathLogout)
	tb.press("logout-confirm")

	v.ask()
	tb.shows("factor-submit")
	tb.fill("code", "000000")
	tb.press("factor-submit")
	tb.shows("problem")
	tb.fill("code", phone.Code())
	tb.press("factor-submit")
	tb.press("consent-allow")
	tb.shows("app")
	claims := claimsOf(t, app.signedIn(t, s, state).Text("id_token"))
	if amr, _ := claims["amr"].([]any); claims["acr"] != "2" || !slices.Contains(amr, any(protocol.AMROTP)) {
		t.Errorf("the application is told acr %v, amr %v", claims["acr"], claims["amr"])
	}
	if strings.Contains(tb.address(), "code=000000") {
		t.Error("a code stands in an address")
	}
}
