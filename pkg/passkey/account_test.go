package passkey_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	requests "github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/passkey"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestOptionsOfANewPasskey(t *testing.T) {
	r, k := newRig(t), newKey()
	b := r.enrol(t, r.ann, k)
	var said struct {
		RP          struct{ ID string } `json:"rp"`
		User        struct{ ID, Name, DisplayName string }
		Attestation string
		Timeout     int
		Params      []struct{ Alg int }                            `json:"pubKeyCredParams"`
		Exclude     []struct{ ID string }                          `json:"excludeCredentials"`
		Selection   struct{ ResidentKey, UserVerification string } `json:"authenticatorSelection"`
	}
	a := ask(t, b, pagePath, optionsPath)
	if err := json.Unmarshal(a.PublicKey, &said); err != nil {
		t.Fatal(err)
	}
	algs := []int{}
	for _, p := range said.Params {
		algs = append(algs, p.Alg)
	}
	if !slices.Equal(algs, []int{-7, -8, -257}) {
		t.Errorf("algorithms %v, want ES256, EdDSA, RS256", algs)
	}
	if said.RP.ID != rpID || said.Attestation != "none" || said.Timeout != 300000 || said.Selection.ResidentKey != "required" || said.Selection.UserVerification != "required" {
		t.Errorf("options %s", a.PublicKey)
	}
	if len(said.Exclude) != 1 || said.Exclude[0].ID != r.keys(t, r.ann)[0].CredentialID {
		t.Errorf("excluded %v, want the one that Ann has", said.Exclude)
	}
	if said.User.Name != "ann@example.test" || said.User.DisplayName != "Ann Example" {
		t.Errorf("user %+v", said.User)
	}
}

// TestKeepsWhatItLearnt: a new passkey is kept, told and written down, and
// raises the session.
func TestKeepsWhatItLearnt(t *testing.T) {
	r, k := newRig(t), newKey()
	k.device.Options.BackupEligible, k.device.Options.BackupState = true, true
	k.cred.Counter = 7
	b := r.visitor(t, r.ann)
	before := b.Cookie(stage.SessionCookie)
	if to := stage.Follow(t, add(t, b, k, "name", "  Key ring\n ")); to != pagePath+"?done=factor" {
		t.Fatalf("led to %q", to)
	}
	got := r.keys(t, r.ann)[0]
	if got.Name != "Key ring" || got.SignCount != 7 || !got.BackupEligible || !got.BackedUp || !got.UserVerified || got.Attested || len(got.AAGUID) != 36 || !got.UsedAt.IsZero() {
		t.Errorf("kept %+v", got)
	}
	s := r.session(t, b)
	if s == nil || s.ACR != "phr" || b.Cookie(stage.SessionCookie) == before {
		t.Errorf("session %+v, want it raised, with a new cookie", s)
	}
	if u, err := r.Users.Get(ctx, r.ann.ID); err != nil || !slices.Equal(u.Factors, []string{"passkey"}) {
		t.Errorf("factors %v, %v", u.Factors, err)
	}
	if e := r.Audit.Named(audit.FactorAdded); len(e) != 1 || e[0].Actor != r.ann.ID || e[0].Data["name"] != "Key ring" || e[0].Data["factor"] != "passkey" {
		t.Errorf("audit %v", e)
	}
	if l := r.Letters.Last(t, r.ann.Email).Letter; l.Key != "factor_added" {
		t.Errorf("letter %+v", l)
	}
	page := b.Get(pagePath + "?done=factor").Body
	for _, want := range []string{"Key ring", "On your devices, kept in sync", "Not used yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if list, err := r.passkeys.List(ctx, r.ann.ID); err != nil || len(list) != 1 || list[0].Kind != assurance.Passkey || list[0].Name != "Key ring" {
		t.Errorf("List = %v, %v", list, err)
	}
}

// TestNamesADevice: who gives no name gets that of the device.
func TestNamesADevice(t *testing.T) {
	for name, tt := range map[string]struct{ typed, want string }{
		"none":     {"", "Passkey"},
		"blanks":   {" \t ", "Passkey"},
		"too long": {strings.Repeat("x", 65), "Passkey"},
		"fits":     {strings.Repeat("é", 64), strings.Repeat("é", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.visitor(t, r.ann)
			stage.Follow(t, add(t, b, newKey(), "name", tt.typed))
			if got := r.keys(t, r.ann)[0].Name; got != tt.want {
				t.Errorf("called %q, want %q", got, tt.want)
			}
		})
	}
}

type count struct{ left int }

func (c count) Left(ctxt, string) (int, error) { return c.left, nil }

func TestLeadsToRecoveryCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		codes factor.Counter
		query string
		want  string
	}{
		"there are none here": {nil, "", pagePath + "?done=factor"},
		"Ann has some":        {count{3}, "", pagePath + "?done=factor"},
		"Ann has none":        {count{0}, "", "/account/security/recovery-codes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.onward.Codes = tt.codes
			if to := stage.Follow(t, add(t, r.visitor(t, r.ann), newKey())); to != tt.want {
				t.Errorf("led to %q, want %q", to, tt.want)
			}
		})
	}
}

// TestEndsBackInTheApplication: who had to get a factor goes on with what they
// came for.
func TestEndsBackInTheApplication(t *testing.T) {
	r, k := newRig(t), newKey()
	r.Opener.Policy.Everyone = assurance.PhishingResistant
	b := r.Browser()
	at := stage.Follow(t, b.Submit(r.begin(t, b), "username", r.ann.Email, "password", stage.Password))
	if !stage.IsPage(at, "/login/enrol") {
		t.Fatalf("the password led to %q", at)
	}
	there := pagePath + flow(at)
	a := ask(t, b, there, optionsPath+flow(at))
	at = stage.Follow(t, b.Submit(there, "decision", "add", "ceremony", a.Ceremony, "credential", k.create(t, a), "name", "Key"))
	for range 3 { // pages that see by the new cookie who is signed in
		if strings.HasPrefix(at, "/consent") {
			return
		}
		at = stage.Follow(t, b.Get(at))
	}
	t.Errorf("led to %q, want on to the application", at)
}

// TestRefusesNewPasskeys: nothing of a registration that does not pass is
// kept, and the person reads why.
func TestRefusesNewPasskeys(t *testing.T) {
	sent := func(credential func(s string) string) func(*testing.T, *rig, *stage.Browser, *key) stage.Answer {
		return func(t *testing.T, _ *rig, b *stage.Browser, k *key) stage.Answer {
			a := ask(t, b, pagePath, optionsPath)
			return b.Submit(pagePath, "decision", "add", "ceremony", a.Ceremony, "credential", credential(k.create(t, a)))
		}
	}
	for name, tt := range map[string]struct {
		key    func(k *key)
		answer func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer
		config func(c *passkey.Config)
		says   string
	}{
		"WebAuthn §7.1 wrong origin":                  {key: func(k *key) { k.rp.Origin = "https://evil.example" }},
		"WebAuthn §7.1 wrong rp id":                   {key: func(k *key) { k.rp.ID = "evil.example" }},
		"WebAuthn §7.1 nobody was there":              {key: func(k *key) { k.device.Options.UserNotPresent = true }},
		"WebAuthn §7.1 the person was not verified":   {key: func(k *key) { k.device.Options.UserNotVerified = true }},
		"WebAuthn §7.1 backed up but not eligible":    {key: func(k *key) { k.device.Options.BackupState = true }},
		"WebAuthn §7.1 an id of more than 1023 bytes": {key: func(k *key) { k.cred.ID = make([]byte, 1024) }},
		"WebAuthn §7.1 nobody vouches for it": {
			config: func(c *passkey.Config) { c.Attestation, c.Roots = true, noRoots() },
			says:   "This kind of passkey is not accepted here.",
		},
		"no credential": {answer: sent(func(string) string { return "" })},
		"garbage":       {answer: sent(func(string) string { return "{\"id\":\"\xc3\xa9" })},
		"an assertion":  {answer: sent(func(s string) string { return strings.Replace(s, "attestationObject", "authenticatorData", 1) })},
		"broken CBOR": {answer: sent(func(s string) string {
			i := strings.Index(s, `"attestationObject":"`) + len(`"attestationObject":"`)
			return s[:i] + "____" + s[i+4:]
		})},
		"just above what is taken": {answer: sent(func(s string) string { return s + strings.Repeat(" ", 16<<10-len(s)+1) }), says: "413"},
		"huge":                     {answer: sent(func(s string) string { return s + strings.Repeat(" ", 60<<10) }), says: "413"},

		"WebAuthn §13.4.3 no ceremony": {answer: func(t *testing.T, _ *rig, b *stage.Browser, k *key) stage.Answer {
			return b.Submit(pagePath, "decision", "add", "credential", k.create(t, ask(t, b, pagePath, optionsPath)))
		}},
		"WebAuthn §13.4.3 after five minutes": {answer: func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer {
			form := stage.Hidden(b.Get(pagePath).Body)
			a := ask(t, b, pagePath, optionsPath)
			form.Set("decision", "add")
			form.Set("ceremony", a.Ceremony)
			form.Set("credential", k.create(t, a))
			later(t, 5*time.Minute)
			return b.Post(pagePath, form)
		}, says: "303"}, // and the sign-in is too old besides
		"WebAuthn §13.4.3 challenge of a sign-in": {answer: func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer {
			other := r.Browser()
			at := r.begin(t, other)
			a := ask(t, other, at, askPath+flow(at))
			fresh := ask(t, b, pagePath, optionsPath)
			return b.Submit(pagePath, "decision", "add", "ceremony", a.Ceremony, "credential", k.create(t, fresh))
		}},
		"WebAuthn §13.4.3 challenge of another person": {answer: func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer {
			same := r.Browser() // Bob sat here before
			same.SetCookie(stage.BrowserCookie, b.Cookie(stage.BrowserCookie))
			r.signInAs(t, same, r.bob)
			a := ask(t, same, pagePath, optionsPath)
			return b.Submit(pagePath, "decision", "add", "ceremony", a.Ceremony, "credential", k.create(t, a))
		}},
		"WebAuthn §13.4.3 challenge of another browser": {answer: func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer {
			a := ask(t, r.visitor(t, r.ann), pagePath, optionsPath)
			return b.Submit(pagePath, "decision", "add", "ceremony", a.Ceremony, "credential", k.create(t, a))
		}},
		"WebAuthn §7.1 it is Ann's already": {answer: func(t *testing.T, r *rig, b *stage.Browser, k *key) stage.Answer {
			stage.Follow(t, add(t, r.visitor(t, r.bob), k))
			return add(t, b, k)
		}, says: "This passkey is in use already."},
		"no decision": {answer: func(_ *testing.T, _ *rig, b *stage.Browser, _ *key) stage.Answer {
			return b.Submit(pagePath, "decision", "steal")
		}, says: "Please press one of the buttons."},
		"no form token": {answer: func(t *testing.T, _ *rig, b *stage.Browser, k *key) stage.Answer {
			a := ask(t, b, pagePath, optionsPath)
			return b.Post(pagePath, url.Values{"decision": {"add"}, "ceremony": {a.Ceremony}, "credential": {k.create(t, a)}})
		}, says: "403"},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*passkey.Config)
			if tt.config != nil {
				change = append(change, tt.config)
			}
			r, k := newRig(t, change...), newKey()
			b := r.visitor(t, r.ann)
			if tt.key != nil {
				tt.key(k)
			}
			if tt.answer == nil {
				tt.answer = func(t *testing.T, _ *rig, b *stage.Browser, k *key) stage.Answer { return add(t, b, k) }
			}
			got := tt.answer(t, r, b, k)
			if tt.says == "" {
				tt.says = "The passkey was not added."
			}
			if status, err := strconv.Atoi(tt.says); err == nil {
				if got.Status != status {
					t.Errorf("status %d, want %d", got.Status, status)
				}
			} else if got.Status != 200 || !strings.Contains(alert(got.Body), tt.says) {
				t.Errorf("%d %q, want %q", got.Status, alert(got.Body), tt.says)
			}
			if all := r.keys(t, r.ann); len(all) != 0 {
				t.Errorf("kept %v", all)
			}
			if u, err := r.Users.Get(ctx, r.ann.ID); err != nil || len(u.Factors) != 0 {
				t.Errorf("factors %v, %v", u.Factors, err)
			}
			if s := r.session(t, b); s != nil && s.ACR != "1" {
				t.Errorf("the session was raised: %+v", s)
			}
		})
	}
}

func TestAtMostTwenty(t *testing.T) {
	r, k := newRig(t), newKey()
	b := r.visitor(t, r.ann)
	form := stage.Hidden(b.Get(pagePath).Body)
	a := ask(t, b, pagePath, optionsPath)
	for n := range passkey.Most {
		p := passkey.Passkey{ID: "p" + strconv.Itoa(n), CredentialID: "AAAA" + strconv.Itoa(n), UserID: r.ann.ID, PublicKey: []byte{1}, CreatedAt: time.Now()}
		if err := r.Durable.Passkeys.Create(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	form.Set("decision", "add")
	form.Set("ceremony", a.Ceremony)
	form.Set("credential", k.create(t, a))
	if got := b.Post(pagePath, form); !strings.Contains(alert(got.Body), "as many passkeys as one account may have") {
		t.Errorf("the 21st: %d %q", got.Status, alert(got.Body))
	}
	if got := b.Post(optionsPath, form); got.Status != 409 {
		t.Errorf("the options for a 21st: %d", got.Status)
	}
	if page := b.Get(pagePath).Body; strings.Contains(page, "passkey-add") || len(r.keys(t, r.ann)) != passkey.Most {
		t.Error("one more is offered")
	}
}

func TestRenamesAndRemoves(t *testing.T) {
	r := newRig(t)
	b := r.enrol(t, r.ann, newKey())
	r.enrol(t, r.bob, newKey())
	own, theirs := r.keys(t, r.ann)[0], r.keys(t, r.bob)[0]
	for name, typed := range map[string]string{"no name": "", "blanks": " ", "too long": strings.Repeat("x", 65)} {
		if got := b.Submit(pagePath, "decision", "rename", "passkey", own.ID, "name", typed); got.Status != 200 || !strings.Contains(got.Body, `role="alert"`) {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	if to := stage.Follow(t, b.Submit(pagePath, "decision", "rename", "passkey", own.ID, "name", "Phone")); to != pagePath+"?done=factor_renamed" {
		t.Errorf("renaming led to %q", to)
	}
	if got := r.keys(t, r.ann)[0].Name; got != "Phone" {
		t.Errorf("called %q", got)
	}
	for _, decision := range []string{"rename", "remove"} {
		for _, id := range []string{theirs.ID, "nothing", ""} {
			if got := b.Submit(pagePath, "decision", decision, "passkey", id, "name", "mine"); got.Status != 404 {
				t.Errorf("%s %q: %d, want 404", decision, id, got.Status)
			}
		}
	}
	if got := r.keys(t, r.bob); len(got) != 1 || got[0].Name != theirs.Name {
		t.Errorf("Bob's are %v now", got)
	}
	if len(r.Audit.Named(audit.AccountRefused)) == 0 {
		t.Error("nobody hears that somebody tried what is not theirs")
	}
	if to := stage.Follow(t, b.Submit(pagePath, "decision", "remove", "passkey", own.ID)); to != pagePath+"?done=factor_removed" {
		t.Errorf("removing led to %q", to)
	}
	if u, err := r.Users.Get(ctx, r.ann.ID); err != nil || len(u.Factors) != 0 || len(r.keys(t, r.ann)) != 0 {
		t.Errorf("left: %v, %v", u.Factors, err)
	}
	if l := r.Letters.Last(t, r.ann.Email).Letter; l.Key != "factor_removed" || l.Facts[0].Value != "Phone" {
		t.Errorf("letter %+v", l)
	}
}

func TestTheLastOneStaysWhileDemanded(t *testing.T) {
	r := newRig(t)
	b := r.enrol(t, r.ann, newKey())
	r.Factors.Policy.Everyone = assurance.TwoFactors
	got := b.Submit(pagePath, "decision", "remove", "passkey", r.keys(t, r.ann)[0].ID)
	if got.Status != 200 || alert(got.Body) == "" || len(r.keys(t, r.ann)) != 1 {
		t.Errorf("%d %q, %d left", got.Status, alert(got.Body), len(r.keys(t, r.ann)))
	}
}

// TestNoPasskeyByThePasswordAlone: security §11.9 whoever has a second factor
// uses it before they get another one.
func TestNoPasskeyByThePasswordAlone(t *testing.T) {
	r, k := newRig(t), newKey()
	thief := r.visitor(t, r.ann) // who knows the password, before
	form := stage.Hidden(thief.Get(pagePath).Body)
	r.enrol(t, r.ann, k)
	if got := thief.Get(pagePath); got.Status != 303 {
		t.Errorf("the page: %d", got.Status)
	}
	if got := thief.Post(optionsPath, form); got.Status != 303 {
		t.Errorf("the options: %d %.200s", got.Status, got.Body)
	}
	if got := r.Browser().Post(optionsPath, form); got.Status != 303 {
		t.Errorf("the options to nobody: %d", got.Status)
	}
	if got := thief.Get(optionsPath); got.Status != 405 {
		t.Errorf("the options, read: %d", got.Status)
	}
	if len(r.keys(t, r.ann)) != 1 {
		t.Error("there is another passkey")
	}
}

// TestSecondFactor: a passkey after a password.
func TestSecondFactor(t *testing.T) {
	begin := func(t *testing.T, r *rig, u string) (b *stage.Browser, at string) {
		t.Helper()
		b = r.Browser()
		at = stage.Follow(t, b.Submit(r.begin(t, b), "username", u, "password", stage.Password))
		if !stage.IsPage(at, "/login/factor") {
			t.Fatalf("the password led to %q", at)
		}
		return b, at
	}
	second := func(at string) string { return askPath + flow(at) + "&second=1" }
	t.Run("it signs in with the password", func(t *testing.T) {
		r, k := newRig(t), newKey()
		k.device.Options.UserNotVerified = false
		r.enrol(t, r.ann, k)
		b, at := begin(t, r, r.ann.Email)
		page := b.Get(at)
		if !strings.Contains(page.Header.Get("Content-Security-Policy"), "connect-src 'self'") || !strings.Contains(page.Body, "/static/passkey.") {
			t.Error("the page cannot ask for a passkey")
		}
		a := ask(t, b, at, second(at))
		if said := string(a.PublicKey); !strings.Contains(said, r.keys(t, r.ann)[0].CredentialID) || !strings.Contains(said, `"userVerification":"preferred"`) {
			t.Errorf("options %s", said)
		}
		k.device.Options.UserNotVerified = true // the first factor was one
		if to := stage.Follow(t, b.Submit(at, "ceremony", a.Ceremony, "credential", k.get(t, a))); !strings.HasPrefix(to, "/consent") {
			t.Fatalf("led to %q", to)
		}
		if s := r.session(t, b); s == nil || s.ACR != "phr" || !slices.Equal(s.AMR, []string{"pwd", "pop", "user", "mfa"}) {
			t.Errorf("session %+v", s)
		}
	})
	for name, answer := range map[string]func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) (ceremony, credential string){
		"a passkey of another person": func(t *testing.T, r *rig, b *stage.Browser, at string, _ *key) (string, string) {
			bobs := newKey()
			r.enrol(t, r.bob, bobs)
			a := ask(t, b, at, second(at))
			return a.Ceremony, bobs.get(t, a)
		},
		"another person's under Ann's name": func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) (string, string) {
			bobs := newKey()
			r.enrol(t, r.bob, bobs)
			bobs.device.Options.UserHandle = k.device.Options.UserHandle
			a := ask(t, b, at, second(at))
			return a.Ceremony, bobs.get(t, a)
		},
		"WebAuthn §13.4.3 challenge of a first step": func(t *testing.T, r *rig, b *stage.Browser, _ string, k *key) (string, string) {
			at := r.begin(t, b)
			a := ask(t, b, at, askPath+flow(at))
			return a.Ceremony, k.get(t, a)
		},
		"WebAuthn §13.4.3 challenge of another flow": func(t *testing.T, r *rig, _ *stage.Browser, _ string, k *key) (string, string) {
			b, at := begin(t, r, r.ann.Email)
			a := ask(t, b, at, second(at))
			return a.Ceremony, k.get(t, a)
		},
		"an answer to nothing": func(*testing.T, *rig, *stage.Browser, string, *key) (string, string) { return "", "" },
		"a suspended passkey": func(t *testing.T, r *rig, b *stage.Browser, at string, k *key) (string, string) {
			a := ask(t, b, at, second(at))
			if err := r.Durable.Passkeys.Suspend(ctx, r.keys(t, r.ann)[0].ID, time.Now()); err != nil {
				t.Fatal(err)
			}
			return a.Ceremony, k.get(t, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, k := newRig(t), newKey()
			r.enrol(t, r.ann, k)
			b, at := begin(t, r, r.ann.Email)
			ceremony, credential := answer(t, r, b, at, k)
			got := b.Submit(at, "ceremony", ceremony, "credential", credential)
			if got.Status != 200 || alert(got.Body) == "" || r.session(t, b) != nil {
				t.Errorf("%d %q", got.Status, alert(got.Body))
			}
		})
	}
	t.Run("without one that may be used there is no challenge", func(t *testing.T) {
		r := newRig(t)
		r.enrol(t, r.ann, newKey())
		b, at := begin(t, r, r.ann.Email)
		if err := r.Durable.Passkeys.Suspend(ctx, r.keys(t, r.ann)[0].ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		token := url.Values{"form_token": {stage.Hidden(b.Get(at).Body).Get("form_token")}}
		if got := b.Post(second(at), token); got.Status != 409 || !strings.Contains(got.Body, "no_passkey") {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if got := b.Post(askPath+flow(at), token); got.Status != 403 {
			t.Errorf("the token of the second factor asks for a first one: %d", got.Status)
		}
	})
}

// TestAMRTellsHardware: only a key that a certificate vouches for, and that
// cannot leave, is called hardware.
func TestAMRTellsHardware(t *testing.T) {
	for want, p := range map[string]passkey.Passkey{
		"pop user": {}, "pop user ": {Attested: true, BackupEligible: true}, "pop  user": {BackupEligible: true}, "hwk user": {Attested: true},
	} {
		if got := p.AMR(); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%+v proves %v, want %s", p, got, want)
		}
	}
}

// TestFaultsOfTheMethod: the pages of factors rely on their kinds.
func TestFaultsOfTheMethod(t *testing.T) {
	r := newRig(t)
	f := r.Flows.Begin("browser", requests.Request{Return: pagePath})
	_, err := r.passkeys.Verify(ctx, &factor.Attempt{User: r.ann, Flow: f, Browser: "browser", Form: map[string]string{}})
	if !fault.Is(err, fault.Gone) || fault.CodeOf(err) != "passkey_over" {
		t.Errorf("no ceremony: %v, want gone", err)
	}
	asked, err := r.passkeys.AskAny(ctx, "browser", f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.passkeys.Identify(ctx, "", f.ID, asked.Ceremony, "{}"); !fault.Is(err, fault.Gone) {
		t.Errorf("a browser without a cookie: %v, want gone", err)
	}
	if r.passkeys.Kind() != assurance.Passkey {
		t.Error("it is of another kind")
	}
}
