// Package revocation remembers what was revoked for as long as a token could
// still show it: one row in SQL in the transaction of its cause, and the same
// fact in the live set that introspection, userinfo and refresh consult.
package revocation

import (
	"context"
	"time"
)

// Kind says what an entry ends.
type Kind string

// Kinds of entry.
const (
	Token   Kind = "jti"     // one access token
	Grant   Kind = "grant"   // everything of one grant family
	Session Kind = "session" // tokens of one session issued up to NotBefore
	Subject Kind = "subject" // tokens of one person issued up to NotBefore
	Client  Kind = "client"  // tokens of one client issued up to NotBefore
)

// Entry is one revocation.
type Entry struct {
	Kind Kind   `json:"k"`
	ID   string `json:"i"`
	// NotBefore is the cut-off for session, subject and client: tokens issued
	// at or before it are dead. Token and grant entries are absolute.
	NotBefore time.Time `json:"n,omitzero"`
	// ExpiresAt is when the last token it could concern is dead by itself.
	ExpiresAt time.Time `json:"e"`
	Reason    string    `json:"r,omitempty"`
}

// Ledger is the durable record. Implementations pass storagetest.Revocations.
type Ledger interface {
	// Add writes entries in the transaction that the context carries. An
	// entry of the same kind and id replaces an earlier one if it reaches
	// further (later NotBefore or ExpiresAt); of each time the later is kept.
	Add(ctx context.Context, entries ...Entry) error
	// Standing returns every entry that has not expired at now.
	Standing(ctx context.Context, now time.Time) ([]Entry, error)
	// DeleteExpired removes at most limit entries that expired a day or longer
	// ago and returns how many: a clock that jumped ahead and comes back must
	// find the others again.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
}

// Mark names a state of the live set. Two equal marks mean equal sets, also
// across a failover that lost the newest entries: it is opaque, random, and
// changes whenever the set does. The empty mark is the state of no set.
type Mark string

// Live is the shared fast copy. Implementations pass storagetest.LiveSet.
// Every method fails with fault.Unavailable when the copy cannot be reached.
type Live interface {
	// Head returns the mark of the set in one round trip, or fault.NotFound
	// when the set is absent: flushed, restarted empty, or never built.
	Head(ctx context.Context) (Mark, error)
	// Since returns the entries appended after the mark and the new head. If
	// the mark is not in the set's recent history (rebuilt, failed over,
	// trimmed), whole is true and entries are the whole set. fault.NotFound
	// when the set is absent.
	Since(ctx context.Context, after Mark) (entries []Entry, head Mark, whole bool, err error)
	// Append adds entries atomically and returns the new head. Entries that
	// reach no further than those of the same kind and id are there already
	// and need change nothing. fault.NotFound when the set is absent: the
	// caller rebuilds it from the ledger and appends again.
	Append(ctx context.Context, entries ...Entry) (Mark, error)
	// Rebuild replaces an absent set by entries. If another instance rebuilt
	// first, the entries are merged into the set that is there: nothing that
	// anyone added is lost.
	Rebuild(ctx context.Context, entries []Entry) (Mark, error)
}
