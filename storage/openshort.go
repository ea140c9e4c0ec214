package storage

import (
	"context"
	"errors"

	"github.com/portico-id/portico/storage/embedded"
	"github.com/portico-id/portico/storage/redisstore"
)

// Options choose the short-lived side.
type Options struct {
	// RedisURL is PORTICO_REDIS_URL; redisstore.ParseURL lists its forms.
	// Empty: the embedded store.
	RedisURL string
	// EmbeddedPath is the file of the embedded store, beside the main
	// database. One node only.
	EmbeddedPath string
	// Fresh says that the main database was made just now, so that nothing
	// can have been issued before: an empty replay set has then forgotten
	// nothing, and does not refuse the first assertions. When in doubt, false.
	Fresh bool
}

// OpenShortLived opens the short-lived side. A Redis that is down for now is
// no error: Ping finds out. An error says what is wrong with the URL or the
// file.
func OpenShortLived(ctx context.Context, opts Options) (*ShortLived, error) {
	switch {
	case opts.RedisURL != "":
		return openRedis(ctx, opts)
	case opts.EmbeddedPath != "":
		return openEmbedded(ctx, opts)
	default:
		return nil, errors.New("the short-lived store has neither the URL of a Redis nor the path of a file")
	}
}

func openRedis(ctx context.Context, opts Options) (*ShortLived, error) {
	db, err := redisstore.Open(ctx, opts.RedisURL, redisstore.Options{Fresh: opts.Fresh})
	if err != nil {
		return nil, err
	}
	return &ShortLived{
		Flows: db.Flows(), Limits: db.Limits(), Spreads: db.Spreads(),
		Replay: db.Replay(), Revocations: db.Revocations(), Sessions: db.Sessions(),
		Examine: func(ctx context.Context) []Finding {
			var findings []Finding
			for _, n := range db.Examine(ctx) {
				findings = append(findings, Finding{Check: n.Check, Status: Status(n.Level), Detail: n.Detail, Hint: n.Hint})
			}
			return findings
		},
		Health: db, Closer: db,
	}, nil
}

func openEmbedded(ctx context.Context, opts Options) (*ShortLived, error) {
	db, err := embedded.Open(ctx, opts.EmbeddedPath, embedded.Options{Fresh: opts.Fresh})
	if err != nil {
		return nil, err
	}
	return &ShortLived{
		Flows: db.Flows(), Limits: db.Limits(), Spreads: db.Spreads(),
		Replay: db.Replay(), Revocations: db.Revocations(), Sessions: db.Sessions(),
		Health: db, Closer: db,
	}, nil
}
