package gormstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/mail"
)

// Mails implements mail.Store.
type Mails struct{ db *DB }

// Mails returns the store of the outbox.
func (d *DB) Mails() *Mails { return &Mails{d} }

const mailColumns = "id, letter, user_id, sealed, state, tries, next_at, problem, created_at, ended_at"

// scanMails reads every row of mailColumns and closes the answer.
func scanMails(rows *sql.Rows, err error) ([]mail.Mail, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []mail.Mail
	for rows.Next() {
		var m mail.Mail
		var ended *time.Time
		if err := rows.Scan(&m.ID, &m.Letter, &m.UserID, &m.Sealed, &m.State, &m.Tries, &m.NextAt, &m.Problem, &m.CreatedAt, &ended); err != nil {
			return nil, err
		}
		m.NextAt, m.CreatedAt, m.EndedAt = m.NextAt.UTC(), m.CreatedAt.UTC(), since(ended)
		out = append(out, m)
	}
	return out, rows.Err()
}

// Put implements mail.Store.
func (s *Mails) Put(ctx context.Context, m mail.Mail) error {
	if !findable(m.ID, string(m.State)) {
		return malformed
	}
	n, err := s.db.exec(ctx, "mails.put", "INSERT INTO mails ("+mailColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		m.ID, printable(m.Letter), printable(m.UserID), m.Sealed, m.State, m.Tries, utc(m.NextAt), printable(m.Problem), utc(m.CreatedAt), at(m.EndedAt))
	return won(n, err)
}

// claimQuery takes mails that are due. On Postgres those that somebody else is
// about to take are passed over; the one writer of SQLite meets nobody.
var claimQuery = map[string]string{
	"postgres": claimBegin + " FOR UPDATE SKIP LOCKED" + claimEnd,
	"sqlite":   claimBegin + claimEnd,
}

const (
	claimBegin = `WITH due AS MATERIALIZED (SELECT id FROM mails WHERE state = 'waiting' AND next_at <= ? ORDER BY next_at, id LIMIT ?`
	claimEnd   = `) UPDATE mails SET tries = tries + 1, next_at = ? WHERE id IN (SELECT id FROM due) RETURNING ` + mailColumns
)

// Claim implements mail.Store.
func (s *Mails) Claim(ctx context.Context, limit int, now, until time.Time) ([]mail.Mail, error) {
	if limit <= 0 {
		return nil, nil
	}
	var out []mail.Mail
	err := s.db.write(ctx, "mails.claim", func(tx *gorm.DB) (err error) {
		out, err = scanMails(tx.Raw(claimQuery[s.db.writer.gorm.Name()], utc(now), limit, utc(until)).Rows())
		return err
	})
	// RETURNING has no order, and when each was due is gone.
	slices.SortFunc(out, func(a, b mail.Mail) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// Sent implements mail.Store.
func (s *Mails) Sent(ctx context.Context, id string, now time.Time) error {
	return s.end(ctx, "mails.sent", "UPDATE mails SET state = 'sent', sealed = NULL, problem = '', ended_at = ? WHERE id = ? AND state = 'waiting'",
		id, utc(now), id)
}

// Later implements mail.Store.
func (s *Mails) Later(ctx context.Context, id string, tries int, problem string, next time.Time) error {
	return s.end(ctx, "mails.later", "UPDATE mails SET problem = ?, next_at = ? WHERE id = ? AND tries = ? AND state = 'waiting'",
		id, printable(problem), utc(next), id, tries)
}

// GiveUp implements mail.Store.
func (s *Mails) GiveUp(ctx context.Context, id string, tries int, problem string, now time.Time) error {
	return s.end(ctx, "mails.give_up", "UPDATE mails SET state = 'given_up', sealed = NULL, problem = ?, ended_at = ? WHERE id = ? AND tries = ? AND state = 'waiting'",
		id, printable(problem), utc(now), id, tries)
}

// end runs an update of the one waiting mail of the id.
func (s *Mails) end(ctx context.Context, op, query, id string, args ...any) error {
	if !findable(id) {
		return conflict
	}
	n, err := s.db.exec(ctx, op, query, args...)
	return won(n, err)
}

// ByID implements mail.Store.
func (s *Mails) ByID(ctx context.Context, id string) (mail.Mail, error) {
	if !findable(id) {
		return mail.Mail{}, notFound
	}
	out, err := s.list(ctx, "mails.by_id", "WHERE id = ?", id)
	if err == nil && len(out) == 0 {
		err = notFound
	}
	if err != nil {
		return mail.Mail{}, err
	}
	return out[0], nil
}

// Recent implements mail.Store.
func (s *Mails) Recent(ctx context.Context, limit int) ([]mail.Mail, error) {
	if limit <= 0 {
		return nil, nil
	}
	return s.list(ctx, "mails.recent", "ORDER BY created_at DESC, id DESC LIMIT ?", limit)
}

func (s *Mails) list(ctx context.Context, op, which string, args ...any) (out []mail.Mail, err error) {
	err = s.db.read(ctx, op, func(tx *gorm.DB) (err error) {
		out, err = scanMails(tx.Raw("SELECT "+mailColumns+" FROM mails "+which, args...).Rows())
		return err
	})
	return out, err
}

// Standing implements mail.Store.
func (s *Mails) Standing(ctx context.Context) (mail.Standing, error) {
	var st mail.Standing
	const count = `SELECT (SELECT COUNT(*) FROM mails WHERE state = 'waiting'), (SELECT COUNT(*) FROM mails WHERE state = 'given_up')`
	if err := s.db.row(ctx, "mails.standing", []any{&st.Waiting, &st.GivenUp}, count); err != nil {
		return mail.Standing{}, err
	}
	oldest, err := s.list(ctx, "mails.standing", "WHERE state = 'waiting' ORDER BY created_at LIMIT 1")
	if err == nil && len(oldest) > 0 {
		st.Oldest = oldest[0].CreatedAt
	}
	return st, err
}

// DeleteEnded implements mail.Store.
func (s *Mails) DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "mails.delete_ended",
		"DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE ended_at < ? ORDER BY ended_at LIMIT ?)", before, limit)
}

// Trim implements mail.Store.
func (s *Mails) Trim(ctx context.Context, keep, limit int) (int, error) {
	if keep < 0 || limit <= 0 {
		return 0, nil
	}
	n, err := s.db.exec(ctx, "mails.trim", `DELETE FROM mails WHERE ended_at IS NOT NULL AND id IN (
		SELECT id FROM mails ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?)`, limit, keep)
	return int(n), err
}
