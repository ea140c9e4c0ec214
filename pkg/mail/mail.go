// Package mail brings letters to people: it draws them, keeps them in an
// outbox that shares the transaction of their cause, and hands them to a mail
// server until it took them. It does not decide who gets which letter.
package mail

import (
	"context"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
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

// Content is what a mail says and to whom. It is sealed at rest.
type Content struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Lang    string `json:"lang"`
	// Link and Code stand in Text and HTML too; the mailbox shows them apart.
	Link string `json:"link,omitempty"`
	Code string `json:"code,omitempty"`
}

// Config says how letters are drawn and whether they leave.
type Config struct {
	// Templates draw the letters; nil: as Portico ships them.
	Templates *templates.Set
	// Sender takes mails; nil: none is configured.
	Sender Sender
	// Mailbox keeps mails here instead of sending them, for portico dev. It is
	// used when there is no Sender.
	Mailbox bool
}

// Service queues letters. It is safe for concurrent use.
type Service struct {
	store  Store
	tx     Transactor
	sealer *secret.Sealer
	cfg    Config
	// nudge wakes the Worker of this process.
	nudge chan struct{}
}

// NewService returns a service over the store.
func NewService(store Store, tx Transactor, sealer *secret.Sealer, cfg Config) *Service {
	if cfg.Templates == nil {
		cfg.Templates = templates.Standard()
	}
	return &Service{store: store, tx: tx, sealer: sealer, cfg: cfg, nudge: make(chan struct{}, 1)}
}

// Enabled reports whether letters reach anybody, so that a page can leave out
// what needs mail.
func (s *Service) Enabled() bool { return s.cfg.Sender != nil || s.cfg.Mailbox }

// CodeDisabled is the code of the fault that Queue returns without a mail
// server.
const CodeDisabled = "mail_disabled"

var (
	errDisabled = fault.New(fault.Unavailable, CodeDisabled, "Mail cannot be sent from here.").
			Under("RFC 5321 §2.1 there is a mail server to hand a mail to").
			WithHint("set PORTICO_SMTP_URL and PORTICO_MAIL_FROM; portico doctor then tries them")
	errAddress = fault.New(fault.Invalid, "mail_address", "Mail cannot be sent to this address.").
			Under("RFC 5322 §3.4.1 the address is one plain addr-spec")
)

// Queue draws the letter and puts it into the outbox, in the transaction that
// the context carries. It leaves when that commits: none is lost when the mail
// server is down or the process dies. fault.Unavailable, code CodeDisabled,
// when no mail server is configured.
func (s *Service) Queue(ctx context.Context, to Recipient, l templates.Letter) error {
	if !s.Enabled() {
		return errDisabled
	}
	if !plainAddress(to.Email) {
		return errAddress
	}
	m, _, err := s.write(to, l)
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, m); err != nil {
		return fmt.Errorf("queue letter %s: %w", l.Key, err)
	}
	s.tx.AfterCommit(ctx, s.wake)
	return nil
}

// Test sends a letter that only shows that mail arrives, at once and without
// the outbox: an operator wants to hear what the mail server says. Into the
// mailbox it is queued.
func (s *Service) Test(ctx context.Context, email string) error {
	to, l := Recipient{Email: email}, templates.Letter{Key: "test"}
	if s.cfg.Sender == nil {
		return s.Queue(ctx, to, l)
	}
	if !plainAddress(email) {
		return errAddress
	}
	m, c, err := s.write(to, l)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := s.cfg.Sender.Send(ctx, Outgoing{ID: m.ID, At: m.CreatedAt, Content: c}); err != nil {
		return fault.Hide(err, fault.Unavailable, "mail_not_sent", "The mail server did not take the mail: "+problemOf(err)).
			Under("RFC 5321 §4.2.1 the mail server takes the mail").
			WithHint("check PORTICO_SMTP_URL and PORTICO_MAIL_FROM; portico doctor says how far the connection gets")
	}
	return nil
}

// write draws and seals. In the mailbox a mail has arrived at once.
func (s *Service) write(to Recipient, l templates.Letter) (Mail, Content, error) {
	if l.Name == "" {
		l.Name = to.Name
	}
	drawn, err := s.cfg.Templates.WriteLetter(templates.Frame{Lang: s.cfg.Templates.Negotiate(to.Locales, "", "")}, l)
	if err != nil {
		return Mail{}, Content{}, fault.As(err)
	}
	now := clock.Now()
	m := Mail{ID: secret.ID(), Letter: l.Key, UserID: to.UserID, State: Waiting, NextAt: now, CreatedAt: now}
	if s.cfg.Sender == nil {
		m.State, m.EndedAt = Sent, now
	}
	c := Content{To: to.Email, Subject: drawn.Subject, Text: drawn.Text, HTML: drawn.HTML, Lang: drawn.Lang, Link: l.URL, Code: l.Code}
	m.Sealed, err = s.seal(m.ID, c)
	return m, c, err
}

// sealedAt binds what is sealed to its row.
func sealedAt(id string) string { return "mail/" + id }

func (s *Service) seal(id string, c Content) ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fault.As(fmt.Errorf("mail: %w", err))
	}
	return s.sealer.Seal(sealedAt(id), raw), nil
}

func (s *Service) open(m Mail) (c Content, err error) {
	raw, err := s.sealer.Open(sealedAt(m.ID), m.Sealed)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	return c, err
}

// wake tells the worker that there is something to do.
func (s *Service) wake() {
	select {
	case s.nudge <- struct{}{}:
	default: // it knows
	}
}

// maxAddress is the longest address (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

// plainAddress reports whether s is an address and nothing more: no name, no
// second one, nothing that ends the header it will stand in.
func plainAddress(s string) bool {
	if len(s) > maxAddress || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return false
	}
	a, err := netmail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

// Sender hands one mail to a mail server.
type Sender interface {
	// Send returns nil when the server took the mail, and an error with
	// ErrRefused in its chain when trying again cannot help. It ends when ctx does.
	Send(ctx context.Context, m Outgoing) error
}

// Outgoing is a mail on its way to a server.
type Outgoing struct {
	ID string // the same at every try: the Message-ID is made of it
	At time.Time
	Content
}

// keepEnded is how long a mail that was sent or given up stays in the outbox:
// for the mailbox, and so that an operator can see what became of it.
const keepEnded = 7 * 24 * time.Hour
