package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
)

// Flows implements flow.Store: one hash per record, with the value (d), the
// version (v) and the expiry (e).
type Flows struct{ db *DB }

// Flows returns the store of flows.
func (db *DB) Flows() *Flows { return &Flows{db} }

var putFlow = newScript(true, `
local have = redis.call('HMGET', KEYS[1], 'v', 'e')
local version = 0
if have[1] and tonumber(have[2]) > tonumber(ARGV[2]) then version = tonumber(have[1]) end
if version ~= tonumber(ARGV[1]) - 1 then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[3], 'e', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`)

// Put implements flow.Store.
func (s *Flows) Put(ctx context.Context, key string, rec flow.Record, now time.Time) error {
	keep := max(rec.ExpiresAt.Sub(now), 0) + slack
	reply, err := s.db.run(ctx, putFlow, []string{flowKey(key)},
		rec.Version, micros(now), rec.Value, micros(rec.ExpiresAt), keep.Milliseconds())
	if err != nil {
		return err
	}
	if reply != int64(1) {
		return fault.New(fault.Conflict, "conflict", "This was changed at the same time.")
	}
	return nil
}

// Get implements flow.Store.
func (s *Flows) Get(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	fields, err := s.db.client.HMGet(ctx, flowKey(key), "d", "v", "e").Result()
	if err != nil {
		return flow.Record{}, away(err)
	}
	return readFlow(fields, now)
}

// takeFlow leaves an expired record alone: the clock may be wrong, and its
// TTL removes it.
var takeFlow = newScript(true, `
local have = redis.call('HMGET', KEYS[1], 'd', 'v', 'e')
if have[3] and tonumber(have[3]) > tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return have
`)

// Take implements flow.Store.
func (s *Flows) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	reply, err := s.db.run(ctx, takeFlow, []string{flowKey(key)}, micros(now))
	if err != nil {
		return flow.Record{}, err
	}
	fields, _ := reply.([]any)
	return readFlow(fields, now)
}

func readFlow(fields []any, now time.Time) (flow.Record, error) {
	if len(fields) != 3 {
		return flow.Record{}, away(fmt.Errorf("redisstore: a flow of %d fields", len(fields)))
	}
	value, found := fields[0].(string)
	version, _ := fields[1].(string)
	expires, _ := fields[2].(string)
	if !found {
		return flow.Record{}, errNoFlow
	}
	v, err := strconv.Atoi(version)
	if err != nil {
		return flow.Record{}, away(fmt.Errorf("redisstore: version of a flow: %w", err))
	}
	e, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return flow.Record{}, away(fmt.Errorf("redisstore: expiry of a flow: %w", err))
	}
	rec := flow.Record{Value: []byte(value), Version: v, ExpiresAt: time.UnixMicro(e).UTC()}
	if micros(now) >= e {
		return flow.Record{}, errNoFlow
	}
	return rec, nil
}

var errNoFlow = fault.New(fault.NotFound, "not_found", "There is no such record, or it has expired.")

func flowKey(key string) string { return prefix + "flow:" + digest(key) }
