package gormstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
)

// Keys implements keyring.Store.
type Keys struct{ db *DB }

// Keys returns the store of signing keys and sealed secrets.
func (d *DB) Keys() *Keys { return &Keys{d} }

// List implements keyring.Store.
func (s *Keys) List(ctx context.Context) ([]keyring.Key, error) {
	var out []keyring.Key
	err := s.db.each(ctx, "keys.list", `SELECT id, purpose, alg, predecessor, public, sealed, created_at, active_at, expires_at, revoked_at
		FROM signing_keys ORDER BY created_at, id`, func(rows rower) error {
		var (
			k                keyring.Key
			public           string
			expires, revoked *time.Time
		)
		if err := rows.Scan(&k.ID, &k.Purpose, &k.Alg, &k.Predecessor, &public, &k.Sealed, &k.CreatedAt, &k.ActiveAt, &expires, &revoked); err != nil {
			return err
		}
		k.Public = json.RawMessage(public)
		k.CreatedAt, k.ActiveAt, k.ExpiresAt, k.RevokedAt = k.CreatedAt.UTC(), k.ActiveAt.UTC(), since(expires), since(revoked)
		out = append(out, k)
		return nil
	})
	return out, err
}

// Add implements keyring.Store.
func (s *Keys) Add(ctx context.Context, k keyring.Key, predecessorExpires time.Time) error {
	if !findable(k.ID, string(k.Purpose), k.Alg) || len(k.Sealed) == 0 {
		return malformed
	}
	lost := false
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		lost = false
		n, err := s.insert(ctx, k)
		if err != nil || k.Predecessor == "" || n == 0 {
			lost = n == 0 // nothing was changed: a transaction around us may go on
			return err
		}
		n, err = s.db.exec(ctx, "keys.add", "UPDATE signing_keys SET expires_at = ? WHERE id = ? AND purpose = ? AND alg = ?",
			at(predecessorExpires), k.Predecessor, string(k.Purpose), k.Alg)
		return won(n, err)
	})
	if err == nil && lost {
		return conflict
	}
	return err
}

// insert adds the key unless its predecessor has a successor, and returns how
// many rows that made. The first key of a purpose and algorithm must be alone,
// also when the one that was first has gone since; of two that come at once
// the unique index takes one.
func (s *Keys) insert(ctx context.Context, k keyring.Key) (int64, error) {
	if k.Predecessor == "" {
		var others bool
		err := s.db.row(ctx, "keys.add", []any{&others}, "SELECT EXISTS (SELECT 1 FROM signing_keys WHERE purpose = ? AND alg = ?)", string(k.Purpose), k.Alg)
		if err != nil || others {
			return 0, err
		}
	}
	return s.db.exec(ctx, "keys.add", `INSERT INTO signing_keys (id, purpose, alg, predecessor, public, sealed, created_at, active_at, expires_at, revoked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		k.ID, string(k.Purpose), k.Alg, k.Predecessor, string(k.Public), k.Sealed, utc(k.CreatedAt), utc(k.ActiveAt), at(k.ExpiresAt), at(k.RevokedAt))
}

// Revoke implements keyring.Store. The first revocation counts.
func (s *Keys) Revoke(ctx context.Context, id string, now time.Time) error {
	if !findable(id) {
		return notFound
	}
	n, err := s.db.exec(ctx, "keys.revoke", "UPDATE signing_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", utc(now), id)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// Reseal implements keyring.Store. When the bytes are not old any more,
// somebody else sealed the key again and all is well.
func (s *Keys) Reseal(ctx context.Context, id string, old, sealed []byte) error {
	return s.reseal(ctx, "keys.reseal", "UPDATE signing_keys SET sealed = ? WHERE id = ? AND sealed = ?", id, old, sealed)
}

// ResealSecret implements keyring.Store.
func (s *Keys) ResealSecret(ctx context.Context, name string, old, sealed []byte) error {
	return s.reseal(ctx, "keys.reseal_secret", "UPDATE server_secrets SET sealed = ? WHERE name = ? AND sealed = ?", name, old, sealed)
}

func (s *Keys) reseal(ctx context.Context, op, query, key string, old, sealed []byte) error {
	if !findable(key) || len(old) == 0 {
		return nil
	}
	if len(sealed) == 0 {
		return malformed
	}
	_, err := s.db.exec(ctx, op, query, sealed, key, old)
	return err
}

// DeleteExpired implements keyring.Store.
func (s *Keys) DeleteExpired(ctx context.Context, now time.Time) (int, error) {
	n, err := s.db.exec(ctx, "keys.delete_expired", "DELETE FROM signing_keys WHERE expires_at <= ?", utc(now))
	return int(n), err
}

// Secret implements keyring.Store.
func (s *Keys) Secret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	if !findable(name) {
		return nil, malformed
	}
	const query = "SELECT sealed FROM server_secrets WHERE name = ?"
	var sealed []byte
	err := s.db.row(ctx, "keys.secret", []any{&sealed}, query, name)
	if !fault.Is(err, fault.NotFound) {
		return sealed, err
	}
	if len(fresh) == 0 {
		return nil, malformed
	}
	if _, err := s.db.exec(ctx, "keys.secret", "INSERT INTO server_secrets (name, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING", name, fresh); err != nil {
		return nil, err
	}
	err = s.db.row(ctx, "keys.secret", []any{&sealed}, query, name)
	return sealed, err
}
