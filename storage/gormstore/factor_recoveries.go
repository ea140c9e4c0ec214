package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/recovery"
)

// FactorRecoveries implements recovery.Store.
type FactorRecoveries struct{ db *DB }

// FactorRecoveries returns the store of ways back in.
func (d *DB) FactorRecoveries() *FactorRecoveries { return &FactorRecoveries{d} }

type recoveryRow struct {
	ID             string `gorm:"primaryKey"`
	UserID         string
	Reason         string
	AskedBy        string
	ApprovedBy     string
	ConfirmationID string
	CreatedAt      time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt      time.Time
	EndedAt        *time.Time
	EndReason      string
}

// TableName implements gorm's Tabler.
func (recoveryRow) TableName() string { return "factor_recoveries" }

func (r recoveryRow) request() recovery.Request {
	return recovery.Request{
		ID: r.ID, UserID: r.UserID, Reason: r.Reason, AskedBy: r.AskedBy, ApprovedBy: r.ApprovedBy, ConfirmationID: r.ConfirmationID,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), EndedAt: since(r.EndedAt), EndReason: r.EndReason,
	}
}

// Create implements recovery.Store.
func (s *FactorRecoveries) Create(ctx context.Context, r recovery.Request) error {
	if !findable(r.ID, r.UserID, r.AskedBy) {
		return malformed
	}
	row := recoveryRow{
		ID: r.ID, UserID: r.UserID, Reason: printable(r.Reason), AskedBy: r.AskedBy, ApprovedBy: printable(r.ApprovedBy),
		ConfirmationID: printable(r.ConfirmationID), CreatedAt: utc(r.CreatedAt), ExpiresAt: utc(r.ExpiresAt), EndedAt: at(r.EndedAt), EndReason: r.EndReason,
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.lineUp(ctx, "factor_recoveries.create", "factor recoveries "+r.UserID); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, "factor_recoveries.create", `UPDATE factor_recoveries SET ended_at = ?, end_reason = ?
			WHERE user_id = ? AND ended_at IS NULL AND expires_at > ?`, utc(r.CreatedAt), confirm.Replaced, r.UserID, utc(r.CreatedAt)); err != nil {
			return err
		}
		return s.db.insert(ctx, "factor_recoveries.create", &row)
	})
}

// ByID implements recovery.Store.
func (s *FactorRecoveries) ByID(ctx context.Context, id string) (recovery.Request, error) {
	var row recoveryRow
	err := s.db.first(ctx, "factor_recoveries.by_id", &row, "id = ?", id)
	return row.request(), err
}

// Approve implements recovery.Store. Who asked is looked at by the statement
// too: four eyes are kept even if a caller forgets them.
func (s *FactorRecoveries) Approve(ctx context.Context, id, by, confirmationID string, expires, now time.Time) error {
	if !findable(id, by, confirmationID) {
		return conflict
	}
	n, err := s.db.exec(ctx, "factor_recoveries.approve", `UPDATE factor_recoveries SET approved_by = ?, confirmation_id = ?, expires_at = ?
		WHERE id = ? AND approved_by = '' AND asked_by <> ? AND ended_at IS NULL AND expires_at > ?`, by, confirmationID, utc(expires), id, by, utc(now))
	return won(n, err)
}

// End implements recovery.Store.
func (s *FactorRecoveries) End(ctx context.Context, id, reason string, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "factor_recoveries.end", `UPDATE factor_recoveries SET ended_at = ?, end_reason = ?
		WHERE id = ? AND ended_at IS NULL AND expires_at > ?`, utc(now), reason, id, utc(now))
	return won(n, err)
}

// Open implements recovery.Store.
func (s *FactorRecoveries) Open(ctx context.Context, page paging.Page, now time.Time) ([]recovery.Request, error) {
	if page.Cursor != "" && !findable(page.Cursor) {
		return nil, nil
	}
	var rows []recoveryRow
	if err := s.db.read(ctx, "factor_recoveries.open", func(tx *gorm.DB) error {
		tx = tx.Where("ended_at IS NULL AND expires_at > ?", utc(now)).Order("created_at, id").Limit(page.Limit())
		if page.Cursor != "" {
			tx = tx.Where("(created_at, id) > (SELECT created_at, id FROM factor_recoveries WHERE id = ?)", page.Cursor)
		}
		return tx.Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]recovery.Request, len(rows))
	for i, r := range rows {
		out[i] = r.request()
	}
	return out, nil
}

// DeleteExpired implements recovery.Store.
func (s *FactorRecoveries) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "factor_recoveries.delete_expired",
		"DELETE FROM factor_recoveries WHERE id IN (SELECT id FROM factor_recoveries WHERE expires_at < ? ORDER BY expires_at LIMIT ?)", before, limit)
}
