package gormstore

import (
	"context"
	"time"
)

// Leases implements job.Leases.
type Leases struct{ db *DB }

// Leases returns the store of leases.
func (d *DB) Leases() *Leases { return &Leases{d} }

// Acquire implements job.Leases.
func (s *Leases) Acquire(ctx context.Context, name, holder string, ttl time.Duration, now time.Time) (bool, error) {
	if !findable(name, holder) {
		return false, malformed
	}
	n, err := s.db.exec(ctx, "leases.acquire", `INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= ?`, name, holder, utc(now.Add(ttl)), utc(now))
	return n > 0, err
}

// Release implements job.Leases.
func (s *Leases) Release(ctx context.Context, name, holder string) error {
	if !findable(name, holder) {
		return nil
	}
	_, err := s.db.exec(ctx, "leases.release", "DELETE FROM leases WHERE name = ? AND holder = ?", name, holder)
	return err
}
