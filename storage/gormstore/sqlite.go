package gormstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"gorm.io/gorm"
	"modernc.org/sqlite"
)

const sqliteReaders = 8

// sqliteSettings are not to be changed lightly. Times are written as text
// that sorts and can be read back only with the two time settings; FULL,
// because NORMAL may forget the last commits when the power goes, and a
// rotated refresh token would be alive again.
var sqliteSettings = url.Values{
	"_txlock":      {"immediate"},
	"_time_format": {"sqlite"},
	"_timezone":    {"UTC"},
	"_dqs":         {"0"},
	"_pragma": {
		"journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)",
		"journal_size_limit(67108864)", "trusted_schema(0)",
	},
}

// openSQLite makes the file if it is absent, readable by its owner only, and
// opens it with one writer and several readers.
func openSQLite(ctx context.Context, u *url.URL, opts Options) (*DB, error) {
	opts = opts.withDefaults(sqliteReaders)
	path, err := sqlitePath(u)
	if err != nil {
		return nil, err
	}
	if err := makeFile(path); err != nil {
		return nil, err
	}
	writer, err := sqliteSide(path, writerSettings, 1, opts)
	if err != nil {
		return nil, err
	}
	db := &DB{opts: opts, writer: writer, schema: sqliteSchema(path)}
	// The writer goes first: it turns the write-ahead log on, which several
	// processes may try at once.
	if err := db.again(ctx, func() error { return writer.sql.PingContext(ctx) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, err), writer.close())
	}
	reader, err := sqliteSide(path, readerSettings, opts.MaxConnections, opts)
	if err != nil {
		return nil, errors.Join(err, writer.close())
	}
	db.reader = reader
	return db, nil
}

// sqlitePath reads the file name: sqlite:///absolute/path, or
// sqlite:relative/path.
func sqlitePath(u *url.URL) (string, error) {
	path := u.Path
	if u.Opaque != "" {
		p, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", errors.New("the path of the SQLite database cannot be read; write sqlite:///path")
		}
		path = p
	}
	switch {
	case u.Host != "":
		return "", fmt.Errorf("sqlite://%s%s names a host; an absolute path has three slashes: sqlite:///path", u.Host, u.Path)
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the URL of a SQLite database takes no parameters: it ends with the path")
	case path == "" || path == "/" || path == ":memory:":
		return "", errors.New("a SQLite database needs a file: write sqlite:///path")
	}
	return filepath.Abs(path)
}

// makeFile sees to it that the file exists and that nobody else may read it.
// SQLite gives its log and index the same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of the database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("protect the database file: %w", err)
		}
	}
	return nil
}

// A reader refuses to write, so that no write goes round the line of the one
// writer. Another process may hold the lock: SQLite waits for it in short
// turns, because it does not hear of the end of a context, and run begins
// again.
const (
	readerSettings = "_busy_timeout=1000&_query_only=1"
	writerSettings = "_busy_timeout=1000"
)

func sqliteSide(path, settings string, connections int, opts Options) (*side, error) {
	pool, err := sqlitePool(path, settings)
	if err != nil {
		return nil, err
	}
	dialect := func(c gorm.ConnPool) gorm.Dialector { return sqliteDialect{conn: c} }
	s, err := newSide(pool, dialect, connections, true, opts)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return s, nil
}

// sqlitePool opens the file with more settings than those of all pools.
func sqlitePool(path, more string) (*sql.DB, error) {
	return openFile(path, sqliteSettings.Encode()+"&"+more)
}

// lockPool opens a file that serves as a lock and stays empty.
func lockPool(path string) (*sql.DB, error) {
	return openFile(path, "_txlock=exclusive&_busy_timeout=0")
}

func openFile(path, settings string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	return sql.OpenDB(connector), nil
}
