package gormstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

// wantUnavailable checks that err is a refusal that says when to come back,
// and that its public sentence says nothing of the database.
func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
		t.Errorf("%s: got %v, want unavailable with a time to retry", what, err)
	} else if f.Say != "The service is not available at the moment." {
		t.Errorf("%s: the caller reads %q", what, f.Say)
	}
}

// TestPostgresStopsAndStarts stops the server under load: nothing is accepted
// that is not kept, everything else is unavailable, and work goes on by
// itself when the server is back.
func TestPostgresStopsAndStarts(t *testing.T) {
	for name, stop := range map[string]func(*throwaway.PGServer){
		"stopped": (*throwaway.PGServer).Stop,
		"killed":  (*throwaway.PGServer).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			server := throwaway.NewPostgres(t, throwaway.PGOptions{})
			d := openURL(t, server.Database(t).URL(), storage.DurableOptions{})
			var (
				wg       sync.WaitGroup
				mu       sync.Mutex
				kept     []string
				finished atomic.Bool
				down     = make(chan struct{})
				once     sync.Once
			)
			for worker := range 4 {
				wg.Go(func() {
					for n := 0; !finished.Load(); n++ {
						id := fmt.Sprintf("%d-%d", worker, n)
						err := d.Grants.Create(t.Context(), grant.Grant{ID: id})
						if err != nil {
							wantUnavailable(t, "a write while the server goes", err)
							once.Do(func() { close(down) })
							continue
						}
						mu.Lock()
						kept = append(kept, id)
						mu.Unlock()
					}
				})
			}
			waitFor(t, "some writes", func() bool { mu.Lock(); defer mu.Unlock(); return len(kept) > 20 })
			stop(server)
			<-down
			wantUnavailable(t, "Ping", d.Ping(t.Context()))
			wantUnavailable(t, "InTx", d.InTx(t.Context(), func(context.Context) error { return nil }))
			wantUnavailable(t, "Migrate", d.Migrate(t.Context()))
			mu.Lock()
			before := len(kept)
			mu.Unlock()
			server.Start()
			waitFor(t, "writes after the start", func() bool { mu.Lock(); defer mu.Unlock(); return len(kept) > before+20 })
			finished.Store(true)
			wg.Wait()
			for _, id := range kept {
				if _, err := d.Grants.ByID(t.Context(), id); err != nil {
					t.Errorf("grant %s was acknowledged: %v", id, err)
				}
			}
		})
	}
}

// waitFor polls until ready, or fails after a minute.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// TestOpenNeedsNoServer holds because a server that starts before its
// database must come up by itself.
func TestOpenNeedsNoServer(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{})
	address := server.Database(t).URL()
	server.Stop()
	d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
	if err != nil {
		t.Fatalf("open while the server is down: %v", err)
	}
	defer func() { _ = d.Close() }()
	_, _, _, err = d.SchemaStatus(t.Context())
	wantUnavailable(t, "SchemaStatus", err)
	server.Start()
	if err := d.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate after the start: %v", err)
	}
}

func TestPostgresRefusesUs(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{MaxConnections: 10})
	db := server.Database(t)
	outside(t, db.URL(), "CREATE ROLE app LOGIN NOSUPERUSER", "CREATE ROLE barred NOLOGIN")
	for name, address := range map[string]string{
		"no such database": strings.Replace(db.URL(), "/test_", "/none_", 1),
		"nobody listens":   "postgres://portico@127.0.0.1:1/x?sslmode=disable",
		"role may not":     db.URLAs("barred"),
		"no such role":     db.URLAs("nobody"),
	} {
		wantUnavailable(t, name, openEmpty(t, address).Ping(t.Context()))
	}
	// Superusers have connections in reserve; the app has none left. Connections
	// that were refused above may still be leaving, so only the refusal counts,
	// not after how many it comes.
	var holders []*storage.Durable
	release := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	full := false
	for range 12 {
		d := openEmpty(t, db.URLAs("app"))
		holding := make(chan error, 1)
		wg.Go(func() {
			err := d.InTx(context.WithoutCancel(t.Context()), func(context.Context) error { holding <- nil; <-release; return nil })
			if err != nil {
				holding <- err
			}
		})
		if err := <-holding; err != nil {
			wantUnavailable(t, "too many connections", err)
			full = true
			break
		}
		holders = append(holders, d)
	}
	if !full {
		t.Errorf("%d connections were given, want the server to refuse one", len(holders))
	}
}

// TestAHangingDatabaseIsNotWaitedFor writes a row that another transaction
// has locked.
func TestAHangingDatabaseIsNotWaitedFor(t *testing.T) {
	address := postgresURL(t)
	holder := openURL(t, address, storage.DurableOptions{})
	d := openURL(t, address, storage.DurableOptions{StatementTimeout: 100 * time.Millisecond})
	if err := d.Clients.Create(t.Context(), client.Client{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	err := holder.InTx(t.Context(), func(ctx context.Context) error {
		if err := holder.Clients.Update(ctx, client.Client{ID: "a", Name: "held"}); err != nil {
			return err
		}
		wantUnavailable(t, "a write", d.Clients.Update(t.Context(), client.Client{ID: "a", Name: "late"}))
		wantUnavailable(t, "a transaction", d.InTx(t.Context(), func(ctx context.Context) error {
			return d.Clients.Update(ctx, client.Client{ID: "a", Name: "late"})
		}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Clients.ByID(t.Context(), "a"); err != nil || got.Name != "held" {
		t.Errorf("got %q, %v; want held", got.Name, err)
	}
}

// TestDeadlocksAreRetried lets two transactions lock two rows in opposite
// order. Postgres ends one of them; it is begun again and both succeed.
func TestDeadlocksAreRetried(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{Settings: map[string]string{"deadlock_timeout": "10ms"}})
	d := openURL(t, server.Database(t).URL(), storage.DurableOptions{})
	for _, id := range []string{"a", "b"} {
		if err := d.Clients.Create(t.Context(), client.Client{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	var (
		wg     sync.WaitGroup
		begun  atomic.Int32
		locked [2]chan struct{}
	)
	for n := range locked {
		locked[n] = make(chan struct{})
	}
	for n, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := sync.OnceFunc(func() { // only the first attempt waits for the other's lock
				close(locked[n])
				<-locked[1-n]
			})
			err := d.InTx(t.Context(), func(ctx context.Context) error {
				begun.Add(1)
				if err := d.Clients.Update(ctx, client.Client{ID: order[0], Name: fmt.Sprint(n)}); err != nil {
					return err
				}
				first()
				return d.Clients.Update(ctx, client.Client{ID: order[1], Name: fmt.Sprint(n)})
			})
			if err != nil {
				t.Errorf("transaction %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if begun.Load() < 3 {
		t.Errorf("the work was begun %d times, want a deadlock and another attempt", begun.Load())
	}
	a, errA := d.Clients.ByID(t.Context(), "a")
	b, errB := d.Clients.ByID(t.Context(), "b")
	if errA != nil || errB != nil || a.Name != b.Name || a.Name == "" {
		t.Errorf("a is %q, b is %q, %v, %v; want both from the transaction that came last", a.Name, b.Name, errA, errB)
	}
}

// TestOtherModes runs what is spent once where an operator has changed the
// defaults: a pooler that cannot keep statements, a server that isolates more.
func TestOtherModes(t *testing.T) {
	strict := throwaway.NewPostgres(t, throwaway.PGOptions{Settings: map[string]string{"default_transaction_isolation": "serializable"}})
	for name, address := range map[string]func(*testing.T) string{
		"no statement cache":      func(t *testing.T) string { return postgresURL(t) + "&default_query_exec_mode=exec" },
		"simple protocol":         func(t *testing.T) string { return postgresURL(t) + "&default_query_exec_mode=simple_protocol" },
		"serializable by default": func(t *testing.T) string { return strict.DatabaseFrom(t, migrate).URL() },
		"another time zone":       func(t *testing.T) string { return postgresURL(t) + "&timezone=Asia/Kolkata" },
	} {
		t.Run(name, func(t *testing.T) {
			open := recycling(func() string { return address(t) })
			t.Run("clients", func(t *testing.T) { storagetest.Clients(t, open) })
			t.Run("grants", func(t *testing.T) { storagetest.Grants(t, open) })
			t.Run("keys", func(t *testing.T) { storagetest.Keys(t, open) })
			t.Run("consents", func(t *testing.T) { storagetest.Consents(t, open) })
		})
	}
}
