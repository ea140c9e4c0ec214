package gormstore_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

// emptyURLs address databases without a schema.
var emptyURLs = map[string]func(*testing.T) string{
	"sqlite":   newSQLiteURL,
	"postgres": func(t *testing.T) string { return throwaway.Postgres(t).URL() },
}

// newestVersion is the newest migration.
const newestVersion = 3

func TestSchemaUpAndDown(t *testing.T) {
	for name, address := range emptyURLs {
		t.Run(name, func(t *testing.T) {
			d := openEmpty(t, address(t))
			check := func(when string, wantCurrent int64, wantPending int) {
				t.Helper()
				current, newest, pending, err := d.SchemaStatus(t.Context())
				if err != nil || current != wantCurrent || newest != newestVersion || len(pending) != wantPending {
					t.Errorf("%s: version %d of %d, pending %v, %v; want %d of %d, %d pending", when, current, newest, pending, err, wantCurrent, newestVersion, wantPending)
				}
			}
			check("at first", 0, newestVersion)
			err := d.Clients.Create(t.Context(), client.Client{ID: "a"})
			if f := fault.As(err); f.Kind != fault.Internal || !strings.Contains(f.Hint, "migrate") {
				t.Errorf("a write without a schema: %v with hint %q, want one to migrate", err, f.Hint)
			}
			for range 2 { // repeating it is harmless
				if err := d.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				check("migrated", newestVersion, 0)
			}
			if err := d.Clients.Create(t.Context(), client.Client{ID: "a"}); err != nil {
				t.Fatal(err)
			}
			for left := newestVersion - 1; left >= -1; left-- { // the last finds nothing to take back
				if err := d.MigrateDown(t.Context()); err != nil {
					t.Fatal(err)
				}
				check("taken back", int64(max(left, 0)), newestVersion-max(left, 0))
			}
			if left := storagetest.Dump(t, d); strings.Contains(left, "clients") {
				t.Errorf("left after the way down:\n%s", left)
			}
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatalf("up again: %v", err)
			}
			if _, err := d.Clients.ByID(t.Context(), "a"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a client from before: %v, want none", err)
			}
		})
	}
}

func TestThreeInstancesMigrateAtOnce(t *testing.T) {
	for name, address := range emptyURLs {
		t.Run(name, func(t *testing.T) {
			where := address(t)
			var wg sync.WaitGroup
			for range 3 {
				d := openEmpty(t, where)
				wg.Go(func() {
					if err := d.Migrate(t.Context()); err != nil {
						t.Errorf("migrate: %v", err)
					}
					if err := d.Ping(t.Context()); err != nil {
						t.Errorf("ping: %v", err)
					}
				})
			}
			wg.Wait()
			if current, newest, pending, err := openEmpty(t, where).SchemaStatus(t.Context()); err != nil || current != newest || len(pending) != 0 {
				t.Errorf("version %d of %d, pending %v, %v; want all applied", current, newest, pending, err)
			}
		})
	}
}

func TestNewerSchema(t *testing.T) {
	for name, address := range emptyURLs {
		t.Run(name, func(t *testing.T) {
			where := address(t)
			d := openEmpty(t, where)
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			outside(t, where, "INSERT INTO schema_version (version_id, is_applied) VALUES (999, true)")
			for what, err := range map[string]error{
				"Migrate":      d.Migrate(t.Context()),
				"MigrateDown":  d.MigrateDown(t.Context()),
				"SchemaStatus": func() error { _, _, _, err := d.SchemaStatus(t.Context()); return err }(),
			} {
				if f := fault.As(err); f == nil || f.Code != "schema_too_new" || !strings.Contains(err.Error(), "version 999") || f.Hint == "" {
					t.Errorf("%s on a newer schema: %v, want an error that says so", what, err)
				}
			}
			// A newer schema that only added says that this binary may stay.
			outside(t, where, "INSERT INTO schema_compat (version, runs_with) VALUES (999, 1)")
			if current, _, _, err := d.SchemaStatus(t.Context()); err != nil || current != 999 {
				t.Errorf("SchemaStatus on a newer schema that we may run with: version %d, %v; want 999 and no error", current, err)
			}
			if err := d.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate: %v, want nothing to do", err)
			}
			if err := d.MigrateDown(t.Context()); fault.CodeOf(err) != "schema_too_new" {
				t.Errorf("MigrateDown: %v, want a refusal: we do not know the way down", err)
			}
			outside(t, where, "UPDATE schema_compat SET runs_with = 998 WHERE version = 999")
			if _, _, _, err := d.SchemaStatus(t.Context()); fault.CodeOf(err) != "schema_too_new" {
				t.Errorf("SchemaStatus on a schema for a later binary: %v, want a refusal", err)
			}
		})
	}
}

// TestMigrationFiles holds the two dialects together and each file to its
// duty to say which binaries may run with it.
func TestMigrationFiles(t *testing.T) {
	list := func(folder string) (names []string) {
		entries, err := fs.ReadDir(os.DirFS("migrations"), folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
			raw, err := fs.ReadFile(os.DirFS("migrations"), folder+"/"+e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"-- +goose Up", "-- +goose Down", "INSERT INTO schema_compat"} {
				if !strings.Contains(string(raw), part) {
					t.Errorf("%s/%s lacks %q", folder, e.Name(), part)
				}
			}
		}
		return names
	}
	if p, s := list("postgres"), list("sqlite"); !slices.Equal(p, s) {
		t.Errorf("migrations differ: postgres %v, sqlite %v", p, s)
	}
}

// TestSchemasAgree compares the columns of both dialects.
func TestSchemasAgree(t *testing.T) {
	columns := func(address, query string) (out []string) {
		d := openEmpty(t, address)
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		db := openOutside(t, address)
		defer func() { _ = db.Close() }()
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				t.Fatal(err)
			}
			if table != "schema_version" { // goose made it
				out = append(out, table+"."+column)
			}
		}
		slices.Sort(out)
		return out
	}
	p := columns(throwaway.Postgres(t).URL(), "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
	s := columns(newSQLiteURL(t), "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'")
	if len(p) < 100 || !slices.Equal(p, s) {
		t.Errorf("the schemas differ:\npostgres %v\nsqlite   %v", p, s)
	}
}

// TestRunsWithoutTheRightToChangeTheSchema does the ordinary work as a role
// that owns nothing.
func TestRunsWithoutTheRightToChangeTheSchema(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{})
	db := server.Database(t)
	if err := openEmpty(t, db.URL()).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	outside(t, db.URL(),
		"CREATE ROLE app LOGIN NOSUPERUSER",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"GRANT USAGE ON SCHEMA public TO app",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
		"REVOKE INSERT, UPDATE, DELETE ON schema_version FROM app",
	)
	app := openEmpty(t, db.URLAs("app"))
	if current, newest, pending, err := app.SchemaStatus(t.Context()); err != nil || current != newest || len(pending) != 0 {
		t.Errorf("SchemaStatus: version %d of %d, pending %v, %v; want all applied", current, newest, pending, err)
	}
	storagetest.Transactions(t, func(t *testing.T) *storage.Durable {
		t.Helper()
		if strings.Contains(t.Name(), "two_databases") { // which wants another
			return openURL(t, postgresURL(t), storage.DurableOptions{})
		}
		outside(t, db.URL(), emptying...)
		return app
	})
	err := app.MigrateDown(t.Context())
	if f := fault.As(err); f == nil || f.Kind != fault.Internal || !strings.Contains(f.Hint, "right") {
		t.Errorf("MigrateDown as the app: %v, want a refusal for lack of a right", err)
	}
}
