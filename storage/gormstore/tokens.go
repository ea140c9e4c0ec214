package gormstore

import (
	"context"

	"github.com/portico-id/portico/pkg/grant"
)

// PutToken implements grant.Store.
func (s *Grants) PutToken(ctx context.Context, t grant.OpaqueToken) error {
	if !findable(t.Hash) {
		return malformed
	}
	n, err := s.db.exec(ctx, "grants.put_token", `INSERT INTO opaque_tokens (hash, grant_id, jti, client_id, claims, expires_at)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		t.Hash, t.GrantID, t.JTI, t.ClientID, string(t.Claims), utc(t.ExpiresAt))
	return won(n, err)
}

// Token implements grant.Store.
func (s *Grants) Token(ctx context.Context, hash string) (grant.OpaqueToken, error) {
	if !findable(hash) {
		return grant.OpaqueToken{}, notFound
	}
	var (
		t      grant.OpaqueToken
		claims string
	)
	err := s.db.row(ctx, "grants.token", []any{&t.Hash, &t.GrantID, &t.JTI, &t.ClientID, &claims, &t.ExpiresAt},
		"SELECT hash, grant_id, jti, client_id, claims, expires_at FROM opaque_tokens WHERE hash = ?", hash)
	if err != nil {
		return grant.OpaqueToken{}, err
	}
	t.Claims, t.ExpiresAt = []byte(claims), t.ExpiresAt.UTC()
	return t, nil
}

// DeleteToken implements grant.Store.
func (s *Grants) DeleteToken(ctx context.Context, hash string) error {
	if !findable(hash) {
		return nil
	}
	_, err := s.db.exec(ctx, "grants.delete_token", "DELETE FROM opaque_tokens WHERE hash = ?", hash)
	return err
}
