package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/onetime"
)

// Contacts implements onetime.Store.
type Contacts struct{ db *DB }

// Contacts returns the store of where one-time codes go.
func (d *DB) Contacts() *Contacts { return &Contacts{d} }

type contactRow struct {
	UserID    string           `gorm:"primaryKey"`
	Kind      assurance.Factor `gorm:"primaryKey"`
	Target    string
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	UsedAt    *time.Time
}

// TableName implements gorm's Tabler.
func (contactRow) TableName() string { return "factor_contacts" }

// Put implements onetime.Store.
func (s *Contacts) Put(ctx context.Context, c onetime.Contact) error {
	if !findable(c.UserID, string(c.Kind)) {
		return malformed
	}
	row := contactRow{UserID: c.UserID, Kind: c.Kind, Target: printable(c.Target), CreatedAt: utc(c.CreatedAt), UsedAt: at(c.UsedAt)}
	return s.db.write(ctx, "contacts.put", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "user_id"}, {Name: "kind"}},
			DoUpdates: clause.AssignmentColumns([]string{"target", "created_at", "used_at"}),
		}).Create(&row).Error
	})
}

// Get implements onetime.Store.
func (s *Contacts) Get(ctx context.Context, userID string, kind assurance.Factor) (onetime.Contact, error) {
	var row contactRow
	err := s.db.first(ctx, "contacts.get", &row, "user_id = ? AND kind = ?", userID, string(kind))
	return onetime.Contact{UserID: row.UserID, Kind: row.Kind, Target: row.Target, CreatedAt: row.CreatedAt.UTC(), UsedAt: since(row.UsedAt)}, err
}

// Touch implements onetime.Store.
func (s *Contacts) Touch(ctx context.Context, userID string, kind assurance.Factor, target string, now time.Time) error {
	if !findable(userID, string(kind)) || target != "" && !findable(target) {
		return notFound
	}
	n, err := s.db.exec(ctx, "contacts.touch",
		"UPDATE factor_contacts SET used_at = ? WHERE user_id = ? AND kind = ? AND target = ?", utc(now), userID, kind, target)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// Delete implements onetime.Store.
func (s *Contacts) Delete(ctx context.Context, userID string, kind assurance.Factor) error {
	if !findable(userID, string(kind)) {
		return notFound
	}
	n, err := s.db.exec(ctx, "contacts.delete", "DELETE FROM factor_contacts WHERE user_id = ? AND kind = ?", userID, kind)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}
