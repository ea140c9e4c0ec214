package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/storage"
)

// made is when the factors of the test were; a spent recovery code was used
// then too.
var made = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// withFactors returns a database in which the people have one factor of each
// kind, a spent recovery code, and a browser that is remembered.
func withFactors(t *testing.T, address string, people ...string) *storage.Durable {
	t.Helper()
	d := openURL(t, address, storage.DurableOptions{})
	at := "'" + made.Format("2006-01-02 15:04:05.000000-07:00") + "'"
	for _, who := range people {
		outside(t, address,
			fmt.Sprintf(`INSERT INTO totps (id, user_id, name, sealed, last_step, created_at) VALUES ('t-%[1]s', '%[1]s', 'Phone', 'x', 0, %[2]s)`, who, at),
			fmt.Sprintf(`INSERT INTO passkeys (id, credential_id, user_id, name, public_key, sign_count, aaguid, transports, backup_eligible, backed_up, attested, user_verified, created_at)
				VALUES ('p-%[1]s', 'c-%[1]s', '%[1]s', 'Key', 'x', 0, '', '[]', FALSE, FALSE, FALSE, TRUE, %[2]s)`, who, at),
			fmt.Sprintf(`INSERT INTO recovery_codes (hash, user_id, created_at) VALUES ('r-%[1]s', '%[1]s', %[2]s)`, who, at),
			fmt.Sprintf(`INSERT INTO recovery_codes (hash, user_id, created_at, used_at) VALUES ('spent-%[1]s', '%[1]s', %[2]s, %[2]s)`, who, at),
			fmt.Sprintf(`INSERT INTO factor_contacts (user_id, kind, target, created_at) VALUES ('%[1]s', 'email', '', %[2]s), ('%[1]s', 'sms', '+1', %[2]s)`, who, at),
			fmt.Sprintf(`INSERT INTO trusted_devices (id, hash, user_id, user_agent, address, created_at, used_at, expires_at)
				VALUES ('b-%[1]s', 'h-%[1]s', '%[1]s', '', '', %[2]s, %[2]s, %[2]s)`, who, at),
		)
	}
	return d
}

// kindsOf returns the kinds of a person's factors.
func kindsOf(t *testing.T, s recovery.Store, userID string) (kinds []assurance.Factor) {
	t.Helper()
	list, err := s.Factors(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		kinds = append(kinds, h.Kind)
		if h.Left != 1 || !h.CreatedAt.Equal(made) || h.UsedAt.IsZero() == (h.Kind == assurance.RecoveryCode) {
			t.Errorf("%+v, want one, its dates, and one spent code", h)
		}
	}
	return kinds
}

func TestFactorsOfAPerson(t *testing.T) {
	for engine, address := range map[string]func(*testing.T) string{"sqlite": sqliteURL, "postgres": postgresURL} {
		t.Run(engine, func(t *testing.T) {
			t.Run("every kind is listed", func(t *testing.T) {
				s := withFactors(t, address(t), "alice").FactorRecoveries
				if got := kindsOf(t, s, "alice"); !slices.Equal(got, assurance.Factors()) {
					t.Errorf("listed %v, want %v", got, assurance.Factors())
				}
				if got := kindsOf(t, s, "bob"); len(got) != 0 {
					t.Errorf("somebody else has %v", got)
				}
			})
			t.Run("one kind goes alone", func(t *testing.T) {
				s := withFactors(t, address(t), "alice", "bob").FactorRecoveries
				left := assurance.Factors()
				for _, kind := range assurance.Factors() {
					n, err := s.RemoveFactors(t.Context(), "alice", kind)
					left = left[1:]
					if got := kindsOf(t, s, "alice"); err != nil || n == 0 || !slices.Equal(got, left) {
						t.Errorf("%s: removed %d, %v, left %v", kind, n, err, got)
					}
				}
				if got := kindsOf(t, s, "bob"); !slices.Equal(got, assurance.Factors()) {
					t.Errorf("somebody else is left %v", got)
				}
			})
			t.Run("all go, and the browsers", func(t *testing.T) { removeAll(t, withFactors(t, address(t), "alice", "bob")) })
		})
	}
}

func removeAll(t *testing.T, d *storage.Durable) {
	s, broken := d.FactorRecoveries, errors.New("taken back")
	if err := d.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.RemoveFactors(ctx, "alice")
		return errors.Join(err, broken)
	}); !errors.Is(err, broken) {
		t.Fatalf("InTx = %v", err)
	}
	if got := kindsOf(t, s, "alice"); len(got) != len(assurance.Factors()) {
		t.Errorf("what was taken back left %v", got)
	}
	for _, want := range []int{len(assurance.Factors()) + 1, 0} {
		if n, err := s.RemoveFactors(t.Context(), "alice"); n != want || err != nil {
			t.Errorf("removed %d, %v; want %d", n, err, want)
		}
	}
	for who, want := range map[string]int{"alice": 0, "bob": 1} {
		browsers, err := d.Browsers.Of(t.Context(), who, made.Add(-time.Hour))
		if got := kindsOf(t, s, who); len(browsers) != want || err != nil || (len(got) > 0) != (want > 0) {
			t.Errorf("%s is left %v and %d browsers, %v", who, got, len(browsers), err)
		}
	}
}
