package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/paging"
)

// Confirmations implements confirm.Store.
type Confirmations struct{ db *DB }

// Confirmations returns the store of confirmations.
func (d *DB) Confirmations() *Confirmations { return &Confirmations{d} }

type confirmationRow struct {
	ID        string `gorm:"primaryKey"`
	Purpose   string
	UserID    string
	Email     string
	LinkHash  *string
	CodeHash  string
	Tries     int
	Sealed    []byte
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt time.Time
	EndedAt   *time.Time
	Reason    string
}

// TableName implements gorm's Tabler.
func (confirmationRow) TableName() string { return "confirmations" }

func (r confirmationRow) confirmation() confirm.Confirmation {
	return confirm.Confirmation{
		ID: r.ID, Purpose: confirm.Purpose(r.Purpose), UserID: r.UserID, Email: r.Email,
		LinkHash: str(r.LinkHash), CodeHash: r.CodeHash, Tries: r.Tries, Sealed: r.Sealed,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), EndedAt: since(r.EndedAt), Reason: r.Reason,
	}
}

// Create implements confirm.Store.
func (s *Confirmations) Create(ctx context.Context, c confirm.Confirmation) error {
	if !findable(c.ID, string(c.Purpose)) || c.UserID != "" && !findable(c.UserID) {
		return malformed
	}
	row := confirmationRow{
		ID: c.ID, Purpose: string(c.Purpose), UserID: c.UserID, Email: printable(c.Email),
		LinkHash: text(c.LinkHash), CodeHash: c.CodeHash, Tries: c.Tries, Sealed: c.Sealed,
		CreatedAt: utc(c.CreatedAt), ExpiresAt: utc(c.ExpiresAt), EndedAt: at(c.EndedAt), Reason: c.Reason,
	}
	if c.UserID == "" {
		return s.db.insert(ctx, "confirmations.create", &row)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.lineUp(ctx, "confirmations.create", "confirmations "+string(c.Purpose)+" "+c.UserID); err != nil {
			return err
		}
		if err := s.EndOfUser(ctx, c.UserID, confirm.Replaced, c.CreatedAt, c.Purpose); err != nil {
			return err
		}
		return s.db.insert(ctx, "confirmations.create", &row)
	})
}

// ByLink implements confirm.Store.
func (s *Confirmations) ByLink(ctx context.Context, linkHash string) (confirm.Confirmation, error) {
	var row confirmationRow
	err := s.db.first(ctx, "confirmations.by_link", &row, "link_hash = ?", linkHash)
	return row.confirmation(), err
}

// ByID implements confirm.Store.
func (s *Confirmations) ByID(ctx context.Context, id string) (confirm.Confirmation, error) {
	var row confirmationRow
	err := s.db.first(ctx, "confirmations.by_id", &row, "id = ?", id)
	return row.confirmation(), err
}

// Try implements confirm.Store. Counting and looking whether it is one too
// many are one statement.
func (s *Confirmations) Try(ctx context.Context, id string, most int, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "confirmations.try", `UPDATE confirmations SET tries = tries + 1
		WHERE id = ? AND tries < ? AND ended_at IS NULL AND expires_at > ?`, id, most, utc(now))
	return won(n, err)
}

// Use implements confirm.Store.
func (s *Confirmations) Use(ctx context.Context, id string, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "confirmations.use", `UPDATE confirmations SET ended_at = ?, reason = ?
		WHERE id = ? AND ended_at IS NULL AND expires_at > ?`, utc(now), confirm.Used, id, utc(now))
	return won(n, err)
}

// End implements confirm.Store.
func (s *Confirmations) End(ctx context.Context, id, reason string, now time.Time) error {
	if !findable(id) {
		return nil
	}
	_, err := s.db.exec(ctx, "confirmations.end", `UPDATE confirmations SET ended_at = ?, reason = ?
		WHERE id = ? AND ended_at IS NULL AND expires_at > ?`, utc(now), reason, id, utc(now))
	return err
}

// EndOfUser implements confirm.Store.
func (s *Confirmations) EndOfUser(ctx context.Context, userID, reason string, now time.Time, purposes ...confirm.Purpose) error {
	if !findable(userID) {
		return nil
	}
	query := `UPDATE confirmations SET ended_at = ?, reason = ?
		WHERE user_id = ? AND user_id <> '' AND ended_at IS NULL AND expires_at > ?`
	args := []any{utc(now), reason, userID, utc(now)}
	if len(purposes) > 0 {
		query += " AND purpose IN ?"
		args = append(args, purposes)
	}
	_, err := s.db.exec(ctx, "confirmations.end_of_user", query, args...)
	return err
}

// OpenOf implements confirm.Store.
func (s *Confirmations) OpenOf(ctx context.Context, userID string, p confirm.Purpose, now time.Time) (confirm.Confirmation, error) {
	if !findable(userID, string(p)) {
		return confirm.Confirmation{}, notFound
	}
	var row confirmationRow
	err := s.db.read(ctx, "confirmations.open_of", func(tx *gorm.DB) error {
		return tx.Where("user_id = ? AND user_id <> '' AND purpose = ? AND ended_at IS NULL AND expires_at > ?", userID, p, utc(now)).
			Order("created_at DESC, id DESC").Take(&row).Error
	})
	return row.confirmation(), err
}

// Open implements confirm.Store.
func (s *Confirmations) Open(ctx context.Context, p confirm.Purpose, page paging.Page, now time.Time) ([]confirm.Confirmation, error) {
	if !findable(string(p)) || page.Cursor != "" && !findable(page.Cursor) {
		return nil, nil
	}
	var rows []confirmationRow
	if err := s.db.read(ctx, "confirmations.open", func(tx *gorm.DB) error {
		tx = tx.Where("purpose = ? AND ended_at IS NULL AND expires_at > ?", p, utc(now)).Order("created_at, id").Limit(page.Limit())
		if page.Cursor != "" {
			tx = tx.Where("(created_at, id) > (SELECT created_at, id FROM confirmations WHERE id = ?)", page.Cursor)
		}
		return tx.Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]confirm.Confirmation, len(rows))
	for i, r := range rows {
		out[i] = r.confirmation()
	}
	return out, nil
}

// DeleteExpired implements confirm.Store.
func (s *Confirmations) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "confirmations.delete_expired",
		"DELETE FROM confirmations WHERE id IN (SELECT id FROM confirmations WHERE expires_at < ? ORDER BY expires_at LIMIT ?)", before, limit)
}
