package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// rsaBits is the size of RSA keys: what every verifier accepts, and the
// least that RFC 7518 §3.3 allows.
const rsaBits = 2048

// generate makes a private key for the algorithm, with its kid.
func generate(alg string) (jose.JSONWebKey, error) {
	var private crypto.Signer
	var err error
	switch jose.SignatureAlgorithm(alg) {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case jose.RS256, jose.PS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		err = fmt.Errorf("keyring: no keys for algorithm %q", alg)
	}
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	k := jose.JSONWebKey{Key: private, Algorithm: alg, Use: "sig"}
	k.KeyID, err = thumbprint(k.Public())
	return k, err
}

// seal turns a fresh private key into a row that follows predecessor.
func (r *Ring) seal(private jose.JSONWebKey, p Purpose, predecessor string, created, active time.Time) (Key, error) {
	public := private.Public()
	open, err := public.MarshalJSON()
	if err != nil {
		return Key{}, err
	}
	plain, err := private.MarshalJSON()
	if err != nil {
		return Key{}, err
	}
	defer clear(plain)
	return Key{
		ID: private.KeyID, Purpose: p, Alg: private.Algorithm, Predecessor: predecessor,
		Public: open, Sealed: r.sealer.Seal(place(private.KeyID), plain),
		CreatedAt: created, ActiveAt: active,
	}, nil
}

// fill makes a key for every line that has none that can sign, at once
// active: where nothing was published nobody can hold an older set, and where
// the last key was revoked there is nothing else to sign with. Making RSA
// keys takes most of a first start, so they are made side by side. Callers
// hold mu.
func (r *Ring) fill(ctx context.Context) error {
	now, s := clock.Now(), r.state.Load()
	var missing []line
	for _, l := range lines {
		if !s.lines[l].usable(now) {
			missing = append(missing, l)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fresh := make([]jose.JSONWebKey, len(missing))
	var making errgroup.Group
	for i, l := range missing {
		making.Go(func() (err error) {
			fresh[i], err = generate(l.alg)
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	for i, l := range missing {
		err := r.add(ctx, fresh[i], l, s.lines[l].last(), now, now)
		if err != nil && !fault.Is(err, fault.Conflict) { // somebody else was first
			return err
		}
	}
	return r.reload(ctx)
}

// add stores a fresh key behind last (nil: the first of its line).
func (r *Ring) add(ctx context.Context, private jose.JSONWebKey, l line, last *key, now, active time.Time) error {
	event, predecessor := audit.KeyCreated, ""
	if last != nil {
		event, predecessor = audit.KeyRotated, last.row.ID
	}
	row, err := r.seal(private, l.purpose, predecessor, stored(now), stored(active))
	if err != nil {
		return fmt.Errorf("seal signing key: %w", err)
	}
	if err := r.store.Add(ctx, row, stored(r.retires(now))); err != nil {
		return fmt.Errorf("store signing key: %w", err)
	}
	r.record(ctx, event, row)
	return nil
}

// retires returns when a key that gets a successor at now leaves the JWK Set.
// It may sign for PublishBefore more, also after an emergency, on an instance
// that has not heard (see behind); then the last token it signed lives on.
func (r *Ring) retires(now time.Time) time.Time {
	return now.Add(r.cfg.PublishBefore + r.cfg.MaxTokenLife + margin)
}

// stored cuts a time to what every database keeps.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func (r *Ring) record(ctx context.Context, event audit.Name, row Key) {
	if r.cfg.Audit == nil {
		return
	}
	r.cfg.Audit.Record(ctx, audit.Event{Name: event, Data: map[string]string{
		"kid": row.ID, "purpose": string(row.Purpose), "alg": row.Alg,
	}})
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}
