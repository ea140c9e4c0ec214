package gormstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/consent"
)

// Consents implements consent.Store.
type Consents struct{ db *DB }

// Consents returns the store of consents.
func (d *DB) Consents() *Consents { return &Consents{d} }

type consentRow struct {
	UserID                    string `gorm:"primaryKey"`
	ClientID                  string `gorm:"primaryKey"`
	Scopes, Audiences, Claims list
	CreatedAt                 time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt                 time.Time `gorm:"autoUpdateTime:false"`
}

// TableName implements gorm's Tabler.
func (consentRow) TableName() string { return "consents" }

func (r consentRow) consent() consent.Consent {
	return consent.Consent{
		UserID: r.UserID, ClientID: r.ClientID, Scopes: r.Scopes, Audiences: r.Audiences, Claims: r.Claims,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// Get implements consent.Store.
func (s *Consents) Get(ctx context.Context, userID, clientID string) (consent.Consent, error) {
	var row consentRow
	err := s.db.first(ctx, "consents.get", &row, "user_id = ? AND client_id = ?", userID, clientID)
	return row.consent(), err
}

// Allow implements consent.Store. The first statement locks the row, so that
// what the second one merges is complete.
func (s *Consents) Allow(ctx context.Context, c consent.Consent) error {
	if !findable(c.UserID, c.ClientID) {
		return malformed
	}
	created, updated := c.CreatedAt, c.UpdatedAt
	if updated.IsZero() {
		updated = s.db.opts.Now()
	}
	if created.IsZero() {
		created = updated
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		return s.db.write(ctx, "consents.allow", func(tx *gorm.DB) error {
			have := consentRow{}
			err := tx.Raw(`INSERT INTO consents (user_id, client_id, scopes, audiences, claims, created_at, updated_at)
				VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (user_id, client_id) DO UPDATE SET updated_at = excluded.updated_at
				RETURNING scopes, audiences, claims`,
				c.UserID, c.ClientID, union(nil, c.Scopes), union(nil, c.Audiences), union(nil, c.Claims), utc(created), utc(updated)).
				Row().Scan(&have.Scopes, &have.Audiences, &have.Claims)
			if err != nil {
				return err
			}
			scopes, audiences, claims := union(have.Scopes, c.Scopes), union(have.Audiences, c.Audiences), union(have.Claims, c.Claims)
			if len(scopes)+len(audiences)+len(claims) == len(have.Scopes)+len(have.Audiences)+len(have.Claims) {
				return nil
			}
			return tx.Exec("UPDATE consents SET scopes = ?, audiences = ?, claims = ? WHERE user_id = ? AND client_id = ?",
				scopes, audiences, claims, c.UserID, c.ClientID).Error
		})
	})
}

// union returns have and what more adds to it, each once, in that order.
func union(have, more []string) list {
	out := slices.Clone(have)
	for _, v := range more {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Withdraw implements consent.Store.
func (s *Consents) Withdraw(ctx context.Context, userID, clientID string) error {
	if !findable(userID, clientID) {
		return nil
	}
	_, err := s.db.exec(ctx, "consents.withdraw", "DELETE FROM consents WHERE user_id = ? AND client_id = ?", userID, clientID)
	return err
}

// OfUser implements consent.Store.
func (s *Consents) OfUser(ctx context.Context, userID string) ([]consent.Consent, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []consentRow
	if err := s.db.read(ctx, "consents.of_user", func(tx *gorm.DB) error {
		return tx.Where("user_id = ?", userID).Order("created_at DESC, client_id").Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]consent.Consent, len(rows))
	for i, r := range rows {
		out[i] = r.consent()
	}
	return out, nil
}
