package redisstore

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// Limits implements limit.Store: one hash per counter, with the attempts of
// each slot of time. See limit.Slots for the arithmetic, which the embedded
// store shares.
type Limits struct{ db *DB }

// Limits returns the store of counters.
func (db *DB) Limits() *Limits { return &Limits{db} }

// slots is Lua that reads the counters of a key, one for each bound: total
// attempts in the window and the slots, without those that left it. Slots of
// the future (the clock stepped back) are moved to the present, or they would
// count for as long as it stepped. A field is the slot; beyond the first bound
// the number of the bound stands before it.
const slots = `
local now, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local bounds = {}
for i = 4, #ARGV, 2 do
  local width = tonumber(ARGV[i])
  table.insert(bounds, {
    width = width, most = tonumber(ARGV[i + 1]), current = math.floor(now / width), held = {}, total = 0,
    before = #bounds > 0 and #bounds .. ':' or '',
  })
end
local function field(b, slot) return b.before .. string.format('%.0f', slot) end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local which, slot = string.match(all[i], '^(%d+):(.+)$')
  local b, n = bounds[tonumber(which or 0) + 1], tonumber(all[i + 1])
  slot = tonumber(slot or all[i])
  if not b or slot < b.current - count or slot > b.current then redis.call('HDEL', KEYS[1], all[i]) end
  if b and slot > b.current then
    slot = b.current
    redis.call('HINCRBY', KEYS[1], field(b, slot), n)
  end
  if b and slot >= b.current - count then
    b.held[slot] = (b.held[slot] or 0) + n
    b.total = b.total + n
  end
end
local function leave(b, n)
  for slot = b.current - count, b.current do
    n = n - (b.held[slot] or 0)
    if n <= 0 then return (slot + count + 1) * b.width - now end
  end
  return b.width * count
end
`

var takeAttempt = newScript(true, slots+`
local wait = 0
for _, b in ipairs(bounds) do
  if b.total >= b.most then wait = math.max(wait, leave(b, b.total - b.most + 1)) end
end
if wait > 0 then return {0, 0, wait} end
local left, reset
for _, b in ipairs(bounds) do
  redis.call('HINCRBY', KEYS[1], field(b, b.current), 1)
  b.held[b.current] = (b.held[b.current] or 0) + 1
  local remaining = b.most - b.total - 1
  if not left or remaining < left then left, reset = remaining, leave(b, 1) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, left, reset}
`)

// Take implements limit.Store.
func (s *Limits) Take(ctx context.Context, rule limit.Rule, key string, now time.Time) (limit.Result, error) {
	for _, b := range rule.Bounds() {
		if b.Max <= 0 {
			return limit.Result{RetryAfter: max(b.Window, time.Second), Reset: max(b.Window, time.Second)}, nil
		}
	}
	reply, err := s.db.run(ctx, takeAttempt, []string{limitKey(rule, key)}, boundsOf(rule, now)...)
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
for _, b in ipairs(bounds) do
  for slot = b.current, b.current - count, -1 do
    if b.held[slot] and b.held[slot] > 0 then
      if redis.call('HINCRBY', KEYS[1], field(b, slot), -1) <= 0 then redis.call('HDEL', KEYS[1], field(b, slot)) end
      break
    end
  end
end
return 1
`)

// Give implements limit.Store.
func (s *Limits) Give(ctx context.Context, rule limit.Rule, key string, now time.Time) error {
	_, err := s.db.run(ctx, giveAttempt, []string{limitKey(rule, key)}, boundsOf(rule, now)...)
	return err
}

// boundsOf are the arguments that slots reads.
func boundsOf(rule limit.Rule, now time.Time) []any {
	args := []any{micros(now), limit.Slots, (2 * rule.Longest()).Milliseconds() + slack.Milliseconds()}
	for _, b := range rule.Bounds() {
		args = append(args, limit.Width(b.Window).Microseconds(), b.Max)
	}
	return args
}

// Reset implements limit.Store.
func (s *Limits) Reset(ctx context.Context, rule limit.Rule, key string) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	return away(s.db.client.Del(ctx, limitKey(rule, key)).Err())
}

func limitKey(rule limit.Rule, key string) string {
	return prefix + "limit:" + digest(rule.Name, rule.Shape(), key)
}
