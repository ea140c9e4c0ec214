package client

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// cached is a client with the time until which it is believed.
type cached struct {
	client *Client
	until  time.Time
}

// epoch counts changes, so that a read that began before a change is not
// remembered after it.
type epoch struct{ n atomic.Uint64 }

// maxID bounds the ids that are looked up at all: ours have 22 characters,
// an operator's at most 128.
const maxID = 128

// loadTimeout bounds a read that several callers wait for.
const loadTimeout = 5 * time.Second

// Get returns the client, disabled ones too: callers that let a client do
// something ask Active. The client is shared: never modify it. An unknown id
// is a fault.NotFound; a store that cannot be asked is its fault.
func (s *Service) Get(ctx context.Context, id string) (*Client, error) {
	if id == "" || len(id) > maxID {
		return nil, errUnknown()
	}
	now := time.Now()
	if c, ok := s.found.GetIfPresent(id); ok && now.Before(c.until) {
		return c.client, nil
	}
	if until, ok := s.missing.GetIfPresent(id); ok && now.Before(until) {
		return nil, errUnknown()
	}
	done := s.loads.DoChan(id, func() (any, error) { return s.load(ctx, id) })
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Client), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Active is Get for a client that is about to do something: a disabled one is
// a fault.NotFound as well.
func (s *Service) Active(ctx context.Context, id string) (*Client, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.Disabled {
		return nil, errUnknown().Under("client is enabled").Compare("client", "enabled", "disabled").
			WithHint("enable client %q", c.ID)
	}
	return c, nil
}

// load reads the client for everybody who waits for it: the first caller
// going away must not fail the others.
func (s *Service) load(ctx context.Context, id string) (*Client, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	before := s.epoch.n.Load()
	c, err := s.store.ByID(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		if s.epoch.n.Load() == before {
			s.missing.Set(id, time.Now().Add(s.cfg.MissingTTL))
		}
		return nil, errUnknown().Because(err)
	case err != nil:
		return nil, err
	}
	if s.epoch.n.Load() == before {
		s.found.Set(id, cached{client: &c, until: time.Now().Add(s.cfg.TTL)})
	}
	return &c, nil
}

// forget drops what this instance remembers of the client.
func (s *Service) forget(id string) {
	s.epoch.n.Add(1)
	s.loads.Forget(id)
	s.found.Invalidate(id)
	s.missing.Invalidate(id)
	s.origins.forget()
}
