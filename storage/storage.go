// Package storage shows every Store on one page and opens the engines that
// implement them. The contracts stand in the features; storagetest proves
// that every engine keeps them.
package storage

import (
	"context"
	"io"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/job"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/passkey"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/replay"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
)

// Durable is the SQL side: it decides. Postgres or SQLite.
type Durable struct {
	Clients          client.Store
	APIs             scope.Store
	Users            user.Store
	Passwords        password.Store
	Grants           grant.Store
	Sessions         session.Store
	Consents         consent.Store
	Confirmations    confirm.Store
	Browsers         factor.Store
	Federation       federation.Store
	TOTPs            totp.Store
	Passkeys         passkey.Store
	RecoveryCodes    recoverycode.Store
	Contacts         onetime.Store
	Keys             keyring.Store
	Revocations      revocation.Ledger
	Audit            audit.Store
	Refusals         explain.Store
	Leases           job.Leases
	Mails            mail.Store
	FactorRecoveries recovery.Store

	// Examine looks at the engine for portico doctor: clock, rights, settings.
	// Nil: there is nothing to look at.
	Examine func(ctx context.Context) []Finding

	Transactor
	Health
	Migrator
	Pool
	io.Closer
}

// ShortLived is the fast side: it holds what dies soon, and nothing that
// would open something when lost. Redis, or the embedded store of one node.
type ShortLived struct {
	Flows       flow.Store
	Limits      limit.Store
	Spreads     limit.Spreads
	Replay      replay.Store
	Revocations revocation.Live
	Sessions    session.Cache

	// Examine looks at the engine for portico doctor: persistence, eviction.
	// Nil: there is nothing to look at.
	Examine func(ctx context.Context) []Finding

	Health
	io.Closer
}

// Transactor runs work in one transaction.
type Transactor interface {
	// InTx runs fn with a context whose transaction every Store method takes
	// part in; it commits when fn returns nil and rolls back otherwise, also
	// when fn panics. Nested calls join the outer transaction; when one fails,
	// or the database refuses a statement, the whole is rolled back even if fn
	// returns nil. A fault.Conflict or fault.NotFound that changed nothing does
	// not count as such. What fn returns comes back as it is. Conflicts the
	// database asks to retry (40001, 40P01, busy) are retried a bounded number
	// of times, so fn must have no effect outside the database.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// AfterCommit calls fn once when the transaction of ctx has committed, and
	// never when it rolled back. Without a transaction it calls fn at once.
	// fn must be quick and must not use ctx.
	AfterCommit(ctx context.Context, fn func())
}

// Health answers readiness.
type Health interface {
	// Ping asks the engine for a sign of life within the context's deadline;
	// fault.Unavailable otherwise.
	Ping(ctx context.Context) error
}

// Migrator changes the schema by versioned SQL files.
type Migrator interface {
	// Migrate brings the schema to the newest version. Safe when several
	// instances start at once: one migrates, the others wait.
	Migrate(ctx context.Context) error
	// MigrateDown takes back the newest migration.
	MigrateDown(ctx context.Context) error
	// SchemaStatus returns the version of the database, the newest version
	// that this binary knows, and the names of the pending migrations.
	SchemaStatus(ctx context.Context) (current, newest int64, pending []string, err error)
}
