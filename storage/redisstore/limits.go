package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// Limits implements limit.Store: one hash per counter, with the attempts of
// each slot of time. See limit.Slots for the arithmetic, which the embedded
// store shares.
type Limits struct{ db *DB }

// Limits returns the store of counters.
func (db *DB) Limits() *Limits { return &Limits{db} }

// slots is Lua that reads a counter: total attempts in the window and the
// slots, without those that left it. Slots of the future (the clock stepped
// back) are moved to the present, or they would count for as long as it
// stepped.
const slots = `
local now, width, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local current = math.floor(now / width)
local all = redis.call('HGETALL', KEYS[1])
local held, total = {}, 0
for i = 1, #all, 2 do
  local slot, n = tonumber(all[i]), tonumber(all[i + 1])
  if slot < current - count or slot > current then redis.call('HDEL', KEYS[1], all[i]) end
  if slot > current then
    slot = current
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', current), n)
  end
  if slot >= current - count then
    held[slot] = (held[slot] or 0) + n
    total = total + n
  end
end
`

var takeAttempt = newScript(true, slots+`
local most, passed = tonumber(ARGV[4]), 0
if total < most then
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', current), 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  held[current] = (held[current] or 0) + 1
  total, passed = total + 1, 1
end
local leave, free = math.max(total - most + 1 - passed, 1), current
for slot = current - count, current do
  leave = leave - (held[slot] or 0)
  if leave <= 0 then free = slot; break end
end
return {passed, math.max(most - total, 0), (free + count + 1) * width - now}
`)

// Take implements limit.Store.
func (s *Limits) Take(ctx context.Context, rule limit.Rule, key string, now time.Time) (limit.Result, error) {
	if rule.Max <= 0 {
		return limit.Result{RetryAfter: rule.Window, Reset: rule.Window}, nil
	}
	width := limit.Width(rule)
	keep := (2 * rule.Window).Milliseconds() + slack.Milliseconds()
	reply, err := s.db.run(ctx, takeAttempt, []string{limitKey(rule, key)},
		micros(now), width.Microseconds(), limit.Slots, rule.Max, keep)
	if err != nil {
		return limit.Result{}, err
	}
	n, err := integers(reply, 3)
	if err != nil {
		return limit.Result{}, err
	}
	r := limit.Result{Allowed: n[0] == 1, Remaining: int(n[1]), Reset: time.Duration(n[2]) * time.Microsecond}
	if !r.Allowed {
		r.RetryAfter = r.Reset
	}
	return r, nil
}

var giveAttempt = newScript(true, slots+`
for slot = current, current - count, -1 do
  if held[slot] and held[slot] > 0 then
    local name = string.format('%.0f', slot)
    if redis.call('HINCRBY', KEYS[1], name, -1) <= 0 then redis.call('HDEL', KEYS[1], name) end
    return 1
  end
end
return 0
`)

// Give implements limit.Store.
func (s *Limits) Give(ctx context.Context, rule limit.Rule, key string, now time.Time) error {
	_, err := s.db.run(ctx, giveAttempt, []string{limitKey(rule, key)},
		micros(now), limit.Width(rule).Microseconds(), limit.Slots)
	return err
}

// Reset implements limit.Store.
func (s *Limits) Reset(ctx context.Context, rule limit.Rule, key string) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	return away(s.db.client.Del(ctx, limitKey(rule, key)).Err())
}

// limitKey holds the window, because the slots of another width mean nothing.
func limitKey(rule limit.Rule, key string) string {
	return prefix + "limit:" + digest(rule.Name, strconv.FormatInt(int64(rule.Window), 10), key)
}
