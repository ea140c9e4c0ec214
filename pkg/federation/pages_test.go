package federation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// ways makes the application allow these alone.
func ways(all ...string) func(*client.Client) {
	return func(c *client.Client) { c.Ways = all }
}

// words are part of what the person reads.
const (
	wordsBusy      = "does not answer right now"
	wordsFailed    = "did not work. Try again"
	wordsCancelled = "You did not finish signing in"
	wordsRefused   = "account does not sign anybody in here"
	wordsDomain    = "Only certain Example Corp accounts"
	wordsOff       = "You cannot sign in with Example Corp here"
	wordsStale     = "did not ask you who you are"
)

func TestTheFormOffersWhatTheApplicationAllows(t *testing.T) {
	for name, tt := range map[string]struct {
		ways []string
		off  string
		want []string
	}{
		"everything":        {nil, "", []string{"corp", "hub"}},
		"one that is off":   {nil, "corp", []string{"hub"}},
		"one and passwords": {[]string{client.WayLocal, "hub"}, "", []string{"hub"}},
		"passwords alone":   {[]string{client.WayLocal}, "", nil},
		"two, no passwords": {[]string{"corp", "hub"}, "", []string{"corp", "hub"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ways(tt.ways...))
			if tt.off != "" {
				r.change(t, tt.off, func(p *federation.Provider) { p.Disabled = true })
			}
			b := r.Browser()
			page := b.Get(r.Begin(t, b, "")).Body
			for _, id := range []string{"corp", "hub"} {
				want := strings.Contains(strings.Join(tt.want, " "), id)
				if got := strings.Contains(page, `name="provider" value="`+id+`"`); got != want {
					t.Errorf("offers %s: %t, want %t", id, got, want)
				}
			}
			for _, field := range []string{`name="username"`, `name="password"`} {
				if !strings.Contains(page, field) {
					t.Errorf("the first page lacks %s", field)
				}
			}
		})
	}
}

func TestSigningInElsewhereMakesAnAccountOnce(t *testing.T) {
	r := newRig(t)
	for i := range 2 {
		b := r.Browser()
		if at := r.allow(t, b, r.through(t, b, "corp")); at != stage.Granted {
			t.Fatalf("sign-in %d led to %q", i+1, at)
		}
		s := r.session(t, b)
		cleo, err := r.Users.Get(ctx, s.UserID)
		if err != nil || cleo.Email != "cleo@example.test" || s.ACR != assurance.OneFactor || len(s.AMR) != 0 {
			t.Fatalf("session %+v of %+v, %v", s, cleo, err)
		}
		if o, token, err := r.service.OriginOf(ctx, s.ID); err != nil || o.Provider != "corp" || o.Session != "sid-there" || token != "id-token" {
			t.Errorf("the session comes from %+v %q, %v", o, token, err)
		}
		if got := r.identities(t, cleo); len(got) != 1 {
			t.Errorf("after sign-in %d Cleo has %d identities", i+1, len(got))
		}
	}
	if n := r.events(audit.UserCreated); n > 2 { // Ann and Cleo
		t.Errorf("%d people were made", n)
	}
	if e := r.Audit.Named(audit.LoginSucceeded); len(e) != 2 || e[0].Data["provider"] != "corp" {
		t.Errorf("the audit says %+v", e)
	}
	if got := r.at.said[0]; got != r.at.sent[0].Get("nonce")+" "+r.at.sent[0].Get("verifier") || r.at.said[1] == got {
		t.Errorf("Finish got %q: nonce and verifier are not those of this sign-in, or come twice", r.at.said)
	}
	if got := r.at.sent[0].Get("redirect_uri"); got != stage.Issuer+"/login/callback/corp" {
		t.Errorf("the callback is %q", got)
	}
}

// TestRefusals: each leads back to the sign-in form with a reason in words,
// nothing changes, the operator learns why, and the same request can still be
// met with a password.
func TestRefusals(t *testing.T) {
	unavailable := fault.New(fault.Unavailable, "upstream_unavailable", "x").Under("the provider answers")
	untrusted := fault.New(fault.Denied, federation.CodeUntrusted, "x").Under("OIDC Core §3.1.3.7 the nonce is ours")
	for name, tt := range map[string]struct {
		before func(t *testing.T, r *rig)
		away   func(t *testing.T, r *rig) // while the person is at the provider
		answer []string
		words  string
		event  audit.Name
	}{
		"it does not answer when asked":     {away: func(_ *testing.T, r *rig) { r.at.err = unavailable }, words: wordsBusy},
		"what it answers cannot be trusted": {away: func(_ *testing.T, r *rig) { r.at.err = untrusted }, words: wordsFailed},
		"the person changed their mind":     {answer: []string{"error", "access_denied"}, words: wordsCancelled},
		"it was switched off meanwhile":     {away: func(t *testing.T, r *rig) { r.change(t, "corp", func(p *federation.Provider) { p.Disabled = true }) }, words: wordsOff, event: audit.IdentityRefused},
		"the application allows it no more": {away: func(t *testing.T, r *rig) { r.allows(t, client.WayLocal) }, words: wordsOff, event: audit.IdentityRefused},
		"no account is made":                {before: noAccounts, words: wordsRefused, event: audit.IdentityRefused},
		"security §11.10 an address of an account here that nobody vouches for": {
			before: func(_ *testing.T, r *rig) {
				r.says(func(p *federation.Person) { p.Email, p.EmailVerified = ann, false })
			}, words: wordsRefused, event: audit.IdentityRefused,
		},
		"security §11.10 an address that nobody here has proven": {
			before: func(t *testing.T, r *rig) {
				r.Person(t, "unproven@example.test")
				r.says(func(p *federation.Person) { p.Email = "unproven@example.test" })
			}, words: wordsRefused, event: audit.IdentityRefused,
		},
		"the domain may not come": {
			before: func(t *testing.T, r *rig) {
				r.change(t, "corp", func(p *federation.Provider) { p.Settings.Domains = []string{"corp.test"} })
			}, words: wordsDomain, event: audit.IdentityRefused,
		},
		"the person is disabled": {
			before: func(t *testing.T, r *rig) {
				b := r.Browser()
				r.allow(t, b, r.through(t, b, "corp"))
				r.disable(t, r.session(t, b).UserID)
			}, words: wordsRefused, event: audit.IdentityRefused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tt.before != nil {
				tt.before(t, r)
			}
			b := r.Browser()
			page := r.Begin(t, b, "")
			state := r.begin(t, b, page, "corp")
			if tt.away != nil {
				tt.away(t, r)
			}
			refused := r.events(tt.event)
			at := stage.Follow(t, back(b, "corp", state, tt.answer...))
			if at != page {
				t.Fatalf("led to %q, want the form %q", at, page)
			}
			form := b.Get(at)
			if !strings.Contains(form.Body, tt.words) || !strings.Contains(form.Body, `name="password"`) {
				t.Errorf("the form does not say %q:\n%.600s", tt.words, form.Body)
			}
			if r.session(t, b) != nil {
				t.Error("somebody is signed in")
			}
			if tt.event != "" && r.events(tt.event) != refused+1 {
				t.Errorf("%d events %s, want one", r.events(tt.event)-refused, tt.event)
			}
			if rule := r.Refusals.Last().Rule; rule == "" {
				t.Error("explain has no rule")
			}
			if got := r.allow(t, b, stage.Follow(t, b.Submit(at, "username", ann, "password", stage.Password))); got != stage.Granted {
				t.Errorf("with the password the request ends at %q", got)
			}
			if len(r.identities(t, r.ann)) != 0 {
				t.Error("something was linked")
			}
		})
	}
}

func noAccounts(t *testing.T, r *rig) {
	t.Helper()
	r.change(t, "corp", func(p *federation.Provider) { p.Settings.Create = false })
}

// allows changes the ways of the application.
func (r *rig) allows(t *testing.T, all ...string) {
	t.Helper()
	c := *r.App
	c.Ways = all
	if _, err := r.Clients.Update(ctx, c); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) disable(t *testing.T, id string) {
	t.Helper()
	if err := r.Users.Disable(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// TestNobodyLearnsWhoHasAnAccount: the provider does not vouch for the
// address, so the answer is the same whether somebody here has it.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	r := newRig(t)
	noAccounts(t, r)
	read := func(email string) string {
		r.says(func(p *federation.Person) { p.Email, p.EmailVerified, p.Subject = email, false, "x" })
		b := r.Browser()
		return stage.Alike(b.Get(r.through(t, b, "corp")), email)
	}
	if known, unknown := read(ann), read("nobody@example.test"); known != unknown {
		t.Errorf("the answers differ:\n%s\n%s", known, unknown)
	}
}

// TestWhatIsNotAllowedIsRefused: not to show a button is not enough.
func TestWhatIsNotAllowedIsRefused(t *testing.T) {
	r := newRig(t, ways(client.WayLocal, "hub"))
	b := r.Browser()
	page := r.Begin(t, b, "")
	form := stage.Hidden(b.Get(page).Body)
	press := func(provider string) stage.Answer {
		form.Set("provider", provider)
		return b.Post("/login/with?"+query(t, page), form)
	}
	if at := stage.Follow(t, press("corp")); at != page || !strings.Contains(b.Get(at).Body, wordsOff) {
		t.Errorf("a provider that is not allowed led to %q", at)
	}
	if a := press("nobody"); a.Status != http.StatusForbidden {
		t.Errorf("a provider of nobody's: %d", a.Status)
	}
	form.Set("form_token", "x")
	if a := press("hub"); a.Status != http.StatusForbidden {
		t.Errorf("without our form: %d", a.Status)
	}
	if a := b.Do(http.MethodPost, "/login/with?"+query(t, page), form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); a.Status != http.StatusForbidden {
		t.Errorf("from another website: %d", a.Status)
	}
	if len(r.at.sent) != 0 {
		t.Errorf("the browser was sent away %d times", len(r.at.sent))
	}
}

func TestNoPasswordWhereTheApplicationTakesNone(t *testing.T) {
	r := newRig(t, ways("corp", "hub"))
	b := r.Browser()
	page := r.Begin(t, b, "")
	known := b.Submit(page, "username", ann, "password", stage.Password)
	if known.Status != http.StatusOK || !strings.Contains(known.Body, "takes no password. Continue with: Example Corp, Code Hub.") {
		t.Fatalf("the right password: %d %.500s", known.Status, known.Body)
	}
	if other := b.Submit(page, "username", "nobody@example.test", "password", "x"); stage.Alike(known, ann) != stage.Alike(other, "nobody@example.test") {
		t.Error("the answer tells people apart")
	}
	if r.session(t, b) != nil || strings.Contains(known.Body, "/register?") || strings.Contains(known.Body, "/recover?") {
		t.Error("a password leads on all the same")
	}
	// Who makes an account with a password is not let in by it either.
	at := stage.Follow(t, b.Submit(r.Begin(t, b, "prompt=create"), "name", "Dan", "email", "dan@example.test", "password", "seventeen grey umbrellas"))
	a := b.Submit(at, "code", r.Letters.Last(t, "dan@example.test").Code)
	if a.Status != http.StatusForbidden || r.session(t, b) != nil || !strings.Contains(a.Body, "takes another way to sign in") {
		t.Errorf("signing up: %d %q", a.Status, a.Location)
	}
}

// TestStraightToTheProvider: once in each request.
func TestStraightToTheProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		ways  []string
		query string
		want  bool
	}{
		"the only way":                      {[]string{"corp"}, "", true},
		"the one that is named":             {nil, "idp=corp", true},
		"one that is named and not allowed": {[]string{client.WayLocal, "hub"}, "idp=corp", false},
		"one that nobody knows":             {nil, "idp=nobody", false},
		"the only way beside passwords":     {[]string{client.WayLocal, "corp"}, "", false},
		"one of two":                        {[]string{"corp", "hub"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ways(tt.ways...))
			b := r.Browser()
			page := r.Begin(t, b, tt.query)
			first := b.Get(page)
			if !tt.want {
				if first.Status != http.StatusOK {
					t.Errorf("status %d, want the form", first.Status)
				}
				return
			}
			with := stage.Follow(t, first)
			state := r.away(t, b.Get(with))
			if again := b.Get(page); again.Status != http.StatusOK || !strings.Contains(again.Body, `value="corp"`) {
				t.Errorf("who goes back sees %d, want the form", again.Status)
			}
			at := stage.Follow(t, back(b, "corp", state, "error", "access_denied"))
			if at != page || !strings.Contains(b.Get(at).Body, wordsCancelled) {
				t.Errorf("after no: %q", at)
			}
			if at := stage.Follow(t, b.Get(with)); at != page {
				t.Errorf("after no the address of the way leads to %q, want the form", at)
			}
			if at := r.allow(t, b, stage.Follow(t, back(b, "corp", r.begin(t, b, page, "corp")))); at != stage.Granted {
				t.Errorf("the button leads to %q", at)
			}
		})
	}
}

func TestAProviderThatIsDownKeepsNobodyOut(t *testing.T) {
	r := newRig(t, ways("corp"))
	r.at.silent = true
	b := r.Browser()
	page := r.Begin(t, b, "")
	at := stage.Follow(t, b.Get(stage.Follow(t, b.Get(page))))
	if at != page || !strings.Contains(b.Get(at).Body, wordsBusy) {
		t.Errorf("led to %q", at)
	}
}

// TestTheAddressOfAnAccountHereIsProven: security §11.10.
func TestTheAddressOfAnAccountHereIsProven(t *testing.T) {
	annThere := func(p *federation.Person) { p.Email, p.Label, p.Subject = ann, ann, "ann-there" }
	start := func(t *testing.T, change ...func(*client.Client)) (*rig, *stage.Browser, string) {
		t.Helper()
		r := newRig(t, change...)
		r.says(annThere)
		b := r.Browser()
		at := r.through(t, b, "corp")
		if !stage.IsPage(at, "/login/link") {
			t.Fatalf("led to %q, want the page that explains", at)
		}
		if r.session(t, b) != nil || len(r.identities(t, r.ann)) != 0 {
			t.Fatal("somebody is signed in, or linked")
		}
		return r, b, at
	}
	t.Run("security §11.10 by a sign-in of its owner", func(t *testing.T) {
		r, b, at := start(t)
		page := b.Get(at).Body
		if !strings.Contains(page, "You already have an account with <strong><bdi>"+ann) || !strings.Contains(page, "Example Corp") {
			t.Errorf("the page says %.600s", page)
		}
		login := "/login?" + query(t, at)
		form := b.Get(login).Body
		if !strings.Contains(page, `href="`+login+`"`) || !strings.Contains(form, `value="`+ann+`"`) || !strings.Contains(form, "once to link <strong><bdi>Example Corp") {
			t.Errorf("the form does not say what it is for: %.900s", form)
		}
		if to := r.allow(t, b, stage.Follow(t, b.Submit(login, "username", ann, "password", stage.Password))); to != stage.Granted {
			t.Fatalf("led to %q", to)
		}
		if got := r.identities(t, r.ann); len(got) != 1 || got[0].Subject != "ann-there" {
			t.Fatalf("Ann has %+v", got)
		}
		if r.Letters.Last(t, ann).Key != "identity_linked" || r.events(audit.IdentityLinked) != 1 {
			t.Error("Ann is not told")
		}
		other := r.Browser()
		if to := r.allow(t, other, r.through(t, other, "corp")); to != stage.Granted || r.session(t, other).UserID != r.ann.ID {
			t.Errorf("the next sign-in there led to %q", to)
		}
	})
	t.Run("security §11.10 the sign-in of somebody else links nothing", func(t *testing.T) {
		r, b, at := start(t)
		ben := r.confirmed(t, "ben@example.test")
		login := "/login?" + query(t, at)
		if to := r.allow(t, b, stage.Follow(t, b.Submit(login, "username", "ben@example.test", "password", stage.Password))); to != stage.Granted {
			t.Fatalf("led to %q", to)
		}
		if len(r.identities(t, r.ann)) != 0 || len(r.identities(t, ben)) != 0 {
			t.Error("it is linked")
		}
		again := r.Begin(t, b, "prompt=login")
		if to := r.allow(t, b, stage.Follow(t, b.Submit(again, "username", ann, "password", stage.Password))); to != stage.Granted {
			t.Fatalf("led to %q", to)
		}
		if len(r.identities(t, r.ann)) != 0 {
			t.Error("a later sign-in links what another request kept")
		}
	})
	t.Run("security §11.10 another account there proves nothing", func(t *testing.T) {
		r, b, at := start(t)
		r.says(func(p *federation.Person) { p.Email, p.Label, p.Subject = "eve@example.test", "eve", "eve-there" })
		page := "/login?" + query(t, at)
		if to := r.allow(t, b, stage.Follow(t, back(b, "corp", r.begin(t, b, page, "corp")))); to != stage.Granted {
			t.Fatalf("led to %q", to)
		}
		if len(r.identities(t, r.ann)) != 0 {
			t.Error("it is linked")
		}
	})
	t.Run("security §11.10 by another account that its owner linked before", func(t *testing.T) {
		r := newRig(t)
		r.says(func(p *federation.Person) { p.Email, p.Subject = "ann@elsewhere.test", "ann-at-hub" })
		mine := r.signIn(t, ann)
		stage.Follow(t, back(mine, "hub", r.link(t, mine, "hub")))
		r.says(annThere)
		b := r.Browser()
		at := r.through(t, b, "corp")
		r.says(func(p *federation.Person) { p.Email, p.Subject = "ann@elsewhere.test", "ann-at-hub" })
		if to := r.allow(t, b, stage.Follow(t, back(b, "hub", r.begin(t, b, "/login?"+query(t, at), "hub")))); to != stage.Granted {
			t.Fatalf("led to %q", to)
		}
		if got := r.identities(t, r.ann); len(got) != 2 {
			t.Errorf("Ann has %+v", got)
		}
	})
	t.Run("a wrong password links nothing, and the form still says what for", func(t *testing.T) {
		r, b, at := start(t)
		login := "/login?" + query(t, at)
		a := b.Submit(login, "username", ann, "password", "wrong")
		if a.Status != http.StatusOK || !strings.Contains(a.Body, "once to link") || len(r.identities(t, r.ann)) != 0 {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("where the application takes no password the account comes first", func(t *testing.T) {
		r, b, at := start(t, ways("corp", "hub"))
		page := b.Get(at).Body
		if !strings.Contains(page, `href="/account/identities"`) || !strings.Contains(page, "and come back") {
			t.Errorf("the page says %.600s", page)
		}
		_ = r
	})
	t.Run("without anything to prove the page leads on", func(t *testing.T) {
		r := newRig(t)
		b := r.Browser()
		page := r.Begin(t, b, "")
		if to := stage.Follow(t, b.Get("/login/link?"+query(t, page))); to != page {
			t.Errorf("led to %q", to)
		}
	})
}

func TestTheSecondFactorIsAskedFor(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	r.allow(t, b, r.through(t, b, "corp"))
	cleo, err := r.Users.Change(ctx, r.session(t, b).UserID, func(_ ctxt, u *user.User) error {
		u.Factors = []string{string(assurance.TOTP)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := r.Browser()
	if at := r.through(t, other, "corp"); !stage.IsPage(at, "/login/factor") || r.session(t, other) != nil {
		t.Errorf("the sign-in of %s led to %q", cleo.Email, at)
	}
	r.says(func(p *federation.Person) { p.AMR = []string{"pwd", "otp", "mfa"} })
	trusted := r.Browser()
	if at := r.allow(t, trusted, r.through(t, trusted, "corp")); at != stage.Granted || r.session(t, trusted).ACR != assurance.TwoFactors {
		t.Errorf("with the provider's word on two factors: %q", at)
	}
}
