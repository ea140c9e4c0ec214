package keyring

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// key is a stored key with what was prepared from it once.
type key struct {
	row    Key
	public any             // nil: it could not be opened, or was revoked
	jwk    json.RawMessage // public JWK
	signer *Signer         // nil with public
	until  time.Time       // signs no later, or its tokens would outlive it; zero: no limit
}

// signs reports whether the key may sign at now, if its turn has come.
func (k *key) signs(now time.Time) bool {
	return k.signer != nil && !k.over(now) && (k.until.IsZero() || now.Before(k.until))
}

// over reports whether the key has ended: revoked, or past its time. The
// clock decides only the second, so a revoked key stays dead when it steps.
func (k *key) over(now time.Time) bool {
	return !k.row.RevokedAt.IsZero() || k.past(now)
}

func (k *key) past(now time.Time) bool {
	return !k.row.ExpiresAt.IsZero() && !now.Before(k.row.ExpiresAt)
}

// snapshot is everything that signing, verifying and publishing need.
type snapshot struct {
	keys   map[string]*key // by kid
	lines  map[line]chain
	set    published
	loaded time.Time // wall clock of the last complete reading
}

// reload reads the store and swaps the snapshot. A key that cannot be opened
// is left out and reported, and the snapshot keeps its old age: what others
// did is seen (a revocation above all), and signing ends in time if the
// trouble stays. Callers hold mu.
func (r *Ring) reload(ctx context.Context) error {
	rows, err := r.store.List(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	now, old := clock.Now().Round(0), r.state.Load()
	next := &snapshot{keys: make(map[string]*key, len(rows)), lines: make(map[line]chain, len(lines)), loaded: now}
	byLine := make(map[line][]*key, len(lines))
	var broken []error
	for _, row := range rows {
		k, err := r.prepare(ctx, row, old, now)
		if err != nil {
			broken = append(broken, err)
		}
		next.keys[row.ID] = k
		l := line{row.Purpose, row.Alg}
		byLine[l] = append(byLine[l], k)
	}
	for l, keys := range byLine {
		next.lines[l] = newChain(keys)
	}
	next.set = publish(next, now, r.cfg)
	if len(broken) > 0 {
		next.loaded = time.Time{}
		if old != nil {
			next.loaded = old.loaded
		}
	}
	r.state.Store(next)
	return errors.Join(broken...)
}

// prepare opens a stored key, once in its life: opened keys are carried over
// from the snapshot before. What verifies is derived from the sealed private
// half and never read from the row, so that writing to the database is not
// enough to make Portico trust a stranger's key.
func (r *Ring) prepare(ctx context.Context, row Key, old *snapshot, now time.Time) (*key, error) {
	k := &key{row: row}
	if !row.ExpiresAt.IsZero() {
		k.until = row.ExpiresAt.Add(-r.cfg.MaxTokenLife)
	}
	if !row.RevokedAt.IsZero() {
		return k, nil
	}
	if r.sealer.Stale(row.Sealed) {
		r.reseal(ctx, row)
	}
	if old != nil {
		if had := old.keys[row.ID]; had != nil && had.public != nil && had.row.Purpose == row.Purpose && had.row.Alg == row.Alg {
			k.public, k.jwk, k.signer = had.public, had.jwk, had.signer
			return k, nil
		}
	}
	private, err := r.unseal(row)
	if err != nil {
		if k.past(now) {
			return k, nil // only hints would ask for it; they are refused
		}
		return k, err
	}
	public := private.Public()
	k.public = public.Key
	if k.jwk, err = public.MarshalJSON(); err != nil {
		return k, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	k.signer = newSigner(private)
	return k, nil
}

// place is what a sealed key is bound to.
func place(kid string) string { return "keyring/" + kid }

func (r *Ring) unseal(row Key) (jose.JSONWebKey, error) {
	var private jose.JSONWebKey
	plain, err := r.sealer.Open(place(row.ID), row.Sealed)
	if err != nil {
		return private, fault.Hide(fmt.Errorf("signing key %s: %w", row.ID, err), fault.Internal, "server_error", "A signing key cannot be opened.").
			WithHint("add the encryption key that was in use before to the end of PORTICO_ENCRYPTION_KEYS")
	}
	if err := private.UnmarshalJSON(plain); err != nil {
		return private, fmt.Errorf("signing key %s is not a JWK", row.ID) // the cause might quote it
	}
	kid, err := thumbprint(private.Public())
	if err != nil || private.IsPublic() || kid != row.ID || private.KeyID != row.ID || private.Algorithm != row.Alg {
		return private, fmt.Errorf("signing key %s does not hold the key that its row describes", row.ID)
	}
	return private, nil
}

// reseal seals a key under the newest encryption key. A failure is logged and
// tried again at the next reading: the old encryption key still opens it.
func (r *Ring) reseal(ctx context.Context, row Key) {
	plain, err := r.sealer.Open(place(row.ID), row.Sealed)
	if err != nil {
		return // reported by unseal
	}
	if err := r.store.Reseal(ctx, row.ID, row.Sealed, r.sealer.Seal(place(row.ID), plain)); err != nil {
		slog.ErrorContext(ctx, "signing key stays sealed under an old encryption key", "kid", row.ID, "error", err)
	}
}

// thumbprint is the kid of a key (RFC 7638).
func thumbprint(public jose.JSONWebKey) (string, error) {
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// ServerSecret returns a secret of the server itself, 32 random bytes made at
// the first call and the same for ever: the fingerprint key, the key of form
// tokens. It is kept sealed, and sealed again when PORTICO_ENCRYPTION_KEYS
// has a newer key. Concurrent first calls all get the same one.
func ServerSecret(ctx context.Context, store Store, sealer *secret.Sealer, name string) ([]byte, error) {
	where := "secret/" + name
	fresh := randomBytes(serverSecretSize)
	sealed, err := store.Secret(ctx, name, sealer.Seal(where, fresh))
	if err != nil {
		return nil, fmt.Errorf("read server secret %q: %w", name, err)
	}
	plain, err := sealer.Open(where, sealed)
	if err != nil {
		return nil, fault.Hide(fmt.Errorf("server secret %q: %w", name, err), fault.Internal, "server_error", "A server secret cannot be opened.").
			WithHint("add the encryption key that was in use before to the end of PORTICO_ENCRYPTION_KEYS")
	}
	if len(plain) != serverSecretSize {
		return nil, fmt.Errorf("server secret %q has %d bytes, want %d", name, len(plain), serverSecretSize)
	}
	if sealer.Stale(sealed) {
		if err := store.ResealSecret(ctx, name, sealed, sealer.Seal(where, plain)); err != nil {
			return nil, fmt.Errorf("seal server secret %q again: %w", name, err)
		}
	}
	return plain, nil
}

const serverSecretSize = 32
