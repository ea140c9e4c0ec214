package consent_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
)

// toConsent signs in and returns the consent page.
func toConsent(t *testing.T, r *stage.Pages, b *stage.Browser, query string) string {
	t.Helper()
	at := stage.Follow(t, b.Submit(r.Begin(t, b, query), "username", "ann@example.test", "password", stage.Password))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("after the login: %q, want the consent page", at)
	}
	return at
}

func TestTheConsentPageSaysWhatIsAsked(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	if _, err := r.APIs.Create(ctx, scope.API{Audience: "https://orders.example.test", Name: "Orders", Scopes: []scope.Scope{
		{Name: "orders:read", Description: "See your orders <b>all</b>"},
		{Name: "orders:audit", Description: "See everybody's orders", RequiresRole: "auditor"},
	}}); err != nil {
		t.Fatal(err)
	}
	b := r.Browser()
	claims := url.QueryEscape(`{"userinfo":{"phone_number":null}}`)
	body := b.Get(toConsent(t, r, b, "scope=openid+email+orders:read+orders:audit&claims="+claims)).Body
	for what, want := range map[string]string{
		"security §1.13 the client's name":      "Shop &amp; Co",
		"security §1.13 the host of the answer": "app.example.test",
		"security §1.13 the account":            "ann@example.test",
		"security §1.13 scopes in words":        "See your email address",
		"the scope of an API in its own words":  "See your orders &lt;b&gt;all&lt;/b&gt;",
		"the API's name":                        "Orders",
		"a claim asked for by itself":           "See your phone number",
		"allow":                                 `id="consent-allow"`,
		"deny":                                  `id="consent-deny"`,
		"the decision":                          `name="decision" value="deny"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s: the page lacks %q", what, want)
		}
	}
	if strings.Contains(body, "everybody") {
		t.Error("the page shows a scope that the person may not have")
	}
}

func TestDecisions(t *testing.T) {
	tests := map[string]struct {
		send   func(r *stage.Pages, b *stage.Browser, at string) stage.Answer
		status int
		leads  string // where to; "" nowhere
		kept   bool   // the consent is remembered
	}{
		"allow": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			return b.Submit(at, "decision", "allow")
		}, 303, stage.Granted, true},
		"RFC 6749 §4.1.2.1 deny": {
			func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
				return b.Submit(at, "decision", "deny")
			},
			303, stage.Redirect + "?error=access_denied&state=st%26te", false,
		},
		"no decision": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer { return b.Submit(at) }, 200, "", false},
		"another decision": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			return b.Submit(at, "decision", "Allow")
		}, 200, "", false},
		"a decision by GET": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer { return b.Get(at + "&decision=allow") }, 200, "", false},
		"ASVS 3.5.1 no form token": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			return b.Post(at, url.Values{"decision": {"allow"}})
		}, 403, "", false},
		"ASVS 3.5.1 the token of the login form": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			other := stage.Follow(t, b.Get("/start?prompt=login"))
			form := stage.Hidden(b.Get(other).Body)
			form.Set("decision", "allow")
			return b.Post(at, form)
		}, 403, "", false},
		"ASVS 3.5.1 the token of another flow": {func(r *stage.Pages, b *stage.Browser, at string) stage.Answer {
			form := stage.Hidden(b.Get(stage.Follow(t, b.Get("/start"))).Body)
			form.Set("decision", "allow")
			return b.Post(at, form)
		}, 403, "", false},
		"ASVS 3.5.1 from another website": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			form := stage.Hidden(b.Get(at).Body)
			form.Set("decision", "allow")
			return b.Do("POST", at, form, http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}})
		}, 403, "", false},
		"security §1.14 in another browser": {func(r *stage.Pages, b *stage.Browser, at string) stage.Answer {
			form, other := stage.Hidden(b.Get(at).Body), r.Browser()
			form.Set("decision", "allow")
			other.Get("/start")
			other.SetCookie(stage.SessionCookie, b.Cookie(stage.SessionCookie))
			return other.Post(at, form)
		}, 403, "", false},
		"signed out meanwhile": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer {
			form := stage.Hidden(b.Get(at).Body)
			form.Set("decision", "allow")
			b.SetCookie(stage.SessionCookie, "")
			return b.Post(at, form)
		}, 303, "/login", false},
		"the person was disabled meanwhile": {func(r *stage.Pages, b *stage.Browser, at string) stage.Answer {
			form := stage.Hidden(b.Get(at).Body)
			form.Set("decision", "allow")
			u, _ := r.Users.ByIdentifier(ctx, "ann@example.test")
			if err := r.Users.Disable(ctx, u.ID); err != nil {
				t.Error(err)
			}
			return b.Post(at, form)
		}, 303, "/login", false},
		"another method": {func(_ *stage.Pages, b *stage.Browser, at string) stage.Answer { return b.Do("DELETE", at, nil, nil) }, 405, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := stage.NewPages(t)
			ann := r.Person(t, "ann@example.test")
			b := r.Browser()
			at := toConsent(t, r, b, "")
			answer := tt.send(r, b, at)
			if answer.Status != tt.status || answer.Location != tt.leads && !(tt.leads == "/login" && stage.IsPage(answer.Location, "/login")) {
				t.Errorf("status %d to %q, want %d to %q", answer.Status, answer.Location, tt.status, tt.leads)
			}
			given, err := r.Consents.OfUser(ctx, ann.ID)
			if err != nil || (len(given) == 1) != tt.kept {
				t.Errorf("remembered %+v, %v; want %v", given, err, tt.kept)
			}
			if n := len(r.Audit.Named(audit.ConsentGranted)); (n == 1) != tt.kept {
				t.Errorf("%d consents in the audit", n)
			}
			if n := len(r.Audit.Named(audit.ConsentDenied)); (n == 1) != (name == "RFC 6749 §4.1.2.1 deny") {
				t.Errorf("%d refusals in the audit", n)
			}
			if granted := len(r.Finisher.Finished()) == 1; granted != tt.kept {
				t.Errorf("granted %v, want %v", granted, tt.kept)
			}
		})
	}
}

func TestWhoIsAsked(t *testing.T) {
	public := func(c *client.Client) {
		c.AuthMethod, c.ApplicationType = protocol.AuthNone, client.Native
		c.RedirectURIs = []string{"http://127.0.0.1:7777/callback"}
	}
	tests := map[string]struct {
		client []func(*client.Client)
		query  string
		first  bool // asked the first time
		again  bool // asked although it was allowed before
	}{
		"an application":                               {first: true},
		"the operator's own":                           {client: []func(*client.Client){func(c *client.Client) { c.SkipConsent = true }}},
		"OIDC Core §3.1.2.1 prompt=consent":            {query: "prompt=consent", first: true, again: true},
		"RFC 8252 §8.6 a public client on this device": {client: []func(*client.Client){public}, first: true, again: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := stage.NewPages(t, tt.client...)
			r.Person(t, "ann@example.test")
			b := r.Browser()
			at := stage.Follow(t, b.Submit(r.Begin(t, b, tt.query), "username", "ann@example.test", "password", stage.Password))
			if stage.IsPage(at, "/consent") != tt.first {
				t.Fatalf("the first time: %q, want asked %v", at, tt.first)
			}
			if tt.first {
				stage.Follow(t, b.Submit(at, "decision", "allow"))
			}
			if at := r.Begin(t, b, tt.query); stage.IsPage(at, "/consent") != tt.again {
				t.Errorf("the second time: %q, want asked %v", at, tt.again)
			}
		})
	}
	t.Run("a new scope asks again", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		if at := r.Begin(t, b, "scope=openid+email+profile"); !stage.IsPage(at, "/consent") {
			t.Errorf("with a new scope: %q", at)
		}
		if at := r.Begin(t, b, "scope=openid"); at != stage.Granted {
			t.Errorf("with less: %q", at)
		}
	})
	t.Run("a client that registered itself is marked", func(t *testing.T) {
		r := stage.NewPages(t, func(c *client.Client) { c.Source = client.Dynamic })
		r.Person(t, "ann@example.test")
		b := r.Browser()
		if body := b.Get(toConsent(t, r, b, "")).Body; !strings.Contains(body, "registered itself") {
			t.Error("the page does not warn")
		}
	})
}
