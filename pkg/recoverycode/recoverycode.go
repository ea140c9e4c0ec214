// Package recoverycode is the list on paper for who lost their other factors:
// ten codes, each of which opens the account once in place of a second factor.
// Only fingerprints are kept; a new list voids the old one.
package recoverycode

import (
	"context"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Count is how many codes a list has.
const Count = 10

// Code is one code of a person, of which only the fingerprint is known.
type Code struct {
	Hash      string // binds the code to the person
	UserID    string
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
	Tx          Transactor
	Fingerprint *secret.Fingerprinter
	Letters     Letters
	Audit       audit.Recorder
	// URL makes an address of Portico from a path.
	URL func(path string) string
}

// Service makes and takes recovery codes. It is a factor.Method, a
// factor.Counter and a factor.Codes, and safe for concurrent use.
type Service struct{ Deps }

var (
	_ factor.Method = (*Service)(nil)
	_ factor.Codes  = (*Service)(nil)
)

// NewService returns a service.
func NewService(d Deps) *Service { return &Service{d} }

// Kind implements factor.Method.
func (*Service) Kind() assurance.Factor { return assurance.RecoveryCode }

// hash binds a code to its person: the same code of somebody else has another
// fingerprint.
func (s *Service) hash(userID, code string) string {
	return s.Fingerprint.Of(secret.RecoveryCode, userID+"\x00"+code)
}

// Generate gives the person a new list and voids the old one. The codes, as
// they are shown, are known to nobody but the caller. fault.Conflict, code
// "no_factor", when the person has no factor that they would stand in for;
// fault.NotFound when there is no such person.
func (s *Service) Generate(ctx context.Context, userID, sessionID string) ([]string, error) {
	now := clock.Now().UTC().Truncate(time.Microsecond)
	shown, codes := make([]string, Count), make([]Code, Count)
	for i := range codes {
		code := newCode()
		shown[i], codes[i] = Show(code), Code{Hash: s.hash(userID, code), UserID: userID, CreatedAt: now}
	}
	_, err := s.Users.Change(ctx, userID, func(ctx context.Context, u *user.User) error {
		if len(u.Factors) == 0 {
			return noFactor()
		}
		if err := s.Store.Replace(ctx, u.ID, codes); err != nil {
			return err
		}
		return s.tell(ctx, u, templates.Letter{Key: "recovery_codes_made"})
	})
	if err != nil {
		return nil, err
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.CodesGenerated, Actor: userID, UserID: userID, SessionID: sessionID})
	return shown, nil
}

func noFactor() *fault.Error {
	return fault.New(fault.Conflict, "no_factor", "Recovery codes stand in for a second factor, and there is none.").
		Under("recovery codes are for who lost another factor").Compare("factors", "at least 1", "0")
}

// tell mails the owner. Who has no address is not told, and a server without
// mail tells nobody.
func (s *Service) tell(ctx context.Context, u *user.User, l templates.Letter) error {
	if u.Email == "" {
		return nil
	}
	l.Name, l.URL, l.Facts = u.Name, s.URL(protocol.PathAccountCodes), notice.Circumstances(ctx)
	err := s.Letters.Queue(ctx, notice.Owner(u), l)
	if fault.CodeOf(err) == mail.CodeDisabled {
		return nil
	}
	return err
}

// Why a code did not count: for the operator alone.
const (
	reasonShape   = "not of the shape of a recovery code"
	reasonUnknown = "not on the list of the person"
	reasonUsed    = "used before"
)

// Verify implements factor.Method. A code works once (security §11.2); its
// owner is told in the same transaction.
func (s *Service) Verify(ctx context.Context, a *factor.Attempt) ([]string, error) {
	code, ok := Normalise(a.Form["code"])
	if !ok {
		return nil, wrong(reasonShape)
	}
	hash, left := s.hash(a.User.ID, code), 0
	err := s.Tx.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Store.Use(ctx, a.User.ID, hash, clock.Now()); err != nil {
			return err
		}
		if left, err = s.Left(ctx, a.User.ID); err != nil {
			return err
		}
		return s.tell(ctx, a.User, templates.Letter{Key: "recovery_code_used", Values: map[string]string{"Left": strconv.Itoa(left)}})
	})
	if fault.Is(err, fault.Conflict) {
		return nil, s.refused(ctx, a.User.ID, hash, err)
	} else if err != nil {
		return nil, err
	}
	s.Audit.Record(ctx, audit.Event{
		Name: audit.CodeUsed, Actor: a.User.ID, UserID: a.User.ID, ClientID: a.ClientID(), Data: map[string]string{"left": strconv.Itoa(left)},
	})
	return []string{protocol.AMROTP}, nil
}

// refused tells the operator whether a code was used before: its owner may
// have two copies of the list, or somebody else has one.
func (s *Service) refused(ctx context.Context, userID, hash string, cause error) error {
	codes, err := s.Store.OfUser(ctx, userID)
	if err != nil {
		return err
	}
	for _, c := range codes {
		if c.Hash == hash {
			return wrong(reasonUsed).Because(cause)
		}
	}
	return wrong(reasonUnknown).Because(cause)
}

func wrong(reason string) *fault.Error {
	return fault.New(fault.Unauthenticated, "code_wrong", "This code is not right, or it was used already.").
		Under("ASVS 6.5.1 a recovery code is of this person, and taken once").Compare("code", "on the list of the person, unused", reason)
}

// Left returns how many unused codes a person has.
func (s *Service) Left(ctx context.Context, userID string) (int, error) {
	left, _, err := s.standing(ctx, userID)
	return left, err
}

// standing returns how many codes are left, and when the list was made; zero:
// there is none.
func (s *Service) standing(ctx context.Context, userID string) (left int, made time.Time, err error) {
	codes, err := s.Store.OfUser(ctx, userID)
	for _, c := range codes {
		made = c.CreatedAt
		if c.UsedAt.IsZero() {
			left++
		}
	}
	return left, made, err
}

// RemoveAll removes the codes of a person, in the transaction that the context
// carries: they go with the last factor.
func (s *Service) RemoveAll(ctx context.Context, userID string) error {
	return s.Store.RemoveAll(ctx, userID)
}
