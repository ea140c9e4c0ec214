// Package onetime is second factors that are sent: codes by e-mail, which go
// to the proven address of the account, and by text message, which go to a
// number that a code has proven. Each is weaker than an app or a passkey, so
// the policy decides whether there are any.
package onetime

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/sms"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Life is how long a code works.
const Life = 10 * time.Minute

// Contact is where codes of one kind go.
type Contact struct {
	UserID string
	Kind   assurance.Factor
	// Target is the number; empty for e-mail, which goes to the address that
	// the account has.
	Target    string
	CreatedAt time.Time
	UsedAt    time.Time // zero: not yet
}

// Letters sends mails. mail.Service is one.
type Letters interface {
	// Queue takes a letter within the transaction of ctx.
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Transactor runs work in one transaction. storage.Durable is one.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Deps is what a Service needs. All of it.
type Deps struct {
	Store       Store
	Users       *user.Service
	Proofs      *confirm.Service
	Keeper      factor.Keeper
	Letters     Letters
	SMS         sms.Sender
	Words       *templates.Set // says the text messages
	Host        string         // of the issuer: browsers fill a code in on its pages only
	Tx          Transactor
	Gate        limit.Gate
	Rules       limit.Rules
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
}

// Service is what both kinds share. It is safe for concurrent use.
type Service struct{ Deps }

// NewService returns a service.
func NewService(d Deps) *Service { return &Service{d} }

// way is what the kinds differ in.
type way struct {
	kind       assurance.Factor
	amr        string
	use, enrol confirm.Purpose
}

var (
	byEmail = way{assurance.Email, protocol.AMROTP, confirm.FactorEmail, confirm.EnrolEmail}
	bySMS   = way{assurance.SMS, protocol.AMRSMS, confirm.FactorSMS, confirm.EnrolSMS}
)

// sent belongs to a code: where it went. It is sealed at rest.
type sent struct {
	To string `json:"to"`
}

// contact returns where codes of the person go. Somebody whose factor is gone
// meanwhile gets fault.Unavailable.
func (s *Service) contact(ctx context.Context, userID string, w way) (Contact, error) {
	c, err := s.Store.Get(ctx, userID, w.kind)
	if fault.Is(err, fault.NotFound) {
		return c, nowhere("turned off").Because(err)
	}
	return c, err
}

func nowhere(why string) *fault.Error {
	return fault.New(fault.Unavailable, "code_nowhere", "There is nowhere to send a code to.").
		Under("codes go to what the person has proven").Compare("target", "proven", why)
}

// verify spends the code that was sent in this flow, to this person, to where
// their codes go now: that of another flow, person or purpose, or one that went
// to an address or number they had before, is worthless.
func (s *Service) verify(ctx context.Context, a *factor.Attempt, w way, to, target string) ([]string, error) {
	c, err := s.Proofs.Waiting(ctx, w.use, a.Flow.Code)
	if err != nil {
		return nil, over(err)
	}
	var went sent
	if err := s.Proofs.Payload(c, &went); err != nil {
		return nil, over(err)
	}
	if c.UserID != a.User.ID || went.To != to {
		return nil, over(confirm.Over("sent to somebody or somewhere else"))
	}
	if c, err = s.Proofs.ByCode(ctx, w.use, c.ID, a.Form["code"]); err != nil {
		return nil, over(err)
	}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.Proofs.Use(ctx, c); err != nil {
			return err
		}
		return s.Store.Touch(ctx, a.User.ID, w.kind, target, clock.Now())
	})
	if fault.Is(err, fault.NotFound) {
		return nil, over(confirm.Over("the factor is gone").Because(err))
	} else if err != nil {
		return nil, over(err)
	}
	return []string{w.amr}, nil
}

// over says of a code what confirm says of a link; any other error stays.
func over(err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	why := fault.As(err)
	out := fault.Hide(err, fault.Gone, "code_over", "This code is over: it was used, replaced by a newer one, or is too old.").Under(why.Rule)
	for _, c := range why.Compared {
		out = out.Compare("code", c.Want, c.Got)
	}
	return out
}

// list returns the entry of the person's factor of the kind, under the name.
func (s *Service) list(ctx context.Context, userID string, w way, name func(Contact) (string, error)) ([]factor.Entry, error) {
	c, err := s.Store.Get(ctx, userID, w.kind)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	called, err := name(c)
	if err != nil {
		return nil, err
	}
	return []factor.Entry{{Kind: w.kind, ID: string(w.kind), Name: called, AddedAt: c.CreatedAt, UsedAt: c.UsedAt}}, nil
}
