package passkey_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// TestSignsInByAPasskey: one answer is two factors, and nobody is asked for
// more.
func TestSignsInByAPasskey(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	b := r.Browser()
	answer := r.signIn(t, b, k, "remember", "on")
	if at := stage.Follow(t, answer); !strings.HasPrefix(at, "/consent") {
		t.Fatalf("the passkey led to %q", at)
	}
	s := r.session(t, b)
	if s == nil || s.UserID != r.ann.ID || s.ACR != "phr" || !slices.Equal(s.AMR, []string{"pop", "user", "mfa"}) {
		t.Fatalf("session %+v, want Ann's, phishing-resistant", s)
	}
	if !s.Remembered {
		t.Error("staying signed in was asked for, and forgotten")
	}
	if got := r.keys(t, r.ann)[0]; got.UsedAt.IsZero() {
		t.Error("the use of the passkey was not noted")
	}
	if got := r.Audit.Named(audit.LoginSucceeded); got[len(got)-1].Data["amr"] != "pop user mfa" {
		t.Errorf("audit %v", got[len(got)-1])
	}
}

func TestOptionsOfASignIn(t *testing.T) {
	r := newRig(t)
	b := r.Browser()
	at := r.begin(t, b)
	a := ask(t, b, at, askPath+flow(at))
	said := string(a.PublicKey)
	for _, want := range []string{`"userVerification":"required"`, `"rpId":"` + rpID + `"`, `"timeout":300000`} {
		if !strings.Contains(said, want) {
			t.Errorf("the options %s lack %s", said, want)
		}
	}
	if strings.Contains(said, "allowCredentials") {
		t.Errorf("the options %s name credentials: anybody could ask whose they are", said)
	}
	one, err := virtualwebauthn.ParseAssertionOptions(said)
	two, err2 := virtualwebauthn.ParseAssertionOptions(string(ask(t, b, at, askPath+flow(at)).PublicKey))
	if err != nil || err2 != nil || len(one.Challenge) < 32 || slices.Equal(one.Challenge, two.Challenge) {
		t.Errorf("challenges %x and %x: want two of 256 bits", one.Challenge, two.Challenge)
	}
	if page := b.Get(at); !strings.Contains(page.Header.Get("Content-Security-Policy"), "connect-src 'self'") ||
		!strings.Contains(page.Body, `autocomplete="username"`) || !strings.Contains(page.Body, `id="passkey-login"`) {
		t.Error("the page of the sign-in does not offer passkeys")
	}
	token := stage.Hidden(b.Get(at).Body)
	for name, got := range map[string]stage.Answer{
		"no token":              b.Post(askPath+flow(at), url.Values{}),
		"a second factor":       b.Post(askPath+flow(at)+"&second=1", token),
		"another browser":       r.Browser().Post(askPath+flow(at), token),
		"another site":          b.Do("POST", askPath+flow(at), token, map[string][]string{"Sec-Fetch-Site": {"cross-site"}}),
		"read instead of asked": b.Get(askPath + flow(at)),
	} {
		if got.Status != 403 && got.Status != 405 || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %.100s", name, got.Status, got.Body)
		}
	}
}

// refusal is a sign-in that must not work. prepare may change the world after
// Ann got her passkey; answer makes what is sent.
type refusal struct {
	prepare func(t *testing.T, r *rig, k *key)
	key     func(k *key)
	answer  func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer
	reason  string // part of what the operator reads
	over    bool   // the person reads that it took too long
	first   bool   // something failed before
}

func TestRefusesPasskeys(t *testing.T) {
	usual := func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
		a := ask(t, b, at, askPath+flow(at))
		return r.send(b, at, "ceremony", a.Ceremony, "credential", k.get(t, a))
	}
	sent := func(credential func(s string) string) func(*testing.T, *rig, *stage.Browser, string, *key) stage.Answer {
		return func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			a := ask(t, b, at, askPath+flow(at))
			return r.send(b, at, "ceremony", a.Ceremony, "credential", credential(k.get(t, a)))
		}
	}
	// crossed answers a challenge with the ceremony of another place.
	crossed := func(elsewhere func(t *testing.T, r *rig, b *stage.Browser, k *key) asked) func(*testing.T, *rig, *stage.Browser, string, *key) stage.Answer {
		return func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			a := elsewhere(t, r, b, k)
			return r.send(b, at, "ceremony", a.Ceremony, "credential", k.get(t, a))
		}
	}
	for name, tt := range map[string]refusal{
		"WebAuthn §7.2 wrong origin":                {key: func(k *key) { k.rp.Origin = "https://id.example.test.evil.example" }, reason: "origin"},
		"WebAuthn §7.2 origin of a sister host":     {key: func(k *key) { k.rp.Origin = "https://other.example.test" }, reason: "origin"},
		"WebAuthn §7.2 origin without TLS":          {key: func(k *key) { k.rp.Origin = "http://id.example.test" }, reason: "origin"},
		"WebAuthn §7.2 wrong rp id":                 {key: func(k *key) { k.rp.ID = "evil.example" }, reason: "RP Hash mismatch"},
		"WebAuthn §7.2 rp id above ours":            {key: func(k *key) { k.rp.ID = "example.test" }, reason: "RP Hash mismatch"},
		"WebAuthn §7.2 nobody was there":            {key: func(k *key) { k.device.Options.UserNotPresent = true }, reason: "User presence"},
		"WebAuthn §7.2 the person was not verified": {key: func(k *key) { k.device.Options.UserNotVerified = true }, reason: "User verification"},
		"WebAuthn §7.2 it may be backed up now":     {key: func(k *key) { k.device.Options.BackupEligible = true }, reason: "Backup Eligible"},
		"WebAuthn §7.2 backed up but not eligible":  {key: func(k *key) { k.device.Options.BackupState = true }, reason: "Backup State"},
		"WebAuthn §7.2 another key":                 {key: func(k *key) { k.cred.Key = newKey().cred.Key }, reason: "signature"},
		"WebAuthn §7.2 unknown credential":          {key: func(k *key) { k.cred.ID = newKey().cred.ID }, reason: "nobody has this passkey"},
		"WebAuthn §7.2 handle of another person":    {key: func(k *key) { k.device.Options.UserHandle = []byte("bob") }, reason: "another person"},
		"WebAuthn §7.2 no handle":                   {key: func(k *key) { k.device.Options.UserHandle = nil }, reason: "another person"},
		"an empty answer":                           {answer: sent(func(string) string { return `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}` })},
		"altered signature": {answer: sent(func(s string) string {
			i := strings.Index(s, `"signature":"`) + len(`"signature":"`) + 40
			return s[:i] + string('A'+(s[i]-'A'+1)%26) + s[i+1:]
		}), reason: "signature"},
		"no credential":     {answer: sent(func(string) string { return "" })},
		"garbage":           {answer: sent(func(string) string { return "\xf0\x9f\x94\x91 nonsense" })},
		"an array":          {answer: sent(func(string) string { return "[]" })},
		"deep JSON":         {answer: sent(func(string) string { return strings.Repeat(`{"a":`, 3000) })},
		"more behind it":    {answer: sent(func(s string) string { return s + s })},
		"a registration":    {answer: sent(func(s string) string { return strings.Replace(s, "authenticatorData", "attestationObject", 1) })},
		"another type":      {answer: sent(func(s string) string { return strings.Replace(s, "public-key", "password", 1) })},
		"ids that disagree": {answer: sent(func(s string) string { return strings.Replace(s, `"id":"`, `"id":"AA`, 1) })},

		"disabled person": {prepare: func(t *testing.T, r *rig, _ *key) {
			if err := r.Users.Disable(ctx, r.ann.ID); err != nil {
				t.Fatal(err)
			}
		}, reason: "person is disabled"},
		"deleted passkey": {prepare: func(t *testing.T, r *rig, _ *key) {
			if err := r.Durable.Passkeys.Delete(ctx, r.ann.ID, r.keys(t, r.ann)[0].ID); err != nil {
				t.Fatal(err)
			}
		}, reason: "nobody has this passkey"},
		"suspended passkey": {prepare: func(t *testing.T, r *rig, _ *key) {
			if err := r.Durable.Passkeys.Suspend(ctx, r.keys(t, r.ann)[0].ID, time.Now()); err != nil {
				t.Fatal(err)
			}
		}, reason: "it is suspended"},

		"WebAuthn §13.4.3 no ceremony": {answer: func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			return r.send(b, at, "credential", k.get(t, ask(t, b, at, askPath+flow(at))))
		}, over: true},
		"WebAuthn §13.4.3 after five minutes": {answer: func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			a := ask(t, b, at, askPath+flow(at))
			later(t, 5*time.Minute)
			return r.send(b, at, "ceremony", a.Ceremony, "credential", k.get(t, a))
		}, over: true},
		"WebAuthn §13.4.3 a ceremony that a failure spent": {answer: func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			a := ask(t, b, at, askPath+flow(at))
			r.send(b, at, "ceremony", a.Ceremony, "credential", "nonsense")
			return r.send(b, at, "ceremony", a.Ceremony, "credential", k.get(t, a))
		}, over: true, first: true},
		"WebAuthn §13.4.3 challenge of another browser": {answer: crossed(func(t *testing.T, r *rig, _ *stage.Browser, _ *key) asked {
			other := r.Browser()
			at := r.begin(t, other)
			return ask(t, other, at, askPath+flow(at))
		}), over: true},
		"WebAuthn §13.4.3 challenge of another flow": {answer: crossed(func(t *testing.T, r *rig, b *stage.Browser, _ *key) asked {
			at := r.begin(t, b)
			return ask(t, b, at, askPath+flow(at))
		}), over: true},
		"WebAuthn §13.4.3 challenge of another ceremony": {answer: func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			one, two := ask(t, b, at, askPath+flow(at)), ask(t, b, at, askPath+flow(at))
			return r.send(b, at, "ceremony", one.Ceremony, "credential", k.get(t, two))
		}, reason: "challenge"},
		"WebAuthn §13.4.3 a parked request is no ceremony": {answer: func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) stage.Answer {
			id, err := r.Flows.Park(ctx, url.Values{"purpose": {"login"}, "challenge": {"chosen by a stranger"}})
			if err != nil {
				t.Fatal(err)
			}
			return r.send(b, at, "ceremony", id, "credential", k.get(t, ask(t, b, at, askPath+flow(at))))
		}, over: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, k := newRig(t), newKey()
			r.enrol(t, r.ann, k)
			if tt.prepare != nil {
				tt.prepare(t, r, k)
			}
			if tt.key != nil {
				tt.key(k)
			}
			if tt.answer == nil {
				tt.answer = usual
			}
			b := r.Browser()
			at := r.begin(t, b)
			got := tt.answer(t, r, b, at, k)
			want := "This passkey did not work here. Sign in with your password instead."
			if tt.over {
				want = "That took too long."
			}
			if got.Status != 200 || !strings.Contains(got.Body, want) || !strings.Contains(got.Body, `id="password"`) {
				t.Errorf("%d %s, want the sign-in with the words %q", got.Status, alert(got.Body), want)
			}
			if r.session(t, b) != nil {
				t.Error("somebody is signed in")
			}
			if why := r.Refusals.Last(); why.Rule == "" {
				t.Errorf("explain knows no rule: %v", why)
			}
			failures := r.Audit.Named(audit.LoginFailed)
			if !tt.first && tt.over != (len(failures) == 0) || !tt.over && !strings.Contains(failures[0].Data["reason"], tt.reason) {
				t.Errorf("audit %v, want a failure with %q", failures, tt.reason)
			}
			if tt.prepare == nil {
				for _, one := range r.keys(t, r.ann) {
					if !one.UsedAt.IsZero() || one.Suspended() {
						t.Errorf("something changed: %+v", one)
					}
				}
			}
		})
	}
}

// alert returns what a page says went wrong.
func alert(page string) string {
	_, rest, _ := strings.Cut(page, `id="problem">`)
	words, _, _ := strings.Cut(rest, "<")
	return words
}

// TestDisabledReadsAsUnknown: nobody learns whose passkey it is.
func TestDisabledReadsAsUnknown(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	if err := r.Users.Disable(ctx, r.ann.ID); err != nil {
		t.Fatal(err)
	}
	disabled := r.signIn(t, r.Browser(), k)
	elsewhere := r.Browser()
	elsewhere.Address = "198.51.100.7:1234"
	unknown := r.signIn(t, elsewhere, newKey())
	one, other := stage.Alike(disabled, "nothing typed"), stage.Alike(unknown, "nothing typed")
	if one != other {
		t.Errorf("disabled:\n%s\nunknown:\n%s", one, other)
	}
}

func TestReplayedAnswerCountsOnce(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	b := r.Browser()
	at := r.begin(t, b)
	a := ask(t, b, at, askPath+flow(at))
	form := stage.Hidden(b.Get(at).Body)
	form.Set("ceremony", a.Ceremony)
	form.Set("credential", k.get(t, a))
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if b.Post(signInPath+flow(at), form).Status == 303 {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 50 equal answers signed in, want 1", won.Load())
	}
	if got := len(r.Audit.Named(audit.LoginSucceeded)); got != 2 { // by password, to add it; and now
		t.Errorf("%d sign-ins, want 2", got)
	}
}

// TestClonedCounter: WebAuthn §6.1.1 two authenticators that answer as one are
// noticed, and none of them opens anything any more.
func TestClonedCounter(t *testing.T) {
	for name, tt := range map[string]struct {
		kept, said uint32
		suspended  bool
	}{
		"WebAuthn §6.1.1 no counter at all":        {0, 0, false},
		"WebAuthn §6.1.1 the first count":          {0, 1, false},
		"WebAuthn §6.1.1 it goes up":               {5, 6, false},
		"WebAuthn §6.1.1 it goes far up":           {5, 1<<32 - 1, false},
		"WebAuthn §6.1.1 it stands still":          {5, 5, true},
		"WebAuthn §6.1.1 it goes back":             {5, 4, true},
		"WebAuthn §6.1.1 it is gone":               {5, 0, true},
		"WebAuthn §6.1.1 it cannot go further up":  {1<<32 - 1, 1<<32 - 1, true},
		"WebAuthn §6.1.1 it goes back after a lap": {1<<32 - 1, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, k := newRig(t), newKey()
			k.cred.Counter = tt.kept
			r.enrol(t, r.ann, k)
			letters := len(r.Letters.All())
			k.cred.Counter = tt.said
			b := r.Browser()
			got := r.signIn(t, b, k)
			if signedIn := got.Status == 303; signedIn == tt.suspended {
				t.Errorf("status %d", got.Status)
			}
			one := r.keys(t, r.ann)[0]
			if one.Suspended() != tt.suspended {
				t.Errorf("suspended at %v", one.SuspendedAt)
			}
			if !tt.suspended {
				if one.SignCount != tt.said || len(r.Letters.All()) != letters {
					t.Errorf("counter %d, %d letters", one.SignCount, len(r.Letters.All())-letters)
				}
				return
			}
			if events := r.Audit.Named(audit.PasskeySuspended); len(events) != 1 || events[0].UserID != r.ann.ID || events[0].Data["name"] != "My key" {
				t.Errorf("audit %v", events)
			}
			if letter := r.Letters.Last(t, r.ann.Email).Letter; letter.Key != "passkey_suspended" || letter.URL != stage.Issuer+pagePath {
				t.Errorf("the owner got %+v", letter)
			}
			k.cred.Counter = 1<<32 - 1
			if again := r.signIn(t, r.Browser(), k); again.Status != 200 || len(r.Letters.All()) != letters+1 {
				t.Errorf("a suspended passkey: %d, %d letters", again.Status, len(r.Letters.All())-letters)
			}
			if u, err := r.Users.Get(ctx, r.ann.ID); err != nil || !slices.Contains(u.Factors, "passkey") {
				t.Errorf("%v, %v: without it the password alone would do", u.Factors, err)
			}
		})
	}
}

// TestAddressIsBraked: an address that only fails is stopped, but not somebody
// on a device that they used before.
func TestAddressIsBraked(t *testing.T) {
	r, k, wrong := newRig(t), newKey(), newKey()
	home := r.enrol(t, r.ann, k)
	home.SetCookie(stage.SessionCookie, "")
	stranger := r.Browser()
	var last stage.Answer
	for range 21 {
		last = r.signIn(t, stranger, wrong)
	}
	if last.Status != 429 || last.Header.Get("Retry-After") == "" || !strings.Contains(alert(last.Body), "Too many attempts") {
		t.Errorf("after 20 failures: %d %s", last.Status, alert(last.Body))
	}
	if got := r.signIn(t, stranger, k); got.Status != 429 {
		t.Errorf("a right one of a strange device: %d, want 429", got.Status)
	}
	if got := r.signIn(t, home, k); got.Status != 303 {
		t.Errorf("a device that was used before: %d %s", got.Status, alert(got.Body))
	}
	if n := len(r.Audit.Named(audit.LoginThrottled)); n != 2 {
		t.Errorf("%d events of the brake, want 2", n)
	}
}

// TestGoodAnswersAreNotCounted: an office behind one address signs in.
func TestGoodAnswersAreNotCounted(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	for range 25 {
		if got := r.signIn(t, r.Browser(), k); got.Status != 303 {
			t.Fatalf("%d %s", got.Status, alert(got.Body))
		}
	}
}

func TestApplicationWithoutLocalWays(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	b := r.Browser()
	at := r.begin(t, b)
	a := ask(t, b, at, askPath+flow(at))
	token := stage.Hidden(b.Get(at).Body)
	if _, err := r.Clients.Update(ctx, with(*r.App, func(c *client.Client) { c.Ways = []string{"corp"} })); err != nil {
		t.Fatal(err)
	}
	if page := b.Get(at).Body; strings.Contains(page, "passkey") {
		t.Error("the page offers what the application does not allow")
	}
	if got := b.Post(askPath+flow(at), token); got.Status != 401 {
		t.Errorf("the options: %d", got.Status)
	}
	token.Set("ceremony", a.Ceremony)
	token.Set("credential", k.get(t, a))
	if got := b.Post(signInPath+flow(at), token); got.Status != 200 || r.session(t, b) != nil {
		t.Errorf("the answer: %d", got.Status)
	}
}

func with(c client.Client, change func(*client.Client)) client.Client {
	change(&c)
	return c
}

func TestStoresThatAreDown(t *testing.T) {
	r, k := newRig(t), newKey()
	r.enrol(t, r.ann, k)
	b := r.Browser()
	at := r.begin(t, b)
	a := ask(t, b, at, askPath+flow(at))
	answer := k.get(t, a)
	form := stage.Hidden(b.Get(at).Body)
	form.Set("ceremony", a.Ceremony)
	form.Set("credential", answer)
	r.Limits.SetDown(true)
	if got := b.Post(signInPath+flow(at), form); got.Status != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("without counters: %d", got.Status)
	}
	r.Limits.SetDown(false)
	if got := b.Post(signInPath+flow(at), form); got.Status != 303 {
		t.Errorf("afterwards: %d %s", got.Status, alert(got.Body))
	}
}
