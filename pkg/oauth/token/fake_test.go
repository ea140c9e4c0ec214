package token_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/revocation"
)

// liveSet is a revocation.Live in memory that can be down.
type liveSet struct {
	mu      sync.Mutex
	entries []revocation.Entry
	down    bool
}

func newLiveSet() *liveSet { return &liveSet{} }

var errDown = fault.New(fault.Unavailable, "temporarily_unavailable", "The store cannot be reached.")

func (l *liveSet) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *liveSet) mark() revocation.Mark { return revocation.Mark("m" + strconv.Itoa(len(l.entries))) }

func (l *liveSet) Head(context.Context) (revocation.Mark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return "", errDown
	}
	return l.mark(), nil
}

func (l *liveSet) Since(_ context.Context, _ revocation.Mark) ([]revocation.Entry, revocation.Mark, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, "", false, errDown
	}
	return slices.Clone(l.entries), l.mark(), true, nil
}

func (l *liveSet) Append(_ context.Context, entries ...revocation.Entry) (revocation.Mark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return "", errDown
	}
	l.entries = append(l.entries, entries...)
	return l.mark(), nil
}

func (l *liveSet) Rebuild(ctx context.Context, entries []revocation.Entry) (revocation.Mark, error) {
	return l.Append(ctx, entries...)
}

// faultyGrants is the real store, with faults that a test switches on.
type faultyGrants struct {
	grant.Store
	down   atomic.Bool
	reads  atomic.Int64
	writes atomic.Int64
}

func (s *faultyGrants) ByCode(ctx context.Context, hash string) (grant.Grant, error) {
	s.reads.Add(1)
	if s.down.Load() {
		return grant.Grant{}, errDown
	}
	return s.Store.ByCode(ctx, hash)
}

func (s *faultyGrants) Standing(ctx context.Context, id string) (grant.Standing, error) {
	s.reads.Add(1)
	if s.down.Load() {
		return grant.Standing{}, errDown
	}
	return s.Store.Standing(ctx, id)
}

func (s *faultyGrants) Redeem(ctx context.Context, r grant.Redemption) error {
	s.writes.Add(1)
	if s.down.Load() {
		return errDown
	}
	return s.Store.Redeem(ctx, r)
}

func (s *faultyGrants) Rotate(ctx context.Context, r grant.Rotation) error {
	s.writes.Add(1)
	if s.down.Load() {
		return errDown
	}
	return s.Store.Rotate(ctx, r)
}

// statements counts what reaches SQL.
type statements struct {
	mu  sync.Mutex
	ops []string
}

func (s *statements) note(_ context.Context, op, _ string, _ time.Duration, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op)
}

func (s *statements) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = nil
}

func (s *statements) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ops)
}

// keyStore is a keyring.Store in memory, for a ring that is shared.
type keyStore struct {
	mu      sync.Mutex
	keys    []keyring.Key
	secrets map[string][]byte
}

func newKeyStore() *keyStore { return &keyStore{secrets: map[string][]byte{}} }

func (s *keyStore) List(context.Context) ([]keyring.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), nil
}

func (s *keyStore) Add(_ context.Context, k keyring.Key, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, k)
	return nil
}

func (s *keyStore) Revoke(_ context.Context, id string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		if s.keys[i].ID == id {
			s.keys[i].RevokedAt = now
		}
	}
	return nil
}

func (s *keyStore) Reseal(context.Context, string, []byte, []byte) error { return nil }

func (s *keyStore) DeleteExpired(context.Context, time.Time) (int, error) { return 0, nil }

func (s *keyStore) Secret(_ context.Context, name string, fresh []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if had, ok := s.secrets[name]; ok {
		return had, nil
	}
	s.secrets[name] = fresh
	return fresh, nil
}

func (s *keyStore) ResealSecret(context.Context, string, []byte, []byte) error { return nil }
