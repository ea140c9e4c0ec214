package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// buckets is how many replay sets there are. In a Cluster they spread over
// the servers; each is lost, or not, as a whole.
const buckets = 16

// Replay implements replay.Store: a sorted set per bucket, with the digests
// of spent identifiers by expiry. The same key holds the epoch, as the member
// with the highest score, "e:<microseconds>:<reign>". So identifiers cannot
// be lost or evicted while the epoch stays; and an epoch written under
// another reign is out of date, because a server that was restarted or
// promoted may have lost the newest claims.
type Replay struct{ db *DB }

// Replay returns the replay sets.
func (db *DB) Replay() *Replay { return &Replay{db} }

// epoch is Lua that returns the epoch of the set, beginning a new one when
// the set is absent (at ARGV[2], which is now, or 0 when nothing was ever
// issued) or of another reign (now).
const epoch = reign + `
local function begin(at, owner, old)
  if old then redis.call('ZREM', KEYS[1], old) end
  redis.call('ZADD', KEYS[1], '+inf', 'e:' .. at .. ':' .. owner)
  return at, 1
end
local function epoch()
  local owner = reign()
  local top = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
  local at, under
  if top then at, under = string.match(top, '^e:(%d+):(%S+)$') end
  if not at then return begin(ARGV[2], owner) end
  if under ~= owner then return begin(ARGV[1], owner, top) end
  return at, 0
end
`

var claim = newScript(true, epoch+`
local at, begun = epoch()
if tonumber(ARGV[4]) <= tonumber(at) then return {0, begun} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[6])
return {redis.call('ZADD', KEYS[1], 'NX', ARGV[5], ARGV[3]), begun}
`)

// Claim implements replay.Store. An identifier is remembered for slack longer
// than asked: a clock that was ahead must not make it claimable again.
func (s *Replay) Claim(ctx context.Context, namespace, id string, issued, expires, now time.Time) error {
	member := digest(namespace, id)
	reply, err := s.db.run(ctx, claim, []string{bucketKey(int(member[0]) % buckets)},
		micros(now), micros(now), member, micros(issued), micros(expires), micros(now.Add(-slack)))
	if err != nil {
		return err
	}
	n, err := integers(reply, 2)
	if err != nil {
		return err
	}
	if n[1] == 1 {
		// One set was lost, so the others probably were. Let them begin now,
		// and not each at its first claim, which that claim would pay for.
		_ = s.db.prepareReplay(ctx, now) // a set that is missed begins later
	}
	if n[0] != 1 {
		return fault.New(fault.Conflict, "replayed", "This identifier was used before, or it is from before a time that is remembered.")
	}
	return nil
}

// prepared remembers that the replay sets were seen to be there.
type prepared struct{ atomic.Bool }

func (p *prepared) done() bool { return p.Load() }

var prepare = newScript(false, epoch+`
local at, begun = epoch()
return begun
`)

// prepareReplay sees to it that every replay set has an epoch of the present
// reign.
func (db *DB) prepareReplay(ctx context.Context, now time.Time) error {
	first := strconv.FormatInt(micros(now), 10)
	if db.fresh && !db.ready.done() {
		first = "0"
	}
	for b := range buckets {
		if _, err := db.run(ctx, prepare, []string{bucketKey(b)}, micros(now), first); err != nil {
			return fmt.Errorf("begin replay set %d: %w", b, err)
		}
	}
	db.ready.Store(true)
	return nil
}

func bucketKey(b int) string { return prefix + "replay:" + strconv.Itoa(b) }
