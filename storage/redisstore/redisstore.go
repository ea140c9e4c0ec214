// Package redisstore keeps in Redis what dies soon: flows, counters, spent
// identifiers, the live set of revocations, and copies of sessions. It decides nothing that SQL
// decides, and holds nothing that would open something when lost.
//
// Redis 6.2 is enough. Single servers, Sentinel and Cluster work: a script
// touches one key, or keys that share a hash tag. Redis's own clock and TTL
// only clean up; what has expired is decided by the time that callers pass.
package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Bounds of every operation: short, because a request waits, and the answer
// without Redis is 503 anyway.
const (
	dialLimit = time.Second
	callLimit = 500 * time.Millisecond
	workLimit = 2 * time.Second // one operation with its redirects and retries
)

// slack is how much longer Redis keeps a record than our clock says, so that
// a clock that was ahead for an hour has forgotten nothing when it steps back.
const slack = 2 * time.Hour

// prefix begins every key.
const prefix = "portico:"

// DB is a connection to one Redis, Sentinel group or Cluster. It is safe for
// concurrent use.
type DB struct {
	client redis.UniversalClient
	fresh  bool
	ready  prepared
}

// Options are what the URL does not say.
type Options struct {
	// Fresh says that this installation has issued nothing yet: replay sets
	// that are absent are new and not lost, so their epoch is the beginning
	// of time and the very first assertion is not refused.
	Fresh bool
}

// Open reads the URL; see ParseURL. A Redis that is down for now is no error:
// Ping finds out.
func Open(ctx context.Context, url string, opts Options) (*DB, error) {
	o, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	db := &DB{client: redis.NewUniversalClient(o), fresh: opts.Fresh}
	if err := db.Ping(ctx); err != nil {
		slog.WarnContext(ctx, "Redis cannot be reached yet", "error", err)
	}
	return db, nil
}

// Ping asks the server for a sign of life and, until that was done once, sees
// to it that every replay set is there with an epoch.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	if db.ready.done() {
		return away(db.client.Ping(ctx).Err())
	}
	return db.prepareReplay(ctx, clock.Now())
}

// Close ends all connections.
func (db *DB) Close() error { return db.client.Close() }

// away gives an error of Redis its face. Whatever it is, the store could not
// be asked.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fault.Hide(err, fault.Unavailable, "temporarily_unavailable", "The short-lived store cannot be reached at the moment.")
}

// digest writes any text as a key part of fixed length and alphabet: what
// callers pass may hold braces, which would choose the slot, or an e-mail
// address, which has no business in a key listing.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var size [8]byte
		for i, n := 0, len(p); i < len(size); i, n = i+1, n>>8 {
			size[i] = byte(n)
		}
		h.Write(size[:]) // so that ("ab","c") is not ("a","bc")
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
}

// micros is how times are written: whole microseconds since 1970, exact in
// the double that Lua counts with until the year 2255.
func micros(t time.Time) int64 { return t.UnixMicro() }
