package keyring

import (
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A line is one purpose with one algorithm: a chain of keys that follow each
// other. A key serves one line only (RFC 8725 §3.1: one algorithm per key).
type line struct {
	purpose Purpose
	alg     string
}

// lines are what a ring signs with, the default of each purpose first. RS256
// leads for ID tokens because OIDC Core §15.1 lets clients assume it.
var lines = []line{
	{IDTokens, string(jose.RS256)},
	{IDTokens, string(jose.ES256)},
	{IDTokens, string(jose.PS256)},
	{IDTokens, string(jose.EdDSA)},
	{AccessTokens, string(jose.ES256)},
	{Answers, string(jose.RS256)},
	{Answers, string(jose.ES256)},
}

// A chain holds the keys of a line, oldest first.
type chain []*key

// newChain orders keys by who follows whom, not by time: the clock may have
// stepped back between two rotations.
func newChain(keys []*key) chain {
	follower := make(map[string]*key, len(keys))
	known := make(map[string]bool, len(keys))
	for _, k := range keys {
		known[k.row.ID] = true
		if k.row.Predecessor != "" {
			follower[k.row.Predecessor] = k
		}
	}
	ordered := make(chain, 0, len(keys))
	for _, k := range keys {
		if known[k.row.Predecessor] {
			continue // reached from its predecessor
		}
		for ; k != nil && len(ordered) < len(keys); k = follower[k.row.ID] {
			ordered = append(ordered, k)
		}
	}
	return ordered
}

// signer returns the key that signs at now: the newest active one that can.
// When none is active it is the oldest that can, because the clock stepped
// back, or the active one was revoked before its published successor's time.
func (c chain) signer(now time.Time) *key {
	var first *key
	for i := len(c) - 1; i >= 0; i-- {
		k := c[i]
		if !k.signs(now) {
			continue
		}
		if !now.Before(k.row.ActiveAt) {
			return k
		}
		first = k
	}
	return first
}

// last returns the newest key, whatever its state, or nil.
func (c chain) last() *key {
	if len(c) == 0 {
		return nil
	}
	return c[len(c)-1]
}

// usable reports whether any key can sign, now or later.
func (c chain) usable(now time.Time) bool { return c.signer(now) != nil }

// due reports whether it is time to publish a successor: so long before the
// newest key has signed its time, or at once when that one was revoked.
func (c chain) due(now time.Time, cfg Config) bool {
	k := c.last()
	if k == nil {
		return false
	}
	return !k.row.RevokedAt.IsZero() || !now.Before(k.row.ActiveAt.Add(cfg.RotateEvery-cfg.PublishBefore))
}
