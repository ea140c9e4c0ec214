package stage

import (
	"context"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/templates"
)

// Letters takes the letters that a feature queues, instead of an outbox.
type Letters struct {
	outage
	lock sync.Mutex
	all  []Queued
}

// Queued is a letter and who gets it.
type Queued struct {
	To mail.Recipient
	templates.Letter
}

// Queue takes a letter.
func (l *Letters) Queue(_ context.Context, to mail.Recipient, letter templates.Letter) error {
	if err := l.check(); err != nil {
		return err
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.all = append(l.all, Queued{to, letter})
	return nil
}

// All returns the letters, oldest first.
func (l *Letters) All() []Queued {
	l.lock.Lock()
	defer l.lock.Unlock()
	return append([]Queued(nil), l.all...)
}

// Last returns the newest letter to the address.
func (l *Letters) Last(t *testing.T, email string) Queued {
	t.Helper()
	all := l.All()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To.Email == email {
			return all[i]
		}
	}
	t.Fatalf("no letter to %s among %d", email, len(all))
	return Queued{}
}
