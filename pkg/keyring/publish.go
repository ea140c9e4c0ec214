package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// published is the JWK Set as it goes over the wire.
type published struct {
	body   []byte
	etag   string
	maxAge time.Duration
}

// cacheFor is how long a verifier may keep the JWK Set: as long as an access
// token lives by default, so that a key revoked in an emergency is trusted no
// longer than a token that was stolen. The set is prepared bytes, so asking
// often is cheap.
const cacheFor = 15 * time.Minute

// JWKS returns the JWK Set (RFC 7517 §5) as application/json, its strong
// ETag, and how long a verifier may cache it: at most half of what a new key
// is published before it signs, so that no cache misses it. The bytes belong
// to the ring.
func (r *Ring) JWKS() (body []byte, etag string, maxAge time.Duration) {
	set := &r.state.Load().set
	return set.body, set.etag, set.maxAge
}

// publish writes every key that signs, will sign, or signed something that
// still lives, the newest of each line first, in the order of the lines.
func publish(s *snapshot, now time.Time, cfg Config) published {
	var b bytes.Buffer
	b.WriteString(`{"keys":[`)
	count := 0
	for _, l := range lines {
		c := s.lines[l]
		for i := len(c) - 1; i >= 0; i-- {
			if c[i].public == nil || c[i].over(now) {
				continue
			}
			if count > 0 {
				b.WriteByte(',')
			}
			b.Write(c[i].jwk)
			count++
		}
	}
	b.WriteString(`]}`)
	sum := sha256.Sum256(b.Bytes())
	return published{
		body:   b.Bytes(),
		etag:   `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
		maxAge: min(cacheFor, cfg.PublishBefore/2),
	}
}
