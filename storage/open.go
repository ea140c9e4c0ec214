package storage

import (
	"context"
	"database/sql"
	"time"

	"github.com/portico-id/portico/storage/gormstore"
)

// DurableOptions bounds what the durable side may use. Zero values take the
// defaults.
type DurableOptions struct {
	// MaxConnections bounds the connections to Postgres, or the readers of
	// SQLite. Default 16, and 8 for SQLite.
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

// OpenDurable opens the durable side by its URL: postgres://… or
// sqlite:///path, whose file is made when it is absent. It changes no schema,
// and a Postgres that is down for now is no error: Migrate, SchemaStatus and
// Ping find out. An error says what is wrong with the URL or the file.
func OpenDurable(ctx context.Context, url string, opts DurableOptions) (*Durable, error) {
	db, err := gormstore.Open(ctx, url, gormstore.Options(opts))
	if err != nil {
		return nil, err
	}
	return &Durable{
		Clients:          db.Clients(),
		APIs:             db.APIs(),
		Users:            db.Users(),
		Passwords:        db.Passwords(),
		Grants:           db.Grants(),
		Sessions:         db.Sessions(),
		Consents:         db.Consents(),
		Confirmations:    db.Confirmations(),
		Browsers:         db.Browsers(),
		Federation:       db.Federation(),
		TOTPs:            db.TOTPs(),
		Passkeys:         db.Passkeys(),
		RecoveryCodes:    db.RecoveryCodes(),
		Contacts:         db.Contacts(),
		Keys:             db.Keys(),
		Revocations:      db.Revocations(),
		Audit:            db.Audit(),
		Refusals:         db.Refusals(),
		Leases:           db.Leases(),
		Mails:            db.Mails(),
		FactorRecoveries: db.FactorRecoveries(),
		Transactor:       db,
		Health:           db,
		Migrator:         db,
		Pool:             db,
		Closer:           db,
	}, nil
}

// Pool tells how busy the connections are, for metrics.
type Pool interface {
	// Stats returns the state of the pool; WaitCount and WaitDuration are
	// those of calls that stood in line for a connection.
	Stats() sql.DBStats
}
