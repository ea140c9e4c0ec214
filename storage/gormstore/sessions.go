package gormstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/session"
)

// Sessions implements session.Store.
type Sessions struct{ db *DB }

// Sessions returns the store of sessions.
func (d *DB) Sessions() *Sessions { return &Sessions{d} }

type sessionRow struct {
	ID                 string `gorm:"primaryKey"`
	Hash               *string
	UserID             string
	AuthTime           *time.Time
	ACR                string    `gorm:"column:acr"`
	AMR                list      `gorm:"column:amr"`
	CreatedAt          time.Time `gorm:"autoCreateTime:false"`
	LastSeenAt         *time.Time
	IdleExpiresAt      *time.Time
	ExpiresAt          time.Time
	EndedAt            *time.Time
	EndReason          string
	UserAgent, Address string
	Remembered         bool
	Trusted            bool
}

// TableName implements gorm's Tabler.
func (sessionRow) TableName() string { return "sessions" }

func (r sessionRow) session() session.Session {
	return session.Session{
		ID: r.ID, Hash: str(r.Hash), UserID: r.UserID, AuthTime: since(r.AuthTime), ACR: r.ACR, AMR: r.AMR,
		CreatedAt: r.CreatedAt.UTC(), LastSeenAt: since(r.LastSeenAt), IdleExpiresAt: since(r.IdleExpiresAt),
		ExpiresAt: r.ExpiresAt.UTC(), EndedAt: since(r.EndedAt), EndReason: r.EndReason,
		UserAgent: r.UserAgent, Address: r.Address, Remembered: r.Remembered, Trusted: r.Trusted,
	}
}

// Create implements session.Store.
func (s *Sessions) Create(ctx context.Context, n session.Session) error {
	if !findable(n.ID) {
		return malformed
	}
	return s.db.insert(ctx, "sessions.create", &sessionRow{
		ID: n.ID, Hash: text(n.Hash), UserID: n.UserID, AuthTime: at(n.AuthTime), ACR: n.ACR, AMR: n.AMR,
		CreatedAt: utc(n.CreatedAt), LastSeenAt: at(n.LastSeenAt), IdleExpiresAt: at(n.IdleExpiresAt),
		ExpiresAt: utc(n.ExpiresAt), EndedAt: at(n.EndedAt), EndReason: n.EndReason,
		UserAgent: printable(n.UserAgent), Address: printable(n.Address), Remembered: n.Remembered, Trusted: n.Trusted,
	})
}

// ByHash implements session.Store.
func (s *Sessions) ByHash(ctx context.Context, hash string) (session.Session, error) {
	var row sessionRow
	err := s.db.first(ctx, "sessions.by_hash", &row, "hash = ?", hash)
	return row.session(), err
}

// ByID implements session.Store.
func (s *Sessions) ByID(ctx context.Context, id string) (session.Session, error) {
	var row sessionRow
	err := s.db.first(ctx, "sessions.by_id", &row, "id = ?", id)
	return row.session(), err
}

// Touch implements session.Store. A session that is over stays over.
func (s *Sessions) Touch(ctx context.Context, id string, lastSeen, idleExpires time.Time) error {
	if !findable(id) {
		return nil
	}
	seen := utc(lastSeen)
	_, err := s.db.exec(ctx, "sessions.touch", `UPDATE sessions SET last_seen_at = ?, idle_expires_at = ?
		WHERE id = ? AND ended_at IS NULL AND idle_expires_at > ? AND expires_at > ?`, seen, at(idleExpires), id, seen, seen)
	return err
}

// Renew implements session.Store.
func (s *Sessions) Renew(ctx context.Context, r session.Renewal) error {
	if !findable(r.ID, r.OldHash) {
		return conflict
	}
	if !findable(r.Hash) {
		return malformed
	}
	now := utc(r.At)
	n, err := s.db.exec(ctx, "sessions.renew", `UPDATE sessions
		SET hash = ?, auth_time = ?, acr = ?, amr = ?, last_seen_at = ?, idle_expires_at = ?, remembered = ?, trusted = ?
		WHERE id = ? AND hash = ? AND ended_at IS NULL AND idle_expires_at > ? AND expires_at > ?`,
		r.Hash, at(r.AuthTime), r.ACR, list(r.AMR), now, at(r.IdleExpiresAt), r.Remembered, r.Trusted, r.ID, r.OldHash, now, now)
	return won(n, err)
}

// End implements session.Store.
func (s *Sessions) End(ctx context.Context, id, reason string, now time.Time) (bool, error) {
	if !findable(id) {
		return false, nil
	}
	n, err := s.db.exec(ctx, "sessions.end", "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL", utc(now), reason, id)
	return n > 0, err
}

// EndOfUser implements session.Store.
func (s *Sessions) EndOfUser(ctx context.Context, userID, except, reason string, since, now time.Time) (all []session.Ended, err error) {
	if !findable(userID) {
		return nil, nil
	}
	except = printable(except)
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		won, err := s.db.ids(ctx, "sessions.end_of_user", `UPDATE sessions SET ended_at = ?, end_reason = ?
			WHERE user_id = ? AND id <> ? AND ended_at IS NULL RETURNING id`, utc(now), reason, userID, except)
		if err != nil {
			return err
		}
		var rows []sessionRow
		if err := s.db.read(ctx, "sessions.end_of_user", func(tx *gorm.DB) error {
			return tx.Select("id", "hash").Where("user_id = ? AND id <> ? AND ended_at >= ?", userID, except, utc(since)).Find(&rows).Error
		}); err != nil {
			return err
		}
		all = nil // of an attempt that has to be repeated
		for _, r := range rows {
			all = append(all, session.Ended{ID: r.ID, Hash: str(r.Hash), Before: !slices.Contains(won, r.ID)})
		}
		return nil
	})
	return all, err
}

// OfUser implements session.Store.
func (s *Sessions) OfUser(ctx context.Context, userID string, now time.Time) ([]session.Session, error) {
	if !findable(userID) {
		return nil, nil
	}
	var rows []sessionRow
	if err := s.db.read(ctx, "sessions.of_user", func(tx *gorm.DB) error {
		return tx.Where("user_id = ? AND ended_at IS NULL AND idle_expires_at > ? AND expires_at > ?", userID, utc(now), utc(now)).
			Order("created_at DESC, id DESC").Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]session.Session, len(rows))
	for i, r := range rows {
		out[i] = r.session()
	}
	return out, nil
}

// DeleteExpired implements session.Store. A session that is only idle stays
// until its absolute limit, because refresh looks at it until then.
func (s *Sessions) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.db.prune(ctx, "sessions.delete_expired",
		"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?)", before, limit)
	if err != nil {
		return n, err
	}
	ended, err := s.db.prune(ctx, "sessions.delete_expired",
		"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at < ? ORDER BY ended_at LIMIT ?)", before, limit-n)
	return n + ended, err
}
