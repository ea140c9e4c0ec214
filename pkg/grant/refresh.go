package grant

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/secret"
)

// Layout of a refresh token's payload: gid(16) ‖ generation(4) ‖ random(32) ‖
// tag(16). The tag is a keyed hash of the first three, so a token of a past
// generation still proves that Portico made it, although only the newest one
// is stored: that is how reuse is told from garbage.
const (
	gidLen    = 16
	genLen    = 4
	randomLen = 32
	tagLen    = 16
	bodyLen   = gidLen + genLen + randomLen
)

// Refresh is a refresh token that Portico made: its tag was verified. Whether
// it still stands is for Judge to say.
type Refresh struct {
	GrantID    string
	Generation int
	Hash       string // fingerprint
}

// NewRefresh mints the refresh token of the generation and returns it with
// its fingerprint. grantID is one that secret.ID made.
func (s *Service) NewRefresh(grantID string, generation int) (token, hash string, err error) {
	gid, err := base64.RawURLEncoding.Strict().DecodeString(grantID)
	if err != nil || len(gid) != gidLen || generation < 0 {
		return "", "", errBadID
	}
	body := make([]byte, 0, bodyLen+tagLen)
	body = append(body, gid...)
	body = binary.BigEndian.AppendUint32(body, uint32(generation))
	var random [randomLen]byte
	_, _ = rand.Read(random[:]) // never fails
	body = append(body, random[:]...)
	body = append(body, s.fp.Tag(secret.RefreshToken, string(body))...)
	token = secret.Wrap(secret.RefreshToken, body)
	return token, s.fp.Of(secret.RefreshToken, token), nil
}

// ParseRefresh reads a presented token without asking any store. ok is false
// for everything that Portico did not make: garbage revokes nothing.
func (s *Service) ParseRefresh(token string) (r Refresh, ok bool) {
	body, ok := secret.Unwrap(secret.RefreshToken, token)
	if !ok || len(body) != bodyLen+tagLen {
		return Refresh{}, false
	}
	if !secret.Equal(body[bodyLen:], s.fp.Tag(secret.RefreshToken, string(body[:bodyLen]))) {
		return Refresh{}, false
	}
	return Refresh{
		GrantID:    base64.RawURLEncoding.EncodeToString(body[:gidLen]),
		Generation: int(binary.BigEndian.Uint32(body[gidLen : gidLen+genLen])),
		Hash:       s.fp.Of(secret.RefreshToken, token),
	}, true
}

// LooksLikeRefresh reports whether the token bears the prefix of refresh
// tokens, so that a lookup can begin with the right kind.
func LooksLikeRefresh(token string) bool {
	return strings.HasPrefix(token, string(secret.RefreshToken)+"_")
}

// State is what a presented refresh token is to its grant.
type State int

// States of a refresh token.
const (
	// Current is the live token: rotate it.
	Current State = iota
	// Retried is the token before, within the retry window: its answer may be
	// given again if the retry is the same request.
	Retried
	// Spent is a token that was rotated away: somebody else has it too.
	Spent
	// Expired is the live token after its idle or absolute limit.
	Expired
	// Ended says that the grant was revoked, whatever the token was.
	Ended
)

// Judge says what the token is to the grant at now. window is how long after
// a rotation the token before may be retried; zero or less: never.
func Judge(g *Grant, r Refresh, now time.Time, window time.Duration) State {
	switch {
	case g.Revoked():
		return Ended
	case g.RefreshHash != "" && secret.Equal(g.RefreshHash, r.Hash):
		if !now.Before(g.RefreshExpiresAt) || !now.Before(g.RefreshIdleExpiresAt) {
			return Expired
		}
		return Current
	case g.PreviousHash != "" && secret.Equal(g.PreviousHash, r.Hash) && within(now.Sub(g.RotatedAt), window):
		if !now.Before(g.RefreshExpiresAt) {
			return Expired
		}
		return Retried
	default:
		return Spent
	}
}

// within allows the window on both sides: another instance, whose clock is a
// little ahead, may have rotated.
func within(since, window time.Duration) bool {
	return window > 0 && since <= window && since >= -window
}
