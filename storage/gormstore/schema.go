package gormstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/portico-id/portico/pkg/fault"
)

//go:embed migrations
var migrations embed.FS

// versionTable is where goose notes what it applied.
const versionTable = "schema_version"

// versions knows how to migrate one database.
type versions struct {
	dialect goose.Dialect
	files   string // folder in migrations
	exists  string // query: is there a table of the name ?
	open    func() (*sql.DB, error)
	// options of goose, and a lock around its work where goose has none
	options func() ([]goose.ProviderOption, error)
	lock    func(ctx context.Context) (release func(), err error)
}

// migrationLock is the advisory lock that instances of Portico queue for.
const migrationLock = 0x706f727469636f // "portico"

// postgresSchema migrates through a pool of its own, without the time limits
// of ordinary work. Instances wait for each other up to ten minutes.
func postgresSchema(cfg *pgx.ConnConfig) versions {
	return versions{
		dialect: goose.DialectPostgres,
		files:   "migrations/postgres",
		exists:  "SELECT to_regclass(?) IS NOT NULL",
		open:    func() (*sql.DB, error) { return stdlib.OpenDB(*cfg), nil },
		lock:    func(context.Context) (func(), error) { return func() {}, nil },
		options: func() ([]goose.ProviderOption, error) {
			l, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 600))
			if err != nil {
				return nil, err
			}
			return []goose.ProviderOption{goose.WithSessionLocker(l)}, nil
		},
	}
}

// sqliteSchema migrates behind a lock on a file beside the database.
func sqliteSchema(path string) versions {
	return versions{
		dialect: goose.DialectSQLite3,
		files:   "migrations/sqlite",
		exists:  "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)",
		open:    func() (*sql.DB, error) { return sqlitePool(path, "_busy_timeout=10000") },
		lock:    func(ctx context.Context) (func(), error) { return lockFile(ctx, path+".migrating") },
		options: func() ([]goose.ProviderOption, error) { return nil, nil },
	}
}

// provider makes goose ready. Whoever gets one closes it, and its pool with it.
func (s versions) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, s.files)
	if err != nil {
		return nil, err
	}
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	options = append(options, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	pool, err := s.open()
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(s.dialect, pool, files, options...)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return p, nil
}

// migrating runs fn with goose while no other instance migrates.
func (d *DB) migrating(ctx context.Context, fn func(*goose.Provider) error) error {
	p, err := d.schema.provider()
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	release, err := d.schema.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return fn(p)
}

// Migrate implements storage.Migrator.
func (d *DB) Migrate(ctx context.Context) error {
	if _, _, _, err := d.SchemaStatus(ctx); err != nil {
		return err
	}
	return face(ctx, "migrate", d.migrating(ctx, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	}))
}

// MigrateDown implements storage.Migrator. With nothing to take back it does
// nothing.
func (d *DB) MigrateDown(ctx context.Context) error {
	current, newest, _, err := d.SchemaStatus(ctx)
	if err != nil {
		return err
	}
	if current > newest {
		return newerSchema(current, newest)
	}
	return face(ctx, "migrate down", d.migrating(ctx, func(p *goose.Provider) error {
		_, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		return err
	}))
}

// SchemaStatus implements storage.Migrator. It needs no right to change the
// schema. Its error says so when the database is too new for this binary.
func (d *DB) SchemaStatus(ctx context.Context) (current, newest int64, pending []string, err error) {
	files, err := fs.Sub(migrations, d.schema.files)
	if err != nil {
		return 0, 0, nil, face(ctx, "schema status", err)
	}
	applied, err := d.applied(ctx)
	if err != nil {
		return 0, 0, nil, err
	}
	names, err := fs.Glob(files, "*.sql") // sorted, and the numbers have equal width
	if err != nil {
		return 0, 0, nil, face(ctx, "schema status", err)
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, 0, nil, face(ctx, "schema status", err)
		}
		newest = max(newest, version)
		if !applied[version] {
			pending = append(pending, name)
		}
	}
	for version := range applied {
		current = max(current, version)
	}
	return current, newest, pending, d.tooNew(ctx, current, newest)
}

// applied returns the versions that the database has.
func (d *DB) applied(ctx context.Context) (map[int64]bool, error) {
	out := map[int64]bool{}
	var exists bool
	if err := d.row(ctx, "schema status", []any{&exists}, d.schema.exists, versionTable); err != nil || !exists {
		return out, err
	}
	return out, d.each(ctx, "schema status", "SELECT version_id FROM "+versionTable+" WHERE is_applied", func(rows rower) error {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return err
		}
		if version > 0 { // goose begins with a row for nothing
			out[version] = true
		}
		return nil
	})
}

// tooNew refuses a schema that a newer Portico made, unless that schema says
// that this one may still run with it: versions N and N-1 run side by side
// while an update is rolled out. Each migration adds a row to schema_compat.
func (d *DB) tooNew(ctx context.Context, current, newest int64) error {
	if current <= newest {
		return nil
	}
	var runsWith int64
	err := d.row(ctx, "schema status", []any{&runsWith}, "SELECT coalesce(max(runs_with), ?) FROM schema_compat WHERE version = ?", current, current)
	if err != nil {
		return err
	}
	if newest >= runsWith {
		return nil
	}
	return newerSchema(current, newest)
}

func newerSchema(current, newest int64) error {
	return fault.New(fault.Conflict, "schema_too_new", "The database belongs to a newer Portico.").
		Because(fmt.Errorf("the schema has version %d and this Portico knows versions up to %d", current, newest)).
		WithHint("Run the newer Portico that migrated this database, or take its migrations back with 'portico migrate down' of that version.")
}
