package mail

import (
	"context"
	"time"
)

// State is how far a mail is.
type State string

// States. They are stored: never change one.
const (
	Waiting State = "waiting"
	Sent    State = "sent"
	GivenUp State = "given_up"
)

// Mail is one row of the outbox.
type Mail struct {
	ID     string
	Letter string // its templates.Letter.Key
	UserID string // empty: nobody has an account with the address
	Sealed []byte // a Content; nil once nobody needs it
	State  State
	// Tries counts the claims. It names the claim that a sender holds.
	Tries int
	// NextAt is when a waiting mail may be claimed: next, or again because its
	// sender is dead.
	NextAt    time.Time
	Problem   string // what the mail server said last; names no person
	CreatedAt time.Time
	EndedAt   time.Time // sent or given up
}

// Standing is the state of the whole outbox.
type Standing struct {
	Waiting int
	Oldest  time.Time // when the longest waiting one was queued; zero: none
	GivenUp int       // of those that are still kept
}

// Store keeps the outbox durably. Implementations pass storagetest.Mails.
// Methods take part in the transaction that the context carries, if any.
type Store interface {
	// Put writes a mail. fault.Conflict when the id is taken.
	Put(ctx context.Context, m Mail) error
	// Claim returns at most limit waiting mails whose NextAt is not after now,
	// the longest due first, each counted and moved to until, so that nobody
	// else takes them before then. Of concurrent calls no two return the same.
	Claim(ctx context.Context, limit int, now, until time.Time) ([]Mail, error)
	// Sent ends a mail and erases what it says. Whoever sent it is believed,
	// also when the claim has run out. fault.Conflict when it is not waiting.
	Sent(ctx context.Context, id string, now time.Time) error
	// Later gives the claim of that number back, to be claimed again at next.
	// fault.Conflict when the mail is not waiting or was claimed again.
	Later(ctx context.Context, id string, tries int, problem string, next time.Time) error
	// GiveUp ends a mail whose claim has that number, and erases what it says.
	// fault.Conflict as in Later.
	GiveUp(ctx context.Context, id string, tries int, problem string, now time.Time) error
	// ByID returns a mail, or fault.NotFound.
	ByID(ctx context.Context, id string) (Mail, error)
	// Recent returns the newest mails first, at most limit.
	Recent(ctx context.Context, limit int) ([]Mail, error)
	// Standing counts.
	Standing(ctx context.Context) (Standing, error)
	// DeleteEnded removes at most limit mails that ended before the time, and
	// returns how many.
	DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error)
	// Trim removes at most limit ended mails besides the newest keep of all,
	// and returns how many.
	Trim(ctx context.Context, keep, limit int) (int, error)
}

// Transactor tells when a transaction is over; the storage does.
type Transactor interface {
	// AfterCommit calls fn once when the transaction of ctx has committed, and
	// never when it rolled back. Without a transaction it calls fn at once.
	AfterCommit(ctx context.Context, fn func())
}
