package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/recoverycode"
)

// RecoveryCodes implements recoverycode.Store.
type RecoveryCodes struct{ db *DB }

// RecoveryCodes returns the store of recovery codes.
func (d *DB) RecoveryCodes() *RecoveryCodes { return &RecoveryCodes{d} }

type recoveryCodeRow struct {
	Hash      string `gorm:"primaryKey"`
	UserID    string
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	UsedAt    *time.Time
}

// TableName implements gorm's Tabler.
func (recoveryCodeRow) TableName() string { return "recovery_codes" }

// Replace implements recoverycode.Store.
func (s *RecoveryCodes) Replace(ctx context.Context, userID string, codes []recoverycode.Code) error {
	if !findable(userID) {
		return malformed
	}
	rows := make([]recoveryCodeRow, len(codes))
	for i, c := range codes {
		if !findable(c.Hash) {
			return malformed
		}
		rows[i] = recoveryCodeRow{Hash: c.Hash, UserID: userID, CreatedAt: utc(c.CreatedAt), UsedAt: at(c.UsedAt)}
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.lineUp(ctx, "recovery_codes.replace", "recovery codes "+userID); err != nil {
			return err
		}
		if err := s.RemoveAll(ctx, userID); err != nil || len(rows) == 0 {
			return err
		}
		return s.db.write(ctx, "recovery_codes.replace", func(tx *gorm.DB) error { return tx.Create(&rows).Error })
	})
}

// OfUser implements recoverycode.Store.
func (s *RecoveryCodes) OfUser(ctx context.Context, userID string) ([]recoverycode.Code, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []recoveryCodeRow
	err := s.db.read(ctx, "recovery_codes.of_user", func(tx *gorm.DB) error {
		return tx.Where("user_id = ?", userID).Order("hash").Find(&rows).Error
	})
	codes := make([]recoverycode.Code, len(rows))
	for i, r := range rows {
		codes[i] = recoverycode.Code{Hash: r.Hash, UserID: r.UserID, CreatedAt: r.CreatedAt.UTC(), UsedAt: since(r.UsedAt)}
	}
	return codes, err
}

// Use implements recoverycode.Store.
func (s *RecoveryCodes) Use(ctx context.Context, userID, hash string, now time.Time) error {
	if !findable(userID, hash) {
		return conflict
	}
	n, err := s.db.exec(ctx, "recovery_codes.use",
		"UPDATE recovery_codes SET used_at = ? WHERE hash = ? AND user_id = ? AND used_at IS NULL", utc(now), hash, userID)
	return won(n, err)
}

// RemoveAll implements recoverycode.Store.
func (s *RecoveryCodes) RemoveAll(ctx context.Context, userID string) error {
	if !findable(userID) {
		return nil
	}
	_, err := s.db.exec(ctx, "recovery_codes.remove_all", "DELETE FROM recovery_codes WHERE user_id = ?", userID)
	return err
}
