package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// Config holds what a Ring needs. Zero durations take the defaults.
type Config struct {
	// RotateEvery is how long a key signs before its successor does; default
	// 90 days.
	RotateEvery time.Duration
	// PublishBefore is how long a new key is published before it signs;
	// default 24 hours. It must be longer than any verifier's cache.
	PublishBefore time.Duration
	// MaxTokenLife is the longest life of anything signed; default 24 hours.
	// A retired key stays published that long and a margin more.
	MaxTokenLife time.Duration
	// Refresh is how often an instance reads what the others did; default 30
	// seconds.
	Refresh time.Duration
	// KeepRetired is how long a key that left the JWK Set stays stored, so
	// that an old ID token still serves as id_token_hint; default 90 days.
	KeepRetired time.Duration
	// Audit hears of created, rotated and revoked keys; nil: nobody does.
	Audit audit.Recorder
}

// margin is added to the life of a retired key: clocks of verifiers differ.
const margin = time.Hour

func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		value *time.Duration
		std   time.Duration
	}{
		{&c.RotateEvery, 90 * 24 * time.Hour},
		{&c.PublishBefore, 24 * time.Hour},
		{&c.MaxTokenLife, 24 * time.Hour},
		{&c.Refresh, 30 * time.Second},
		{&c.KeepRetired, 90 * 24 * time.Hour},
	} {
		if *d.value < 0 {
			return c, errors.New("keyring: a duration is negative")
		}
		if *d.value == 0 {
			*d.value = d.std
		}
	}
	switch {
	case c.PublishBefore >= c.RotateEvery:
		return c, fmt.Errorf("keyring: a key is published %s before it signs, which must be less than the %s it signs", c.PublishBefore, c.RotateEvery)
	case c.Refresh >= c.PublishBefore:
		return c, fmt.Errorf("keyring: keys are read every %s, which must be less than the %s they are published before they sign", c.Refresh, c.PublishBefore)
	}
	return c, nil
}

// Ring signs with the current key of each line and publishes every key that a
// verifier may still meet. It is safe for concurrent use.
type Ring struct {
	store  Store
	sealer *secret.Sealer
	cfg    Config

	state atomic.Pointer[snapshot] // replaced whole, never edited
	nudge chan struct{}            // wakes Run before its time

	mu    sync.Mutex // held while the store is read: one reader at a time
	asked time.Time  // when an unknown kid last made us read; guarded by mu
}

// Open reads the keys, makes those that are missing, and returns a ring that
// can sign. Several instances may open at once: they end with the same keys.
// It fails when a key that is still needed cannot be opened, because then
// PORTICO_ENCRYPTION_KEYS lost the key it was sealed under.
func Open(ctx context.Context, store Store, sealer *secret.Sealer, cfg Config) (*Ring, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Ring{store: store, sealer: sealer, cfg: cfg, nudge: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx); err != nil {
		return nil, err
	}
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Algs returns the algorithms that the ring can sign with for the purpose,
// the default one first.
func (r *Ring) Algs(p Purpose) []string {
	var algs []string
	now, s := clock.Now(), r.state.Load()
	for _, l := range lines {
		if l.purpose == p && s.lines[l].signer(now) != nil {
			algs = append(algs, l.alg)
		}
	}
	return algs
}

// Signer returns the key that signs now. fault.NotFound when the ring has no
// line for the purpose and algorithm; fault.Unavailable when the store could
// not be read for so long that a successor may sign already: verifiers might
// have dropped what this instance still holds for current.
func (r *Ring) Signer(p Purpose, alg string) (*Signer, error) {
	now, s := clock.Now(), r.state.Load()
	if r.behind(now, s) {
		return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Signing keys cannot be read at the moment.")
	}
	k := s.lines[line{p, alg}].signer(now)
	if k == nil {
		return nil, fault.New(fault.NotFound, "unsupported_algorithm", "There is no signing key for this algorithm.").
			Compare("alg", "", alg).Compare("purpose", "", string(p))
	}
	return k.signer, nil
}

// behind reports whether the snapshot is too old to sign by, and asks Run to
// read at once when it is: a machine that slept should not wait for the tick.
func (r *Ring) behind(now time.Time, s *snapshot) bool {
	if now.Sub(s.loaded) <= r.cfg.PublishBefore {
		return false
	}
	r.wake()
	return true
}

func (r *Ring) wake() {
	select {
	case r.nudge <- struct{}{}:
	default: // Run is already asked
	}
}
