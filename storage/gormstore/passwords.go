package gormstore

import (
	"context"
	"time"
)

// Passwords implements password.Store.
type Passwords struct{ db *DB }

// Passwords returns the store of password hashes.
func (d *DB) Passwords() *Passwords { return &Passwords{d} }

// Hash implements password.Store.
func (s *Passwords) Hash(ctx context.Context, userID string) (string, error) {
	if !findable(userID) {
		return "", notFound
	}
	var hash string
	err := s.db.row(ctx, "passwords.hash", []any{&hash}, "SELECT hash FROM passwords WHERE user_id = ?", userID)
	return hash, err
}

// Set implements password.Store.
func (s *Passwords) Set(ctx context.Context, userID, hash string, now time.Time) error {
	if !findable(userID, hash) {
		return malformed
	}
	_, err := s.db.exec(ctx, "passwords.set", `INSERT INTO passwords (user_id, hash, updated_at) VALUES (?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, updated_at = excluded.updated_at`, userID, hash, utc(now))
	return err
}

// Swap implements password.Store.
func (s *Passwords) Swap(ctx context.Context, userID, old, next string, now time.Time) error {
	if !findable(userID, old) {
		return conflict
	}
	if !findable(next) {
		return malformed
	}
	n, err := s.db.exec(ctx, "passwords.swap", "UPDATE passwords SET hash = ?, updated_at = ? WHERE user_id = ? AND hash = ?", next, utc(now), userID, old)
	return won(n, err)
}

// won reads the result of a conditional update: whoever changed no row lost.
func won(changed int64, err error) error {
	if err == nil && changed == 0 {
		return conflict
	}
	return err
}
