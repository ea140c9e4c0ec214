package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// What callers get. The sentences say nothing about tables or drivers.
var (
	notFound    = fault.New(fault.NotFound, "not_found", "There is no such thing.")
	conflict    = fault.New(fault.Conflict, "conflict", "Somebody else was first, or the state has changed.")
	malformed   = fault.New(fault.Invalid, protocol.ErrInvalidRequest, "A value cannot be stored.")
	unavailable = fault.New(fault.Unavailable, protocol.ErrTemporarilyUnavailable, "The service is not available at the moment.").After(2 * time.Second)
	internal    = fault.New(fault.Internal, protocol.ErrServerError, "Something went wrong on our side.")
)

// errTxOver is the cause when a context outlives its transaction.
var errTxOver = errors.New("the transaction of this context is over")

// face turns what the driver said into a fault. A fault that is there already
// stays; the end of the caller's context stays recognisable behind one.
func face(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return shape(err).Because(fmt.Errorf("%s: %w", op, err))
}

func shape(err error) *fault.Error {
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) {
		return notFound
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return ofPostgres(e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return ofSQLite(e)
	}
	if unreachable(err) {
		return unavailable
	}
	return internal
}

// What an operator can do about it.
const (
	hintMigrate = "The database lacks a table or column: run 'portico migrate up'."
	hintRights  = "The database role lacks a right: see deploy/sql/roles.sql; migrations need the owner of the schema."
	hintAccess  = "The database refuses the connection: check user, password and database name in PORTICO_DATABASE_URL."
)

// unreachable reports whether err says that the database did not answer: it
// is down, its queue is too long, or the time was up, which also ends a
// transaction under our hands.
func unreachable(err error) bool {
	for _, e := range []error{
		context.Canceled, context.DeadlineExceeded, errQueueFull, errQueueTimeout,
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// These have no type: database/sql and pgx made them with errors.New.
	text := err.Error()
	return strings.Contains(text, "database is closed") || strings.Contains(text, "conn closed")
}

// ofPostgres reads an SQLSTATE (PostgreSQL, appendix A).
func ofPostgres(code string) *fault.Error {
	switch code {
	case "23505": // unique_violation
		return conflict
	case "22021", "22P05": // a NUL or invalid UTF-8, which Postgres cannot hold
		return malformed
	case "40001", "40P01", "55P03", // would not let us in turn, even after retries
		"25006",          // a replica that was promoted away
		"57014", "57P05": // cancelled, idle too long
		return unavailable
	case "42P01", "42703": // undefined_table, undefined_column
		return internal.WithHint("%s", hintMigrate)
	case "42501": // insufficient_privilege
		return internal.WithHint("%s", hintRights)
	}
	switch code[:min(2, len(code))] {
	case "28", "3D": // authorization, catalogue
		return unavailable.WithHint("%s", hintAccess)
	case "08", "53", "57", "58": // connection, resources, operator, system
		return unavailable
	}
	return internal
}

// Result codes of SQLite (sqlite.org/rescode.html).
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteUnique     = 2067
	sqlitePrimaryKey = 1555
)

func ofSQLite(e *sqlite.Error) *fault.Error {
	switch e.Code() {
	case sqliteUnique, sqlitePrimaryKey:
		return conflict
	}
	switch e.Code() & 0xff {
	case sqliteBusy, sqliteLocked, sqliteNoMem, sqliteReadOnly, sqliteInterrupt, sqliteIOErr, sqliteFull, sqliteCantOpen, sqliteProtocol:
		return unavailable
	}
	if strings.Contains(e.Error(), "no such table") || strings.Contains(e.Error(), "no such column") {
		return internal.WithHint("%s", hintMigrate)
	}
	return internal
}

// retryable reports whether the database asks to try again: it undid the
// statement or the transaction to let another one through.
func retryable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqliteBusy
	}
	return false
}
