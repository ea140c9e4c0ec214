package recovery

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/paging"
)

// Request is a way back in that an administrator opens for who lost every
// second factor.
type Request struct {
	ID     string // names it in lists; opens nothing
	UserID string
	Reason string // in the administrator's words
	// AskedBy and ApprovedBy are the administrators. Without four eyes one is
	// both; an empty ApprovedBy waits for another.
	AskedBy, ApprovedBy string
	// ConfirmationID is that of the link; empty: there is none yet.
	ConfirmationID string
	CreatedAt      time.Time
	ExpiresAt      time.Time
	EndedAt        time.Time // zero: open
	EndReason      string    // used, replaced, withdrawn
}

// Open reports whether it may still be approved or used at now.
func (r *Request) Open(now time.Time) bool { return r.EndedAt.IsZero() && now.Before(r.ExpiresAt) }

// Approved reports whether a link was made.
func (r *Request) Approved() bool { return r.ApprovedBy != "" }

// Held is one second factor that a person has, as an operator sees it.
type Held struct {
	Kind      assurance.Factor
	Name      string // as the person calls it; of codes that are sent: where to
	Left      int    // unused recovery codes, which are one entry; else 1
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
}

// Store keeps ways back in durably. Implementations pass
// storagetest.FactorRecoveries. Methods take part in the transaction that the
// context carries, if any.
type Store interface {
	// Create writes a request. Open ones of the same person end in the same
	// step, reason "replaced".
	Create(ctx context.Context, r Request) error
	// ByID returns the request, ended ones too, or fault.NotFound.
	ByID(ctx context.Context, id string) (Request, error)
	// Approve notes who approved a request that is open at now and waits, the
	// confirmation of its link, and until when that works: of any number of
	// concurrent calls one succeeds, the others get fault.Conflict. So does who
	// asked for it.
	Approve(ctx context.Context, id, by, confirmationID string, expires, now time.Time) error
	// End ends a request that is open at now, for a reason: of any number of
	// concurrent calls one succeeds, the others get fault.Conflict.
	End(ctx context.Context, id, reason string, now time.Time) error
	// Open returns a page of the open requests, oldest first.
	Open(ctx context.Context, page paging.Page, now time.Time) ([]Request, error)
	// DeleteExpired removes at most limit requests that expired before the
	// time, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error)

	// Factors returns the second factors of a person, kind by kind, oldest
	// first.
	Factors(ctx context.Context, userID string) ([]Held, error)
	// RemoveFactors removes those of a person that are of the kinds and returns
	// how many. When none is named it removes all, and forgets every browser
	// that is remembered: nothing is left that stands for a second factor.
	// What the account says of them is left to the caller, in the same
	// transaction.
	RemoveFactors(ctx context.Context, userID string, kinds ...assurance.Factor) (int, error)
}
