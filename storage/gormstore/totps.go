package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/totp"
)

// TOTPs implements totp.Store.
type TOTPs struct{ db *DB }

// TOTPs returns the store of authenticator apps.
func (d *DB) TOTPs() *TOTPs { return &TOTPs{d} }

type totpRow struct {
	ID        string `gorm:"primaryKey"`
	UserID    string
	Name      string
	Sealed    []byte
	LastStep  int64
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	UsedAt    *time.Time
}

// TableName implements gorm's Tabler.
func (totpRow) TableName() string { return "totps" }

// Create implements totp.Store.
func (s *TOTPs) Create(ctx context.Context, a totp.App) error {
	if !findable(a.ID, a.UserID) {
		return malformed
	}
	return s.db.insert(ctx, "totps.create", &totpRow{
		ID: a.ID, UserID: a.UserID, Name: printable(a.Name), Sealed: a.Sealed, LastStep: a.LastStep,
		CreatedAt: utc(a.CreatedAt), UsedAt: at(a.UsedAt),
	})
}

// OfUser implements totp.Store.
func (s *TOTPs) OfUser(ctx context.Context, userID string) ([]totp.App, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []totpRow
	err := s.db.read(ctx, "totps.of_user", func(tx *gorm.DB) error {
		return tx.Where("user_id = ?", userID).Order("created_at, id").Find(&rows).Error
	})
	apps := make([]totp.App, len(rows))
	for i, r := range rows {
		apps[i] = totp.App{
			ID: r.ID, UserID: r.UserID, Name: r.Name, Sealed: r.Sealed, LastStep: r.LastStep,
			CreatedAt: r.CreatedAt.UTC(), UsedAt: since(r.UsedAt),
		}
	}
	return apps, err
}

// Spend implements totp.Store.
func (s *TOTPs) Spend(ctx context.Context, id string, step int64, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "totps.spend", "UPDATE totps SET last_step = ?, used_at = ? WHERE id = ? AND last_step < ?", step, utc(now), id, step)
	return won(n, err)
}

// Rename implements totp.Store.
func (s *TOTPs) Rename(ctx context.Context, userID, id, name string) error {
	return s.db.owned(ctx, "totps.rename", userID, id, "UPDATE totps SET name = ? WHERE id = ? AND user_id = ?", printable(name), id, userID)
}

// Delete implements totp.Store.
func (s *TOTPs) Delete(ctx context.Context, userID, id string) error {
	return s.db.owned(ctx, "totps.delete", userID, id, "DELETE FROM totps WHERE id = ? AND user_id = ?", id, userID)
}
