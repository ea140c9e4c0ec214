package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/user"
)

// Users implements user.Store.
type Users struct{ db *DB }

// Users returns the store of people.
func (d *DB) Users() *Users { return &Users{d} }

type userRow struct {
	ID                                  string `gorm:"primaryKey"`
	Username                            string
	UsernameKey                         *string
	Email                               string
	EmailKey                            *string
	EmailVerified, Disabled, Demo       bool
	Name, GivenName, FamilyName         string
	MiddleName, Nickname                string
	Profile, Picture, Website           string
	Gender, Birthdate, Zoneinfo, Locale string
	PhoneNumber                         string
	PhoneNumberVerified                 bool
	Address                             doc[user.Address]
	Roles                               list
	TermsVersion                        string
	TermsAcceptedAt, DeleteAt           *time.Time
	Factors                             list
	EnrolAskedAt                        *time.Time
	CreatedAt                           time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt                           time.Time `gorm:"autoUpdateTime:false"`
}

// TableName implements gorm's Tabler.
func (userRow) TableName() string { return "users" }

// identifierRow is one spelling under which a person signs in. A username of
// one person that is the e-mail address of another would lead to the wrong
// account; the key of this table prevents it.
type identifierRow struct {
	Key    string `gorm:"primaryKey"`
	UserID string
}

// TableName implements gorm's Tabler.
func (identifierRow) TableName() string { return "user_identifiers" }

func rowOfUser(u user.User) userRow {
	return userRow{
		ID: u.ID, Username: u.Username, UsernameKey: text(user.Normalise(u.Username)),
		Email: u.Email, EmailKey: text(user.Normalise(u.Email)),
		EmailVerified: u.EmailVerified, Disabled: u.Disabled, Demo: u.Demo,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, MiddleName: u.MiddleName, Nickname: u.Nickname,
		Profile: u.Profile, Picture: u.Picture, Website: u.Website,
		Gender: u.Gender, Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale,
		PhoneNumber: u.PhoneNumber, PhoneNumberVerified: u.PhoneNumberVerified,
		Address: doc[user.Address]{u.Address}, Roles: u.Roles,
		TermsVersion: u.TermsVersion, TermsAcceptedAt: at(u.TermsAcceptedAt), DeleteAt: at(u.DeleteAt),
		Factors: u.Factors, EnrolAskedAt: at(u.EnrolAskedAt),
		CreatedAt: utc(u.CreatedAt), UpdatedAt: utc(u.UpdatedAt),
	}
}

func (r userRow) user() user.User {
	return user.User{
		ID: r.ID, Username: r.Username, Email: r.Email,
		EmailVerified: r.EmailVerified, Disabled: r.Disabled, Demo: r.Demo,
		Name: r.Name, GivenName: r.GivenName, FamilyName: r.FamilyName, MiddleName: r.MiddleName, Nickname: r.Nickname,
		Profile: r.Profile, Picture: r.Picture, Website: r.Website,
		Gender: r.Gender, Birthdate: r.Birthdate, Zoneinfo: r.Zoneinfo, Locale: r.Locale,
		PhoneNumber: r.PhoneNumber, PhoneNumberVerified: r.PhoneNumberVerified,
		Address: r.Address.v, Roles: r.Roles,
		TermsVersion: r.TermsVersion, TermsAcceptedAt: since(r.TermsAcceptedAt), DeleteAt: since(r.DeleteAt),
		Factors: r.Factors, EnrolAskedAt: since(r.EnrolAskedAt),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// identifiers returns the keys of the person, each once.
func (r userRow) identifiers() []string {
	var keys []string
	if r.EmailKey != nil {
		keys = append(keys, *r.EmailKey)
	}
	if r.UsernameKey != nil && str(r.UsernameKey) != str(r.EmailKey) {
		keys = append(keys, *r.UsernameKey)
	}
	return keys
}

// Create implements user.Store.
func (s *Users) Create(ctx context.Context, u user.User) error {
	if !findable(u.ID) {
		return malformed
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		row := rowOfUser(u)
		if err := s.db.insert(ctx, "users.create", &row); err != nil {
			return err
		}
		return s.claim(ctx, "users.create", row)
	})
}

// claim makes the keys of the row its person's, or is a conflict when one of
// them is another's.
func (s *Users) claim(ctx context.Context, op string, row userRow) error {
	keys := row.identifiers()
	if len(keys) == 0 {
		return nil
	}
	rows := make([]identifierRow, len(keys))
	for i, k := range keys {
		rows[i] = identifierRow{Key: k, UserID: row.ID}
	}
	return s.db.write(ctx, op, func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error; err != nil {
			return err
		}
		var mine int
		if err := tx.Raw("SELECT count(*) FROM user_identifiers WHERE user_id = ? AND key IN ?", row.ID, keys).Row().Scan(&mine); err != nil {
			return err
		}
		if mine != len(keys) {
			return conflict
		}
		return nil
	})
}

// ByID implements user.Store.
func (s *Users) ByID(ctx context.Context, id string) (user.User, error) {
	var row userRow
	err := s.db.first(ctx, "users.by_id", &row, "id = ?", id)
	return row.user(), err
}

// ByIdentifier implements user.Store.
func (s *Users) ByIdentifier(ctx context.Context, normalised string) (user.User, error) {
	var row userRow
	err := s.db.first(ctx, "users.by_identifier", &row, "id = (SELECT user_id FROM user_identifiers WHERE key = ?)", normalised)
	return row.user(), err
}

// Update implements user.Store. The time of creation stays: lists are ordered
// by it.
func (s *Users) Update(ctx context.Context, u user.User) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		row := rowOfUser(u)
		if err := s.db.replace(ctx, "users.update", &row, "id", u.ID); err != nil {
			return err
		}
		// The lists of old and new keys never have more than two entries.
		keys := append(row.identifiers(), "")
		if _, err := s.db.exec(ctx, "users.update", "DELETE FROM user_identifiers WHERE user_id = ? AND key NOT IN ?", u.ID, keys); err != nil {
			return err
		}
		return s.claim(ctx, "users.update", row)
	})
}

// List implements user.Store.
func (s *Users) List(ctx context.Context, page paging.Page) ([]user.User, error) {
	var rows []userRow
	if err := s.db.page(ctx, "users.list", "users", page, &rows); err != nil {
		return nil, err
	}
	out := make([]user.User, len(rows))
	for i, r := range rows {
		out[i] = r.user()
	}
	return out, nil
}

// Hold implements user.Store. SQLite knows no row locks and needs none: its
// transactions write one after the other.
func (s *Users) Hold(ctx context.Context, id string) (user.User, error) {
	if !findable(id) {
		return user.User{}, notFound
	}
	var row userRow
	err := s.db.write(ctx, "users.hold", func(tx *gorm.DB) error {
		return tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Take(&row).Error
	})
	return row.user(), err
}

// HasDemo implements user.Store.
func (s *Users) HasDemo(ctx context.Context) (bool, error) {
	var has bool
	err := s.db.row(ctx, "users.has_demo", []any{&has}, "SELECT EXISTS (SELECT 1 FROM users WHERE demo)")
	return has, err
}
