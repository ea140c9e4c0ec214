package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"
)

// reign is Lua that names the time in which this server has been master. It
// changes when a replica is promoted and when the server restarts, which is
// when the newest writes may have been lost although the keys are there. A
// user without the right to INFO gets "-", and then a loss shows only where
// keys are gone altogether.
const reign = `
local function reign()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then return '-' end
  return string.match(info, 'master_replid:(%x+)') or '-'
end
`

// script is a Lua program, sent by its hash and in full when the server does
// not know it yet.
type script struct {
	source string
	hash   string
	// consumes says that running it twice is not running it once. It is sent
	// once: if the answer is lost, the caller hears that nothing is known.
	consumes bool
}

func newScript(consumes bool, source string) *script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // the name that Redis gives a script
	return &script{source: source, hash: hex.EncodeToString(sum[:]), consumes: consumes}
}

// once is a command that the client must not repeat by itself. Its retries
// come after lost answers too, when the first attempt may have been carried
// out, and then a consume-once command answers "already used" to its only
// caller.
type once struct{ *redis.Cmd }

// NoRetry tells the client, of a single server and of a Cluster alike.
func (once) NoRetry() bool { return true }

// run runs s on keys of one slot. The reply is nil when the script has none.
func (db *DB) run(ctx context.Context, s *script, keys []string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	reply, err := db.send(ctx, s.consumes, "evalsha", s.hash, keys, args)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") { // nothing was run
		reply, err = db.send(ctx, s.consumes, "eval", s.source, keys, args)
	}
	if errors.Is(err, redis.Nil) { // the script returned false
		return nil, nil
	}
	if err != nil {
		return nil, away(err)
	}
	return reply, nil
}

func (db *DB) send(ctx context.Context, consumes bool, verb, program string, keys []string, args []any) (any, error) {
	words := make([]any, 0, 3+len(keys)+len(args))
	words = append(words, verb, program, len(keys))
	for _, k := range keys {
		words = append(words, k)
	}
	cmd := redis.NewCmd(ctx, append(words, args...)...)
	var err error
	if consumes {
		err = db.client.Process(ctx, once{cmd})
	} else {
		err = db.client.Process(ctx, cmd)
	}
	return cmd.Val(), err
}

// integers reads a reply of n integers.
func integers(reply any, n int) ([]int64, error) {
	list, ok := reply.([]any)
	if !ok || len(list) != n {
		return nil, away(fmt.Errorf("redisstore: unexpected reply %T", reply))
	}
	numbers := make([]int64, n)
	for i, v := range list {
		if numbers[i], ok = v.(int64); !ok {
			return nil, away(fmt.Errorf("redisstore: unexpected reply %T", v))
		}
	}
	return numbers, nil
}

// quiet keeps the client's own messages out of the standard error stream:
// every failure it tells of comes back from a call as well.
type quiet struct{}

func (quiet) Printf(ctx context.Context, format string, args ...any) {
	slog.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}

func init() { redis.SetLogger(quiet{}) }
