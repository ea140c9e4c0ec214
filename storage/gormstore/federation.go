package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/portico-id/portico/pkg/federation"
)

// Federation implements federation.Store.
type Federation struct{ db *DB }

// Federation returns the store of providers, identities and origins.
func (d *DB) Federation() *Federation { return &Federation{d} }

type providerRow struct {
	ID        string `gorm:"primaryKey"`
	Kind      string
	Name      string
	Settings  doc[federation.Settings]
	Sealed    []byte
	Disabled  bool
	Position  int
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName implements gorm's Tabler.
func (providerRow) TableName() string { return "providers" }

type identityRow struct {
	ID       string `gorm:"primaryKey"`
	Issuer   string
	Subject  string
	Provider string
	UserID   string
	Label    string
	Roles    list
	LinkedAt time.Time
	UsedAt   *time.Time
}

// TableName implements gorm's Tabler.
func (identityRow) TableName() string { return "identities" }

func (r identityRow) identity() federation.Identity {
	return federation.Identity{
		ID: r.ID, Issuer: r.Issuer, Subject: r.Subject, Provider: r.Provider, UserID: r.UserID, Label: r.Label, Roles: r.Roles,
		LinkedAt: r.LinkedAt.UTC(), UsedAt: since(r.UsedAt),
	}
}

type originRow struct {
	SessionID string `gorm:"primaryKey"`
	Provider  string
	Issuer    string
	Subject   string
	SID       string `gorm:"column:sid"`
	Sealed    []byte
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt time.Time
}

// TableName implements gorm's Tabler.
func (originRow) TableName() string { return "upstream_sessions" }

// PutProvider implements federation.Store. When it was made stays as it is.
func (s *Federation) PutProvider(ctx context.Context, p federation.Provider) error {
	if !findable(p.ID, string(p.Kind)) {
		return malformed
	}
	row := providerRow{
		ID: p.ID, Kind: string(p.Kind), Name: printable(p.Name), Settings: doc[federation.Settings]{p.Settings}, Sealed: p.Sealed,
		Disabled: p.Disabled, Position: p.Position, CreatedAt: utc(p.CreatedAt), UpdatedAt: utc(p.UpdatedAt),
	}
	return s.db.write(ctx, "federation.put_provider", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "id"}},
			DoUpdates: clause.AssignmentColumns([]string{"kind", "name", "settings", "sealed", "disabled", "position", "updated_at"}),
		}).Create(&row).Error
	})
}

// Providers implements federation.Store.
func (s *Federation) Providers(ctx context.Context) ([]federation.Provider, error) {
	var rows []providerRow
	if err := s.db.read(ctx, "federation.providers", func(tx *gorm.DB) error {
		return tx.Order("position, id").Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]federation.Provider, len(rows))
	for i, r := range rows {
		out[i] = federation.Provider{
			ID: r.ID, Kind: federation.Kind(r.Kind), Name: r.Name, Settings: r.Settings.v, Sealed: r.Sealed,
			Disabled: r.Disabled, Position: r.Position, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		}
	}
	return out, nil
}

// DeleteProvider implements federation.Store.
func (s *Federation) DeleteProvider(ctx context.Context, id string) error {
	if !findable(id) {
		return notFound
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, statement := range []string{
			"DELETE FROM identities WHERE provider = ?",
			"DELETE FROM upstream_sessions WHERE provider = ?",
		} {
			if _, err := s.db.exec(ctx, "federation.delete_provider", statement, id); err != nil {
				return err
			}
		}
		return s.db.remove(ctx, "federation.delete_provider", "DELETE FROM providers WHERE id = ?", id)
	})
}

// Link implements federation.Store.
func (s *Federation) Link(ctx context.Context, i federation.Identity) error {
	if !findable(i.ID, i.Issuer, i.Subject, i.Provider, i.UserID) {
		return malformed
	}
	return s.db.insert(ctx, "federation.link", &identityRow{
		ID: i.ID, Issuer: i.Issuer, Subject: i.Subject, Provider: i.Provider, UserID: i.UserID, Label: printable(i.Label),
		Roles: i.Roles, LinkedAt: utc(i.LinkedAt), UsedAt: at(i.UsedAt),
	})
}

// Identity implements federation.Store.
func (s *Federation) Identity(ctx context.Context, issuer, subject string) (federation.Identity, error) {
	var row identityRow
	err := s.db.first(ctx, "federation.identity", &row, "issuer = ? AND subject = ?", issuer, subject)
	return row.identity(), err
}

// IdentitiesOf implements federation.Store.
func (s *Federation) IdentitiesOf(ctx context.Context, userID string) ([]federation.Identity, error) {
	if !findable(userID) {
		return nil, nil
	}
	return s.identities(ctx, "federation.identities_of", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("user_id = ?", userID).Order("linked_at, id")
	})
}

// IdentitiesAt implements federation.Store.
func (s *Federation) IdentitiesAt(ctx context.Context, provider, after string, limit int) ([]federation.Identity, error) {
	if !findable(provider) || after != "" && !findable(after) || limit <= 0 {
		return nil, nil
	}
	return s.identities(ctx, "federation.identities_at", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("provider = ? AND id > ?", provider, after).Order("id").Limit(limit)
	})
}

func (s *Federation) identities(ctx context.Context, op string, which func(*gorm.DB) *gorm.DB) ([]federation.Identity, error) {
	var rows []identityRow
	if err := s.db.read(ctx, op, func(tx *gorm.DB) error { return which(tx).Find(&rows).Error }); err != nil {
		return nil, err
	}
	out := make([]federation.Identity, len(rows))
	for i, r := range rows {
		out[i] = r.identity()
	}
	return out, nil
}

// Used implements federation.Store.
func (s *Federation) Used(ctx context.Context, id, label string, roles []string, now time.Time) error {
	if !findable(id) {
		return notFound
	}
	n, err := s.db.exec(ctx, "federation.used", "UPDATE identities SET label = ?, roles = ?, used_at = ? WHERE id = ?",
		printable(label), list(roles), utc(now), id)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// Unlink implements federation.Store.
func (s *Federation) Unlink(ctx context.Context, userID, id string) error {
	if !findable(userID, id) {
		return notFound
	}
	n, err := s.db.exec(ctx, "federation.unlink", "DELETE FROM identities WHERE id = ? AND user_id = ?", id, userID)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// PutOrigin implements federation.Store.
func (s *Federation) PutOrigin(ctx context.Context, o federation.Origin) error {
	if !findable(o.SessionID, o.Issuer, o.Subject) {
		return malformed
	}
	row := originRow{
		SessionID: o.SessionID, Provider: o.Provider, Issuer: o.Issuer, Subject: o.Subject, SID: printable(o.Session), Sealed: o.Sealed,
		CreatedAt: utc(o.CreatedAt), ExpiresAt: utc(o.ExpiresAt),
	}
	return s.db.write(ctx, "federation.put_origin", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "session_id"}}, UpdateAll: true}).Create(&row).Error
	})
}

// OriginOf implements federation.Store.
func (s *Federation) OriginOf(ctx context.Context, sessionID string) (federation.Origin, error) {
	var r originRow
	err := s.db.first(ctx, "federation.origin_of", &r, "session_id = ?", sessionID)
	return federation.Origin{
		SessionID: r.SessionID, Provider: r.Provider, Issuer: r.Issuer, Subject: r.Subject, Session: r.SID, Sealed: r.Sealed,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
	}, err
}

// OriginsFrom implements federation.Store.
func (s *Federation) OriginsFrom(ctx context.Context, issuer, subject, sid string, now time.Time) ([]string, error) {
	query, args := "SELECT session_id FROM upstream_sessions WHERE issuer = ? AND expires_at > ?", []any{issuer, utc(now)}
	if subject == "" && sid == "" || !findable(issuer, subject+sid) {
		return nil, nil
	}
	if subject != "" {
		query += " AND subject = ?"
		args = append(args, subject)
	}
	if sid != "" {
		query += " AND sid = ? AND sid <> ''"
		args = append(args, sid)
	}
	return s.db.ids(ctx, "federation.origins_from", query+" ORDER BY session_id", args...)
}

// DeleteExpiredOrigins implements federation.Store.
func (s *Federation) DeleteExpiredOrigins(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "federation.delete_expired_origins",
		"DELETE FROM upstream_sessions WHERE session_id IN (SELECT session_id FROM upstream_sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)", now, limit)
}
