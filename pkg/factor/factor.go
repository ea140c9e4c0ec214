// Package factor is what the kinds of second factor have in common: the page
// that asks for one, the step that leads to getting one, the book that is kept
// when one comes or goes, the browsers that are remembered, and the account's
// page about them. It knows no kind by itself (totp, passkey, onetime and
// recoverycode do).
package factor

import (
	"context"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/user"
)

// Attempt is one try to prove a second factor.
type Attempt struct {
	User *user.User
	// Flow is the request within which it is tried. A method may keep in
	// Flow.Code what it needs for the next attempt; the caller saves it.
	Flow *flow.Flow
	// Browser is the browser's cookie: what was begun in another one is
	// worthless here.
	Browser string
	// Form is what the person sent: code, or credential and ceremony.
	Form map[string]string
	// Locales are the languages of the page, best first, for who never chose
	// one: what is sent speaks the same.
	Locales []string
}

// ClientID returns the application that asks; empty: a page of Portico, or
// nobody.
func (a *Attempt) ClientID() string {
	if a.Flow == nil {
		return ""
	}
	return a.Flow.Request.ClientID
}

// Method is a kind of second factor. Implementations are safe for concurrent
// use.
type Method interface {
	// Kind names it.
	Kind() assurance.Factor
	// Verify spends what the person sent and returns the authentication methods
	// that it proves (RFC 8176). Faults: Unauthenticated when it is wrong,
	// spent, or not theirs; Gone when what it answers is over and another
	// challenge is needed. The caller limits the tries.
	Verify(ctx context.Context, a *Attempt) (amr []string, err error)
}

// Sender is a Method that sends a code first.
type Sender interface {
	Method
	// Send sends a code and notes in a.Flow.Code which. Faults: Limited;
	// Unavailable when it cannot be sent now.
	Send(ctx context.Context, a *Attempt) error
	// To returns where codes of the person go, as far as a page may show it:
	// "a…e@example.com", "+49 … 42".
	To(ctx context.Context, u *user.User) (string, error)
}

// Change says what happens to a factor of a person.
type Change struct {
	UserID string
	Kind   assurance.Factor
	Name   string // as the person calls it
	// Actor is who does it: the person, or "shell".
	Actor string
	// SessionID is in which session it is done; empty: in none.
	SessionID string
	// Force removes the last one although a policy demands one: an operator's
	// word, or that of a recovery link.
	Force bool
}

// Keeper keeps the book. Book is one.
type Keeper interface {
	// Add runs do, which stores the new factor, in one transaction in which
	// nobody else changes the person, notes that they have the kind, and mails
	// them about it.
	Add(ctx context.Context, c Change, do func(ctx context.Context, u *user.User) error) error
	// Remove runs do, which removes one and returns how many of the kind are
	// left, in such a transaction. fault.Conflict, code "last_factor", when
	// none would be left although a policy demands one: then nothing changed.
	Remove(ctx context.Context, c Change, do func(ctx context.Context, u *user.User) (left int, err error)) error
}

// event is what the audit is told of a change.
func (c Change) event(name audit.Name) audit.Event {
	return audit.Event{
		Name: name, Actor: c.Actor, UserID: c.UserID, SessionID: c.SessionID,
		Data: map[string]string{"factor": string(c.Kind), "name": c.Name},
	}
}
