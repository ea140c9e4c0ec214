package gormstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/fault"
)

// txKey finds the transaction of one database in a context: two databases may
// have one each.
type txKey struct{ db *DB }

// txn is an open transaction. Like any connection it serves one goroutine at
// a time.
type txn struct {
	db     *DB
	gorm   *gorm.DB
	failed error // the first error of the database, or of nested work
	over   bool
	after  []func() // for when it has committed
}

func (d *DB) txOf(ctx context.Context) *txn {
	t, _ := ctx.Value(txKey{d}).(*txn)
	return t
}

// transactionSteps is how many times longer a transaction may take than one
// statement, with all its attempts.
const transactionSteps = 3

// InTx implements storage.Transactor. When nested work or a statement fails,
// the whole transaction is rolled back, even if the error is swallowed:
// Postgres has given it up by then, and SQLite must not differ.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := d.txOf(ctx); t != nil {
		return t.nested(ctx, fn)
	}
	limited, cancel := d.limited(ctx, "transaction", transactionSteps*d.opts.StatementTimeout)
	defer cancel()
	err := d.again(ctx, func() error { return d.once(ctx, limited, fn) })
	if own, ok := err.(workError); ok { //nolint:errorlint // made by once, never wrapped
		return own.error
	}
	return face(ctx, "transaction", err)
}

// workError is what the work itself returned: it goes back as it is.
type workError struct{ error }

// nested joins the open transaction.
func (t *txn) nested(ctx context.Context, fn func(ctx context.Context) error) error {
	if t.over {
		return internal.Because(errTxOver)
	}
	err := fn(ctx)
	t.fail(err)
	return err
}

// fail remembers why the transaction cannot be committed any more.
func (t *txn) fail(err error) {
	if t.failed == nil {
		t.failed = err
	}
}

// once makes one attempt. The transaction itself ends with limited, so that
// the caller's leaving does not break the connection; whether the work is
// still wanted is asked before each step and before the commit.
func (d *DB) once(ctx, limited context.Context, fn func(ctx context.Context) error) error {
	if err := d.writer.gate.enter(ctx); err != nil {
		return err
	}
	defer d.writer.gate.leave()
	t := &txn{db: d, gorm: d.writer.gorm.WithContext(limited).Begin(d.txOpts)}
	if err := t.gorm.Error; err != nil {
		return err
	}
	defer t.end() // also when fn panics or ends its goroutine
	if err := fn(context.WithValue(ctx, txKey{d}, t)); err != nil {
		if t.failed != nil && retryable(t.failed) {
			return t.failed
		}
		return workError{err}
	}
	if err := cmp.Or(t.failed, ctx.Err()); err != nil {
		return err
	}
	t.over = true
	if err := t.gorm.Commit().Error; err != nil {
		return err
	}
	for _, fn := range t.after {
		fn()
	}
	return nil
}

// AfterCommit implements storage.Transactor. An attempt that is undone takes
// its functions with it.
func (d *DB) AfterCommit(ctx context.Context, fn func()) {
	if t := d.txOf(ctx); t != nil {
		t.after = append(t.after, fn)
		return
	}
	fn()
}

// end rolls back what was not committed.
func (t *txn) end() {
	if t.over {
		return
	}
	t.over = true
	t.gorm.Rollback() // if it fails the connection is gone, and the work with it
}

// run runs one operation within the transaction.
func (t *txn) run(ctx context.Context, op string, fn func(*gorm.DB) error) error {
	if t.over {
		return internal.Because(fmt.Errorf("%s: %w", op, errTxOver))
	}
	if err := ctx.Err(); err != nil {
		return face(ctx, op, err)
	}
	limited, cancel := t.db.limited(ctx, op, t.db.opts.StatementTimeout)
	defer cancel()
	err := fn(t.gorm.WithContext(limited))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); !ok && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, gorm.ErrRecordNotFound) {
		t.fail(err)
	}
	return face(ctx, op, err)
}
