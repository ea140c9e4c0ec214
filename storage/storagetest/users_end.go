package storagetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

func usersEnd(t *testing.T, open OpenDurable) {
	t.Run("held people change one after the other", func(t *testing.T) {
		d := open(t)
		must(t, d.Users.Create(t.Context(), user.User{ID: "a"}))
		race(t, fault.None, func(int) error {
			return d.InTx(t.Context(), func(ctx context.Context) error {
				u, err := d.Users.Hold(ctx, "a")
				if err != nil {
					return err
				}
				u.Name += "x"
				return d.Users.Update(ctx, u)
			})
		})
		got, err := d.Users.ByID(t.Context(), "a")
		must(t, err)
		if len(got.Name) != racers {
			t.Errorf("%d changes are left of %d", len(got.Name), racers)
		}
		for name, key := range strangeKeys {
			_, err := d.Users.Hold(t.Context(), key)
			wantKind(t, "Hold of "+name, err, fault.NotFound)
		}
	})

	t.Run("another has the role", func(t *testing.T) {
		s := open(t).Users
		must(t, s.Create(t.Context(), user.User{ID: "me", Roles: []string{"admin_x"}}))
		for _, u := range []user.User{
			{ID: "none"},
			{ID: "longer", Roles: []string{"admin_xy", "an_admin_x"}},
			{ID: "wild", Roles: []string{"adminzx"}},
			{ID: "disabled", Roles: []string{"admin_x"}, Disabled: true},
			{ID: "leaving", Roles: []string{"admin_x"}, DeleteAt: epoch},
		} {
			must(t, s.Create(t.Context(), u))
			if has, err := s.AnotherHas(t.Context(), "admin_x", "me"); err != nil || has {
				t.Errorf("after %s: AnotherHas = %v, %v; want false", u.ID, has, err)
			}
		}
		must(t, s.Create(t.Context(), user.User{ID: "other", Roles: []string{"clerk", "admin_x"}}))
		for except, want := range map[string]bool{"me": true, "other": true, "": true, "nobody\x00": true} {
			if has, err := s.AnotherHas(t.Context(), "admin_x", except); err != nil || has != want {
				t.Errorf("AnotherHas(except %q) = %v, %v; want %v", except, has, err, want)
			}
		}
		for name, key := range strangeKeys {
			if has, err := s.AnotherHas(t.Context(), key, "me"); err != nil || has {
				t.Errorf("AnotherHas of %s = %v, %v; want false", name, has, err)
			}
		}
	})

	t.Run("due for deletion", func(t *testing.T) {
		s := open(t).Users
		for id, at := range map[string]time.Time{"b": epoch, "a": epoch.Add(-time.Hour), "later": epoch.Add(time.Minute), "never": {}} {
			must(t, s.Create(t.Context(), user.User{ID: id, DeleteAt: at}))
		}
		for _, tt := range []struct {
			now   time.Time
			limit int
			want  []string
		}{
			{epoch, 10, []string{"a", "b"}},
			{epoch, 1, []string{"a"}},
			{epoch, 0, nil},
			{epoch.Add(-time.Minute), 10, []string{"a"}},
			{epoch.Add(time.Hour), 10, []string{"a", "b", "later"}},
		} {
			got, err := s.DueForDeletion(t.Context(), tt.now, tt.limit)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("DueForDeletion(%v, %d) = %v, %v; want %v", tt.now, tt.limit, got, err, tt.want)
			}
		}
	})

	t.Run("deletion leaves nothing but the record of it", func(t *testing.T) { userDeletion(t, open) })
}

// belong writes one of everything that hangs on a person.
func belong(t *testing.T, open OpenDurable, ids ...string) *storage.Durable {
	t.Helper()
	d := open(t)
	for _, id := range ids {
		must(t, d.Users.Create(t.Context(), user.User{ID: id, Email: id + "@example.com", Username: "name-of-" + id}))
		must(t, d.Passwords.Set(t.Context(), id, "hash-of-"+id, epoch))
		must(t, d.Consents.Allow(t.Context(), consent.Consent{UserID: id, ClientID: "shop"}))
		must(t, d.Sessions.Create(t.Context(), session.Session{ID: "session-of-" + id, UserID: id, IdleExpiresAt: epoch.Add(time.Hour), ExpiresAt: epoch.Add(time.Hour)}))
		must(t, d.Grants.Create(t.Context(), grant.Grant{ID: "grant-of-" + id, UserID: id, ClientID: "shop"}))
		must(t, d.Audit.Append(t.Context(), []audit.Event{{ID: "event-of-" + id, UserID: id, At: epoch}}))
		must(t, d.FactorRecoveries.Create(t.Context(), newRecovery("way-back-of-"+id, id)))
		must(t, d.Browsers.Remember(t.Context(), newBrowser("browser-of-"+id, id, 0), 1))
		must(t, d.TOTPs.Create(t.Context(), totp.App{ID: "totp-of-" + id, UserID: id, Sealed: []byte{1}}))
		must(t, d.Passkeys.Create(t.Context(), newPasskey("passkey-of-"+id, id)))
		must(t, d.RecoveryCodes.Replace(t.Context(), id, newCodes(id, "code-of-"+id)))
		must(t, d.Contacts.Put(t.Context(), onetime.Contact{UserID: id, Kind: assurance.SMS, Target: "number-of-" + id}))
		must(t, d.Federation.Link(t.Context(), newIdentity("identity-of-"+id, id, "sub-of-"+id)))
		must(t, d.Federation.PutOrigin(t.Context(), newOrigin("session-of-"+id, "sub-of-"+id, "")))
		must(t, d.Confirmations.Create(t.Context(), confirm.Confirmation{ID: "proof-of-" + id, UserID: id, Purpose: confirm.ChangeEmail, ExpiresAt: epoch.Add(time.Hour)}))
	}
	return d
}

func userDeletion(t *testing.T, open OpenDurable) {
	d := belong(t, open, "gone", "stays")
	must(t, d.Users.Delete(t.Context(), "gone"))
	for _, key := range []string{"gone", "nobody", "", "\x00"} {
		wantKind(t, "Delete of "+key, d.Users.Delete(t.Context(), key), fault.NotFound)
	}
	var left []string
	for line := range strings.Lines(Dump(t, d)) {
		if strings.Contains(line, "gone") {
			left = append(left, strings.TrimSpace(line))
		}
	}
	if want := []string{"audit_events.id = event-of-gone", "audit_events.user_id = gone"}; !slices.Equal(left, want) {
		t.Errorf("left of the person: %q, want %q", left, want)
	}
	for _, table := range []string{"users.id", "passwords.user_id", "consents.user_id", "sessions.user_id", "grants.user_id", "confirmations.user_id", "trusted_devices.user_id", "identities.user_id", "totps.user_id", "passkeys.user_id", "recovery_codes.user_id", "factor_contacts.user_id", "factor_recoveries.user_id", "user_identifiers.user_id"} {
		if !strings.Contains(Dump(t, d), table+" = stays\n") {
			t.Errorf("%s of somebody else is gone", table)
		}
	}
	must(t, d.Users.Create(t.Context(), user.User{ID: "heir", Email: "gone@example.com", Username: "name-of-gone"}))
}
