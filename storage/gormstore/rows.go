package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/portico-id/portico/pkg/paging"
)

// insert writes a new row. A taken key is a conflict that leaves a
// transaction usable.
func (d *DB) insert(ctx context.Context, op string, row any) error {
	return d.write(ctx, op, func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(row)
		if res.Error == nil && res.RowsAffected == 0 {
			return conflict
		}
		return res.Error
	})
}

// first reads the one row that the condition names by keys that are not empty.
func (d *DB) first(ctx context.Context, op string, row any, where string, keys ...string) error {
	if !findable(keys...) {
		return notFound
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return d.read(ctx, op, func(tx *gorm.DB) error { return tx.Where(where, args...).Take(row).Error })
}

// replace writes every column of an existing row but for its key and its time
// of creation.
func (d *DB) replace(ctx context.Context, op string, row any, key, value string) error {
	if !findable(value) {
		return notFound
	}
	return d.write(ctx, op, func(tx *gorm.DB) error {
		res := tx.Model(row).Where(key+" = ?", value).Select("*").Omit(key, "created_at").Updates(row)
		if res.Error == nil && res.RowsAffected == 0 {
			return notFound
		}
		return res.Error
	})
}

// remove runs a statement that must change one row.
func (d *DB) remove(ctx context.Context, op, query, key string) error {
	if !findable(key) {
		return notFound
	}
	n, err := d.exec(ctx, op, query, key)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// owned runs a statement that must change the one row of an id and its person.
func (d *DB) owned(ctx context.Context, op, userID, id, query string, args ...any) error {
	if !findable(userID, id) {
		return notFound
	}
	n, err := d.exec(ctx, op, query, args...)
	if err == nil && n == 0 {
		return notFound
	}
	return err
}

// page reads rows in the order of creation, from the one after the cursor.
// For an unknown cursor the comparison is with NULL, which nothing is after.
func (d *DB) page(ctx context.Context, op, table string, page paging.Page, rows any) error {
	if page.Cursor != "" && !findable(page.Cursor) {
		return nil
	}
	return d.read(ctx, op, func(tx *gorm.DB) error {
		tx = tx.Order("created_at, id").Limit(page.Limit())
		if page.Cursor != "" {
			tx = tx.Where("(created_at, id) > (SELECT created_at, id FROM "+table+" WHERE id = ?)", page.Cursor)
		}
		return tx.Find(rows).Error
	})
}

// lineUp lets the transactions that call it with the same name go one after
// the other: those that make a new row in place of an older one would not see
// each other's, and both would stay. SQLite has one writer anyway.
func (d *DB) lineUp(ctx context.Context, op, name string) error {
	if d.writer.gorm.Name() != "postgres" {
		return nil
	}
	_, err := d.exec(ctx, op, "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name)
	return err
}

// batch bounds the rows of one INSERT: both engines bound the parameters of a
// statement.
const batch = 200

// append writes rows of which those that are there already stay as they are.
func (d *DB) append(ctx context.Context, op string, rows any) error {
	return d.write(ctx, op, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, batch).Error
	})
}

// prune removes at most limit rows by a statement with two parameters, a time
// and the limit, and returns how many.
func (d *DB) prune(ctx context.Context, op, query string, before time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	n, err := d.exec(ctx, op, query, utc(before), limit)
	return int(n), err
}
