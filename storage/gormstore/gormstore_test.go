package gormstore_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", to look at a database from outside
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }

func TestConformance(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		var all statements
		storagetest.Durable(t, func(t *testing.T) *storage.Durable {
			return openURL(t, sqliteURL(t), storage.DurableOptions{OnStatement: all.note})
		})
		t.Run("plans", func(t *testing.T) { checkPlans(t, &all) })
	})
	t.Run("postgres", func(t *testing.T) {
		storagetest.Durable(t, recycling(func() string { return postgresURL(t) }))
	})
}

// newSQLiteURL addresses a file that is not there yet.
func newSQLiteURL(t *testing.T) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "data", "portico.db")
}

// sqliteURL addresses a database with a schema: a copy of one that was
// migrated once.
func sqliteURL(t *testing.T) string {
	t.Helper()
	raw, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "portico.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}

var migratedFile = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "portico-model-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "portico.db")
	if err := migrate(context.Background(), "sqlite://"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// postgresURL addresses a database with a schema.
func postgresURL(t *testing.T) string { return throwaway.PostgresFrom(t, migrate).URL() }

// migrate fills the database that the others are copied from.
func migrate(ctx context.Context, url string) error {
	d, err := storage.OpenDurable(ctx, url, storage.DurableOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Migrate(ctx)
}

// openURL opens and migrates a database for one test.
func openURL(t *testing.T, url string, opts storage.DurableOptions) *storage.Durable {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), url, opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return d
}

// openEmpty opens a database without migrating it.
func openEmpty(t *testing.T, address string) *storage.Durable {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// recycling gives each subtest an empty database. Emptying one that another
// subtest has left is a tenth of the work of making a new one.
func recycling(fresh func() string) storagetest.OpenDurable {
	var (
		mu   sync.Mutex
		free []string
	)
	return func(t *testing.T) *storage.Durable {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		var address string
		if n := len(free); n > 0 {
			address, free = free[n-1], free[:n-1]
			outside(t, address, emptying...)
		} else {
			address = fresh()
		}
		t.Cleanup(func() { // after openURL's, which closes it
			mu.Lock()
			defer mu.Unlock()
			free = append(free, address)
		})
		return openURL(t, address, storage.DurableOptions{})
	}
}

// emptying removes every row but those of the schema itself.
var emptying = func() (out []string) {
	for _, table := range []string{
		"clients", "apis", "users", "passwords", "grants", "opaque_tokens", "sessions", "consents", "confirmations",
		"signing_keys", "server_secrets", "revocations", "audit_events", "refusals", "leases",
		"mails", "totps", "passkeys", "recovery_codes", "factor_contacts", "trusted_devices", "factor_recoveries",
		"providers", "identities", "upstream_sessions",
	} {
		out = append(out, "DELETE FROM "+table)
	}
	return out
}()

// outside runs statements beside the engine.
func outside(t *testing.T, address string, statements ...string) {
	t.Helper()
	db := openOutside(t, address)
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func openOutside(t *testing.T, address string) *sql.DB {
	t.Helper()
	driver, name := "pgx", address
	if path, ok := strings.CutPrefix(address, "sqlite://"); ok {
		driver, name = "sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}).String()
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
