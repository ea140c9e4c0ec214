package account_test

import (
	"encoding/json"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

func TestSessionsAreListedAndEnded(t *testing.T) {
	r := newRig(t)
	r.Person(t, "bob@example.test")
	b, second, third := r.signIn(t, ann), r.signIn(t, ann), r.signIn(t, ann)
	bobs := r.signIn(t, "bob@example.test")
	page := b.Get("/account/sessions").Body
	if n := strings.Count(page, `class="thing"`); n != 3 {
		t.Fatalf("%d sessions are shown, want 3", n)
	}
	if this, other := strings.Index(page, "This browser"), strings.Index(page, `name="session"`); this < 0 || this > other {
		t.Error("this browser is not the first")
	}
	if strings.Contains(page, r.session(t, bobs).ID) {
		t.Error("somebody else's session is shown")
	}
	if at := stage.Follow(t, b.Submit("/account/sessions", "session", r.session(t, second).ID)); at != "/account/sessions?done=session" {
		t.Errorf("ending one led to %q", at)
	}
	if r.session(t, second) != nil || r.session(t, third) == nil || r.session(t, b) == nil {
		t.Error("not the one was ended that was chosen")
	}
	if at := stage.Follow(t, b.Submit("/account/sessions", "session", "others")); at != "/account/sessions?done=sessions" {
		t.Errorf("ending the others led to %q", at)
	}
	if r.session(t, third) != nil || r.session(t, b) == nil || r.session(t, bobs) == nil {
		t.Error("the others are not those that ended")
	}
	if at := stage.Follow(t, r.send(t, b, "/account/sessions", "session", r.session(t, b).ID)); at != "/signed-out" || b.Cookie(stage.SessionCookie) != "" {
		t.Errorf("ending this one led to %q", at)
	}
}

func TestSessionsOfOthersAreNotTheirs(t *testing.T) {
	r := newRig(t)
	r.Person(t, "bob@example.test")
	b, bobs := r.signIn(t, ann), r.signIn(t, "bob@example.test")
	ids := map[string]string{"bob's": r.session(t, bobs).ID, "unknown": "x", "empty": "", "huge": strings.Repeat("x", 5000), "odd": "\u202e'; --", "a cookie": bobs.Cookie(stage.SessionCookie)}
	for name, id := range ids {
		if a := r.send(t, b, "/account/sessions", "session", id); a.Status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", name, a.Status)
		}
	}
	if r.session(t, bobs) == nil || r.session(t, b) == nil {
		t.Error("a session ended")
	}
	if noted := r.Audit.Named(audit.AccountRefused); len(noted) != len(ids) || noted[0].UserID != r.ann.ID {
		t.Errorf("%d refusals noted, want %d", len(noted), len(ids))
	}
}

// allow gives an application a consent and a grant of the person.
func (r *rig) allow(t *testing.T, u *user.User, clientID string, asked bool) {
	t.Helper()
	now := clock.Now()
	if asked {
		if err := r.Durable.Consents.Allow(ctx, consent.Consent{UserID: u.ID, ClientID: clientID, Scopes: []string{"openid", "orders:read"}, Claims: []string{"phone_number"}, CreatedAt: now, UpdatedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Durable.Grants.Create(ctx, grant.Grant{
		ID: "grant-" + clientID + u.ID, UserID: u.ID, ClientID: clientID, Scopes: []string{"openid", "email"}, CreatedAt: now,
		CodeHash: "codehash-" + clientID + u.ID, CodeUsedAt: now, RefreshHash: "refreshhash-" + clientID + u.ID,
		RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(time.Hour), RetryAnswer: []byte("sealedanswer"),
	}); err != nil {
		t.Fatal(err)
	}
}

func TestApplicationsAreListedAndWithdrawn(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	if page := b.Get("/account/applications").Body; !strings.Contains(page, "No application may use your account") {
		t.Error("an empty list says nothing")
	}
	if _, err := r.APIs.Create(ctx, scope.API{Audience: "https://orders.example.test", Name: "Orders", Format: scope.JWT, Scopes: []scope.Scope{{Name: "orders:read", Description: "See your orders"}}}); err != nil {
		t.Fatal(err)
	}
	r.allow(t, r.ann, r.App.ID, true)
	r.allow(t, r.ann, "gone", false)
	page := b.Get("/account/applications").Body
	for _, want := range []string{"Shop &amp; Co", "Know that it is you", "See your email address", "See your phone number", "Orders", "See your orders", "gone", "Allowed by the people who run this service"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if at := stage.Follow(t, b.Submit("/account/applications", "client", r.App.ID)); at != "/account/applications?done=withdrawn" {
		t.Fatalf("withdrawing led to %q", at)
	}
	if g, err := r.Durable.Grants.ByID(ctx, "grant-"+r.App.ID+r.ann.ID); err != nil || !g.Revoked() {
		t.Errorf("the grant is %+v, %v; want it revoked", g, err)
	}
	if g, err := r.Durable.Grants.ByID(ctx, "grant-gone"+r.ann.ID); err != nil || g.Revoked() {
		t.Errorf("another application's grant is %+v, %v", g, err)
	}
	if strings.Contains(b.Get("/account/applications").Body, "Shop") {
		t.Error("it is listed still")
	}
	stage.Follow(t, b.Submit("/account/applications", "client", "gone"))
	if g, _ := r.Durable.Grants.ByID(ctx, "grant-gone"+r.ann.ID); !g.Revoked() {
		t.Error("an application that was never asked for cannot be withdrawn")
	}
}

func TestApplicationsOfOthersAreNotTheirs(t *testing.T) {
	r := newRig(t)
	bob := r.Person(t, "bob@example.test")
	r.allow(t, bob, r.App.ID, true)
	b := r.signIn(t, ann)
	for name, id := range map[string]string{"bob's": r.App.ID, "unknown": "x", "empty": "", "huge": strings.Repeat("x", 5000), "odd": "\u202e'"} {
		if a := r.send(t, b, "/account/applications", "client", id); a.Status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", name, a.Status)
		}
	}
	if g, err := r.Durable.Grants.ByID(ctx, "grant-"+r.App.ID+bob.ID); err != nil || g.Revoked() {
		t.Errorf("bob's grant is %+v, %v", g, err)
	}
	if n := len(r.Audit.Named(audit.AccountRefused)); n != 5 {
		t.Errorf("%d refusals noted, want 5", n)
	}
}

// silent are the events that nobody is told about: they are about machines,
// operators and other people, or said by another event already.
var silent = []audit.Name{
	audit.LoginThrottled, audit.CodeIssued, audit.TokenIssued, audit.TokenRevoked, audit.ClientAuthFailed, audit.ClientCreated,
	audit.ClientRegistered, audit.ClientUpdated, audit.ClientDeleted, audit.ClientSecretRotated, audit.UserRegistered, audit.UserInvited, audit.InvitationWithdrawn,
	audit.UserDeleted, audit.ConfirmationRefused, audit.MailGivenUp, audit.LimitExceeded, audit.StuffingSuspected, audit.SprayingSuspected,
	audit.KeyCreated, audit.KeyRotated, audit.KeyRevoked,
	audit.RecoveryApproved, audit.RecoveryWithdrawn, audit.IdentityRefused,
	audit.ProviderCreated, audit.ProviderUpdated, audit.ProviderDeleted, audit.ProviderFailed, audit.UpstreamLogout, audit.SMSFailed,
}

func TestEveryEventIsToldOrSilentOnPurpose(t *testing.T) {
	code, err := os.ReadFile("../audit/audit.go")
	if err != nil {
		t.Fatal(err)
	}
	hidden := map[string]bool{}
	for _, name := range silent {
		hidden[string(name)] = true
	}
	all := regexp.MustCompile(`Name = "([a-z_.]+)"`).FindAllSubmatch(code, -1)
	if len(all) < 30 {
		t.Fatalf("found %d events: the search is broken", len(all))
	}
	for _, m := range all {
		name := string(m[1])
		if templates.Tells(name) == hidden[name] {
			t.Errorf("%s: told %v, silent %v; want one of both", name, templates.Tells(name), hidden[name])
		}
	}
}

func TestHistoryTellsWhatHappened(t *testing.T) {
	r := newRig(t)
	bob := r.Person(t, "bob@example.test")
	if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error { u.Zoneinfo = "Asia/Kolkata"; return nil }); err != nil {
		t.Fatal(err)
	}
	b := r.signIn(t, ann)
	at := time.Date(2026, 3, 9, 7, 5, 0, 0, time.UTC)
	firefox := "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	var batch []audit.Event
	for n := range 120 {
		batch = append(batch, audit.Event{ID: "old-" + string(rune('a'+n/26)) + string(rune('a'+n%26)), Name: audit.LoginSucceeded, UserID: r.ann.ID, At: at.Add(-time.Duration(n) * time.Hour), Remote: "192.0.2.7", UserAgent: firefox, ClientID: r.App.ID})
	}
	batch = append(batch,
		audit.Event{ID: "hidden", Name: audit.TokenIssued, UserID: r.ann.ID, At: at}, audit.Event{ID: "bobs", Name: audit.PasswordReset, UserID: bob.ID, At: at},
		audit.Event{ID: "evil", Name: audit.LoginFailed, UserID: r.ann.ID, At: at.Add(time.Minute), UserAgent: "<script>alert(1)</script>"})
	if err := r.Durable.Audit.Append(ctx, batch); err != nil {
		t.Fatal(err)
	}
	page := html.UnescapeString(b.Get("/account/history").Body)
	for _, want := range []string{"You signed in", "Somebody tried to sign in and failed", "9 March 2026, 12:35 UTC+05:30", `datetime="2026-03-09T07:05:00Z"`, "Firefox on Linux", "192.0.2.7", "Shop & Co"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "alert(1)") || strings.Contains(page, "by such a link") || strings.Count(page, `class="thing"`) != 50 {
		t.Errorf("the page shows what it must not, or %d events", strings.Count(page, `class="thing"`))
	}
	shown, pages := 50, 1
	for older := olderOf(page); older != ""; older = olderOf(page) {
		if page = b.Get(older).Body; pages > 5 {
			t.Fatal("the pages do not end")
		}
		pages++
		shown += strings.Count(page, `class="thing"`)
	}
	if pages != 3 || shown != 121 {
		t.Errorf("%d pages with %d events, want 3 with 121", pages, shown)
	}
	for _, cursor := range []string{"bobs", "x", "%00", strings.Repeat("x", 1500)} {
		if a := b.Get("/account/history?before=" + cursor); a.Status != http.StatusOK || strings.Contains(a.Body, `class="thing"`) {
			t.Errorf("the cursor %.10q: status %d", cursor, a.Status)
		}
	}
}

func olderOf(page string) string {
	m := regexp.MustCompile(`id="history-older" href="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestDataHoldsEverythingButSecrets(t *testing.T) {
	r := newRig(t)
	bob := r.Person(t, "bob@example.test")
	r.allow(t, bob, "bobsclient", true)
	b := r.signIn(t, ann)
	if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error {
		u.Nickname, u.Address, u.PhoneNumber, u.TermsVersion = "Annie", user.Address{Locality: "Wien"}, "+431", "2026-11"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.allow(t, r.ann, r.App.ID, true)
	r.ask(t, b, fresh)
	for owner, id := range map[string]string{r.ann.ID: "app-of-ann", bob.ID: "app-of-bob"} {
		if err := r.Durable.TOTPs.Create(ctx, totp.App{ID: id, UserID: owner, Name: "Phone " + id, Sealed: []byte("\x01 under a seal"), CreatedAt: clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	a := b.Submit("/account/data")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" ||
		a.Header.Get("Content-Disposition") != `attachment; filename="account.json"` {
		t.Fatalf("status %d, header %v", a.Status, a.Header)
	}
	var got struct {
		Profile      map[string]any
		Account      map[string]any
		Factors      []map[string]any `json:"second_factors"`
		Sessions     []map[string]any
		Applications []map[string]any
		Grants       []map[string]any
		Events       []map[string]any
		Pending      []map[string]any `json:"pending_confirmations"`
	}
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Profile["sub"] != r.ann.ID || got.Profile["email"] != ann || got.Profile["nickname"] != "Annie" || got.Profile["phone_number"] != "+431" ||
		got.Profile["address"].(map[string]any)["locality"] != "Wien" || got.Account["has_password"] != true || got.Account["terms_version"] != "2026-11" {
		t.Errorf("the profile is %v, the account %v", got.Profile, got.Account)
	}
	if len(got.Sessions) != 1 || len(got.Applications) != 1 || len(got.Grants) != 1 || len(got.Events) == 0 || len(got.Pending) != 1 || got.Pending[0]["email"] != fresh {
		t.Errorf("sessions %v, applications %v, grants %v, %d events, pending %v", got.Sessions, got.Applications, got.Grants, len(got.Events), got.Pending)
	}
	if f := got.Factors; len(f) != 1 || f[0]["kind"] != "totp" || f[0]["name"] != "Phone app-of-ann" || f[0]["added_at"] == nil || f[0]["last_used_at"] != nil {
		t.Errorf("the second factors are %v", f)
	}
	letter := r.Letters.Last(t, fresh)
	_, secret, _ := strings.Cut(letter.URL, "change=")
	for _, bad := range []string{"hash", "sealed", "under a seal", "app-of-bob", "argon2", b.Cookie(stage.SessionCookie), secret, letter.Code, bob.ID, "bobsclient"} {
		if strings.Contains(strings.ReplaceAll(a.Body, "has_password", ""), bad) {
			t.Errorf("the file holds %q", bad)
		}
	}
	if n := len(r.Audit.Named(audit.UserExported)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	if a := b.Get("/account/data?download=1"); strings.Contains(a.Body, "Annie") {
		t.Error("a GET downloads")
	}
}
