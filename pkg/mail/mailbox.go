package mail

import (
	"context"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Kept is a mail that can still be read here.
type Kept struct {
	Mail
	Content
}

// mailboxSize is how many mails the mailbox shows and keeps.
const mailboxSize = 200

// Kept returns the mails of the outbox that can be read, newest first: those
// of the mailbox, and those that still wait for a mail server.
func (s *Service) Kept(ctx context.Context) ([]Kept, error) {
	rows, err := s.store.Recent(ctx, mailboxSize)
	if err != nil {
		return nil, err
	}
	var out []Kept
	for _, m := range rows {
		if c, err := s.open(m); err == nil { // else it was sent, or its key is gone
			out = append(out, Kept{m, c})
		}
	}
	return out, nil
}

// KeptByID returns one mail, or fault.NotFound.
func (s *Service) KeptByID(ctx context.Context, id string) (Kept, error) {
	m, err := s.store.ByID(ctx, id)
	if err != nil {
		return Kept{}, err
	}
	c, err := s.open(m)
	if err != nil {
		return Kept{}, fault.Hide(err, fault.NotFound, "not_found", "This mail is not kept any more.")
	}
	return Kept{m, c}, nil
}

// Standing tells how the outbox is, for portico doctor.
func (s *Service) Standing(ctx context.Context) (Standing, error) { return s.store.Standing(ctx) }

// DeleteEnded removes at most limit mails that ended long enough ago, and
// those that the mailbox has no room for.
func (s *Service) DeleteEnded(ctx context.Context, limit int) (int, error) {
	n, err := s.store.DeleteEnded(ctx, clock.Now().Add(-keepEnded), limit)
	if err != nil || s.cfg.Sender != nil || n >= limit {
		return n, err
	}
	trimmed, err := s.store.Trim(ctx, mailboxSize, limit-n)
	return n + trimmed, err
}
