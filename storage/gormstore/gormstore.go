// Package gormstore keeps everything durable in SQL: Postgres or SQLite, by
// the same code. Rows are private to it; the contracts are the Store
// interfaces of the features, and storagetest proves them on both engines.
//
// Every method takes part in the transaction that its context carries. Every
// error is a fault: nothing of the driver's words reaches a caller's caller.
// Times are compared with the clock of the caller, in UTC and microseconds.
package gormstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Options bounds what a DB may use. Zero values take the defaults.
type Options struct {
	// MaxConnections bounds the connections to Postgres, or the readers of
	// SQLite, which has one writer besides. Default 16, and 8 for SQLite.
	MaxConnections int
	// MaxQueue bounds how many calls may wait for a connection; the next one
	// gets fault.Unavailable at once. Default 1000.
	MaxQueue int
	// QueueTimeout bounds how long a call waits for a connection before it
	// gets fault.Unavailable. Default 3 seconds.
	QueueTimeout time.Duration
	// StatementTimeout bounds one call of a Store method when its context
	// ends later or never. Default 10 seconds.
	StatementTimeout time.Duration
	// Now is the clock for what no caller dates. Default time.Now.
	Now func() time.Time
	// OnStatement hears of every statement: the operation it belongs to
	// (grants.redeem), its text, which holds no values, how long it took, and
	// the error of the driver. It must be quick. Nil costs nothing.
	OnStatement func(ctx context.Context, op, sql string, took time.Duration, err error)
}

func (o Options) withDefaults(connections int) Options {
	if o.MaxConnections <= 0 {
		o.MaxConnections = connections
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = 1000
	}
	if o.QueueTimeout <= 0 {
		o.QueueTimeout = 3 * time.Second
	}
	if o.StatementTimeout <= 0 {
		o.StatementTimeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// DB is one database. It is safe for concurrent use.
type DB struct {
	opts   Options
	schema versions
	reader *side
	writer *side // the same as reader on Postgres
	txOpts *sql.TxOptions
}

// side is a pool with its queue. SQLite has one connection that writes, so
// that writers wait in line instead of colliding, and several that read.
type side struct {
	sql  *sql.DB
	gorm *gorm.DB
	conn *conn
	gate *gate
}

// Open prepares the database that address names, postgres://… or
// sqlite:///path, and connects to Postgres only when it is first used: a
// server that is down for now is no error. It changes no schema.
func Open(ctx context.Context, address string, opts Options) (*DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		// The error of url.Parse repeats the address, with its password.
		return nil, errors.New("the database URL cannot be parsed; write postgres://user:password@host/name or sqlite:///path")
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		return openPostgres(address, opts)
	case "sqlite":
		return openSQLite(ctx, u, opts)
	default:
		return nil, fmt.Errorf("the database URL begins with %q; write postgres://user:password@host/name or sqlite:///path", u.Scheme+":")
	}
}

// newSide puts gorm and a queue on a pool.
func newSide(pool *sql.DB, dialect func(gorm.ConnPool) gorm.Dialector, connections int, cache bool, opts Options) (*side, error) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	c := &conn{pool: pool, watch: opts.OnStatement}
	if cache {
		c.stmts = newStatements()
	}
	g, err := gorm.Open(dialect(c), &gorm.Config{
		SkipDefaultTransaction: true, // our transactions are explicit
		DisableAutomaticPing:   true, // a server that is down is no reason not to start
		QueryFields:            true, // never SELECT *: a new column must not disturb an older instance
		Logger:                 logger.Discard,
		NowFunc:                func() time.Time { return utc(opts.Now()) },
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &side{sql: pool, gorm: g, conn: c, gate: newGate(connections, opts.MaxQueue, opts.QueueTimeout)}, nil
}

// Close ends every connection.
func (d *DB) Close() error {
	err := d.writer.close()
	if d.reader != d.writer {
		err = errors.Join(err, d.reader.close())
	}
	return err
}

func (s *side) close() error {
	s.conn.close()
	return s.sql.Close()
}

// Ping asks the database for a sign of life.
func (d *DB) Ping(ctx context.Context) error {
	return d.read(ctx, "ping", func(tx *gorm.DB) error {
		var one int
		return tx.Raw("SELECT 1").Row().Scan(&one)
	})
}

// Stats tells how busy the pool is. The waits are those of the queue.
func (d *DB) Stats() sql.DBStats {
	total := d.reader.stats()
	if d.writer != d.reader {
		w := d.writer.stats()
		total.MaxOpenConnections += w.MaxOpenConnections
		total.OpenConnections += w.OpenConnections
		total.InUse += w.InUse
		total.Idle += w.Idle
		total.WaitCount += w.WaitCount
		total.WaitDuration += w.WaitDuration
	}
	return total
}

func (s *side) stats() sql.DBStats {
	st := s.sql.Stats()
	st.WaitCount, st.WaitDuration = s.gate.waits()
	return st
}
