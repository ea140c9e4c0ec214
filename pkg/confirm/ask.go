package confirm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/secret"
)

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

// Ask makes a confirmation, in the transaction that the context carries. Open
// ones of the same purpose and person end.
func (s *Service) Ask(ctx context.Context, a Ask) (Asked, error) {
	d, err := s.Draft(a)
	if err != nil {
		return Asked{}, err
	}
	return d.Asked, s.Keep(ctx, d)
}

// Draft is a confirmation that nobody knows yet.
type Draft struct {
	Asked
	kept Confirmation
}

// Keep makes a draft count, as Ask does.
func (s *Service) Keep(ctx context.Context, d *Draft) error { return s.store.Create(ctx, d.kept) }

// Draft makes the secrets of a confirmation that counts once Keep has written
// it: for codes that are sent by somebody who may fail, and not from an outbox.
// When they do, nothing has changed, and an earlier code still works.
func (s *Service) Draft(a Ask) (*Draft, error) {
	now := clock.Now()
	c := Confirmation{
		ID: secret.ID(), Purpose: a.Purpose, UserID: a.UserID, Email: a.Email,
		CreatedAt: now, ExpiresAt: now.Add(a.For),
	}
	asked := Asked{ID: c.ID, Link: secret.New(secret.ConfirmLink), ExpiresAt: c.ExpiresAt}
	c.LinkHash = s.fp.Of(secret.ConfirmLink, asked.Link)
	if a.Code {
		digits := newDigits()
		asked.Code, c.CodeHash = digits[:codeDigits/2]+" "+digits[codeDigits/2:], s.codeHash(c.ID, digits)
	}
	var err error
	if c.Sealed, err = s.seal(&c, a.Payload); err != nil {
		return nil, err
	}
	return &Draft{asked, c}, nil
}

// codeDigits is the length of a code: with MaxTries a guesser has one chance
// in twenty million.
const codeDigits = 8

// newDigits returns a code, each as likely as any other.
func newDigits() string {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(codeDigits), nil)
	n, err := rand.Int(rand.Reader, most)
	if err != nil {
		panic(err) // never: crypto/rand ends the process instead
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// codeHash binds a code to its confirmation: the same digits of another one
// have another fingerprint.
func (s *Service) codeHash(id, digits string) string {
	return s.fp.Of(secret.ConfirmCode, id+"\x00"+digits)
}

// seal encrypts what belongs to c, bound to it and to its purpose.
func (s *Service) seal(c *Confirmation, payload any) ([]byte, error) {
	if payload == nil {
		return nil, nil
	}
	plain, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("confirm: payload of %s: %w", c.Purpose, err)
	}
	return s.sealer.Seal(place(c), plain), nil
}

func place(c *Confirmation) string { return "confirm/" + string(c.Purpose) + "/" + c.ID }

// Payload reads what belongs to the confirmation; into stays as it is when
// nothing does. fault.Gone, code "link_over", when it was sealed under a key
// that is not configured any more: the person asks anew.
func (s *Service) Payload(c *Confirmation, into any) error {
	if len(c.Sealed) == 0 {
		return nil
	}
	plain, err := s.sealer.Open(place(c), c.Sealed)
	if err != nil {
		return Over("sealed under a key that is gone").Because(err)
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("confirm: payload of %s: %w", c.Purpose, err)
	}
	return nil
}
