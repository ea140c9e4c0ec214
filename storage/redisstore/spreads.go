package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portico-id/portico/pkg/limit"
)

// Spreads implements limit.Spreads: one sorted set for each key, its members
// by the time they were met. What is in the future by more than a window was
// met before the clock stepped back, and is forgotten.
type Spreads struct{ db *DB }

// Spreads returns the store of spreads.
func (db *DB) Spreads() *Spreads { return &Spreads{db} }

// meet may run twice: it does the same again.
var meet = newScript(false, `
local now, window, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + window), '+inf')
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
local n = redis.call('ZCARD', KEYS[1])
if n > kept then
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, n - kept - 1)
  n = kept
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return n
`)

// Spread implements limit.Spreads.
func (s *Spreads) Spread(ctx context.Context, rule limit.Rule, key, member string, now time.Time) (int, error) {
	keep := (2 * rule.Window).Milliseconds() + slack.Milliseconds()
	reply, err := s.db.run(ctx, meet, []string{spreadKey(rule, key)},
		micros(now), rule.Window.Microseconds(), rule.Kept(), digest(member), keep)
	if err != nil {
		return 0, err
	}
	n, ok := reply.(int64)
	if !ok {
		return 0, away(fmt.Errorf("redisstore: unexpected reply %T", reply))
	}
	return int(n), nil
}

// Spreads implements limit.Spreads.
func (s *Spreads) Spreads(ctx context.Context, spots []limit.Spot, now time.Time) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	asked := make([]*redis.IntCmd, len(spots))
	_, err := s.db.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, spot := range spots {
			from, to := now.Add(-spot.Rule.Window).UnixMicro(), now.Add(spot.Rule.Window).UnixMicro()
			asked[i] = p.ZCount(ctx, spreadKey(spot.Rule, spot.Key), "("+strconv.FormatInt(from, 10), strconv.FormatInt(to, 10))
		}
		return nil
	})
	if err != nil {
		return nil, away(err)
	}
	counts := make([]int, len(spots))
	for i, cmd := range asked {
		counts[i] = int(cmd.Val())
	}
	return counts, nil
}

func spreadKey(rule limit.Rule, key string) string {
	return prefix + "spread:" + digest(rule.Name, rule.Shape(), key)
}
