// Package jwks keeps the JWK Sets that strangers publish (a client's
// jwks_uri): fetched once for all who wait, cached, fetched again for a key id
// that is not known, but never more often than a floor allows. It verifies
// nothing and publishes nothing (keyring does).
package jwks

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/portico-id/portico/pkg/fault"
)

// Fetcher fetches a document within bounds of its own; safehttp.Client is one.
type Fetcher interface {
	Get(ctx context.Context, address, accept string) (body []byte, header http.Header, err error)
}

// Config holds what a Cache may be told. Zero values take the defaults.
type Config struct {
	// TTL is how long a set is used without asking again. A shorter max-age of
	// the answer counts, down to MinTTL. Default 15 minutes.
	TTL time.Duration
	// MinTTL is how long a set is used whatever its answer said. Default 1
	// minute.
	MinTTL time.Duration
	// StaleFor is how long after that it is still used while it cannot be
	// fetched. Default 1 hour.
	StaleFor time.Duration
	// Floor is the least time between two fetches of an address that were
	// forced by an unknown key id, and between two after a failed one.
	// Default 30 seconds.
	Floor time.Duration
	// MaxEntries bounds the addresses that are remembered; the one that was
	// not used for longest leaves. Default 1,000.
	MaxEntries int
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value *time.Duration
		std   time.Duration
	}{
		{&c.TTL, 15 * time.Minute},
		{&c.MinTTL, time.Minute},
		{&c.StaleFor, time.Hour},
		{&c.Floor, 30 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.std
		}
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = 1000
	}
	return c
}

// Cache serves the keys behind addresses. It is safe for concurrent use.
type Cache struct {
	fetch Fetcher
	cfg   Config
	calls singleflight.Group

	mu      sync.Mutex
	entries map[string]*entry
}

// NewCache returns an empty cache over the fetcher.
func NewCache(fetch Fetcher, cfg Config) *Cache {
	return &Cache{fetch: fetch, cfg: cfg.withDefaults(), entries: make(map[string]*entry)}
}

// Key returns the one key at the address that fits kid and alg. fault.NotFound
// when there is none, or without a kid more than one; fault.Unavailable when
// the set could not be had.
func (c *Cache) Key(ctx context.Context, address, kid, alg string) (jose.JSONWebKey, error) {
	keys, err := c.Keys(ctx, address, kid, alg)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	if len(keys) > 1 {
		return jose.JSONWebKey{}, fault.New(fault.NotFound, "key_not_found", "The key that signed is not clear.").
			Under("RFC 7515 §4.1.4 kid names one key").Compare("kid", "one key", kid)
	}
	return keys[0], nil
}

// Keys returns every key at the address that fits kid and alg (Select), at
// least one. When none fits, the set is fetched again, at most once per floor:
// its owner may have rotated. Faults as for Key.
func (c *Cache) Keys(ctx context.Context, address, kid, alg string) ([]jose.JSONWebKey, error) {
	set, fetched, err := c.set(ctx, address, false)
	if err != nil {
		return nil, err
	}
	found := Select(set, kid, alg)
	if len(found) == 0 && !fetched {
		if set, _, err = c.set(ctx, address, true); err != nil {
			return nil, err
		}
		found = Select(set, kid, alg)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "key_not_found", "The key that signed is not published.").
			Under("RFC 7515 §4.1.4 kid names a published key").Compare("kid", "", kid).Compare("alg", "", alg)
	}
	return found, nil
}

// Set returns the whole set at the address, or a fault.Unavailable.
func (c *Cache) Set(ctx context.Context, address string) (*jose.JSONWebKeySet, error) {
	set, _, err := c.set(ctx, address, false)
	return set, err
}
