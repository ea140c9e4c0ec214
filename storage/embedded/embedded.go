// Package embedded keeps for one node what redisstore keeps for many: flows,
// counters, spent identifiers, the live set of revocations, and copies of
// sessions. Its own small SQLite file survives restarts, so that a restart
// forgets nothing that matters; beside it memory holds what is asked on every
// request.
//
// What is acknowledged is in the file, and with the kernel: kill -9 takes
// nothing back. How much a power cut may take back is decided for each kind
// of record where it is written; see durable and relaxed.
package embedded

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// workLimit bounds one operation, with its time in the queue.
const workLimit = 5 * time.Second

// slack is how much longer a record is kept than our clock says, so that a
// clock that was ahead for an hour has forgotten nothing when it steps back.
const slack = 2 * time.Hour

// DB is the open file. It is safe for concurrent use.
type DB struct {
	writer *sql.DB // one connection, used by one goroutine
	reader *sql.DB
	read   struct{ flow, counter, mark, met *sql.Stmt }

	gate   sync.RWMutex // held for reading while a job is handed over
	closed bool         // guarded by gate
	queue  chan *job
	ended  chan struct{} // closed when the writing goroutine has ended

	epoch  int64 // of the replay set, in microseconds since 1970
	limits *Limits
	live   *LiveSet

	sessions *Sessions
}

// Options are what the path does not say.
type Options struct {
	// Fresh says that this installation has issued nothing yet: a file that
	// is made now is new and not lost, so the epoch of the replay set is the
	// beginning of time and the very first assertion is not refused.
	Fresh bool
}

const schema = `
CREATE TABLE IF NOT EXISTS flow (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS flow_expires ON flow (expires);
CREATE TABLE IF NOT EXISTS spent (id TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_expires ON spent (expires);
CREATE TABLE IF NOT EXISTS counter (key TEXT PRIMARY KEY, newest INTEGER NOT NULL, counts BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counter_expires ON counter (expires);
CREATE TABLE IF NOT EXISTS spread (key TEXT NOT NULL, member TEXT NOT NULL, met INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (key, member)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spread_expires ON spread (expires);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`

// howMany counts the members of a spread that were met within a time.
const howMany = `SELECT count(*) FROM spread WHERE key = ?1 AND met > ?2 AND met <= ?3`

// Open opens the file, making it when it is absent, readable by its owner
// only. The file may be deleted while no process uses it: logins in progress
// end, and assertions issued before are refused.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	db := &DB{sessions: NewSessions(), queue: make(chan *job, 1024), ended: make(chan struct{})}
	if err := db.open(ctx, path, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open the short-lived store %s: %w", path, err), db.closeFiles())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, path string, opts Options) (err error) {
	if db.writer, err = pool(path, 1, "_txlock=immediate"); err != nil {
		return err
	}
	if _, err = db.writer.ExecContext(ctx, schema); err != nil {
		return err
	}
	first := clock.Now().UnixMicro()
	if opts.Fresh {
		first = 0
	}
	if _, err = db.writer.ExecContext(ctx, `INSERT INTO fact (name, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING`, first); err != nil {
		return err
	}
	if err = db.writer.QueryRowContext(ctx, `SELECT value FROM fact WHERE name = 'epoch'`).Scan(&db.epoch); err != nil {
		return err
	}
	if db.reader, err = pool(path, 2, "_query_only=1"); err != nil {
		return err
	}
	for stmt, text := range map[**sql.Stmt]string{
		&db.read.flow:    `SELECT value, version, expires FROM flow WHERE key = ?`,
		&db.read.counter: `SELECT newest, counts FROM counter WHERE key = ?`,
		&db.read.met:     howMany,
		&db.read.mark:    `SELECT value FROM fact WHERE name = 'mark'`,
	} {
		if *stmt, err = db.reader.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	if err = db.startWriting(ctx); err != nil {
		return err
	}
	db.live = &LiveSet{db: db}
	db.limits = newLimits(db)
	return nil
}

// pool opens the file with few connections and small caches: an idle node
// should cost little memory.
func pool(path string, connections int, extra string) (*sql.DB, error) {
	settings := url.Values{"_dqs": {"0"}, "_pragma": {
		"busy_timeout(4000)", "journal_mode(WAL)", "synchronous(NORMAL)",
		"journal_size_limit(16777216)", "cache_size(-1024)", "trusted_schema(0)",
	}}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings.Encode() + "&" + extra}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func makeFile(path string) error {
	if path == "" {
		return errors.New("the short-lived store needs the path of a file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of the short-lived store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the short-lived store: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Chmod(0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("protect the short-lived store: %w", err)
	}
	return nil
}

// Ping reads from the file.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return away(db.reader.QueryRowContext(ctx, `SELECT 1 FROM fact LIMIT 1`).Scan(&one))
}

// Close writes what is still in memory and closes the file.
func (db *DB) Close() error {
	db.gate.RLock()
	closed := db.closed
	db.gate.RUnlock()
	if closed {
		return nil
	}
	err := db.limits.stop()
	db.gate.Lock()
	defer db.gate.Unlock()
	if db.closed {
		return err
	}
	db.closed = true
	close(db.queue)
	<-db.ended
	return errors.Join(err, db.closeFiles())
}

func (db *DB) closeFiles() error {
	var errs []error
	for _, f := range []*sql.DB{db.reader, db.writer} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// away gives an error of the file its face. Whatever it is, the store could
// not be asked.
func away(err error) error {
	if err == nil {
		return nil
	}
	if fault.Is(err, fault.Unavailable) {
		return err
	}
	return fault.Hide(err, fault.Unavailable, "temporarily_unavailable", "The short-lived store cannot be reached at the moment.")
}

// digest writes any text as a key of fixed length: what callers pass may be
// long, or an e-mail address, which has no business in the file.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p)) // so that ("ab","c") is not ("a","bc")
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
}
