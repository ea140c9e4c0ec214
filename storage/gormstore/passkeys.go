package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/passkey"
)

// Passkeys implements passkey.Store.
type Passkeys struct{ db *DB }

// Passkeys returns the store of passkeys.
func (d *DB) Passkeys() *Passkeys { return &Passkeys{d} }

type passkeyRow struct {
	ID             string `gorm:"primaryKey"`
	CredentialID   string
	UserID         string
	Name           string
	PublicKey      []byte
	SignCount      int64
	AAGUID         string `gorm:"column:aaguid"`
	Transports     doc[[]string]
	BackupEligible bool
	BackedUp       bool
	Attested       bool
	UserVerified   bool
	SuspendedAt    *time.Time
	CreatedAt      time.Time `gorm:"autoCreateTime:false"`
	UsedAt         *time.Time
}

// TableName implements gorm's Tabler.
func (passkeyRow) TableName() string { return "passkeys" }

func (r passkeyRow) passkey() passkey.Passkey {
	return passkey.Passkey{
		ID: r.ID, CredentialID: r.CredentialID, UserID: r.UserID, Name: r.Name, PublicKey: r.PublicKey,
		SignCount: uint32(r.SignCount), AAGUID: r.AAGUID, Transports: r.Transports.v,
		BackupEligible: r.BackupEligible, BackedUp: r.BackedUp, Attested: r.Attested, UserVerified: r.UserVerified,
		SuspendedAt: since(r.SuspendedAt), CreatedAt: r.CreatedAt.UTC(), UsedAt: since(r.UsedAt),
	}
}

// Create implements passkey.Store.
func (s *Passkeys) Create(ctx context.Context, p passkey.Passkey) error {
	if !findable(p.ID, p.CredentialID, p.UserID) {
		return malformed
	}
	transports := make([]string, len(p.Transports))
	for i, t := range p.Transports {
		transports[i] = printable(t)
	}
	return s.db.insert(ctx, "passkeys.create", &passkeyRow{
		ID: p.ID, CredentialID: p.CredentialID, UserID: p.UserID, Name: printable(p.Name), PublicKey: p.PublicKey,
		SignCount: int64(p.SignCount), AAGUID: printable(p.AAGUID), Transports: doc[[]string]{transports},
		BackupEligible: p.BackupEligible, BackedUp: p.BackedUp, Attested: p.Attested, UserVerified: p.UserVerified,
		SuspendedAt: at(p.SuspendedAt), CreatedAt: utc(p.CreatedAt), UsedAt: at(p.UsedAt),
	})
}

// OfUser implements passkey.Store.
func (s *Passkeys) OfUser(ctx context.Context, userID string) ([]passkey.Passkey, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []passkeyRow
	err := s.db.read(ctx, "passkeys.of_user", func(tx *gorm.DB) error {
		return tx.Where("user_id = ?", userID).Order("created_at, id").Find(&rows).Error
	})
	all := make([]passkey.Passkey, len(rows))
	for i, r := range rows {
		all[i] = r.passkey()
	}
	return all, err
}

// ByCredential implements passkey.Store.
func (s *Passkeys) ByCredential(ctx context.Context, credentialID string) (passkey.Passkey, error) {
	var row passkeyRow
	err := s.db.first(ctx, "passkeys.by_credential", &row, "credential_id = ?", credentialID)
	return row.passkey(), err
}

// Use implements passkey.Store.
func (s *Passkeys) Use(ctx context.Context, id string, old, count uint32, backedUp bool, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "passkeys.use",
		"UPDATE passkeys SET sign_count = ?, backed_up = ?, used_at = ? WHERE id = ? AND sign_count = ? AND suspended_at IS NULL",
		int64(count), backedUp, utc(now), id, int64(old))
	return won(n, err)
}

// Suspend implements passkey.Store.
func (s *Passkeys) Suspend(ctx context.Context, id string, now time.Time) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, "passkeys.suspend", "UPDATE passkeys SET suspended_at = ? WHERE id = ? AND suspended_at IS NULL", utc(now), id)
	return won(n, err)
}

// Rename implements passkey.Store.
func (s *Passkeys) Rename(ctx context.Context, userID, id, name string) error {
	return s.db.owned(ctx, "passkeys.rename", userID, id, "UPDATE passkeys SET name = ? WHERE id = ? AND user_id = ?", printable(name), id, userID)
}

// Delete implements passkey.Store.
func (s *Passkeys) Delete(ctx context.Context, userID, id string) error {
	return s.db.owned(ctx, "passkeys.delete", userID, id, "DELETE FROM passkeys WHERE id = ? AND user_id = ?", id, userID)
}
