package flow_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/secret"
)

// memory keeps the contract of flow.Store.
type memory struct {
	mu      sync.Mutex
	records map[string]flow.Record
	down    error
}

var (
	errDown   = fault.New(fault.Unavailable, "temporarily_unavailable", "Try again in a moment.")
	errAbsent = fault.New(fault.NotFound, "not_found", "There is no such record.")
	errLost   = fault.New(fault.Conflict, "conflict", "Somebody was first.")
)

func newMemory() *memory { return &memory{records: map[string]flow.Record{}} }

func (m *memory) live(key string, now time.Time) (flow.Record, bool) {
	rec, ok := m.records[key]
	return rec, ok && now.Before(rec.ExpiresAt)
}

func (m *memory) Put(_ context.Context, key string, rec flow.Record, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	if have, _ := m.live(key, now); have.Version != rec.Version-1 {
		return errLost
	}
	rec.Value = bytes.Clone(rec.Value)
	m.records[key] = rec
	return nil
}

func (m *memory) Get(_ context.Context, key string, now time.Time) (flow.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return flow.Record{}, m.down
	}
	rec, ok := m.live(key, now)
	if !ok {
		return flow.Record{}, errAbsent
	}
	return rec, nil
}

func (m *memory) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	rec, err := m.Get(ctx, key, now)
	if err != nil {
		return rec, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.live(key, now); !ok {
		return flow.Record{}, errAbsent
	}
	delete(m.records, key)
	return rec, nil
}

func (m *memory) set(down error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// dump is everything that somebody who steals the store can read.
func (m *memory) dump() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for key, rec := range m.records {
		b.WriteString(key)
		b.Write(rec.Value)
	}
	return b.String()
}

func service(t *testing.T, store flow.Store) *flow.Service {
	t.Helper()
	return flow.NewService(store, secret.NewFingerprinter(bytes.Repeat([]byte{7}, 32)), flow.Config{})
}
