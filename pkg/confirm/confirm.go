// Package confirm proves that somebody reads a mailbox: links and codes, each
// of one purpose, once, for a while. It sends no mail and draws no page; what
// a proof leads to is decided by who asked for it.
package confirm

import (
	"context"
	"errors"
	"time"

	"github.com/portico-id/portico/pkg/secret"
)

// Purpose is what a proof is for. One of another purpose is worthless.
type Purpose string

// Purposes. They are stored: never change one.
const (
	SignUp        Purpose = "sign_up"        // the account begins with it
	Invitation    Purpose = "invitation"     // an administrator asked somebody in
	VerifyEmail   Purpose = "verify_email"   // an address that an account has already
	ChangeEmail   Purpose = "change_email"   // an address that an account will have
	ResetPassword Purpose = "reset_password" // a password was forgotten
)

// MaxTries is how many wrong codes one confirmation bears.
const MaxTries = 5

// Confirmation is one proof that was asked for.
type Confirmation struct {
	ID      string // names it in lists and flows; opens nothing
	Purpose Purpose
	UserID  string // empty: nobody has the account yet
	Email   string // the mailbox
	// LinkHash and CodeHash are fingerprints; an empty one never matches.
	LinkHash, CodeHash string
	Tries              int    // codes tried
	Sealed             []byte // what belongs to it, sealed
	CreatedAt          time.Time
	ExpiresAt          time.Time
	EndedAt            time.Time // zero: open
	Reason             string    // why it ended: used, replaced, withdrawn
}

// Open reports whether it may still be used at now.
func (c *Confirmation) Open(now time.Time) bool { return c.EndedAt.IsZero() && now.Before(c.ExpiresAt) }

// Ask says what is to be proven.
type Ask struct {
	Purpose Purpose
	UserID  string
	Email   string
	For     time.Duration // how long link and code work
	Code    bool          // a code besides the link
	Payload any           // JSON; sealed at rest; nil: nothing
}

// Asked are the secrets of a new confirmation: they go into the mail and
// nowhere else.
type Asked struct {
	ID        string
	Link      string // a secret.ConfirmLink
	Code      string // eight digits in two groups, "1234 5678"; empty: none
	ExpiresAt time.Time
}

// Service asks for proofs and takes them. It is safe for concurrent use.
type Service struct {
	store  Store
	fp     *secret.Fingerprinter
	sealer *secret.Sealer
}

// NewService returns a service over the store.
func NewService(store Store, fp *secret.Fingerprinter, sealer *secret.Sealer) *Service {
	return &Service{store: store, fp: fp, sealer: sealer}
}

var errLater = errors.New("confirm: not there yet")

// Ask makes a confirmation, in the transaction that the context carries. Open
// ones of the same purpose and person end.
func (s *Service) Ask(ctx context.Context, a Ask) (Asked, error) { return Asked{}, errLater }

// ByLink returns the open confirmation of a link, without spending it: the
// page behind a link only asks. fault.Gone, code "link_over", for every other:
// garbage, unknown, of another purpose, spent, replaced or too old.
func (s *Service) ByLink(ctx context.Context, p Purpose, link string) (*Confirmation, error) {
	return nil, errLater
}

// ByCode returns the open confirmation of the id if the code is right; blanks
// and hyphens in it do not count. Each try is counted before the code is
// looked at: fault.Unauthenticated, code "code_wrong", when it is wrong;
// fault.Gone, code "link_over", when there is no open confirmation of the id
// and purpose, or MaxTries were wrong.
func (s *Service) ByCode(ctx context.Context, p Purpose, id, code string) (*Confirmation, error) {
	return nil, errLater
}

// Payload reads what belongs to the confirmation.
func (s *Service) Payload(c *Confirmation, into any) error { return errLater }

// Use spends the confirmation, in the transaction that the context carries:
// of any number of concurrent calls one succeeds, the others get fault.Gone,
// code "link_over".
func (s *Service) Use(ctx context.Context, c *Confirmation) error { return errLater }

// End ends the open confirmations of a person, of the purposes, or of all
// when none is named.
func (s *Service) End(ctx context.Context, userID, reason string, purposes ...Purpose) error {
	return errLater
}
