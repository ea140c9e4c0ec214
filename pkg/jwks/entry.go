package jwks

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/fault"
)

// entry is what is known of one address. Guarded by the mutex of the cache.
type entry struct {
	used time.Time // last asked for

	set    *jose.JSONWebKeySet // nil: never had
	until  time.Time           // when it is to be fetched again
	failed time.Time           // last fetch that failed since the last good one
	cause  error               // why
	forced time.Time           // last fetch because of an unknown key id
}

// accept asks for a key set first (RFC 7517 §8.5.2); plain JSON is what most
// servers send.
const accept = "application/jwk-set+json, application/json"

// set returns the keys at the address. fetched reports whether they were
// fetched in this call; force asks for that, and gets it once per floor.
func (c *Cache) set(ctx context.Context, address string, force bool) (set *jose.JSONWebKeySet, fetched bool, err error) {
	now := time.Now()
	c.mu.Lock()
	e := c.entry(address, now)
	fresh := e.set != nil && now.Before(e.until)
	resting := !e.failed.IsZero() && now.Sub(e.failed) < c.cfg.Floor
	switch {
	case fresh && (!force || resting || !e.forced.IsZero() && now.Sub(e.forced) < c.cfg.Floor),
		!fresh && resting:
		set, err = e.answer(now, c.cfg)
		c.mu.Unlock()
		return set, false, err
	}
	if fresh {
		e.forced = now
	}
	c.mu.Unlock()
	return c.load(ctx, address)
}

// load fetches for everybody who waits: the first caller going away must not
// fail the others, and none waits longer than it wants to.
func (c *Cache) load(ctx context.Context, address string) (*jose.JSONWebKeySet, bool, error) {
	done := c.calls.DoChan(address, func() (any, error) {
		set, header, err := c.fetchSet(context.WithoutCancel(ctx), address)
		return c.keep(address, set, header, err)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, false, r.Err
		}
		return r.Val.(*jose.JSONWebKeySet), true, nil
	case <-ctx.Done():
		return nil, false, unavailable(ctx.Err())
	}
}

func (c *Cache) fetchSet(ctx context.Context, address string) (*jose.JSONWebKeySet, http.Header, error) {
	body, header, err := c.fetch.Get(ctx, address, accept)
	if err != nil {
		return nil, nil, err
	}
	set, err := ParseSet(body)
	return set, header, err
}

// keep notes the outcome of a fetch and returns what to use now.
func (c *Cache) keep(address string, set *jose.JSONWebKeySet, header http.Header, err error) (*jose.JSONWebKeySet, error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(address, now)
	if err != nil {
		e.failed, e.cause = now, err
		return e.answer(now, c.cfg)
	}
	e.set, e.until = set, now.Add(c.life(header))
	e.failed, e.cause = time.Time{}, nil
	return set, nil
}

// answer returns the set while it may be used, stale or not.
func (e *entry) answer(now time.Time, cfg Config) (*jose.JSONWebKeySet, error) {
	if e.set != nil && now.Before(e.until.Add(cfg.StaleFor)) {
		return e.set, nil
	}
	return nil, unavailable(e.cause)
}

// unavailable is the face of a set that cannot be had: why is the operator's
// business alone.
func unavailable(cause error) *fault.Error {
	return fault.Hide(cause, fault.Unavailable, "keys_unavailable", "The keys of this party cannot be fetched at the moment.").
		Under("security §9.5 keys are public, sound and reachable")
}

// life returns how long an answer may be used: its max-age within the bounds
// (RFC 9111 §5.2.2.1), no-store and no-cache being the shortest.
func (c *Cache) life(header http.Header) time.Duration {
	life := c.cfg.TTL
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			life = 0
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				life = min(life, time.Duration(n)*time.Second)
			}
		}
	}
	return max(life, min(c.cfg.MinTTL, c.cfg.TTL))
}

// entry returns the entry of the address, a new one if need be, and marks it
// used. The caller holds the mutex.
func (c *Cache) entry(address string, now time.Time) *entry {
	e := c.entries[address]
	if e == nil {
		if len(c.entries) >= c.cfg.MaxEntries {
			c.evict()
		}
		e = &entry{}
		c.entries[address] = e
	}
	e.used = now
	return e
}

// evict drops the entry that was not used for longest.
func (c *Cache) evict() {
	var oldest string
	var when time.Time
	for address, e := range c.entries {
		if when.IsZero() || e.used.Before(when) {
			oldest, when = address, e.used
		}
	}
	delete(c.entries, oldest)
}
