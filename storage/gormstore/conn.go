package gormstore

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// conn is the pool as gorm sees it: it keeps prepared statements where the
// driver does not, and tells OnStatement what goes to the database.
//
// gorm's own cache is not used: it starts a goroutine that never ends.
type conn struct {
	pool  *sql.DB
	stmts *statements // nil: the driver has its own cache
	watch func(ctx context.Context, op, sql string, took time.Duration, err error)
}

// opKey carries the name of the running operation to OnStatement.
type opKey struct{}

// seen reports a statement to the hook, if there is one.
func (c *conn) seen(ctx context.Context, query string, began time.Time, err error) {
	op, _ := ctx.Value(opKey{}).(string)
	c.watch(ctx, op, query, time.Since(began), err)
}

// PrepareContext implements gorm.ConnPool.
func (c *conn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return c.pool.PrepareContext(ctx, query)
}

// ExecContext implements gorm.ConnPool.
func (c *conn) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if c.watch != nil {
		defer func(began time.Time) { c.seen(ctx, query, began, err) }(time.Now())
	}
	stmt, err := c.stmts.get(ctx, c.pool, query)
	switch {
	case err != nil:
		return nil, err
	case stmt != nil:
		return stmt.ExecContext(ctx, args...)
	default:
		return c.pool.ExecContext(ctx, query, args...)
	}
}

// QueryContext implements gorm.ConnPool.
func (c *conn) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if c.watch != nil {
		defer func(began time.Time) { c.seen(ctx, query, began, err) }(time.Now())
	}
	stmt, err := c.stmts.get(ctx, c.pool, query)
	switch {
	case err != nil:
		return nil, err
	case stmt != nil:
		return stmt.QueryContext(ctx, args...)
	default:
		return c.pool.QueryContext(ctx, query, args...)
	}
}

// QueryRowContext implements gorm.ConnPool.
func (c *conn) QueryRowContext(ctx context.Context, query string, args ...any) (row *sql.Row) {
	if c.watch != nil {
		defer func(began time.Time) { c.seen(ctx, query, began, row.Err()) }(time.Now())
	}
	stmt, err := c.stmts.get(ctx, c.pool, query)
	if err == nil && stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return c.pool.QueryRowContext(ctx, query, args...) // repeats the error, if there was one
}

// BeginTx implements gorm.ConnPoolBeginner.
func (c *conn) BeginTx(ctx context.Context, opts *sql.TxOptions) (_ gorm.ConnPool, err error) {
	if c.watch != nil {
		defer func(began time.Time) { c.seen(ctx, "BEGIN", began, err) }(time.Now())
	}
	tx, err := c.pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &txConn{Tx: tx, conn: c, ctx: ctx}, nil
}

// close drops the prepared statements.
func (c *conn) close() { c.stmts.close() }

// txConn is conn within a transaction.
type txConn struct {
	*sql.Tx
	conn *conn
	ctx  context.Context //nolint:containedctx // Commit and Rollback have none, and the hook wants one
}

// ExecContext implements gorm.ConnPool.
func (t *txConn) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if t.conn.watch != nil {
		defer func(began time.Time) { t.conn.seen(ctx, query, began, err) }(time.Now())
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext implements gorm.ConnPool.
func (t *txConn) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if t.conn.watch != nil {
		defer func(began time.Time) { t.conn.seen(ctx, query, began, err) }(time.Now())
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext implements gorm.ConnPool.
func (t *txConn) QueryRowContext(ctx context.Context, query string, args ...any) (row *sql.Row) {
	if t.conn.watch != nil {
		defer func(began time.Time) { t.conn.seen(ctx, query, began, row.Err()) }(time.Now())
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// Commit implements gorm.TxCommitter.
func (t *txConn) Commit() (err error) {
	if t.conn.watch != nil {
		defer func(began time.Time) { t.conn.seen(t.ctx, "COMMIT", began, err) }(time.Now())
	}
	return t.Tx.Commit()
}

// Rollback implements gorm.TxCommitter.
func (t *txConn) Rollback() (err error) {
	if t.conn.watch != nil {
		defer func(began time.Time) { t.conn.seen(t.ctx, "ROLLBACK", began, err) }(time.Now())
	}
	return t.Tx.Rollback()
}
