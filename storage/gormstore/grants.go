package gormstore

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/grant"
)

// Grants implements grant.Store. Its statements are written by hand, because
// every code and every refresh runs through them.
type Grants struct{ db *DB }

// Grants returns the store of grants.
func (d *DB) Grants() *Grants { return &Grants{d} }

// grantColumns are in the order of grantRow.targets.
const grantColumns = `g.id, g.client_id, g.user_id, g.session_id, g.scopes, g.audiences, g.resources,
	g.code_hash, g.code_expires_at, g.code_used_at, g.redirect_uri, g.challenge, g.nonce, g.claims_request, g.dpop_key,
	g.auth_time, g.acr, g.amr,
	g.refresh_hash, g.refresh_generation, g.refresh_idle_expires_at, g.refresh_expires_at,
	g.previous_hash, g.rotated_at, g.retry_key, g.retry_answer,
	g.offline, g.created_at, g.revoked_at, g.reason`

// grantRow is a grant as its columns hold it.
type grantRow struct {
	grant.Grant
	scopes, audiences, resources, amr list
	codeHash                          *string
	codeExpiresAt, codeUsedAt         *time.Time
	authTime                          *time.Time
	refreshHash, previousHash         *string
	refreshIdleExpiresAt              *time.Time
	refreshExpiresAt                  *time.Time
	rotatedAt, revokedAt              *time.Time
}

func (r *grantRow) targets() []any {
	return []any{
		&r.ID, &r.ClientID, &r.UserID, &r.SessionID, &r.scopes, &r.audiences, &r.resources,
		&r.codeHash, &r.codeExpiresAt, &r.codeUsedAt, &r.RedirectURI, &r.Challenge, &r.Nonce, &r.ClaimsRequest, &r.DPoPKey,
		&r.authTime, &r.ACR, &r.amr,
		&r.refreshHash, &r.RefreshGeneration, &r.refreshIdleExpiresAt, &r.refreshExpiresAt,
		&r.previousHash, &r.rotatedAt, &r.RetryKey, &r.RetryAnswer,
		&r.Offline, &r.CreatedAt, &r.revokedAt, &r.Reason,
	}
}

// grant completes what the targets left beside the Grant.
func (r *grantRow) grant() grant.Grant {
	g := r.Grant
	g.Scopes, g.Audiences, g.Resources, g.AMR = r.scopes, r.audiences, r.resources, r.amr
	g.CodeHash, g.CodeExpiresAt, g.CodeUsedAt = str(r.codeHash), since(r.codeExpiresAt), since(r.codeUsedAt)
	g.AuthTime = since(r.authTime)
	g.RefreshHash, g.PreviousHash = str(r.refreshHash), str(r.previousHash)
	g.RefreshIdleExpiresAt, g.RefreshExpiresAt = since(r.refreshIdleExpiresAt), since(r.refreshExpiresAt)
	g.RotatedAt, g.RevokedAt = since(r.rotatedAt), since(r.revokedAt)
	g.CreatedAt = g.CreatedAt.UTC()
	return g
}

// Create implements grant.Store.
func (s *Grants) Create(ctx context.Context, g grant.Grant) error {
	if !findable(g.ID) {
		return malformed
	}
	n, err := s.db.exec(ctx, "grants.create", `INSERT INTO grants (
		id, client_id, user_id, session_id, scopes, audiences, resources,
		code_hash, code_expires_at, code_used_at, redirect_uri, challenge, nonce, claims_request, dpop_key,
		auth_time, acr, amr,
		refresh_hash, refresh_generation, refresh_idle_expires_at, refresh_expires_at,
		previous_hash, rotated_at, retry_key, retry_answer,
		offline, created_at, revoked_at, reason, keep_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`,
		g.ID, g.ClientID, g.UserID, g.SessionID, list(g.Scopes), list(g.Audiences), list(g.Resources),
		text(g.CodeHash), at(g.CodeExpiresAt), at(g.CodeUsedAt), g.RedirectURI, g.Challenge, g.Nonce, g.ClaimsRequest, g.DPoPKey,
		at(g.AuthTime), g.ACR, list(g.AMR),
		text(g.RefreshHash), g.RefreshGeneration, at(g.RefreshIdleExpiresAt), at(g.RefreshExpiresAt),
		text(g.PreviousHash), at(g.RotatedAt), g.RetryKey, g.RetryAnswer,
		g.Offline, utc(g.CreatedAt), at(g.RevokedAt), g.Reason, keepUntil(g.CreatedAt, g.CodeExpiresAt, g.RefreshIdleExpiresAt))
	return won(n, err)
}

// ByCode implements grant.Store.
func (s *Grants) ByCode(ctx context.Context, codeHash string) (grant.Grant, error) {
	return s.one(ctx, "grants.by_code", "SELECT "+grantColumns+" FROM grants g WHERE g.code_hash = ?", codeHash)
}

// ByID implements grant.Store.
func (s *Grants) ByID(ctx context.Context, id string) (grant.Grant, error) {
	return s.one(ctx, "grants.by_id", "SELECT "+grantColumns+" FROM grants g WHERE g.id = ?", id)
}

func (s *Grants) one(ctx context.Context, op, query, key string) (grant.Grant, error) {
	if !findable(key) {
		return grant.Grant{}, notFound
	}
	var row grantRow
	if err := s.db.row(ctx, op, row.targets(), query, key); err != nil {
		return grant.Grant{}, err
	}
	return row.grant(), nil
}

// OfUser implements grant.Store.
func (s *Grants) OfUser(ctx context.Context, userID string, now time.Time) ([]grant.Grant, error) {
	if !findable(userID) {
		return nil, nil
	}
	found := map[string]bool{} // an answer that is begun again gives a row twice
	var out []grant.Grant
	err := s.db.each(ctx, "grants.of_user", "SELECT "+grantColumns+` FROM grants g
		WHERE g.user_id = ? AND g.user_id <> '' AND g.revoked_at IS NULL
			AND (g.code_used_at IS NULL AND g.code_expires_at > ?
				OR g.refresh_hash IS NOT NULL AND g.refresh_idle_expires_at > ? AND g.refresh_expires_at > ?)
		ORDER BY g.created_at DESC, g.id DESC`, func(r rower) error {
		var row grantRow
		if err := r.Scan(row.targets()...); err != nil {
			return err
		}
		if !found[row.ID] {
			found[row.ID] = true
			out = append(out, row.grant())
		}
		return nil
	}, userID, utc(now), utc(now), utc(now))
	return out, err
}

const standingQuery = "SELECT " + grantColumns + `, u.disabled, s.expires_at, s.ended_at, c.scopes
	FROM grants g
	LEFT JOIN users u ON u.id = g.user_id
	LEFT JOIN sessions s ON s.id = g.session_id
	LEFT JOIN consents c ON c.user_id = g.user_id AND c.client_id = g.client_id
	WHERE g.id = ?`

// Standing implements grant.Store. Nobody dates the question, so our own
// clock decides whether the session is over.
func (s *Grants) Standing(ctx context.Context, id string) (grant.Standing, error) {
	if !findable(id) {
		return grant.Standing{}, notFound
	}
	var (
		row                  grantRow
		disabled             *bool
		sessionEnds, endedAt *time.Time
		consentScopes        list
		consent              = present{&consentScopes, new(bool)}
	)
	targets := append(row.targets(), &disabled, &sessionEnds, &endedAt, consent)
	if err := s.db.row(ctx, "grants.standing", targets, standingQuery, id); err != nil {
		return grant.Standing{}, err
	}
	return grant.Standing{
		Grant:         row.grant(),
		UserActive:    disabled != nil && !*disabled,
		SessionLive:   sessionEnds != nil && endedAt == nil && s.db.opts.Now().Before(*sessionEnds),
		ConsentGiven:  *consent.given,
		ConsentScopes: consentScopes,
	}, nil
}

// present scans a list of a joined row and notes whether there was a row.
type present struct {
	list  *list
	given *bool
}

// Scan implements sql.Scanner.
func (p present) Scan(src any) error {
	*p.given = src != nil
	return p.list.Scan(src)
}

// Redeem implements grant.Store.
func (s *Grants) Redeem(ctx context.Context, r grant.Redemption) error {
	if !findable(r.GrantID, r.CodeHash) {
		return conflict
	}
	now := utc(r.Now)
	n, err := s.db.exec(ctx, "grants.redeem", `UPDATE grants
		SET code_used_at = ?, refresh_hash = ?, refresh_idle_expires_at = ?, refresh_expires_at = ?, keep_until = ?
		WHERE id = ? AND code_hash = ? AND code_used_at IS NULL AND code_expires_at > ? AND revoked_at IS NULL`,
		now, text(r.RefreshHash), at(r.RefreshIdleExpiresAt), at(r.RefreshExpiresAt), keepUntil(r.Now, r.RefreshIdleExpiresAt),
		r.GrantID, r.CodeHash, now)
	return won(n, err)
}

// Rotate implements grant.Store.
func (s *Grants) Rotate(ctx context.Context, r grant.Rotation) error {
	if !findable(r.GrantID, r.OldHash) {
		return conflict
	}
	if !findable(r.NewHash) {
		return malformed
	}
	now := utc(r.Now)
	n, err := s.db.exec(ctx, "grants.rotate", `UPDATE grants
		SET previous_hash = refresh_hash, refresh_hash = ?, refresh_generation = refresh_generation + 1,
			refresh_idle_expires_at = ?, rotated_at = ?, retry_key = ?, retry_answer = ?, keep_until = ?
		WHERE id = ? AND refresh_hash = ? AND revoked_at IS NULL AND refresh_idle_expires_at > ? AND refresh_expires_at > ?`,
		r.NewHash, at(r.IdleExpiresAt), now, r.RetryKey, r.RetryAnswer, keepUntil(r.Now, r.IdleExpiresAt),
		r.GrantID, r.OldHash, now, now)
	return won(n, err)
}
