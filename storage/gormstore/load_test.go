package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

// migratedURLs address databases with a schema, or where openURL makes it.
var migratedURLs = map[string]func(*testing.T) string{"sqlite": sqliteURL, "postgres": postgresURL}

// TestStatements counts what the hot paths send to the database. Whoever
// makes a number larger makes every login or refresh slower.
func TestStatements(t *testing.T) {
	for name, address := range migratedURLs {
		t.Run(name, func(t *testing.T) {
			var (
				mu   sync.Mutex
				seen []string
			)
			d := openURL(t, address(t), storage.DurableOptions{OnStatement: func(_ context.Context, op, sql string, took time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				if took < 0 || sql == "" || op == "" {
					t.Errorf("heard of %q: %q, %v, %v", op, sql, took, err)
				}
				seen = append(seen, op)
			}})
			now := time.Now()
			steps := []struct {
				op   string
				want int
				run  func(ctx context.Context) error
			}{
				{"grants.create", 1, func(ctx context.Context) error {
					return d.Grants.Create(ctx, grant.Grant{ID: "a", UserID: "u", ClientID: "c", SessionID: "s", CodeHash: "code", CodeExpiresAt: now.Add(time.Minute), CreatedAt: now})
				}},
				{"grants.by_code", 1, func(ctx context.Context) error { _, err := d.Grants.ByCode(ctx, "code"); return err }},
				{"grants.redeem", 1, func(ctx context.Context) error {
					return d.Grants.Redeem(ctx, grant.Redemption{GrantID: "a", CodeHash: "code", Now: now, RefreshHash: "r0", RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(time.Hour)})
				}},
				{"grants.standing", 1, func(ctx context.Context) error { _, err := d.Grants.Standing(ctx, "a"); return err }},
				{"grants.rotate", 1, func(ctx context.Context) error {
					return d.Grants.Rotate(ctx, grant.Rotation{GrantID: "a", OldHash: "r0", NewHash: "r1", Now: now, IdleExpiresAt: now.Add(time.Hour)})
				}},
				{"grants.put_token", 1, func(ctx context.Context) error {
					return d.Grants.PutToken(ctx, grant.OpaqueToken{Hash: "t", ExpiresAt: now})
				}},
				{"grants.token", 1, func(ctx context.Context) error { _, err := d.Grants.Token(ctx, "t"); return err }},
				{"sessions.create", 1, func(ctx context.Context) error { return d.Sessions.Create(ctx, session.Session{ID: "s", Hash: "h"}) }},
				{"sessions.by_hash", 1, func(ctx context.Context) error { _, err := d.Sessions.ByHash(ctx, "h"); return err }},
				{"clients.create", 1, func(ctx context.Context) error { return d.Clients.Create(ctx, client.Client{ID: "c"}) }},
				{"clients.by_id", 1, func(ctx context.Context) error { _, err := d.Clients.ByID(ctx, "c"); return err }},
				{"passwords.set", 1, func(ctx context.Context) error { return d.Passwords.Set(ctx, "u", "hash", now) }},
				{"passwords.hash", 1, func(ctx context.Context) error { _, err := d.Passwords.Hash(ctx, "u"); return err }},
				{"users.create", 3, func(ctx context.Context) error {
					return d.Users.Create(ctx, user.User{ID: "u", Email: "u@example.com"})
				}},
				{"users.by_identifier", 1, func(ctx context.Context) error { _, err := d.Users.ByIdentifier(ctx, "u@example.com"); return err }},
				{"consents.get", 1, func(ctx context.Context) error { _, err := d.Consents.Get(ctx, "u", "c"); return ignoreNotFound(err) }},
				{"consents.allow", 1, func(ctx context.Context) error {
					return d.Consents.Allow(ctx, consent.Consent{UserID: "u", ClientID: "c"})
				}},
			}
			for _, step := range steps {
				mu.Lock()
				seen = nil
				mu.Unlock()
				if err := step.run(t.Context()); err != nil {
					t.Fatalf("%s: %v", step.op, err)
				}
				mu.Lock()
				n, frame := 0, 0
				for _, op := range seen {
					if op == step.op {
						n++
					} else if op == "transaction" {
						frame++ // BEGIN and COMMIT
					}
				}
				if n != step.want || n+frame != len(seen) || (step.want == 1 && step.op[:7] == "grants." && frame != 0) {
					t.Errorf("%s sent %v, want %d of its own", step.op, seen, step.want)
				}
				mu.Unlock()
			}
		})
	}
}

func ignoreNotFound(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// TestTheQueueIsBounded holds every connection and looks at who waits.
func TestTheQueueIsBounded(t *testing.T) {
	for name, address := range migratedURLs {
		t.Run(name, func(t *testing.T) {
			d := openURL(t, address(t), storage.DurableOptions{MaxConnections: 1, MaxQueue: 1, QueueTimeout: time.Second})
			before := d.Stats().WaitCount
			err := d.InTx(t.Context(), func(ctx context.Context) error {
				refused := make(chan error, 2)
				for n := range 2 { // one may wait, the other may not
					go func() { refused <- d.Clients.Create(t.Context(), client.Client{ID: fmt.Sprint(n)}) }()
				}
				began := time.Now()
				for range 2 {
					err := <-refused
					if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
						t.Errorf("got %v, want unavailable with a time to retry", err)
					}
				}
				if waited := time.Since(began); waited < time.Second || waited > 10*time.Second {
					t.Errorf("refused after %v, want about a second", waited)
				}
				return d.Clients.Create(ctx, client.Client{ID: "in the transaction"})
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Clients.Create(t.Context(), client.Client{ID: "after"}); err != nil {
				t.Errorf("after the transaction: %v", err)
			}
			st := d.Stats()
			if st.WaitCount-before != 1 || st.WaitDuration < time.Second || st.InUse != 0 || st.MaxOpenConnections < 1 {
				t.Errorf("stats %+v, want one wait of a second and nothing in use", st)
			}
		})
	}
}

// TestACallerMayLeaveTheQueue ends the context of a call that waits.
func TestACallerMayLeaveTheQueue(t *testing.T) {
	d := openURL(t, postgresURL(t), storage.DurableOptions{MaxConnections: 1, QueueTimeout: time.Minute})
	err := d.InTx(t.Context(), func(context.Context) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := d.Clients.Create(ctx, client.Client{ID: "a"})
		if !errors.Is(err, context.DeadlineExceeded) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want the end of the context", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneConnectionIsEnough runs more transactions at once than there are
// connections: if any step took a second one, they would wait for ever.
func TestOneConnectionIsEnough(t *testing.T) {
	for name, address := range migratedURLs {
		t.Run(name, func(t *testing.T) {
			d := openURL(t, address(t), storage.DurableOptions{MaxConnections: 1, QueueTimeout: time.Minute})
			var (
				wg   sync.WaitGroup
				done atomic.Int32
			)
			for n := range 30 {
				wg.Go(func() {
					id := fmt.Sprint(n)
					err := d.InTx(t.Context(), func(ctx context.Context) error {
						return errors.Join(
							d.Users.Create(ctx, user.User{ID: id, Email: id + "@example.com"}),
							d.Consents.Allow(ctx, consent.Consent{UserID: id, ClientID: "c", Scopes: []string{"openid"}}),
							d.Grants.Create(ctx, grant.Grant{ID: id, UserID: id}),
							func() error { _, err := d.Grants.Standing(ctx, id); return err }(),
						)
					})
					if err != nil {
						t.Errorf("transaction %d: %v", n, err)
						return
					}
					done.Add(1)
				})
			}
			wg.Wait()
			if done.Load() != 30 {
				t.Errorf("%d transactions succeeded, want 30", done.Load())
			}
		})
	}
}
