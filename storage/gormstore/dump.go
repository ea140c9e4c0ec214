package gormstore

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"
)

// tablesQuery lists our tables on each engine.
var tablesQuery = map[string]string{
	"postgres": "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name",
	"sqlite":   "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
}

// Dump writes every row of every table as text, one line for each value:
// table.column = value. It proves what a thief of the database would see; it
// is no backup, because it reads the tables one after the other.
func (d *DB) Dump(ctx context.Context, w io.Writer) error {
	var tables []string
	err := d.each(ctx, "dump", tablesQuery[d.reader.gorm.Name()], func(rows rower) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	for _, table := range tables {
		if err == nil {
			err = d.dumpTable(ctx, w, table)
		}
	}
	return err
}

func (d *DB) dumpTable(ctx context.Context, w io.Writer, table string) error {
	return d.read(ctx, "dump", func(tx *gorm.DB) error {
		rows, err := tx.Raw(`SELECT * FROM "` + table + `"`).Rows()
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := dumpRow(w, table, rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func dumpRow(w io.Writer, table string, rows *sql.Rows) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	for i, v := range values {
		switch x := v.(type) {
		case []byte:
			v = string(x) // as it is: what is in the clear must be seen
		case time.Time:
			v = x.UTC().Format(time.RFC3339Nano)
		}
		if _, err := fmt.Fprintf(w, "%s.%s = %v\n", table, columns[i], v); err != nil {
			return err
		}
	}
	return nil
}
