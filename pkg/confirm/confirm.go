// Package confirm proves that somebody reads a mailbox, or has a phone: links
// and codes, each of one purpose, once, for a while. It sends no mail and draws no page; what
// a proof leads to is decided by who asked for it.
package confirm

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
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
	FactorEmail   Purpose = "factor_email"   // a second factor: a code by e-mail
	FactorSMS     Purpose = "factor_sms"     // a second factor: a code by text message
	EnrolEmail    Purpose = "enrol_email"    // codes by e-mail become a factor
	EnrolSMS      Purpose = "enrol_sms"      // codes to a number become one
	// RecoverFactors is the word of an administrator that somebody lost every
	// second factor. Its link is handed over, and not mailed.
	RecoverFactors Purpose = "recover_factors"
)

// Reasons for an end. They are stored: never change one.
const (
	Used      = "used"
	Replaced  = "replaced"  // a later one took its place
	Withdrawn = "withdrawn" // somebody thought better of it
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

// Use spends the confirmation, in the transaction that the context carries:
// of any number of concurrent calls one succeeds, the others get fault.Gone,
// code "link_over".
func (s *Service) Use(ctx context.Context, c *Confirmation) error {
	err := s.store.Use(ctx, c.ID, clock.Now())
	if fault.Is(err, fault.Conflict) {
		return Over("spent, replaced or too old meanwhile").Because(err)
	}
	return err
}

// End ends the open confirmations of a person, of the purposes, or of all
// when none is named.
func (s *Service) End(ctx context.Context, userID, reason string, purposes ...Purpose) error {
	return s.store.EndOfUser(ctx, userID, reason, clock.Now(), purposes...)
}

// Of returns the open confirmation of a person for the purpose: what their
// account waits for. fault.NotFound when it waits for nothing.
func (s *Service) Of(ctx context.Context, userID string, p Purpose) (*Confirmation, error) {
	c, err := s.store.OpenOf(ctx, userID, p, clock.Now())
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// Pending returns a page of the open confirmations of a purpose, oldest first.
func (s *Service) Pending(ctx context.Context, p Purpose, page paging.Page) ([]Confirmation, error) {
	return s.store.Open(ctx, p, page, clock.Now())
}

// Withdraw ends the confirmation of an id; one that is over stays as it is.
// fault.NotFound when there is none.
func (s *Service) Withdraw(ctx context.Context, id string) error {
	if _, err := s.store.ByID(ctx, id); err != nil {
		return err
	}
	return s.store.End(ctx, id, Withdrawn, clock.Now())
}

// DeleteExpired removes at most limit confirmations that nobody can use any
// more, and returns how many.
func (s *Service) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return s.store.DeleteExpired(ctx, clock.Now().Add(-keep), limit)
}

// keep is how long a confirmation outlives its time, so that an operator can
// be told why a link was refused.
const keep = 24 * time.Hour
