package stage

import (
	"context"
	"regexp"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/sms"
)

// Texts takes text messages instead of a phone.
type Texts struct {
	outage
	lock sync.Mutex
	all  []sms.Message
}

// Send implements sms.Sender.
func (s *Texts) Send(_ context.Context, m sms.Message) error {
	if err := s.check(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.all = append(s.all, m)
	return nil
}

// Sent returns what was sent, oldest first.
func (s *Texts) Sent() []sms.Message {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]sms.Message(nil), s.all...)
}

var lastLine = regexp.MustCompile(`\n\n@[a-z.]+ #([0-9]+)$`)

// Code returns the code of the newest message, as browsers find it.
func (s *Texts) Code(t *testing.T) string {
	t.Helper()
	all := s.Sent()
	if len(all) == 0 {
		t.Fatal("no text message was sent")
	}
	m := lastLine.FindStringSubmatch(all[len(all)-1].Text)
	if m == nil {
		t.Fatalf("no code in %q", all[len(all)-1].Text)
	}
	return m[1]
}
