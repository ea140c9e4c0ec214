package embedded

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
)

// Flows implements flow.Store.
type Flows struct{ db *DB }

// Flows returns the store of flows.
func (db *DB) Flows() *Flows { return &Flows{db} }

// Put implements flow.Store. A power cut may take it back: the record is then
// as it was before, and whoever wrote it does that step again. What may be
// done only once is claimed by Take, or in the main database.
func (s *Flows) Put(ctx context.Context, key string, rec flow.Record, now time.Time) error {
	var written int64
	err := s.db.write(ctx, relaxed, func(st *statements) error {
		put := st.putNext
		if rec.Version == 1 {
			put = st.putFirst
		}
		return affected(&written)(put.Exec(digest(key), rec.Value, rec.Version, rec.ExpiresAt.UnixMicro(), now.UnixMicro()))
	})
	if err != nil {
		return err
	}
	if written != 1 {
		return fault.New(fault.Conflict, "conflict", "This was changed at the same time.")
	}
	return nil
}

// affected stores how many rows a statement changed.
func affected(n *int64) func(sql.Result, error) error {
	return func(r sql.Result, err error) error {
		if err == nil {
			*n, err = r.RowsAffected()
		}
		return err
	}
}

// Get implements flow.Store.
func (s *Flows) Get(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	rec, err := readFlow(s.db.read.flow.QueryRowContext(ctx, digest(key)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return flow.Record{}, errNoFlow
	case err != nil:
		return flow.Record{}, away(err)
	case !now.Before(rec.ExpiresAt):
		return flow.Record{}, errNoFlow
	}
	return rec, nil
}

// Take implements flow.Store. It is on the disk before it is acknowledged:
// what was taken stays taken.
func (s *Flows) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	var taken flow.Record
	found := false
	err := s.db.write(ctx, durable, func(st *statements) error {
		rec, err := readFlow(st.takeFlow.QueryRow(digest(key), now.UnixMicro()))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		taken, found = rec, err == nil
		return err
	})
	if err != nil {
		return flow.Record{}, err
	}
	if !found {
		return flow.Record{}, errNoFlow
	}
	return taken, nil
}

func readFlow(row *sql.Row) (flow.Record, error) {
	var rec flow.Record
	var expires int64
	if err := row.Scan(&rec.Value, &rec.Version, &expires); err != nil {
		return flow.Record{}, err
	}
	rec.ExpiresAt = time.UnixMicro(expires).UTC()
	return rec, nil
}

var errNoFlow = fault.New(fault.NotFound, "not_found", "There is no such record, or it has expired.")
