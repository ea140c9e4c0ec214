package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/portico-id/portico/pkg/scope"
)

// APIs implements scope.Store. The scopes are kept with their API, and their
// names once more in a table whose key makes them unique over all APIs.
type APIs struct{ db *DB }

// APIs returns the store of APIs.
func (d *DB) APIs() *APIs { return &APIs{d} }

type apiRow struct {
	Audience        string `gorm:"primaryKey"`
	Name            string
	Scopes          doc[[]scope.Scope]
	Format          string
	PlainType       bool
	TokenTTL        int64 `gorm:"column:token_ttl"`
	RolesInToken    bool
	ResourceServers list
	OpenToDynamic   bool
	MinimumACR      string `gorm:"column:minimum_acr"`
	Demo            bool
	CreatedAt       time.Time `gorm:"autoCreateTime:false"`
}

// TableName implements gorm's Tabler.
func (apiRow) TableName() string { return "apis" }

type apiScopeRow struct {
	Name     string `gorm:"primaryKey"`
	Audience string
}

// TableName implements gorm's Tabler.
func (apiScopeRow) TableName() string { return "api_scopes" }

func rowOfAPI(a scope.API) apiRow {
	return apiRow{
		Audience: a.Audience, Name: a.Name, Scopes: doc[[]scope.Scope]{a.Scopes}, Format: string(a.Format),
		PlainType: a.PlainType, TokenTTL: int64(a.TokenTTL), RolesInToken: a.RolesInToken,
		ResourceServers: a.ResourceServers, OpenToDynamic: a.OpenToDynamic, MinimumACR: a.MinimumACR, Demo: a.Demo, CreatedAt: utc(a.CreatedAt),
	}
}

func (r apiRow) api() scope.API {
	return scope.API{
		Audience: r.Audience, Name: r.Name, Scopes: r.Scopes.v, Format: scope.Format(r.Format),
		PlainType: r.PlainType, TokenTTL: time.Duration(r.TokenTTL), RolesInToken: r.RolesInToken,
		ResourceServers: r.ResourceServers, OpenToDynamic: r.OpenToDynamic, MinimumACR: r.MinimumACR, Demo: r.Demo, CreatedAt: r.CreatedAt.UTC(),
	}
}

// Create implements scope.Store.
func (s *APIs) Create(ctx context.Context, a scope.API) error {
	if !findable(a.Audience) {
		return malformed
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		row := rowOfAPI(a)
		if err := s.db.insert(ctx, "apis.create", &row); err != nil {
			return err
		}
		return s.own(ctx, "apis.create", a)
	})
}

// own claims the scope names for the API, or is a conflict when another has
// one of them, or the API itself names one twice.
func (s *APIs) own(ctx context.Context, op string, a scope.API) error {
	rows := make([]apiScopeRow, len(a.Scopes))
	for i, sc := range a.Scopes {
		if !findable(sc.Name) {
			return malformed
		}
		rows[i] = apiScopeRow{Name: sc.Name, Audience: a.Audience}
	}
	if len(rows) == 0 {
		return nil
	}
	return s.db.write(ctx, op, func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, batch)
		if res.Error == nil && res.RowsAffected != int64(len(rows)) {
			return conflict
		}
		return res.Error
	})
}

// Update implements scope.Store.
func (s *APIs) Update(ctx context.Context, a scope.API) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		row := rowOfAPI(a)
		if err := s.db.replace(ctx, "apis.update", &row, "audience", a.Audience); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, "apis.update", "DELETE FROM api_scopes WHERE audience = ?", a.Audience); err != nil {
			return err
		}
		return s.own(ctx, "apis.update", a)
	})
}

// All implements scope.Store.
func (s *APIs) All(ctx context.Context) ([]scope.API, error) {
	var rows []apiRow
	if err := s.db.read(ctx, "apis.all", func(tx *gorm.DB) error {
		return tx.Order("created_at, audience").Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]scope.API, len(rows))
	for i, r := range rows {
		out[i] = r.api()
	}
	return out, nil
}

// Delete implements scope.Store. Its scopes go with it.
func (s *APIs) Delete(ctx context.Context, audience string) error {
	return s.db.remove(ctx, "apis.delete", "DELETE FROM apis WHERE audience = ?", audience)
}
