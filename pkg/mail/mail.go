// Package mail brings letters to people: it draws them, keeps them in an
// outbox that shares the transaction of their cause, and hands them to a mail
// server until it took them. It does not decide who gets which letter.
package mail

import (
	"context"
	"errors"

	"github.com/portico-id/portico/templates"
)

// Recipient is who gets a letter.
type Recipient struct {
	UserID string // empty: nobody has an account with the address
	Email  string
	Name   string
	// Locales are the languages to write in, best first: the account's, then
	// those of the request.
	Locales []string
}

// Service queues letters. It is safe for concurrent use.
type Service struct{}

// Queue draws the letter and puts it into the outbox, in the transaction that
// the context carries. It leaves when that commits: none is lost when the mail
// server is down or the process dies.
func (s *Service) Queue(ctx context.Context, to Recipient, l templates.Letter) error {
	return errors.New("mail: no outbox yet")
}
