package templates

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// accountSamples are the pages of the account.
func accountSamples(shop, evil *Client, alice, mallory Account) map[string]Page {
	at := time.Date(2026, 11, 28, 14, 5, 6, 0, time.FixedZone("east", 3600))
	form := Form{Action: "/account", Token: "token"}
	bad := Form{Action: "//evil.example/", Token: `"><script>`}
	in := func(path, done string) Desk { return Desk{Path: path, Done: done} }
	values, problems := map[string]string{}, map[string]Problem{}
	for name := range ProfileFields() {
		values[name], problems[name] = hostile, FieldTooLong
	}
	choices := []Choice{{}, {Value: "en", Words: "English", Chosen: true}, {Value: "de", Words: "Deutsch"}}
	firefox := Device{Browser: "Firefox", OS: "Windows"}
	return map[string]Page{
		"account":         Overview{Desk: in("/account", "kept"), Form: form, Account: alice, Email: "alice@example.com", Verified: true},
		"account-pending": Overview{Desk: in("/account", ""), Form: form, Account: alice, Email: "alice@example.com", Pending: "new@example.com"},
		"account-hostile": Overview{Desk: in("/account", hostile), Form: bad, Account: mallory, Email: hostile, Pending: hostile, Problem: NoDecision},
		"profile": Profile{Desk: in("/account/profile", "profile"), Form: form, Choices: choices, Username: true, Values: map[string]string{
			"name": "Alice Keller", "username": "alice", "zoneinfo": "Europe/Vienna", "street_address": "Ring 1\nDoor 2",
		}},
		"profile-hostile": Profile{
			Desk: in("/account/profile", ""), Form: bad, Username: true, Values: values, Problems: problems, Problem: LanguageWrong,
			Choices: []Choice{{Value: hostile[:40], Words: "?"}},
		},
		"email":            EmailPage{Desk: in("/account/email", ""), Form: form, Email: "alice@example.com", Verified: true},
		"email-pending":    EmailPage{Desk: in("/account/email", "email"), Form: form, Email: "alice@example.com", Pending: "new@example.com", CodeProblem: CodeWrong},
		"email-hostile":    EmailPage{Desk: in("/account/email", "<b>"), Form: bad, Email: hostile, New: hostile, NewProblem: EmailMalformed, Problem: LinkOver},
		"prove":            Prove{Form: form, Link: "ptl_link", Email: "new@example.com", Change: true},
		"prove-hostile":    Prove{Form: bad, Link: `"><script>`, Email: hostile},
		"proven":           Proven{Email: "new@example.com", Change: true},
		"proof-over":       ProofOver{},
		"proven-hostile":   Proven{Email: hostile},
		"newpassword":      ChangePassword{Desk: in("/account/password", "password"), Form: form, Username: "alice@example.com", Current: true, Password: NewPassword{Another: true}},
		"newpassword-bad":  ChangePassword{Desk: in("/account/password", ""), Form: form, Current: true, CurrentProblem: CurrentWrong, Password: NewPassword{Another: true}},
		"newpassword-none": ChangePassword{Desk: in("/account/password", ""), Form: form, First: true, Password: NewPassword{Problem: PasswordCommon}},
		"factor-totp": SecondFactor{Form: form, Client: shop, Account: alice, Kind: "totp", TrustDays: 30, Restart: true, Others: []OtherWay{
			{"passkey", "/login/factor?flow=ptf_flow&with=passkey"}, {"recovery_code", "/login/factor?flow=ptf_flow&with=recovery_code"},
		}},
		"factor-passkey": SecondFactor{Form: form, Account: alice, Kind: "passkey", Options: "/login/passkey/options?flow=ptf_flow&second=1", Problem: PasskeyFailed},
		"factor-sms":     SecondFactor{Form: form, Account: alice, Kind: "sms", To: "+43 … 42", Problem: WayDown},
		"factor-sent":    SecondFactor{Form: form, Account: alice, Kind: "email", To: "a…e@example.com", Sent: true},
		"factor-codes":   SecondFactor{Form: form, Account: alice, Kind: "recovery_code", Problem: FactorCodeWrong},
		"factor-none":    SecondFactor{Form: form, Account: alice},
		"factor-hostile": SecondFactor{Form: bad, Client: evil, Account: mallory, Kind: "sms", To: "+43 … 42", Options: "javascript:alert(1)", Others: []OtherWay{{"totp", "javascript:alert(1)"}}},
		"enrol":          Enrol{Form: form, Client: shop, Account: alice, Ways: []OtherWay{{"passkey", "/account/security/passkeys?flow=ptf_flow"}, {"totp", "/account/security/app?flow=ptf_flow"}}, Until: at},
		"enrol-asked":    Enrol{Form: form, Client: shop, Account: alice, Asked: true},
		"enrol-hostile":  Enrol{Form: bad, Client: evil, Account: mallory, Asked: true, Ways: []OtherWay{{"totp", "javascript:alert(1)"}}, Problem: NoDecision},
		"security": Security{Desk: in("/account/security", "factor"), Demanded: true, Codes: "/account/security/recovery-codes", CodesLeft: 7, Browsers: "/account/security/browsers", Kinds: []FactorKind{
			{Kind: "passkey", Path: "/account/security/passkeys", List: []HasFactor{{ID: "p1", Name: "Phone", Added: at, Used: at}, {ID: "p2", Name: hostile, Added: at, Suspended: true}}},
			{Kind: "totp", Path: "/account/security/app"},
		}},
		"security-needed": Security{Desk: in("/account/security", ""), Codes: "/account/security/recovery-codes", CodesNeeded: true},
		"browsers":        Browsers{Desk: in("/account/security", ""), Form: form, List: []Remembered{{ID: "b1", Device: firefox, Address: "192.0.2.7", Used: at, Until: at.AddDate(0, 1, 0)}, {ID: "b2"}}},
		"browsers-none":   Browsers{Desk: in("/account/security", "browser"), Form: form},
		"recovery-codes":  RecoveryCodes{Desk: in("/account/security", ""), Form: form, Security: "/account/security", Left: 3, Made: at, Waits: true},
		"recovery-codes-new": RecoveryCodes{
			Desk: in("/account/security", ""), Form: form, Security: "/account/security", Left: 10, Made: at, New: []string{"x7kq-2m4p-9tzc", "0123-4567-89ab"},
		},
		"recovery-codes-never":   RecoveryCodes{Desk: in("/account/security", ""), Form: form, Security: "/account/security", Problem: NoDecision},
		"recovery-codes-none":    RecoveryCodes{Desk: in("/account/security", ""), Form: form, Security: "/account/security", Needless: true},
		"recovery-codes-hostile": RecoveryCodes{Desk: in("/account/security", hostile), Form: bad, Security: "//evil.example/", Made: at},
		"email-codes":            EmailCodes{Desk: in("/account/security", ""), Form: form, Address: "/account/email", Email: "alice@example.com", Verified: true},
		"email-codes-waits": EmailCodes{
			Desk: in("/account/security", ""), Form: form, Address: "/account/email", Email: "alice@example.com", Verified: true, Waits: true, CodeProblem: FactorCodeWrong,
		},
		"email-codes-on":      EmailCodes{Desk: in("/account/security", "factor"), Form: form, Address: "/account/email", Email: "alice@example.com", Verified: true, On: &HasFactor{Added: at, Used: at}},
		"email-codes-dead":    EmailCodes{Desk: in("/account/security", ""), Form: form, Address: "/account/email", Email: "alice@example.com", On: &HasFactor{Added: at}},
		"email-codes-hostile": EmailCodes{Desk: in("/account/security", hostile), Form: bad, Address: "//evil.example/", Email: hostile, Verified: true, Problem: WayDown},
		"text-codes":          TextCodes{Desk: in("/account/security", ""), Form: form},
		"text-codes-waits":    TextCodes{Desk: in("/account/security", ""), Form: form, Waits: "+4930123456", CodeProblem: FactorCodeWrong},
		"text-codes-on":       TextCodes{Desk: in("/account/security", "factor"), Form: form, On: &HasFactor{Name: "+4930123456", Added: at, Used: at}},
		"text-codes-hostile":  TextCodes{Desk: in("/account/security", hostile), Form: bad, On: &HasFactor{Name: hostile, Added: at}, Waits: hostile, Number: hostile, NumberProblem: NumberMalformed, Problem: CodeOver},
		"apps": Apps{Desk: in("/account/security", ""), Form: form, List: []HasFactor{
			{ID: "a1", Name: "Phone", Added: at, Used: at}, {ID: "a2", Name: hostile, Added: at},
		}},
		"apps-new": Apps{Desk: in("/account/security", ""), Form: form, CodeProblem: FactorCodeWrong, New: &NewApp{
			Seed: "sealed", Key: "ABCD EFGH", URI: "otpauth://totp/Portico:cleo@example.com?secret=ABCDEFGH", Size: 29, Path: "M4 4h7v1h-7z", Name: "Phone",
		}},
		"apps-name": Apps{Desk: in("/account/security", ""), Form: form, NameProblem: FactorName, New: &NewApp{
			Seed: "sealed", Key: "ABCD EFGH", URI: "otpauth://totp/Portico:cleo@example.com?secret=ABCDEFGH", Size: 29, Path: "M4 4h7v1h-7z", Name: hostile,
		}},
		"apps-hostile": Apps{Desk: in("/account/security", hostile), Form: form, Full: true, New: &NewApp{Seed: "sealed", Key: "ABCD", URI: "javascript:alert(1)", Path: "M1 1h1v1h-1z", Name: hostile}},
		"sessions": Sessions{Desk: in("/account/sessions", "session"), Form: form, List: []SignedIn{
			{ID: "a", Device: firefox, Address: "192.0.2.1", Since: at, LastSeen: at, This: true},
			{ID: "b", Device: Device{}, Since: at.UTC(), LastSeen: at.UTC()},
		}},
		"passkeys": Passkeys{Desk: in("/account/security", "factor"), Form: form, Options: "/account/security/passkeys/options", Name: firefox, List: []PasskeyEntry{
			{ID: "a", Name: "Firefox, Windows", Added: at, Used: at, Synced: true}, {ID: "b", Name: "Key ring", Added: at}, {ID: "c", Name: "Old key", Added: at, Used: at, Suspended: true},
		}},
		"passkeys-none":    Passkeys{Desk: in("/account/security", ""), Form: form, Options: "/account/security/passkeys/options", Problem: PasskeyModel},
		"passkeys-full":    Passkeys{Desk: in("/account/security", ""), Form: form, Full: true, List: []PasskeyEntry{{ID: "a", Name: "Key", Added: at}}, Problem: PasskeyMany},
		"passkeys-hostile": Passkeys{Desk: in("/account/security", hostile), Form: bad, Options: "javascript:alert(1)", List: []PasskeyEntry{{ID: `"><script>`, Name: hostile, Added: at}}, Problem: FactorName, Wrong: `"><script>`},
		"sessions-alone":   Sessions{Desk: in("/account/sessions", ""), Form: form, List: []SignedIn{{ID: "a", Device: firefox, Since: at, LastSeen: at, This: true}}},
		"applications": Applications{Desk: in("/account/applications", "withdrawn"), Form: form, List: []Application{
			{ID: "shop", Client: *shop, Since: at, Scopes: []string{"openid", "email"}, APIs: []API{{Name: "Orders", Audience: "https://orders.example.test", Scopes: []Scope{{"orders:read", "Read your orders"}}}, {Audience: "https://plain.example.test"}}},
			{ID: "own", Client: Client{Name: "Staff"}, Since: at, Trusted: true},
		}},
		"applications-hostile": Applications{Desk: in("/account/applications", ""), Form: bad, List: []Application{
			{ID: `"><script>`, Client: *evil, Since: at, Scopes: []string{hostile}, APIs: []API{{Name: hostile, Scopes: []Scope{{hostile, hostile}}}}},
		}},
		"applications-none": Applications{Desk: in("/account/applications", ""), Form: form},
		"history": History{Desk: in("/account/history", ""), Older: "/account/history?before=x", Newer: "/account/history", List: []Happened{
			{Name: "login.succeeded", At: at, Device: firefox, Address: "2001:db8::1", Client: "Acme Travel"}, {Name: "password.failed", At: at, Client: hostile},
		}},
		"history-none": History{Desk: in("/account/history", "")},
		"identities": Identities{
			Desk: in("/account/identities", "linked"), Form: form, Ways: []Way{{"github", "GitHub"}},
			List: []Identity{
				{ID: "a", Provider: "Google", Label: "alice@example.com", Since: at, Used: at.Add(time.Hour)},
				{ID: "b", Provider: "Example Corp", Since: at},
			},
		},
		"identities-none": Identities{Desk: in("/account/identities", ""), Form: form, Problem: OnlyWayIn},
		"identities-hostile": Identities{
			Desk: in("/account/identities", hostile), Form: bad, Ways: []Way{{`"><script>`, hostile}},
			List: []Identity{{ID: `"><script>`, Provider: hostile, Label: hostile}}, Problem: Elsewhere("taken", hostile),
		},
		"data":         DataPage{Desk: in("/account/data", ""), Form: form},
		"delete":       Delete{Desk: in("/account/delete", ""), Form: form, Account: alice, Until: at},
		"delete-now":   Delete{Desk: in("/account/delete", ""), Form: form, Account: mallory, Problem: LastAdmin},
		"leaving":      Leaving{Until: at},
		"leaving-now":  Leaving{},
		"keep":         Keep{Form: form, Client: shop, Account: alice, Until: at},
		"keep-hostile": Keep{Form: bad, Client: evil, Account: mallory, Until: at, Problem: NoDecision},
	}
}

// TestDoneSaysOnlyOurWords keeps a link from putting words into our mouth.
func TestDoneSaysOnlyOurWords(t *testing.T) {
	for _, code := range []string{"", "hacked", "account.done_profile", "Your password is 1234", hostile} {
		if d := parse(t, draw(t, Frame{}, DataPage{Desk: Desk{Done: code}})); d.byID("done") != nil {
			t.Errorf("the code %.40q is told", code)
		}
	}
	for code := range doneWords {
		if d := parse(t, draw(t, Frame{}, DataPage{Desk: Desk{Done: code}})); d.byID("done") == nil || attr(d.byID("done"), "role") != "status" {
			t.Errorf("the code %q is not told", code)
		}
	}
}

func TestNavigationMarksThePage(t *testing.T) {
	for _, r := range rooms {
		d := parse(t, draw(t, Frame{Base: "/auth"}, DataPage{Desk: Desk{Path: r.Path}}))
		var here []string
		for _, n := range d.named("a") {
			if attr(n, "aria-current") == "page" {
				here = append(here, attr(n, "href"))
			}
		}
		if !slices.Equal(here, []string{"/auth" + r.Path}) {
			t.Errorf("on %s the navigation marks %q", r.Path, here)
		}
	}
	if nav := parse(t, draw(t, Frame{}, Leaving{})).named("nav"); len(nav) != 0 {
		t.Error("whoever leaves is led to pages of an account")
	}
}

// TestEveryButtonSaysWhatItDoes: several buttons of one name lead nobody who
// listens to the page.
func TestEveryButtonSaysWhatItDoes(t *testing.T) {
	for _, name := range []string{"sessions", "applications", "passkeys", "identities"} {
		seen := map[string]bool{}
		for _, n := range parse(t, draw(t, Frame{}, samples()[name])).named("button") {
			label := attr(n, "aria-label")
			if label == "" {
				label = text(n)
			}
			if seen[label] || !strings.HasPrefix(label, text(n)) {
				t.Errorf("%s: a button is called %q and shows %q", name, label, text(n))
			}
			seen[label] = true
		}
	}
}

func TestWhenTellsTheZone(t *testing.T) {
	at := time.Date(2026, 3, 9, 7, 5, 59, 0, time.UTC)
	for _, tt := range []struct {
		lang string
		at   time.Time
		want string
	}{
		{"en", at, "9 March 2026, 07:05 UTC"},
		{"de", at.In(time.FixedZone("", 5*3600+1800)), "9. März 2026, 12:35 Uhr UTC+05:30"},
		{"en", at.In(time.FixedZone("", -8*3600)), "8 March 2026, 23:05 UTC-08:00"},
	} {
		v := &view{Frame: Frame{Lang: Negotiate([]string{tt.lang}, "", "")}}
		got, err := v.When(tt.at)
		if err != nil || got.Words != tt.want || got.Stamp != "2026-03-09T07:05:59Z" {
			t.Errorf("When in %s = %+v, %v; want %q", tt.lang, got, err, tt.want)
		}
	}
}
