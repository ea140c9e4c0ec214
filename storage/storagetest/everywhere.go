package storagetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

// stores are the names of writeEverywhere's marks, one for each store.
var stores = []string{"client", "api", "user", "password", "grant", "token", "session", "consent", "confirmation", "browser", "totp", "passkey", "recovery code", "contact", "key", "secret", "revocation", "event", "refusal", "lease", "mail", "way back", "provider", "identity", "origin"}

func writeEverywhere(ctx context.Context, d *storage.Durable) error {
	_, leaseErr := d.Leases.Acquire(ctx, "mark", "mark", time.Minute, epoch)
	_, secretErr := d.Keys.Secret(ctx, "mark", []byte("mark"))
	return errors.Join(
		d.Clients.Create(ctx, client.Client{ID: "mark"}),
		d.APIs.Create(ctx, scope.API{Audience: "mark", Scopes: []scope.Scope{{Name: "mark"}}}),
		d.Users.Create(ctx, user.User{ID: "mark", Email: "mark@example.com"}),
		d.Passwords.Set(ctx, "mark", "mark", epoch),
		d.Grants.Create(ctx, grant.Grant{ID: "mark"}),
		d.Grants.PutToken(ctx, grant.OpaqueToken{Hash: "mark"}),
		d.Sessions.Create(ctx, session.Session{ID: "mark"}),
		d.Consents.Allow(ctx, consent.Consent{UserID: "mark", ClientID: "mark"}),
		d.Confirmations.Create(ctx, confirm.Confirmation{ID: "mark", Purpose: confirm.SignUp}),
		d.Browsers.Remember(ctx, factor.Browser{ID: "mark", Hash: "mark", UserID: "mark", ExpiresAt: epoch.Add(time.Hour)}, 1),
		d.TOTPs.Create(ctx, totp.App{ID: "mark", UserID: "mark", Sealed: []byte("mark")}),
		d.Passkeys.Create(ctx, newPasskey("mark", "mark")),
		d.RecoveryCodes.Replace(ctx, "mark", newCodes("mark", "mark")),
		d.Contacts.Put(ctx, onetime.Contact{UserID: "mark", Kind: assurance.SMS}),
		d.Keys.Add(ctx, newKey("mark"), time.Time{}), secretErr,
		d.Revocations.Add(ctx, revocation.Entry{Kind: revocation.Token, ID: "mark", ExpiresAt: epoch.Add(time.Hour)}),
		d.Audit.Append(ctx, []audit.Event{{ID: "mark"}}),
		d.Refusals.Append(ctx, []explain.Refusal{{RequestID: "mark"}}),
		leaseErr,
		d.Mails.Put(ctx, mail.Mail{ID: "mark", State: mail.Waiting}),
		d.Federation.PutProvider(ctx, federation.Provider{ID: "mark", Kind: federation.OIDC}),
		d.Federation.Link(ctx, federation.Identity{ID: "mark", Issuer: "mark", Subject: "mark", Provider: "mark", UserID: "mark"}),
		d.Federation.PutOrigin(ctx, federation.Origin{SessionID: "mark", Issuer: "mark", Subject: "mark"}),
		d.FactorRecoveries.Create(ctx, newRecovery("mark", "mark")),
	)
}

// written returns which marks of writeEverywhere are there.
func written(t *testing.T, d *storage.Durable) (found []string) {
	t.Helper()
	ctx := t.Context()
	note := func(name string, there bool, err error) {
		t.Helper()
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("looking for the %s: %v", name, err)
		}
		if there && err == nil {
			found = append(found, name)
		}
	}
	_, err := d.Clients.ByID(ctx, "mark")
	note("client", true, err)
	apis, err := d.APIs.All(ctx)
	note("api", len(apis) > 0, err)
	_, err = d.Users.ByIdentifier(ctx, "mark@example.com")
	note("user", true, err)
	_, err = d.Passwords.Hash(ctx, "mark")
	note("password", true, err)
	_, err = d.Grants.ByID(ctx, "mark")
	note("grant", true, err)
	_, err = d.Grants.Token(ctx, "mark")
	note("token", true, err)
	_, err = d.Sessions.ByID(ctx, "mark")
	note("session", true, err)
	_, err = d.Consents.Get(ctx, "mark", "mark")
	note("consent", true, err)
	_, err = d.Confirmations.ByID(ctx, "mark")
	note("confirmation", true, err)
	_, err = d.Browsers.ByHash(ctx, "mark")
	note("browser", true, err)
	apps, err := d.TOTPs.OfUser(ctx, "mark")
	note("totp", len(apps) > 0, err)
	_, err = d.Passkeys.ByCredential(ctx, "credential-of-mark")
	note("passkey", true, err)
	codes, err := d.RecoveryCodes.OfUser(ctx, "mark")
	note("recovery code", len(codes) > 0, err)
	_, err = d.Contacts.Get(ctx, "mark", assurance.SMS)
	note("contact", true, err)
	keys, err := d.Keys.List(ctx)
	note("key", len(keys) > 0, err)
	secret, err := d.Keys.Secret(ctx, "mark", []byte("another"))
	note("secret", string(secret) == "mark", err)
	entries, err := d.Revocations.Standing(ctx, epoch)
	note("revocation", len(entries) > 0, err)
	events, err := d.Audit.Recent(ctx, "", 10)
	note("event", len(events) > 0, err)
	_, err = d.Refusals.ByID(ctx, "mark")
	note("refusal", true, err)
	free, err := d.Leases.Acquire(ctx, "mark", "another", time.Minute, epoch)
	note("lease", !free, err)
	_, err = d.Mails.ByID(ctx, "mark")
	note("mail", true, err)
	providers, err := d.Federation.Providers(ctx)
	note("provider", len(providers) > 0, err)
	_, err = d.Federation.Identity(ctx, "mark", "mark")
	note("identity", true, err)
	_, err = d.Federation.OriginOf(ctx, "mark")
	note("origin", true, err)
	_, err = d.FactorRecoveries.ByID(ctx, "mark")
	note("way back", true, err)
	return found
}
