package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Note is one thing that Examine looked at. Level is ok, warn or fail.
type Note struct{ Check, Level, Detail, Hint string }

// Examine looks at every server for what would cost users their logins, or
// make refusals more frequent than they need be: age, eviction, persistence,
// replicas that lag unnoticed, and the right to ask for the reign.
func (db *DB) Examine(ctx context.Context) []Note {
	if err := db.client.Ping(ctx).Err(); err != nil {
		return []Note{{"redis", "fail", "Redis cannot be reached: " + err.Error(), "check PORTICO_REDIS_URL, and that Redis runs"}}
	}
	if cluster, ok := db.client.(*redis.ClusterClient); ok {
		var mu sync.Mutex // the nodes are visited side by side
		var notes []Note
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			of := examine(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			notes = append(notes, of...)
			return nil
		})
		if err != nil {
			notes = append(notes, Note{"redis cluster", "fail", err.Error(), "bring the cluster back to the state ok"})
		}
		return notes
	}
	return examine(ctx, db.client)
}

func examine(ctx context.Context, server redis.Cmdable) []Note {
	raw, err := server.Info(ctx).Result()
	if err != nil {
		return []Note{{"redis", "warn", "the Redis user may not run INFO, so a restart or failover that loses the newest writes goes unnoticed", "allow the command: ACL SETUSER portico +info"}}
	}
	info := make(map[string]string)
	for line := range strings.Lines(raw) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return []Note{version(info), eviction(info), persistence(ctx, server, info), replicas(ctx, server, info)}
}

func version(info map[string]string) Note {
	v := info["redis_version"]
	major, rest, _ := strings.Cut(v, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	if a > 6 || a == 6 && b >= 2 {
		return Note{"redis version", "ok", v, ""}
	}
	return Note{"redis version", "fail", v + " is older than 6.2", "update Redis"}
}

func eviction(info map[string]string) Note {
	switch policy := info["maxmemory_policy"]; policy {
	case "noeviction", "":
		return Note{"redis eviction", "ok", "noeviction", ""}
	case "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random":
		return Note{"redis eviction", "warn", policy + " drops logins in progress and counters when memory is full", "set maxmemory-policy noeviction, and enough memory"}
	default:
		return Note{"redis eviction", "warn", policy + " may drop the revocation set and the replay sets: nothing opens, but each loss makes work and refusals", "set maxmemory-policy noeviction, and enough memory"}
	}
}

func persistence(ctx context.Context, server redis.Cmdable, info map[string]string) Note {
	if info["aof_enabled"] == "1" {
		return Note{"redis persistence", "ok", "append-only file", ""}
	}
	if set, err := server.ConfigGet(ctx, "save").Result(); err != nil || set["save"] != "" {
		return Note{"redis persistence", "warn", "no append-only file: a restart ends the logins in progress since the last snapshot, and resets the counters of failed ones", "set appendonly yes"}
	}
	return Note{"redis persistence", "warn", "nothing is written to disk: a restart ends every login in progress, and resets the counters of failed ones", "set appendonly yes"}
}

// replicas warns of replicas that a master does not wait for: a partitioned
// master would go on answering for some seconds after another took over.
func replicas(ctx context.Context, server redis.Cmdable, info map[string]string) Note {
	n, _ := strconv.Atoi(info["connected_slaves"])
	if n == 0 {
		return Note{"redis replicas", "ok", "none", ""}
	}
	set, err := server.ConfigGet(ctx, "min-replicas-to-write").Result()
	if err == nil && set["min-replicas-to-write"] == "0" {
		return Note{"redis replicas", "warn", fmt.Sprintf("%d, and the master accepts writes without any of them", n), "set min-replicas-to-write 1, so that a master cut off from its replicas stops"}
	}
	return Note{"redis replicas", "ok", strconv.Itoa(n), ""}
}
