package keyring

import (
	"context"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Header is what the protected header of a verified token said.
type Header struct {
	KeyID string
	Alg   string
	Typ   string // empty when absent; the caller decides what it accepts
}

// maxToken bounds a token in bytes before anything looks at it.
const maxToken = 16 << 10

// Verify returns the payload of a token that this ring signed for the
// purpose, with a key that is published. Claims and typ are the caller's to
// check. Everything else is fault.Unauthenticated with code invalid_token and
// the rule that refused: only the compact form, only canonical base64url,
// only our own kid with its own algorithm, no header that we do not write
// (crit, b64, jwk and the like). A retired key verifies until it leaves the
// JWK Set, a revoked one nothing.
func (r *Ring) Verify(p Purpose, token string) (payload []byte, header Header, err error) {
	return r.verify(p, token, func(k *key, now time.Time) bool { return !k.over(now) })
}

// VerifyHint is Verify for an id_token_hint: an ID token, also one whose key
// has left the JWK Set but is still stored, because a hint may be old (OIDC
// RP-Initiated Logout §2, OIDC Core §3.1.2.1). A revoked key verifies nothing.
func (r *Ring) VerifyHint(token string) (payload []byte, header Header, err error) {
	return r.verify(IDTokens, token, func(*key, time.Time) bool { return true })
}

func (r *Ring) verify(p Purpose, token string, accept func(*key, time.Time) bool) ([]byte, Header, error) {
	if err := checkShape(token); err != nil {
		return nil, Header{}, err
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, Header{}, refuse("RFC 7515 §5.2 the token is a compact JWS of an algorithm in use").Because(err)
	}
	h, err := readHeader(&jws.Signatures[0].Protected)
	if err != nil {
		return nil, Header{}, err
	}
	k := r.find(h.KeyID)
	switch {
	case k != nil && !k.row.RevokedAt.IsZero():
		return nil, Header{}, refuse("RFC 7517 §5 the key was not revoked").Compare("kid", "", h.KeyID)
	case k == nil || k.public == nil:
		return nil, Header{}, refuse("RFC 7515 §4.1.4 kid names a key of this server").Compare("kid", "", h.KeyID)
	case k.row.Purpose != p:
		return nil, Header{}, refuse("RFC 8725 §3.12 the key signs tokens of this kind").Compare("purpose", string(p), string(k.row.Purpose))
	case k.row.Alg != h.Alg:
		return nil, Header{}, refuse("RFC 8725 §3.1 alg is the algorithm of the key").Compare("alg", k.row.Alg, h.Alg)
	case !accept(k, clock.Now()):
		return nil, Header{}, refuse("RFC 7517 §5 the key is still published").Compare("kid", "", h.KeyID)
	}
	payload, err := jws.Verify(k.public)
	if err != nil {
		return nil, Header{}, refuse("RFC 7515 §5.2 the signature matches").Because(err)
	}
	return payload, h, nil
}

// algorithms are those of the lines, for the parser; the key's own one is
// demanded after.
var algorithms = func() (algs []jose.SignatureAlgorithm) {
	for _, l := range lines {
		algs = append(algs, jose.SignatureAlgorithm(l.alg))
	}
	return algs
}()

func refuse(rule string) *fault.Error {
	return fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.").Under(rule)
}

// readHeader accepts a header with alg, kid and typ and nothing else: we
// write no other, so one that carries more is not ours (RFC 7515 §4.1.11
// crit, RFC 7797 §3 b64, and every way to bring one's own key).
func readHeader(protected *jose.Header) (Header, error) {
	h := Header{KeyID: protected.KeyID, Alg: protected.Algorithm}
	if protected.JSONWebKey != nil || protected.Nonce != "" {
		return h, refuse("RFC 8725 §3.10 the header carries no key and no nonce")
	}
	for name, value := range protected.ExtraHeaders {
		typ, isText := value.(string)
		if name != jose.HeaderType || !isText {
			return h, refuse("RFC 7515 §4.1.11 the header holds alg, kid and typ only").Compare("header", "alg kid typ", string(name))
		}
		h.Typ = typ
	}
	return h, nil
}

// checkShape refuses before parsing whatever is not three non-empty segments
// of canonical base64url within the bound. The library would skip line breaks
// and ignore stray trailing bits, and then one token has several spellings,
// of which a revocation by digest or a cache sees only one.
func checkShape(token string) error {
	if len(token) > maxToken {
		return fault.New(fault.Unauthenticated, "invalid_token", "The token is too long.").
			Under("security §5.5 the token is at most 16 kB")
	}
	rest, segments := token, 0
	for {
		segment, after, more := strings.Cut(rest, ".")
		if segments++; segments > 3 || !canonical(segment) {
			return refuse("RFC 7515 §7.1 three segments of canonical base64url")
		}
		if !more {
			break
		}
		rest = after
	}
	if segments != 3 {
		return refuse("RFC 7515 §7.1 three segments of canonical base64url")
	}
	return nil
}

// canonical reports whether s is the one unpadded base64url spelling of its
// bytes, and not empty: the bits past the last whole byte are zero.
func canonical(s string) bool {
	var last byte
	for i := range len(s) {
		if last = sextet[s[i]]; last == notBase64 {
			return false
		}
	}
	switch len(s) % 4 {
	case 0:
		return s != ""
	case 2:
		return last&0x0f == 0
	case 3:
		return last&0x03 == 0
	default:
		return false
	}
}

const notBase64 = 0xff

// sextet maps a byte to its base64url value.
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = notBase64
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		t[c] = byte(i)
	}
	return t
}()

// kidLen is the length of a kid: a SHA-256 thumbprint in base64url.
const kidLen = 43

// Bounds of reading the store because of an unknown kid.
const (
	askEvery = time.Second
	askFor   = 2 * time.Second
)

// find returns the key of a kid. One that is unknown but looks like ours makes
// the ring read the store, at most once a second however many strangers ask:
// after an emergency rotation another instance signs at once with a key that
// this one has not seen.
func (r *Ring) find(kid string) *key {
	if k := r.state.Load().keys[kid]; k != nil || len(kid) != kidLen || !canonical(kid) {
		return k
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.state.Load().keys[kid]; k != nil {
		return k // read while we waited
	}
	if now := time.Now(); now.Sub(r.asked) >= askEvery {
		r.asked = now
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		_ = r.reload(ctx) // logged by Run, which reads the same store
	}
	return r.state.Load().keys[kid]
}
