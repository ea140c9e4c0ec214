package keyring_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/secret"
)

// memory is a Store of maps. down makes every call fail.
type memory struct {
	mu      sync.Mutex
	keys    []keyring.Key
	secrets map[string][]byte
	down    error
	lists   int
}

func (m *memory) enter() (leave func(), err error) {
	m.mu.Lock()
	return m.mu.Unlock, m.down
}

func (m *memory) List(context.Context) ([]keyring.Key, error) {
	leave, err := m.enter()
	defer leave()
	m.lists++
	return slices.Clone(m.keys), err
}

func (m *memory) Add(_ context.Context, k keyring.Key, predecessorExpires time.Time) error {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return err
	}
	for i := range m.keys {
		if had := &m.keys[i]; had.Purpose == k.Purpose && had.Alg == k.Alg && had.Predecessor == k.Predecessor {
			return fault.New(fault.Conflict, "conflict", "Somebody else rotated.")
		}
	}
	for i := range m.keys {
		if m.keys[i].ID == k.Predecessor {
			m.keys[i].ExpiresAt = predecessorExpires
		}
	}
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) Revoke(_ context.Context, id string, now time.Time) error {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return err
	}
	for i := range m.keys {
		if m.keys[i].ID == id {
			m.keys[i].RevokedAt = now
			return nil
		}
	}
	return fault.New(fault.NotFound, "not_found", "There is no such key.")
}

func (m *memory) Reseal(_ context.Context, id string, old, sealed []byte) error {
	leave, err := m.enter()
	defer leave()
	for i := range m.keys {
		if m.keys[i].ID == id && bytes.Equal(m.keys[i].Sealed, old) {
			m.keys[i].Sealed = sealed
		}
	}
	return err
}

func (m *memory) DeleteExpired(_ context.Context, now time.Time) (int, error) {
	leave, err := m.enter()
	defer leave()
	before := len(m.keys)
	m.keys = slices.DeleteFunc(m.keys, func(k keyring.Key) bool {
		return !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(now)
	})
	return before - len(m.keys), err
}

func (m *memory) Secret(_ context.Context, name string, fresh []byte) ([]byte, error) {
	leave, err := m.enter()
	defer leave()
	if m.secrets == nil {
		m.secrets = map[string][]byte{}
	}
	if m.secrets[name] == nil {
		m.secrets[name] = fresh
	}
	return m.secrets[name], err
}

func (m *memory) ResealSecret(_ context.Context, name string, old, sealed []byte) error {
	leave, err := m.enter()
	defer leave()
	if bytes.Equal(m.secrets[name], old) {
		m.secrets[name] = sealed
	}
	return err
}

func (m *memory) set(down error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *memory) reads() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists
}

// stock holds one set of keys for all tests: RSA keys are slow to make.
var stock = sync.OnceValue(func() []keyring.Key {
	store := &memory{}
	seal, err := newSealer()
	if err != nil {
		panic(err)
	}
	if _, err := keyring.Open(context.Background(), store, seal, keyring.Config{}); err != nil {
		panic(err)
	}
	return store.keys
})

// stocked returns a store as a first start leaves it, made now.
func stocked() *memory {
	m := &memory{keys: slices.Clone(stock())}
	for i := range m.keys {
		m.keys[i].CreatedAt, m.keys[i].ActiveAt = time.Now(), time.Now()
	}
	return m
}

var (
	oldKey = bytes.Repeat([]byte{1}, secret.KeySize)
	newKey = bytes.Repeat([]byte{2}, secret.KeySize)
)

func sealer(t *testing.T, keys ...[]byte) *secret.Sealer {
	t.Helper()
	s, err := secret.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, store keyring.Store, cfg keyring.Config) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(t.Context(), store, sealer(t, oldKey), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sign(t *testing.T, r *keyring.Ring, p keyring.Purpose, alg string) (token, kid string) {
	t.Helper()
	s, err := r.Signer(p, alg)
	if err != nil {
		t.Fatal(err)
	}
	token, err = s.Sign("JWT", []byte(`{"sub":"alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	return token, s.KeyID()
}

func newSealer() (*secret.Sealer, error) { return secret.NewSealer(oldKey) }

func sealerOf(b *testing.B) *secret.Sealer {
	b.Helper()
	s, err := secret.NewSealer(oldKey)
	if err != nil {
		b.Fatal(err)
	}
	return s
}
