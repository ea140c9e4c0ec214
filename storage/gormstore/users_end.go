package gormstore

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// AnotherHas implements user.Store. A role stands in the list between quotes,
// which no role has in its name.
func (s *Users) AnotherHas(ctx context.Context, role, except string) (bool, error) {
	if !findable(role) {
		return false, nil
	}
	like := `%"` + strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(role) + `"%`
	var found []userRow
	err := s.db.write(ctx, "users.another_has", func(tx *gorm.DB) error {
		return tx.Clauses(clause.Locking{Strength: "UPDATE"}).
			Where("id <> ? AND CAST(roles AS TEXT) LIKE ? ESCAPE '!' AND NOT disabled AND delete_at IS NULL", printable(except), like).
			Limit(1).Find(&found).Error
	})
	return len(found) > 0, err
}

// DueForDeletion implements user.Store.
func (s *Users) DueForDeletion(ctx context.Context, now time.Time, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	return s.db.ids(ctx, "users.due_for_deletion",
		"SELECT id FROM users WHERE delete_at IS NOT NULL AND delete_at <= ? ORDER BY delete_at, id LIMIT ?", utc(now), limit)
}

// belongings are the statements that remove what is a person's alone. Opaque
// access tokens are not looked for: they are revoked with the grant they
// came from, and leave within their life of a day.
var belongings = []string{
	"DELETE FROM passwords WHERE user_id = ?",
	"DELETE FROM consents WHERE user_id = ?",
	"DELETE FROM confirmations WHERE user_id = ? AND user_id <> ''",
	"DELETE FROM trusted_devices WHERE user_id = ?",
	"DELETE FROM totps WHERE user_id = ?",
	"DELETE FROM passkeys WHERE user_id = ?",
	"DELETE FROM recovery_codes WHERE user_id = ?",
	"DELETE FROM factor_contacts WHERE user_id = ?",
	"DELETE FROM factor_recoveries WHERE user_id = ?",
	"DELETE FROM upstream_sessions WHERE session_id IN (SELECT id FROM sessions WHERE user_id = ?)",
	"DELETE FROM identities WHERE user_id = ?",
	"DELETE FROM sessions WHERE user_id = ?",
	"DELETE FROM grants WHERE user_id = ? AND user_id <> ''",
	"DELETE FROM user_identifiers WHERE user_id = ?",
	"UPDATE mails SET user_id = '' WHERE user_id = ? AND user_id <> ''",
}

// Delete implements user.Store.
func (s *Users) Delete(ctx context.Context, id string) error {
	if !findable(id) {
		return notFound
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, statement := range belongings {
			if _, err := s.db.exec(ctx, "users.delete", statement, id); err != nil {
				return err
			}
		}
		return s.db.remove(ctx, "users.delete", "DELETE FROM users WHERE id = ?", id)
	})
}
