package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// How much a power cut may take back. kill -9 takes back neither.
const (
	// durable work is on the disk before it is acknowledged: what makes a
	// thing single-use, because a lost claim would let it be used again.
	durable = true
	// relaxed work is with the kernel. A power cut may take back the last
	// moments of it, which sends somebody a step back in a login, or gives a
	// guesser back a try he made a moment before. It opens nothing.
	relaxed = false
)

// job is one statement that waits to be written.
type job struct {
	ctx     context.Context
	durable bool
	do      func(*statements) error
	done    chan error
}

// statements are prepared on the one writing connection.
type statements struct {
	conn                                *sql.Conn
	putFirst, putNext, takeFlow         *sql.Stmt
	claim, counter, firstMark, nextMark *sql.Stmt
	forget, meet, crowd, met            *sql.Stmt
	sweep                               []*sql.Stmt
	full                                bool // how the connection is set now
	swept                               time.Time
}

func (s *statements) prepare(ctx context.Context) error {
	for stmt, text := range map[**sql.Stmt]string{
		&s.putFirst: `INSERT INTO flow (key, value, version, expires) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, expires = ?4 WHERE flow.expires <= ?5`,
		&s.putNext:  `UPDATE flow SET value = ?2, version = ?3, expires = ?4 WHERE key = ?1 AND version = ?3 - 1 AND expires > ?5`,
		&s.takeFlow: `DELETE FROM flow WHERE key = ? AND expires > ? RETURNING value, version, expires`,
		&s.claim: `INSERT INTO spent (id, expires) VALUES (?1, ?2)
			ON CONFLICT (id) DO UPDATE SET expires = ?2 WHERE spent.expires <= ?3`,
		&s.counter: `INSERT INTO counter (key, newest, counts, expires) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (key) DO UPDATE SET newest = ?2, counts = ?3, expires = ?4`,
		&s.forget: `DELETE FROM spread WHERE key = ?1 AND (met <= ?2 OR met > ?3)`,
		&s.meet: `INSERT INTO spread (key, member, met, expires) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (key, member) DO UPDATE SET met = ?3, expires = ?4`,
		&s.crowd: `DELETE FROM spread WHERE key = ?1 AND member IN
			(SELECT member FROM spread WHERE key = ?1 ORDER BY met DESC, member LIMIT -1 OFFSET ?2)`,
		&s.met:       howMany,
		&s.firstMark: `INSERT INTO fact (name, value) VALUES ('mark', ?) ON CONFLICT DO NOTHING`,
		&s.nextMark:  `UPDATE fact SET value = ?2 WHERE name = 'mark' AND value = ?1`,
	} {
		var err error
		if *stmt, err = s.conn.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	for _, text := range []string{
		`DELETE FROM flow WHERE key IN (SELECT key FROM flow WHERE expires < ? LIMIT 2000)`,
		`DELETE FROM spent WHERE id IN (SELECT id FROM spent WHERE expires < ? LIMIT 2000)`,
		`DELETE FROM counter WHERE key IN (SELECT key FROM counter WHERE expires < ? LIMIT 2000)`,
		`DELETE FROM spread WHERE (key, member) IN (SELECT key, member FROM spread WHERE expires < ? LIMIT 2000)`,
	} {
		stmt, err := s.conn.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		s.sweep = append(s.sweep, stmt)
	}
	return nil
}

// startWriting begins the goroutine that owns the writing connection.
func (db *DB) startWriting(ctx context.Context) error {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return err
	}
	s := &statements{conn: conn, swept: time.Now()}
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, conn.Close())
	}
	go db.writeAll(s)
	return nil
}

// write has do run in the next transaction and returns when that is
// committed. When ctx ends first, the outcome is unknown to the caller.
func (db *DB) write(ctx context.Context, durable bool, do func(*statements) error) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	j := &job{ctx: ctx, durable: durable, do: do, done: make(chan error, 1)}
	if err := db.hand(j); err != nil {
		return away(err)
	}
	select {
	case err := <-j.done:
		return away(err)
	case <-ctx.Done():
		return away(ctx.Err())
	}
}

func (db *DB) hand(j *job) error {
	db.gate.RLock()
	defer db.gate.RUnlock()
	if db.closed {
		return errors.New("embedded: the store is closed")
	}
	select {
	case db.queue <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// together bounds how many jobs one transaction carries.
const together = 256

// writeAll writes what waits, all of it in one transaction: whoever comes
// while the disk is busy shares the next turn of it.
func (db *DB) writeAll(s *statements) {
	defer close(db.ended)
	defer func() { _ = s.conn.Close() }()
	for first := range db.queue {
		jobs := []*job{first}
	more:
		for len(jobs) < together {
			select {
			case j, open := <-db.queue:
				if !open {
					break more
				}
				jobs = append(jobs, j)
			default:
				break more
			}
		}
		err := s.commit(jobs)
		for _, j := range jobs {
			j.done <- err
		}
	}
}

// commit runs the jobs in one transaction. A job that finds a conflict says
// so in its own variables; an error is one of the file, and undoes them all.
func (s *statements) commit(jobs []*job) (err error) {
	ctx := context.Background() // the jobs have many contexts and one fate
	full := false
	for _, j := range jobs {
		full = full || j.durable
	}
	if err := s.set(ctx, full); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_, undone := s.conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, undone)
		}
	}()
	for _, j := range jobs {
		if j.ctx.Err() != nil {
			continue // nobody waits: better it never happened
		}
		if err := j.do(s); err != nil {
			return err
		}
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	_, err = s.conn.ExecContext(ctx, "COMMIT")
	return err
}

// set chooses whether commits wait for the disk. FULL syncs the log at each
// commit, and with it all that was written before.
func (s *statements) set(ctx context.Context, full bool) error {
	if s.full == full {
		return nil
	}
	level := "NORMAL"
	if full {
		level = "FULL"
	}
	if _, err := s.conn.ExecContext(ctx, "PRAGMA synchronous = "+level); err != nil {
		return err
	}
	s.full = full
	return nil
}

// tidy removes some of what expired long ago, at most once a minute, along
// with work that is there anyway: an idle node does not wake for it.
func (s *statements) tidy(ctx context.Context) error {
	now := time.Now()
	if since := now.Sub(s.swept); since >= 0 && since < time.Minute {
		return nil
	}
	s.swept = now
	for _, stmt := range s.sweep {
		if _, err := stmt.ExecContext(ctx, now.Add(-slack).UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}
