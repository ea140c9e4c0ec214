package gormstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/recovery"
)

// Where each kind of second factor stands. A kind without a line here would
// survive its recovery: a test compares them with assurance.Factors.
var factorTables = []struct {
	kind           assurance.Factor
	list, removing string
}{
	{
		assurance.Passkey, "SELECT 'passkey' AS kind, name, 1 AS left_over, created_at, used_at FROM passkeys WHERE user_id = ?",
		"DELETE FROM passkeys WHERE user_id = ?",
	},
	{
		assurance.TOTP, "SELECT 'totp' AS kind, name, 1 AS left_over, created_at, used_at FROM totps WHERE user_id = ?",
		"DELETE FROM totps WHERE user_id = ?",
	},
	{
		assurance.SMS, "SELECT kind, target AS name, 1 AS left_over, created_at, used_at FROM factor_contacts WHERE user_id = ? AND kind = 'sms'",
		"DELETE FROM factor_contacts WHERE user_id = ? AND kind = 'sms'",
	},
	{
		assurance.Email, "SELECT kind, target AS name, 1 AS left_over, created_at, used_at FROM factor_contacts WHERE user_id = ? AND kind = 'email'",
		"DELETE FROM factor_contacts WHERE user_id = ? AND kind = 'email'",
	},
	{
		assurance.RecoveryCode, "SELECT 'recovery_code' AS kind, '' AS name, 1 AS left_over, created_at, used_at FROM recovery_codes WHERE user_id = ?",
		"DELETE FROM recovery_codes WHERE user_id = ?",
	},
}

type heldRow struct {
	Kind      string
	Name      string
	LeftOver  int
	CreatedAt time.Time
	UsedAt    *time.Time
}

// Factors implements recovery.Store.
func (s *FactorRecoveries) Factors(ctx context.Context, userID string) ([]recovery.Held, error) {
	if !findable(userID) {
		return nil, nil
	}
	var all []recovery.Held
	for _, table := range factorTables {
		var rows []heldRow
		if err := s.db.read(ctx, "factor_recoveries.factors", func(tx *gorm.DB) error {
			return tx.Raw(table.list+" ORDER BY created_at", userID).Scan(&rows).Error
		}); err != nil {
			return nil, err
		}
		held := make([]recovery.Held, len(rows))
		for i, r := range rows {
			held[i] = recovery.Held{
				Kind: assurance.Factor(r.Kind), Name: r.Name, Left: r.LeftOver, CreatedAt: r.CreatedAt.UTC(), UsedAt: since(r.UsedAt),
			}
		}
		if table.kind == assurance.RecoveryCode {
			held = together(held)
		}
		all = append(all, held...)
	}
	return all, nil
}

// together makes one entry of recovery codes: a spent one is none any more.
func together(codes []recovery.Held) []recovery.Held {
	if len(codes) == 0 {
		return nil
	}
	one := codes[len(codes)-1]
	one.Left, one.UsedAt = 0, time.Time{}
	for _, c := range codes {
		if c.UsedAt.IsZero() {
			one.Left++
		} else if c.UsedAt.After(one.UsedAt) {
			one.UsedAt = c.UsedAt
		}
	}
	return []recovery.Held{one}
}

// RemoveFactors implements recovery.Store.
func (s *FactorRecoveries) RemoveFactors(ctx context.Context, userID string, kinds ...assurance.Factor) (removed int, err error) {
	if !findable(userID) {
		return 0, nil
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		removed = 0
		for _, table := range factorTables {
			if len(kinds) > 0 && !slices.Contains(kinds, table.kind) {
				continue
			}
			n, err := s.db.exec(ctx, "factor_recoveries.remove_factors", table.removing, userID)
			if err != nil {
				return err
			}
			removed += int(n)
		}
		if len(kinds) > 0 {
			return nil
		}
		_, err := s.db.exec(ctx, "factor_recoveries.remove_factors", "DELETE FROM trusted_devices WHERE user_id = ?", userID)
		return err
	})
	return removed, err
}
