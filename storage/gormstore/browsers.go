package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/factor"
)

// Browsers implements factor.Store.
type Browsers struct{ db *DB }

// Browsers returns the store of remembered browsers.
func (d *DB) Browsers() *Browsers { return &Browsers{d} }

type browserRow struct {
	ID        string `gorm:"primaryKey"`
	Hash      string
	UserID    string
	UserAgent string
	Address   string
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	UsedAt    time.Time
	ExpiresAt time.Time
}

// TableName implements gorm's Tabler.
func (browserRow) TableName() string { return "trusted_devices" }

func (r browserRow) browser() factor.Browser {
	return factor.Browser{
		ID: r.ID, Hash: r.Hash, UserID: r.UserID, UserAgent: r.UserAgent, Address: r.Address,
		CreatedAt: r.CreatedAt.UTC(), UsedAt: r.UsedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
	}
}

// Remember implements factor.Store.
func (s *Browsers) Remember(ctx context.Context, b factor.Browser, most int) error {
	if !findable(b.ID, b.Hash, b.UserID) {
		return malformed
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.insert(ctx, "browsers.remember", &browserRow{
			ID: b.ID, Hash: b.Hash, UserID: b.UserID, UserAgent: printable(b.UserAgent), Address: printable(b.Address),
			CreatedAt: utc(b.CreatedAt), UsedAt: utc(b.UsedAt), ExpiresAt: utc(b.ExpiresAt),
		})
		if err != nil {
			return err
		}
		_, err = s.db.exec(ctx, "browsers.remember", `DELETE FROM trusted_devices WHERE user_id = ? AND id NOT IN (
			SELECT id FROM trusted_devices WHERE user_id = ? AND expires_at > ? ORDER BY used_at DESC, created_at DESC, id LIMIT ?)`,
			b.UserID, b.UserID, utc(b.CreatedAt), most)
		return err
	})
}

// ByHash implements factor.Store.
func (s *Browsers) ByHash(ctx context.Context, hash string) (factor.Browser, error) {
	var row browserRow
	err := s.db.first(ctx, "browsers.by_hash", &row, "hash = ?", hash)
	return row.browser(), err
}

// Touch implements factor.Store.
func (s *Browsers) Touch(ctx context.Context, id string, now time.Time) error {
	if !findable(id) {
		return nil
	}
	_, err := s.db.exec(ctx, "browsers.touch", "UPDATE trusted_devices SET used_at = ? WHERE id = ? AND used_at < ?", utc(now), id, utc(now))
	return err
}

// Of implements factor.Store.
func (s *Browsers) Of(ctx context.Context, userID string, now time.Time) ([]factor.Browser, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []browserRow
	err := s.db.read(ctx, "browsers.of", func(tx *gorm.DB) error {
		return tx.Where("user_id = ? AND expires_at > ?", userID, utc(now)).Order("used_at DESC, created_at DESC, id").Find(&rows).Error
	})
	out := make([]factor.Browser, len(rows))
	for i, r := range rows {
		out[i] = r.browser()
	}
	return out, err
}

// Forget implements factor.Store.
func (s *Browsers) Forget(ctx context.Context, userID, id string) error {
	return s.db.owned(ctx, "browsers.forget", userID, id, "DELETE FROM trusted_devices WHERE id = ? AND user_id = ?", id, userID)
}

// ForgetAll implements factor.Store.
func (s *Browsers) ForgetAll(ctx context.Context, userID string) error {
	if !findable(userID) {
		return nil
	}
	_, err := s.db.exec(ctx, "browsers.forget_all", "DELETE FROM trusted_devices WHERE user_id = ?", userID)
	return err
}

// DeleteExpired implements factor.Store.
func (s *Browsers) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "browsers.delete_expired",
		"DELETE FROM trusted_devices WHERE id IN (SELECT id FROM trusted_devices WHERE expires_at <= ? LIMIT ?)", now, limit)
}
