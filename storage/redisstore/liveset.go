package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// LiveSet implements revocation.Live. One hash holds everything that a mark
// vouches for, so that no part of it can be lost or evicted alone:
//
//	head        the newest entry's number and random nonce, "12.x7Qa…"
//	e<name>     an entry, by kind and id
//	l<number>   the log: nonce and entry, the last of them
//
// A sorted set beside it says when entries expired; losing that one leaves
// entries longer than needed. Both share a hash tag. A mark is the head and
// the reign of the server: after a restart or a failover no old mark is
// known, whatever the server lost.
type LiveSet struct{ db *DB }

// Revocations returns the live set.
func (db *DB) Revocations() *LiveSet { return &LiveSet{db} }

const (
	setKey    = prefix + "{revoked}:set"
	expiryKey = prefix + "{revoked}:expiry"
	logLength = 1000
	// batch bounds the entries that one script writes: Redis serves nobody
	// else meanwhile.
	batch = 500
)

var headOfSet = newScript(false, reign+`
local head = redis.call('HGET', KEYS[1], 'head')
if not head then return false end
return head .. '@' .. reign()
`)

// Head implements revocation.Live.
func (s *LiveSet) Head(ctx context.Context) (revocation.Mark, error) {
	reply, err := s.db.run(ctx, headOfSet, []string{setKey})
	return mark(reply, err)
}

// mark reads a reply that is a mark, or nothing when the set is absent.
func mark(reply any, err error) (revocation.Mark, error) {
	if err != nil {
		return "", err
	}
	if reply == nil {
		return "", errNoSet
	}
	head, ok := reply.(string)
	if !ok {
		return "", away(fmt.Errorf("redisstore: unexpected mark %T", reply))
	}
	return revocation.Mark(head), nil
}

var errNoSet = fault.New(fault.NotFound, "not_found", "The live set of revocations is absent.")

// sinceMark returns the head and 1 when the mark is unknown, or the head, 0
// and the log after it.
var sinceMark = newScript(false, reign+`
local head = redis.call('HGET', KEYS[1], 'head')
if not head then return false end
local now = reign()
local number, nonce, under = string.match(ARGV[1], '^(%d+)%.([^@]+)@(.+)$')
local known = number and under == now and redis.call('HGET', KEYS[1], 'l' .. number)
if not known or string.match(known, '^([^|]*)|') ~= nonce then return {head .. '@' .. now, 1} end
local reply = {head .. '@' .. now, 0}
for n = tonumber(number) + 1, tonumber(string.match(head, '^(%d+)%.')) do
  local line = redis.call('HGET', KEYS[1], 'l' .. string.format('%.0f', n))
  if not line then return {head .. '@' .. now, 1} end
  reply[#reply + 1] = line
end
return reply
`)

// Since implements revocation.Live.
func (s *LiveSet) Since(ctx context.Context, after revocation.Mark) ([]revocation.Entry, revocation.Mark, bool, error) {
	reply, err := s.db.run(ctx, sinceMark, []string{setKey}, string(after))
	list, ok := reply.([]any)
	if !ok {
		_, err = mark(reply, err)
		return nil, "", false, err
	}
	if len(list) < 2 {
		return nil, "", false, away(fmt.Errorf("redisstore: a catch-up of %d values", len(list)))
	}
	head, err := mark(list[0], nil)
	if err != nil {
		return nil, "", false, err
	}
	if list[1] == int64(1) {
		entries, err := s.whole(ctx)
		return entries, head, true, err
	}
	entries := make([]revocation.Entry, 0, len(list)-2)
	for _, line := range list[2:] {
		text, _ := line.(string)
		_, text, _ = strings.Cut(text, "|") // the nonce
		value, name, _ := strings.Cut(text, "\n")
		e, err := readEntry(name, value)
		if err != nil {
			return nil, "", false, err
		}
		entries = append(entries, e)
	}
	return entries, head, false, nil
}

// whole reads the set in pages, so that a large one does not hold Redis up.
// The head was read before: what is added meanwhile may be in the pages or
// not, and is found by the next catch-up.
func (s *LiveSet) whole(ctx context.Context) ([]revocation.Entry, error) {
	var entries []revocation.Entry
	for cursor := uint64(0); ; {
		page, next, err := s.db.client.HScan(ctx, setKey, cursor, "e*", batch).Result()
		if err != nil {
			return nil, away(err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			e, err := readEntry(strings.TrimPrefix(page[i], "e"), page[i+1])
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		if cursor = next; cursor == 0 {
			return entries, nil
		}
	}
}

// appendEntries writes each entry that reaches further than the one of its
// name, and a line of the log for it. ARGV: the log's length, the time before
// which expired entries go, and of each entry its name, NotBefore, ExpiresAt,
// reason and nonce.
var appendEntries = newScript(false, reign+`
local head = redis.call('HGET', KEYS[1], 'head')
if not head then return false end
local number = tonumber(string.match(head, '^(%d+)%.'))
for i = 3, #ARGV, 5 do
  local name, cut, ends, reason, nonce = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local had, hadCut, hadEnds = redis.call('HGET', KEYS[1], 'e' .. name), nil, nil
  if had then hadCut, hadEnds = string.match(had, '^(%d+)|(%d+)|') end
  local further = not had or tonumber(cut) > tonumber(hadCut) or tonumber(ends) > tonumber(hadEnds)
  if further then
    if had and tonumber(hadCut) > tonumber(cut) then cut = hadCut end
    if had and tonumber(hadEnds) > tonumber(ends) then ends = hadEnds end
    local value = cut .. '|' .. ends .. '|' .. reason
    number = number + 1
    head = string.format('%.0f', number) .. '.' .. nonce
    redis.call('HSET', KEYS[1], 'e' .. name, value, 'head', head,
      'l' .. string.format('%.0f', number), nonce .. '|' .. value .. '\n' .. name)
    redis.call('HDEL', KEYS[1], 'l' .. string.format('%.0f', number - tonumber(ARGV[1])))
    redis.call('ZADD', KEYS[2], ends, name)
  end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, 200)) do
  redis.call('HDEL', KEYS[1], 'e' .. name)
  redis.call('ZREM', KEYS[2], name)
end
return head .. '@' .. reign()
`)

// Append implements revocation.Live. Of more than a batch, the first may be
// there when the last fails: entries only deny, and the caller repeats.
func (s *LiveSet) Append(ctx context.Context, entries ...revocation.Entry) (head revocation.Mark, err error) {
	if len(entries) == 0 {
		return s.Head(ctx)
	}
	for len(entries) > 0 {
		n := min(batch, len(entries))
		args := append([]any{logLength, micros(clock.Now().Add(-slack))}, writeEntries(entries[:n])...)
		if head, err = mark(s.db.run(ctx, appendEntries, []string{setKey, expiryKey}, args...)); err != nil {
			return "", err
		}
		entries = entries[n:]
	}
	return head, nil
}

// stageEntries writes entries to a set that nobody looks at yet.
var stageEntries = newScript(false, `
redis.call('HSET', KEYS[1], 'l0', ARGV[1] .. '|')
for i = 2, #ARGV, 5 do
  redis.call('HSET', KEYS[1], 'e' .. ARGV[i], ARGV[i + 1] .. '|' .. ARGV[i + 2] .. '|' .. ARGV[i + 3])
  redis.call('ZADD', KEYS[2], ARGV[i + 2], ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], 60000)
return 1
`)

// unveilSet makes the staged set the live one, if there is none.
var unveilSet = newScript(false, reign+`
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[2])
  return false
end
redis.call('HSET', KEYS[2], 'head', '0.' .. ARGV[1])
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return '0.' .. ARGV[1] .. '@' .. reign()
`)

// Rebuild implements revocation.Live. The new set is written aside and shown
// when it is complete: one that is there is taken for whole.
func (s *LiveSet) Rebuild(ctx context.Context, entries []revocation.Entry) (revocation.Mark, error) {
	head, err := s.Head(ctx)
	if err == nil { // somebody rebuilt first
		return s.merge(ctx, head, entries)
	}
	if !fault.Is(err, fault.NotFound) {
		return "", err
	}
	first := nonce()
	aside := prefix + "{revoked}:new:" + first
	for rest := entries; ; {
		n := min(batch, len(rest))
		args := append([]any{first}, writeEntries(rest[:n])...)
		if _, err := s.db.run(ctx, stageEntries, []string{aside, expiryKey}, args...); err != nil {
			return "", err
		}
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	head, err = mark(s.db.run(ctx, unveilSet, []string{setKey, aside}, first))
	if fault.Is(err, fault.NotFound) {
		return s.Append(ctx, entries...)
	}
	return head, err
}

func (s *LiveSet) merge(ctx context.Context, head revocation.Mark, entries []revocation.Entry) (revocation.Mark, error) {
	if len(entries) == 0 {
		return head, nil
	}
	return s.Append(ctx, entries...)
}

func writeEntries(entries []revocation.Entry) []any {
	args := make([]any, 0, 5*len(entries))
	for _, e := range entries {
		cut := int64(0)
		if !e.NotBefore.IsZero() {
			cut = micros(e.NotBefore)
		}
		args = append(args, string(e.Kind)+":"+e.ID, cut, micros(e.ExpiresAt),
			strings.ReplaceAll(e.Reason, "\n", " "), nonce())
	}
	return args
}

func readEntry(name, value string) (revocation.Entry, error) {
	kind, id, ok := strings.Cut(name, ":")
	part := strings.SplitN(value, "|", 3)
	if !ok || len(part) != 3 {
		return revocation.Entry{}, away(errors.New("redisstore: a revocation that cannot be read"))
	}
	cut, err := strconv.ParseInt(part[0], 10, 64)
	if err != nil {
		return revocation.Entry{}, away(fmt.Errorf("redisstore: cut of a revocation: %w", err))
	}
	ends, err := strconv.ParseInt(part[1], 10, 64)
	if err != nil {
		return revocation.Entry{}, away(fmt.Errorf("redisstore: end of a revocation: %w", err))
	}
	e := revocation.Entry{Kind: revocation.Kind(kind), ID: id, ExpiresAt: time.UnixMicro(ends).UTC(), Reason: part[2]}
	if cut != 0 {
		e.NotBefore = time.UnixMicro(cut).UTC()
	}
	return e, nil
}

func nonce() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
