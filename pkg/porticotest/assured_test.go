//go:build unix

package porticotest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/descope/virtualwebauthn"

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
	texts    *phone
}

// phone takes the text messages of a server, as the webhook of an operator.
type phone struct {
	mu   sync.Mutex
	last string
}

// ServeHTTP implements http.Handler.
func (m *phone) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&message); err == nil {
		m.mu.Lock()
		m.last = message.Text
		m.mu.Unlock()
	}
}

// code returns the code of the newest message.
func (m *phone) code(t *testing.T) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	found := regexp.MustCompile(`#(\d+)`).FindStringSubmatch(m.last)
	if found == nil {
		t.Fatalf("no code in %q", m.last)
	}
	return found[1]
}

// password enters the password and returns the page that follows.
func (x *signing) password(extra ...string) *porticotest.Page {
	page := x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid", extra...))
	return page.Submit(map[string]string{"username": x.email, "password": server.DemoPassword}, "", "")
}

// app adds an authenticator app to the person, wherever they are known.
func (x *signing) app() *porticotest.Authenticator { return x.s.AddAuthenticator(x.email) }

// securityKey is a virtual authenticator with one passkey.
type securityKey struct {
	rp     virtualwebauthn.RelyingParty
	device virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
}

// asked asks for a challenge with the form token of a page.
func (x *signing) asked(page *porticotest.Page, path string) (ceremony, options string) {
	x.Helper()
	answer := x.b.Post(path, url.Values{"form_token": {page.Hidden("form_token")}})
	var a struct {
		Ceremony  string          `json:"ceremony"`
		PublicKey json.RawMessage `json:"publicKey"`
	}
	if err := json.Unmarshal([]byte(answer.Body), &a); err != nil {
		x.Fatalf("%s answers %d %.300s", path, answer.Status, answer.Body)
	}
	return a.Ceremony, string(a.PublicKey)
}

// passkey adds one to the person, in a browser of its own.
func (x *signing) passkey() *securityKey {
	x.Helper()
	k := &securityKey{
		rp:     virtualwebauthn.RelyingParty{ID: "localhost", Name: "Portico", Origin: x.s.URL},
		device: virtualwebauthn.NewAuthenticator(), cred: virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA),
	}
	mine := x.b
	x.b = x.s.NewBrowser()
	finish(x.password())
	page := x.b.Get(protocol.PathAccountPasskeys)
	ceremony, raw := x.asked(page, protocol.PathAccountPasskeyNew)
	options, err := virtualwebauthn.ParseAttestationOptions(raw)
	if err != nil {
		x.Fatal(err)
	}
	k.device.Options.UserHandle = []byte(options.UserID)
	x.b.Post(protocol.PathAccountPasskeys, url.Values{
		"form_token": {page.Hidden("form_token")}, "decision": {"add"}, "name": {"Key"}, "ceremony": {ceremony},
		"credential": {virtualwebauthn.CreateAttestationResponse(k.rp, k.device, k.cred, *options)},
	})
	x.b = mine
	return k
}

// answer answers the challenge that is asked for at a path.
func (k *securityKey) answer(x *signing, page *porticotest.Page, path string) map[string]string {
	x.Helper()
	ceremony, raw := x.asked(page, path)
	options, err := virtualwebauthn.ParseAssertionOptions(raw)
	if err != nil {
		x.Fatal(err)
	}
	return map[string]string{"ceremony": ceremony, "credential": virtualwebauthn.CreateAssertionResponse(k.rp, k.device, k.cred, *options)}
}

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
	{"password, recovery code", func(x *signing) *porticotest.Page {
		app := x.app()
		finish(x.password().Submit(map[string]string{"code": app.Code()}, "", ""))
		page := x.b.Get(protocol.PathAccountCodes).Submit(nil, "decision", "generate")
		code := regexp.MustCompile(`<li><code>([^<]+)</code>`).FindStringSubmatch(page.Body)
		if code == nil {
			x.Fatalf("no codes on %s", page.Text())
		}
		x.b = x.s.NewBrowser()
		page = x.password()
		return x.b.Get(page.URL.String()+"&with=recovery_code").Submit(map[string]string{"code": code[1]}, "", "")
	}},
	{"password, code by e-mail", func(x *signing) *porticotest.Page {
		finish(x.password())
		page := x.b.Get(protocol.PathAccountEmailCode).Submit(nil, "decision", "send")
		page.Submit(map[string]string{"code": x.s.Letter(x.email).Code}, "decision", "confirm")
		x.b = x.s.NewBrowser()
		page = x.password().Submit(nil, "decision", "send")
		return page.Submit(map[string]string{"code": x.s.Letter(x.email).Code}, "", "")
	}},
	{"password, code by text message", func(x *signing) *porticotest.Page {
		finish(x.password())
		page := x.b.Get(protocol.PathAccountSMS).Submit(map[string]string{"number": "+43 1 2345678"}, "decision", "send")
		page.Submit(map[string]string{"code": x.texts.code(x.T)}, "decision", "confirm")
		x.b = x.s.NewBrowser()
		page = x.password().Submit(nil, "decision", "send")
		return page.Submit(map[string]string{"code": x.texts.code(x.T)}, "", "")
	}},
	{"password, passkey", func(x *signing) *porticotest.Page {
		k := x.passkey()
		page := x.password()
		return page.Submit(k.answer(x, page, protocol.PathPasskeyOptions+"?"+page.URL.RawQuery+"&second=1"), "", "")
	}},
	{"passkey", func(x *signing) *porticotest.Page {
		k := x.passkey()
		page := x.b.Get(x.s.AuthorizeURL(porticotest.Web, "openid"))
		form := url.Values{"form_token": {page.Hidden("form_token")}}
		for name, value := range k.answer(x, page, protocol.PathPasskeyOptions+"?"+page.URL.RawQuery) {
			form.Set(name, value)
		}
		return x.b.Post(protocol.PathPasskey+"?"+page.URL.RawQuery, form)
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
	messages := &phone{}
	hook := httptest.NewServer(messages)
	t.Cleanup(hook.Close)
	s, there := twoServersWith(t, everyMethod, porticotest.Host("localhost"), porticotest.With(func(c *config.Config) {
		c.SMSWebhookURL, c.SMSWebhookKey = hook.URL, strings.Repeat("k", 32)
	}))
	corp(t, s)
	table := map[string]any{}
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			x := &signing{T: t, s: s, there: there, b: s.NewBrowser(), texts: messages, email: "person" + string(rune('a'+i)) + "@example.test"}
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
