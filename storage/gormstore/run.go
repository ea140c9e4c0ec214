package gormstore

import (
	"context"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
)

// read runs fn on a connection that reads, or in the transaction of ctx.
func (d *DB) read(ctx context.Context, op string, fn func(*gorm.DB) error) error {
	return d.run(ctx, op, d.reader, fn)
}

// write runs fn on a connection that writes, or in the transaction of ctx.
// Outside a transaction fn is one statement: it may be repeated.
func (d *DB) write(ctx context.Context, op string, fn func(*gorm.DB) error) error {
	return d.run(ctx, op, d.writer, fn)
}

func (d *DB) run(ctx context.Context, op string, s *side, fn func(*gorm.DB) error) error {
	if t := d.txOf(ctx); t != nil {
		return t.run(ctx, op, fn)
	}
	limited, cancel := d.limited(ctx, op, d.opts.StatementTimeout)
	defer cancel()
	return face(ctx, op, d.again(ctx, func() error {
		if err := s.gate.enter(ctx); err != nil {
			return err
		}
		defer s.gate.leave()
		return fn(s.gorm.WithContext(limited))
	}))
}

// limited bounds work at the database, because one that hangs must not hang
// its callers, and names it for OnStatement. The end of ctx does not cut work
// short that has begun, only its deadline does: a browser that goes away must
// not cost a connection, which a driver can only drop in the middle of a
// statement.
func (d *DB) limited(ctx context.Context, op string, most time.Duration) (context.Context, context.CancelFunc) {
	until := time.Now().Add(most)
	if own, ok := ctx.Deadline(); ok && own.Before(until) {
		until = own
	}
	if d.opts.OnStatement != nil {
		ctx = context.WithValue(ctx, opKey{}, op)
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}

// exec runs one statement that writes and returns how many rows it changed.
func (d *DB) exec(ctx context.Context, op, query string, args ...any) (changed int64, err error) {
	err = d.write(ctx, op, func(tx *gorm.DB) error {
		res := tx.Exec(query, args...)
		changed = res.RowsAffected
		return res.Error
	})
	return changed, err
}

// ids runs one statement that writes and returns a column of text.
func (d *DB) ids(ctx context.Context, op, query string, args ...any) (out []string, err error) {
	err = d.write(ctx, op, func(tx *gorm.DB) error {
		out = nil // of an attempt that has to be repeated
		rows, err := tx.Raw(query, args...).Rows()
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			out = append(out, id)
		}
		return rows.Err()
	})
	return out, err
}

// row reads the columns of one row into targets.
func (d *DB) row(ctx context.Context, op string, targets []any, query string, args ...any) error {
	return d.read(ctx, op, func(tx *gorm.DB) error {
		return tx.Raw(query, args...).Row().Scan(targets...)
	})
}

// rower is a row of an answer.
type rower interface{ Scan(targets ...any) error }

// each calls fn for every row of the answer. It may be begun again, so fn
// must not mind to see a row twice.
func (d *DB) each(ctx context.Context, op, query string, fn func(rower) error, args ...any) error {
	return d.read(ctx, op, func(tx *gorm.DB) error {
		rows, err := tx.Raw(query, args...).Rows()
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := fn(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// attempts bounds how often work is begun that the database undoes.
const attempts = 6

// again repeats try while the database asks for it.
func (d *DB) again(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		if err == nil || !retryable(err) || n == attempts || !pause(ctx, n) {
			return err
		}
	}
}

// pause waits 2 to 4, 4 to 8, … milliseconds, so that those who collided do
// not collide again. It reports false when ctx ended meanwhile.
func pause(ctx context.Context, n int) bool {
	base := time.Millisecond << n
	timer := time.NewTimer(base + rand.N(base)) //nolint:gosec // spreads, hides nothing
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
