package porticotest_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/templates"
)

// inbox is a mail server that takes everything.
type inbox struct {
	mu    sync.Mutex
	mails []string
}

func (i *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return i, nil }
func (*inbox) Mail(string, *smtp.MailOptions) error          { return nil }
func (*inbox) Rcpt(string, *smtp.RcptOptions) error          { return nil }
func (*inbox) Reset()                                        {}
func (*inbox) Logout() error                                 { return nil }
func (i *inbox) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mails = append(i.mails, string(raw))
	return err
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.mails...)
}

// The mail server is down when the mail is caused, and the process ends. The
// next one sends it.
func TestMailOutlivesServerAndProcess(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.SMTPURL, c.MailFrom = "smtp://"+address+"?tls=off", "Example <no-reply@example.com>"
	}))
	if page := s.NewBrowser().Get(protocol.PathMailbox); page.Status != 404 {
		t.Errorf("there is a mailbox besides a mail server: %d", page.Status)
	}
	status := func(check string) storage.Status {
		t.Helper()
		for _, f := range s.Doctor(t.Context()) {
			if f.Check == check {
				return f.Status
			}
		}
		return "not looked at"
	}
	if got := status("mail server"); got != storage.Fail {
		t.Errorf("doctor finds a mail server that is down %q", got)
	}
	if err := s.Mail.Queue(t.Context(), mail.Recipient{Email: "alice@example.com"}, templates.Letter{Key: "test"}); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the first try to fail", func() bool { return strings.Contains(s.Log.String(), "mail was not sent and will be tried again") })
	if strings.Contains(s.Log.String(), "alice@example.com") {
		t.Error("the log tells who gets mail")
	}
	if got := s.Letter("alice@example.com"); got.Key != "test" {
		t.Errorf("the outbox shows %+v", got)
	}

	box := &inbox{}
	srv := smtp.NewServer(box)
	if l, err = lc.Listen(t.Context(), "tcp", address); err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	s.Stop()
	t.Cleanup(clock.Jump(2 * time.Minute))
	s.Restart()
	waitUntil(t, "the mail", func() bool { return len(box.all()) == 1 })
	waitUntil(t, "the outbox to know", func() bool { return len(s.Letters("alice@example.com")) == 0 })
	if got := status("mail server"); got != storage.OK {
		t.Errorf("doctor finds a mail server that works %q", got)
	}
	if got := status("outbox"); got != storage.OK {
		t.Errorf("doctor finds an empty outbox %q", got)
	}
}

// waitUntil looks until it holds.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}
