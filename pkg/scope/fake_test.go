package scope_test

import (
	"context"
	"slices"
	"sync"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

// memory is a Store that can be down and counts its reads.
type memory struct {
	mu    sync.Mutex
	apis  []scope.API
	reads int
	down  error
	wait  chan struct{} // nil: reads return at once
}

var errDown = fault.New(fault.Unavailable, "temporarily_unavailable", "Try again in a moment.")

func (m *memory) All(ctx context.Context) ([]scope.API, error) {
	m.mu.Lock()
	m.reads++
	wait := m.wait
	m.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.apis), m.down
}

func (m *memory) Create(_ context.Context, a scope.API) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.apis {
		if have.Audience == a.Audience {
			return fault.New(fault.Conflict, "taken", "taken")
		}
	}
	m.apis = append(m.apis, a)
	return m.down
}

func (m *memory) Update(_ context.Context, a scope.API) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, have := range m.apis {
		if have.Audience == a.Audience {
			m.apis[i] = a
			return nil
		}
	}
	return fault.New(fault.NotFound, "not_found", "not found")
}

func (m *memory) Delete(_ context.Context, audience string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.apis)
	m.apis = slices.DeleteFunc(m.apis, func(a scope.API) bool { return a.Audience == audience })
	if len(m.apis) == n {
		return fault.New(fault.NotFound, "not_found", "not found")
	}
	return nil
}

func (m *memory) set(down error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}
