package gormstore

import (
	"context"
	"slices"
	"time"
)

// graceDay is how long a grant is kept after its last use could have been: an
// access token from it may live that long, and its code must be known so
// that a second use is seen. APIs and clients with a longer token life make
// it longer.
const graceDay = 24 * time.Hour

// keepUntil returns when a grant can go whose code and refresh token can be
// used until the latest of the times. It is rounded up to days: a rotation
// then seldom changes it, which saves the database an entry in its index.
func keepUntil(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return utc(last).Add(graceDay).Truncate(24 * time.Hour).Add(24 * time.Hour)
}

// Revoke implements grant.Store.
func (s *Grants) Revoke(ctx context.Context, id, reason string, now time.Time) (bool, error) {
	if !findable(id) {
		return false, nil
	}
	n, err := s.db.exec(ctx, "grants.revoke", "UPDATE grants SET revoked_at = ?, reason = ? WHERE id = ? AND revoked_at IS NULL", utc(now), reason, id)
	return n > 0, err
}

// atATime is how many keys one statement names. SQLite takes a few thousand.
const atATime = 500

// RevokeOfSessions implements grant.Store.
func (s *Grants) RevokeOfSessions(ctx context.Context, sessionIDs []string, reason string, all bool, now time.Time) (ended []string, err error) {
	sessionIDs = slices.DeleteFunc(slices.Clone(sessionIDs), func(id string) bool { return !findable(id) })
	query := "UPDATE grants SET revoked_at = ?, reason = ? WHERE session_id IN (?) AND session_id <> '' AND revoked_at IS NULL"
	if !all {
		query += " AND NOT offline"
	}
	for ids := range slices.Chunk(sessionIDs, atATime) {
		some, err := s.db.ids(ctx, "grants.revoke_of_sessions", query+" RETURNING id", utc(now), reason, ids)
		if err != nil {
			return nil, err
		}
		ended = append(ended, some...)
	}
	return ended, nil
}

// RevokeOfUser implements grant.Store.
func (s *Grants) RevokeOfUser(ctx context.Context, userID, clientID, reason string, now time.Time) ([]string, error) {
	if !findable(userID) {
		return nil, nil
	}
	query := "UPDATE grants SET revoked_at = ?, reason = ? WHERE user_id = ? AND user_id <> '' AND revoked_at IS NULL"
	args := []any{utc(now), reason, userID}
	if clientID != "" {
		if !findable(clientID) {
			return nil, nil
		}
		query += " AND client_id = ?"
		args = append(args, clientID)
	}
	return s.db.ids(ctx, "grants.revoke_of_user", query+" RETURNING id", args...)
}

// RevokeOfClient implements grant.Store.
func (s *Grants) RevokeOfClient(ctx context.Context, clientID, reason string, now time.Time) error {
	if !findable(clientID) {
		return nil
	}
	_, err := s.db.exec(ctx, "grants.revoke_of_client", "UPDATE grants SET revoked_at = ?, reason = ? WHERE client_id = ? AND revoked_at IS NULL", utc(now), reason, clientID)
	return err
}

// DeleteExpired implements grant.Store.
func (s *Grants) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	longest, err := s.longestTokenLife(ctx)
	if err != nil {
		return 0, err
	}
	grants, err := s.db.prune(ctx, "grants.delete_expired",
		"DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE keep_until <= ? ORDER BY keep_until LIMIT ?)",
		now.Add(-max(0, longest-graceDay)), limit)
	if err != nil {
		return grants, err
	}
	tokens, err := s.db.prune(ctx, "grants.delete_expired",
		"DELETE FROM opaque_tokens WHERE hash IN (SELECT hash FROM opaque_tokens WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
		now, limit-grants)
	return grants + tokens, err
}

// longestTokenLife returns the longest life of an access token that an API or
// a client asks for.
func (s *Grants) longestTokenLife(ctx context.Context) (time.Duration, error) {
	var ns int64
	err := s.db.row(ctx, "grants.delete_expired", []any{&ns}, `SELECT coalesce(max(ttl), 0) FROM (
		SELECT max(token_ttl) AS ttl FROM apis
		UNION ALL SELECT max(access_token_ttl) FROM clients WHERE access_token_ttl > 0) AS lives`)
	return time.Duration(ns), err
}
