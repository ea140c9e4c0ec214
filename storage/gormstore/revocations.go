package gormstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/revocation"
)

// Revocations implements revocation.Ledger.
type Revocations struct{ db *DB }

// Revocations returns the durable record of what was revoked.
func (d *DB) Revocations() *Revocations { return &Revocations{d} }

// Add implements revocation.Ledger. Of two entries of one kind and id the
// further reach of each time is kept: nothing that was dead comes alive.
func (s *Revocations) Add(ctx context.Context, entries ...revocation.Entry) error {
	merged, err := merge(entries)
	if err != nil || len(merged) == 0 {
		return err
	}
	if len(merged) <= batch {
		return s.add(ctx, merged)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for part := range slices.Chunk(merged, batch) {
			if err := s.add(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})
}

type revocationKey struct {
	kind revocation.Kind
	id   string
}

// merge brings the entries to one for each key, in an order that all callers
// share, so that they do not wait for each other in a circle.
func merge(entries []revocation.Entry) ([]revocation.Entry, error) {
	byKey := make(map[revocationKey]revocation.Entry, len(entries))
	for _, e := range entries {
		if !findable(string(e.Kind), e.ID) {
			return nil, malformed
		}
		e.NotBefore, e.ExpiresAt, e.Reason = utc(e.NotBefore), utc(e.ExpiresAt), printable(e.Reason)
		k := revocationKey{e.Kind, e.ID}
		if have, ok := byKey[k]; ok {
			if have.NotBefore.After(e.NotBefore) {
				e.NotBefore = have.NotBefore
			}
			if have.ExpiresAt.After(e.ExpiresAt) {
				e.ExpiresAt = have.ExpiresAt
			}
		}
		byKey[k] = e
	}
	out := make([]revocation.Entry, 0, len(byKey))
	for _, e := range byKey {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b revocation.Entry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (s *Revocations) add(ctx context.Context, entries []revocation.Entry) error {
	args := make([]any, 0, 5*len(entries))
	for _, e := range entries {
		args = append(args, string(e.Kind), e.ID, e.NotBefore, e.ExpiresAt, e.Reason)
	}
	_, err := s.db.exec(ctx, "revocations.add", `INSERT INTO revocations (kind, id, not_before, expires_at, reason)
		VALUES (?, ?, ?, ?, ?)`+strings.Repeat(", (?, ?, ?, ?, ?)", len(entries)-1)+`
		ON CONFLICT (kind, id) DO UPDATE SET
			not_before = CASE WHEN excluded.not_before > revocations.not_before THEN excluded.not_before ELSE revocations.not_before END,
			expires_at = CASE WHEN excluded.expires_at > revocations.expires_at THEN excluded.expires_at ELSE revocations.expires_at END,
			reason = excluded.reason
		WHERE excluded.not_before > revocations.not_before OR excluded.expires_at > revocations.expires_at`, args...)
	return err
}

// Standing implements revocation.Ledger.
func (s *Revocations) Standing(ctx context.Context, now time.Time) ([]revocation.Entry, error) {
	var out []revocation.Entry
	err := s.db.each(ctx, "revocations.standing", "SELECT kind, id, not_before, expires_at, reason FROM revocations WHERE expires_at > ?", func(rows rower) error {
		var e revocation.Entry
		if err := rows.Scan(&e.Kind, &e.ID, &e.NotBefore, &e.ExpiresAt, &e.Reason); err != nil {
			return err
		}
		e.NotBefore, e.ExpiresAt = e.NotBefore.UTC(), e.ExpiresAt.UTC()
		out = append(out, e)
		return nil
	}, utc(now))
	return out, err
}

// grace is how long an expired entry stays: a clock that jumped ahead and
// comes back must find what it would need again.
const grace = 24 * time.Hour

// DeleteExpired implements revocation.Ledger.
func (s *Revocations) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "revocations.delete_expired", `DELETE FROM revocations WHERE (kind, id) IN
		(SELECT kind, id FROM revocations WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, now.Add(-grace), limit)
}
