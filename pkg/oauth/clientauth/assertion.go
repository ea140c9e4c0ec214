package clientauth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/protocol"
)

// Times of an assertion (RFC 7523 §3). exp gets no leeway: an assertion is
// made for one request. iat and nbf do, for clocks that are ahead of ours.
const (
	maxAhead = 10 * time.Minute // how far ahead exp may be
	skew     = time.Minute      // how far ahead iat and nbf may be
)

// Bounds of the texts in an assertion.
const (
	maxJTI = 256
	maxKID = 256
)

// checkAssertion verifies an assertion of the client (RFC 7523 §3). Its id is
// claimed last, when everything else is right: a refused assertion leaves no
// trace, and nobody can burn an id that they do not hold the key for.
func (a *Authenticator) checkAssertion(ctx context.Context, c *client.Client, token string) error {
	h, err := readHeader(token)
	if err != nil {
		return err
	}
	if c.AuthSigningAlg != "" && !jwks.SameAlg(h.Alg, c.AuthSigningAlg) {
		return failed("RFC 7591 §2 the algorithm is the one the client registered").Compare("alg", c.AuthSigningAlg, h.Alg)
	}
	keys, err := a.keysOf(ctx, c, h)
	if err != nil {
		return err
	}
	payload, err := verify(token, h, keys)
	if err != nil {
		return err
	}
	k, err := readClaims(payload)
	if err != nil {
		return err
	}
	now := clock.Now()
	if err := a.judge(k, c, now); err != nil {
		return err
	}
	return a.claimID(ctx, c, k, now)
}

// keysOf returns the client's own keys that fit the header, and no others:
// nothing in an assertion names or brings a key (RFC 8725 §3.10).
func (a *Authenticator) keysOf(ctx context.Context, c *client.Client, h header) ([]jose.JSONWebKey, error) {
	if c.JWKSURI != "" {
		if a.cfg.Keys == nil {
			return nil, fault.New(fault.Unavailable, protocol.ErrTemporarilyUnavailable, "The client's keys cannot be fetched at the moment.")
		}
		keys, err := a.cfg.Keys.Keys(ctx, c.JWKSURI, h.KeyID, h.Alg)
		if fault.Is(err, fault.NotFound) {
			return nil, noKey(h).Because(err)
		}
		return keys, err
	}
	set, err := a.inline(c.JWKS)
	if err != nil {
		return nil, err
	}
	keys := jwks.Select(set, h.KeyID, h.Alg)
	if len(keys) == 0 {
		return nil, noKey(h)
	}
	return keys, nil
}

func noKey(h header) *fault.Error {
	return failed("RFC 7523 §3 the key is registered for the client").Compare("kid", "a key of the client for "+h.Alg, h.KeyID).
		WithHint("register the public key of the client, or correct its jwks_uri")
}

// inline parses a registered key set once.
func (a *Authenticator) inline(raw json.RawMessage) (*jose.JSONWebKeySet, error) {
	digest := sha256.Sum256(raw)
	if set, ok := a.sets.GetIfPresent(digest); ok {
		return set, nil
	}
	set, err := jwks.ParseSet(raw)
	if err != nil {
		return nil, failed("RFC 7523 §3 the client has keys").Because(err).WithHint("register a sound key set for the client")
	}
	a.sets.Set(digest, set)
	return set, nil
}

// verify tries the keys that fit; there are at most twenty.
func verify(token string, h header, keys []jose.JSONWebKey) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.Alg)})
	if err != nil {
		return nil, failed("RFC 7515 §5.2 the assertion is a compact JWS").Because(err)
	}
	err = errors.New("no key")
	for _, k := range keys {
		var payload []byte
		if payload, err = jws.Verify(verifier(k.Key, h.Alg)); err == nil {
			return payload, nil
		}
	}
	return nil, failed("RFC 7523 §3 the signature is the client's").Because(err)
}

// verifier is what go-jose verifies with. It knows Ed25519 by its older name
// only.
func verifier(key any, alg string) any {
	if public, ok := key.(ed25519.PublicKey); ok && alg == jwks.AlgEd25519 {
		return ed25519Verifier(public)
	}
	return key
}

// ed25519Verifier verifies signatures of the algorithm Ed25519 (RFC 9864 §2.2).
type ed25519Verifier ed25519.PublicKey

// VerifyPayload implements jose.OpaqueVerifier.
func (v ed25519Verifier) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	if alg != jwks.AlgEd25519 || !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return errors.New("clientauth: the signature is not of this key")
	}
	return nil
}

// judge looks at the claims of a verified assertion.
func (a *Authenticator) judge(k claimSet, c *client.Client, now time.Time) *fault.Error {
	switch {
	case k.Issuer != c.ID || k.Subject != c.ID:
		return failed("RFC 7523 §3 iss and sub are the client").Compare("iss", c.ID, k.Issuer).Compare("sub", c.ID, k.Subject)
	case !a.meansUs(k.Audience):
		return failed("RFC 7523 §3 aud is this server").Compare("aud", a.cfg.Issuer+" or "+a.cfg.TokenURL, strings.Join(k.Audience, " "))
	case k.Expires.IsZero():
		return failed("RFC 7523 §3 exp is there").Compare("exp", "present", "absent")
	case !now.Before(k.Expires):
		return failed("RFC 7523 §3 the assertion has not expired").Compare("exp", "after "+stamp(now), stamp(k.Expires)).
			WithHint("the clock of the client may be slow")
	case k.Expires.After(now.Add(maxAhead + skew)):
		return failed("RFC 7523 §3 exp is near").Compare("exp", "within 10 minutes", stamp(k.Expires))
	case k.NotBefore.After(now.Add(skew)):
		return failed("RFC 7523 §3 nbf has passed").Compare("nbf", "before "+stamp(now), stamp(k.NotBefore))
	case k.IssuedAt.After(now.Add(skew)):
		return failed("RFC 7523 §3 iat is not in the future").Compare("iat", "before "+stamp(now), stamp(k.IssuedAt)).
			WithHint("the clock of the client may be fast")
	case k.ID == "" || len(k.ID) > maxJTI:
		return failed("RFC 7523 §3 jti is there, with at most 256 bytes")
	}
	return nil
}

// meansUs accepts the issuer or the token endpoint, and arrays of only these.
func (a *Authenticator) meansUs(aud []string) bool {
	if len(aud) == 0 {
		return false
	}
	return !slices.ContainsFunc(aud, func(s string) bool {
		return s != a.cfg.Issuer && (s != a.cfg.TokenURL || s == "")
	})
}

// claimID makes the assertion single-use, in a namespace of the client. One
// without iat counts as old as it can be, because the replay set must know
// whether it may have been seen before the set began.
func (a *Authenticator) claimID(ctx context.Context, c *client.Client, k claimSet, now time.Time) error {
	if a.cfg.Replay == nil {
		return fault.New(fault.Unavailable, protocol.ErrTemporarilyUnavailable, "Assertions cannot be checked at the moment.")
	}
	issued := k.IssuedAt
	if issued.IsZero() {
		issued = k.Expires.Add(-maxAhead - skew)
	}
	err := a.cfg.Replay.Claim(ctx, "client_assertion/"+c.ID, k.ID, issued, k.Expires, now)
	if fault.Is(err, fault.Conflict) {
		return failed("RFC 7523 §3 the assertion is used once").Because(err).Compare("jti", "unseen", "seen, or older than the replay set").
			WithHint("the client must make a new assertion for each request")
	}
	return err
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
