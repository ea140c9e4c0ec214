package gormstore

import (
	"context"
	"errors"
	"time"
)

// lockFile waits until no other process holds the lock of the name. The lock
// is an exclusive transaction on an empty SQLite file: the system drops it
// when its process dies, on every system that SQLite knows.
func lockFile(ctx context.Context, path string) (release func(), err error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	pool, err := lockPool(path)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		tx, err := pool.BeginTx(ctx, nil)
		if err == nil {
			return func() { _ = tx.Rollback(); _ = pool.Close() }, nil
		}
		if !retryable(err) {
			return nil, errors.Join(err, pool.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), pool.Close())
		}
	}
}
