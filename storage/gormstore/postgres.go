package gormstore

import (
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	postgresConnections = 16
	connectTimeout      = 3 * time.Second  // to one host; the URL may say otherwise
	connectionLife      = 30 * time.Minute // so that a fail-over spreads by itself
	connectionIdle      = 5 * time.Minute
)

// openPostgres reads the address and makes the pool. TLS, several hosts and
// the mode of the statement cache (default_query_exec_mode=exec for an old
// PgBouncer) are written in the address, as pgx and libpq know them.
func openPostgres(address string, opts Options) (*DB, error) {
	opts = opts.withDefaults(postgresConnections)
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		// Its own text may repeat parts of the address.
		return nil, errors.New("the database URL is not one that Postgres understands; write postgres://user:password@host:5432/name?sslmode=verify-full")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "portico"
	}
	pool := stdlib.OpenDB(*cfg)
	pool.SetConnMaxLifetime(connectionLife)
	pool.SetConnMaxIdleTime(connectionIdle)
	dialect := func(c gorm.ConnPool) gorm.Dialector { return postgres.New(postgres.Config{Conn: c}) }
	s, err := newSide(pool, dialect, opts.MaxConnections, false, opts) // pgx caches statements itself
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &DB{
		opts: opts, reader: s, writer: s,
		schema: postgresSchema(cfg),
		// Read committed, whatever the server's default is: the conditional
		// updates decide, and serializable would make them fail under load.
		txOpts: &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	}, nil
}
