package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/session"
)

// Sessions implements session.Cache: one value per fingerprint, which is a
// copy, or the mark that says it was dropped. A mark counts while it is there:
// that Redis removes it by its own clock is no risk, because by then every
// copy from before is due by ours.
type Sessions struct{ db *DB }

// Sessions returns the cache of sessions.
func (db *DB) Sessions() *Sessions { return &Sessions{db} }

// sessionCopy is how a copy is written. The fingerprint is the key.
type sessionCopy struct {
	Format  int             `json:"f"`
	Until   int64           `json:"u"` // microseconds since 1970
	Session session.Session `json:"s"`
}

// copyFormat changes when an older instance could misread a copy.
const copyFormat = 1

const dropped = "-"

// Get implements session.Cache.
func (s *Sessions) Get(ctx context.Context, hash string, now time.Time) (session.Copy, error) {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	value, err := s.db.client.Get(ctx, sessionKey(hash)).Bytes()
	if errors.Is(err, redis.Nil) {
		return session.Copy{}, errNoCopy
	} else if err != nil {
		return session.Copy{}, away(err)
	}
	var c sessionCopy
	if err := json.Unmarshal(value, &c); err != nil || c.Format != copyFormat || micros(now) >= c.Until {
		return session.Copy{}, errNoCopy // dropped, of another version, or due
	}
	c.Session.Hash = hash
	return session.Copy{Session: c.Session, Until: time.UnixMicro(c.Until).UTC()}, nil
}

var errNoCopy = fault.New(fault.NotFound, "not_found", "There is no copy of this session.")

var putSession = newScript(false, `
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`)

// Put implements session.Cache.
func (s *Sessions) Put(ctx context.Context, c session.Copy, now time.Time) error {
	life := c.Until.Sub(now)
	if life < time.Millisecond {
		return nil
	}
	hash := c.Hash
	c.Hash = ""
	value, err := json.Marshal(sessionCopy{Format: copyFormat, Until: micros(c.Until), Session: c.Session})
	if err != nil {
		return fmt.Errorf("redisstore: write a session: %w", err)
	}
	_, err = s.db.run(ctx, putSession, []string{sessionKey(hash)}, dropped, value, life.Milliseconds())
	return err
}

// Drop implements session.Cache.
func (s *Sessions) Drop(ctx context.Context, hashes []string, _ time.Time) error {
	hashes = slices.DeleteFunc(slices.Clone(hashes), func(h string) bool { return h == "" })
	for some := range slices.Chunk(hashes, batch) {
		if err := s.drop(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sessions) drop(ctx context.Context, hashes []string) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	_, err := s.db.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, h := range hashes {
			p.Set(ctx, sessionKey(h), dropped, session.DropLife)
		}
		return nil
	})
	return away(err)
}

func sessionKey(hash string) string { return prefix + "session:" + digest(hash) }
