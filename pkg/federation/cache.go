package federation

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// loadTimeout bounds a read that several requests wait for, because none of
// them may cancel it for the others.
const loadTimeout = 5 * time.Second

// cache keeps the providers for a short time. One request reads, the others
// wait for it; when the read fails nothing older than ttl is used.
type cache struct {
	load  func(context.Context) ([]Provider, error)
	ttl   time.Duration
	last  atomic.Pointer[known] // replaced whole, never edited
	era   atomic.Int64          // grows with every change made here
	group singleflight.Group
}

// known are the providers as they were at a time.
type known struct {
	all []*Provider
	at  time.Time
	era int64
}

func (c *cache) get(ctx context.Context) ([]*Provider, error) {
	if last := c.last.Load(); last != nil && last.era == c.era.Load() && time.Since(last.at) < c.ttl {
		return last.all, nil
	}
	done := c.group.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		era, at := c.era.Load(), time.Now()
		list, err := c.load(ctx)
		if err != nil {
			return nil, err
		}
		fresh := &known{at: at, era: era}
		for i := range list {
			fresh.all = append(fresh.all, &list[i])
		}
		c.last.Store(fresh)
		return fresh.all, nil
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]*Provider), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget makes the next read ask the store.
func (c *cache) forget() {
	c.era.Add(1)
	c.group.Forget("")
}
