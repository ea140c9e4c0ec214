package client_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

// memory is a Store of one process that counts reads and can be down.
type memory struct {
	client.Store
	mu    sync.Mutex
	rows  map[string]client.Client
	down  error
	reads atomic.Int64
	delay time.Duration
	ended []string
}

func newMemory(list ...client.Client) *memory {
	m := &memory{rows: map[string]client.Client{}}
	for _, c := range list {
		m.rows[c.ID] = c
	}
	return m
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

func (m *memory) ByID(ctx context.Context, id string) (client.Client, error) {
	m.reads.Add(1)
	if m.delay > 0 {
		time.Sleep(m.delay) // fake time: tests that set it run in a bubble
	}
	if err := ctx.Err(); err != nil {
		return client.Client{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return client.Client{}, m.down
	}
	c, ok := m.rows[id]
	if !ok {
		return client.Client{}, fault.New(fault.NotFound, "not_found", "None.")
	}
	return c, nil
}

func (m *memory) Create(_ context.Context, c client.Client) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.rows[c.ID]; taken {
		return fault.New(fault.Conflict, "conflict", "Taken.")
	}
	m.rows[c.ID] = c
	return nil
}

func (m *memory) Update(_ context.Context, c client.Client) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[c.ID] = c
	return nil
}

func (m *memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[id]; !ok {
		return fault.New(fault.NotFound, "not_found", "None.")
	}
	delete(m.rows, id)
	return nil
}

func (m *memory) Origins(context.Context) ([]string, error) {
	m.reads.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	return []string{"https://app.example.test", "http://127.0.0.1", "http://localhost", "http://[::1]"}, m.down
}

func (m *memory) RevokeOfClient(_ context.Context, id, reason string, _ time.Time) error {
	m.ended = append(m.ended, id+" "+reason)
	return nil
}

type revoker struct {
	entries []revocation.Entry
	err     error
}

func (r *revoker) Revoke(ctx context.Context, cause func(context.Context) ([]revocation.Entry, error)) error {
	if r.err != nil {
		return r.err
	}
	entries, err := cause(ctx)
	r.entries = append(r.entries, entries...)
	return err
}

type events struct{ names []audit.Name }

func (e *events) Record(_ context.Context, ev audit.Event) { e.names = append(e.names, ev.Name) }

func fingerprints() *secret.Fingerprinter { return secret.NewFingerprinter(make([]byte, 32)) }

func TestGetIsCachedForItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(sound())
		s := client.NewService(m, fingerprints(), client.Config{})
		ctx := t.Context()
		for range 3 {
			if c, err := s.Get(ctx, "web"); err != nil || c.Name != "Web shop" {
				t.Fatal(c, err)
			}
		}
		if n := m.reads.Load(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
		m.fail(fault.New(fault.Unavailable, "down", "Down."))
		time.Sleep(1900 * time.Millisecond)
		if _, err := s.Get(ctx, "web"); err != nil {
			t.Errorf("within its TTL the client is gone: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		if _, err := s.Get(ctx, "web"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after its TTL the client comes from memory: %v", err)
		}
		m.fail(nil)
		if _, err := s.Get(ctx, "web"); err != nil {
			t.Errorf("the outage is over: %v", err)
		}
	})
}

func TestMissingClientsAreCachedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := client.NewService(m, fingerprints(), client.Config{})
		ctx := t.Context()
		for range 3 {
			if _, err := s.Get(ctx, "web"); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		}
		if n := m.reads.Load(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
		if err := m.Create(ctx, sound()); err != nil { // by another instance
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		if _, err := s.Get(ctx, "web"); err != nil {
			t.Errorf("the client exists by now: %v", err)
		}
		before := m.reads.Load()
		for _, id := range []string{"", string(make([]byte, 200))} {
			if _, err := s.Get(ctx, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("Get(%q) = %v", id, err)
			}
		}
		if m.reads.Load() != before {
			t.Error("an id that cannot exist asks the store")
		}
	})
}

func TestOneReadServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(sound())
		m.delay = time.Second
		s := client.NewService(m, fingerprints(), client.Config{})
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Get(first, "web") })
		synctest.Wait()
		cancel() // the first caller goes away
		for range 20 {
			wg.Go(func() {
				if _, err := s.Get(t.Context(), "web"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := m.reads.Load(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
	})
}

func TestAChangeIsSeenAtOnce(t *testing.T) {
	m := newMemory(sound())
	s := client.NewService(m, fingerprints(), client.Config{TTL: time.Hour})
	ctx := t.Context()
	c, err := s.Get(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	next := *c
	next.Name, next.AuthMethod, next.JWKS = "Another", protocol.AuthPrivateKeyJWT, keys(ecKey)
	if _, err := s.Update(ctx, next); err != nil {
		t.Fatal(err)
	}
	if c, _ := s.Get(ctx, "web"); c.Name != "Another" {
		t.Errorf("name %q after the update", c.Name)
	}
}

// A read that began before a change must not be remembered after it.
func TestAReadThatIsOvertakenIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := sound()
		old.AuthMethod = protocol.AuthNone
		m := newMemory(old)
		slow := &slowRead{memory: m, gate: make(chan struct{})}
		s := client.NewService(slow, fingerprints(), client.Config{TTL: time.Hour})
		var wg sync.WaitGroup
		slow.hold.Store(true)
		wg.Go(func() { _, _ = s.Get(t.Context(), "web") })
		synctest.Wait() // it has read the old row
		slow.hold.Store(false)
		next := old
		next.Name = "Another"
		if _, err := s.Update(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		close(slow.gate)
		wg.Wait()
		if c, err := s.Get(t.Context(), "web"); err != nil || c.Name != "Another" {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

type slowRead struct {
	*memory
	hold atomic.Bool
	gate chan struct{}
}

func (s *slowRead) ByID(ctx context.Context, id string) (client.Client, error) {
	c, err := s.memory.ByID(ctx, id)
	if s.hold.Load() {
		<-s.gate
	}
	return c, err
}

func TestSecrets(t *testing.T) {
	m := newMemory()
	heard := &events{}
	s := client.NewService(m, fingerprints(), client.Config{Audit: heard})
	ctx, now := t.Context(), time.Now()
	draft := sound()
	draft.ID = ""
	c, first, err := s.Create(ctx, draft)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := secret.Unwrap(secret.ClientSecret, first); !ok || len(c.ID) != 22 {
		t.Errorf("secret %q, id %q", first, c.ID)
	}
	if m.rows[c.ID].Secrets[0].Hash == first {
		t.Error("the secret is stored in the clear")
	}
	check := func(plain string, at time.Time) bool {
		c, err := s.Get(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s.CheckSecret(c, plain, at)
	}
	if !check(first, now) {
		t.Error("the secret does not pass")
	}
	for _, bad := range []string{"", first + "x", first[1:], m.rows[c.ID].Secrets[0].Hash, string(make([]byte, 5000))} {
		if check(bad, now) {
			t.Errorf("%q passes", bad)
		}
	}
	second, err := s.RotateSecret(ctx, c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !check(first, now) || !check(second, now) || check(first, now.Add(2*time.Hour)) || !check(second, now.Add(2*time.Hour)) {
		t.Error("the old secret does not live exactly as long as it should")
	}
	third, err := s.RotateSecret(ctx, c.ID, 0)
	if err != nil || check(first, now) || check(second, now) || !check(third, now) {
		t.Errorf("rotating without grace leaves an old secret alive, %v", err)
	}
	if s.CheckNobody(third) || s.CheckNobody("") {
		t.Error("nobody has a secret")
	}
	if want := []audit.Name{audit.ClientCreated, audit.ClientSecretRotated, audit.ClientSecretRotated}; !slices.Equal(heard.names, want) {
		t.Errorf("audit heard %v, want %v", heard.names, want)
	}
}

func TestCreate(t *testing.T) {
	m := newMemory()
	s := client.NewService(m, fingerprints(), client.Config{})
	ctx := t.Context()
	c, plain, err := s.Create(ctx, client.Client{ID: "machine", GrantTypes: []string{"client_credentials"}})
	if err != nil || plain == "" || c.AuthMethod != protocol.AuthSecretBasic || len(c.ResponseTypes) != 0 || c.Source != client.Operator {
		t.Errorf("%+v, %q, %v", c, plain, err)
	}
	if _, _, err := s.Create(ctx, client.Client{ID: "machine", GrantTypes: []string{"client_credentials"}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a taken id gives %v", err)
	}
	if _, plain, err := s.Create(ctx, client.Client{ID: "spa", AuthMethod: protocol.AuthNone, RedirectURIs: []string{"https://a.test/"}}); err != nil || plain != "" {
		t.Errorf("a public client gets the secret %q, %v", plain, err)
	}
	if _, _, err := s.Create(ctx, client.Client{ID: "bad", RedirectURIs: []string{"javascript:x"}}); fault.CodeOf(err) != "invalid_redirect_uri" {
		t.Errorf("a bad client gives %v", err)
	}
	demo, err := s.CreateDemo(ctx, client.Client{ID: "demo", RedirectURIs: []string{"https://a.test/"}}, "demo-secret")
	if err != nil || demo.Source != client.Demo || !s.CheckSecret(&demo, "demo-secret", time.Now()) {
		t.Errorf("%+v, %v", demo, err)
	}
	if _, err := s.CreateDemo(ctx, client.Client{ID: "demo-2", RedirectURIs: []string{"https://a.test/"}}, ""); err == nil {
		t.Error("an empty secret is taken")
	}
}

func TestUpdateKeepsWhatIsNotItsBusiness(t *testing.T) {
	m := newMemory()
	s := client.NewService(m, fingerprints(), client.Config{})
	ctx := t.Context()
	draft := sound()
	draft.Source, draft.RegistrationTokenHash = client.Dynamic, "hash"
	c, plain, err := s.Create(ctx, draft)
	if err != nil {
		t.Fatal(err)
	}
	c.Source, c.RegistrationTokenHash, c.Secrets, c.Name = client.Operator, "other", nil, "New"
	got, err := s.Update(ctx, c)
	if err != nil || got.Source != client.Dynamic || got.RegistrationTokenHash != "hash" || got.Name != "New" || !s.CheckSecret(&got, plain, time.Now()) {
		t.Errorf("%+v, %v", got, err)
	}
	got.AuthMethod, got.PKCEOptional = protocol.AuthNone, false
	if got, err = s.Update(ctx, got); err != nil || len(got.Secrets) != 0 {
		t.Errorf("a client made public keeps its secret: %+v, %v", got.Secrets, err)
	}
	got.AuthMethod = protocol.AuthSecretPost
	if _, err = s.Update(ctx, got); err == nil {
		t.Error("a client without secret is to authenticate with one")
	}
	got.ID = "nobody"
	if _, err = s.Update(ctx, got); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown client gives %v", err)
	}
}

func TestDisableAndDeleteEndWhatTheClientHolds(t *testing.T) {
	m, rev := newMemory(sound()), &revoker{}
	s := client.NewService(m, fingerprints(), client.Config{Revoker: rev, Grants: m, TTL: time.Hour})
	ctx := t.Context()
	if _, err := s.Active(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if err := s.Disable(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Active(ctx, "web"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a disabled client is active: %v", err)
	}
	if c, err := s.Get(ctx, "web"); err != nil || !c.Disabled {
		t.Errorf("%+v, %v", c, err)
	}
	if len(rev.entries) != 1 || rev.entries[0].Kind != revocation.Client || rev.entries[0].ID != "web" || time.Until(rev.entries[0].NotBefore) < time.Hour {
		t.Errorf("entries %+v", rev.entries)
	}
	if err := s.Delete(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.ended, []string{"web client_disabled", "web client_deleted"}) {
		t.Errorf("ended %v", m.ended)
	}
	if err := s.Delete(ctx, "web"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a second delete gives %v", err)
	}
	rev.err = fault.New(fault.Unavailable, "down", "Down.")
	m.rows["web"] = sound()
	if err := s.Disable(ctx, "web"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("without revocations disabling says %v", err)
	}
}

func TestOriginAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := client.NewService(m, fingerprints(), client.Config{})
		ctx := t.Context()
		for _, o := range []string{"https://app.example.test", "http://127.0.0.1:3000", "http://127.0.0.1", "http://localhost:5173", "http://[::1]:9"} {
			if !s.OriginAllowed(ctx, o) {
				t.Errorf("%s is not allowed", o)
			}
		}
		for _, o := range []string{
			"", "null", "*", "https://evil.test", "http://app.example.test", "https://app.example.test:8443", "https://app.example.test/", "https://app.example.test/x",
			"https://127.0.0.1", "http://127.0.0.2", "http://localhost.evil.test", "https://u@app.example.test", "https://APP.example.test", "http://127.0.0.1:1#x", "%zz",
		} {
			if s.OriginAllowed(ctx, o) {
				t.Errorf("%s is allowed", o)
			}
		}
		if n := m.reads.Load(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
		m.fail(errors.New("down"))
		if !s.OriginAllowed(ctx, "https://app.example.test") {
			t.Error("within its TTL the answer is gone")
		}
		time.Sleep(3 * time.Second)
		if s.OriginAllowed(ctx, "https://app.example.test") {
			t.Error("after its TTL an old answer stands")
		}
	})
}
