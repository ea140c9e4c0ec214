package mail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
	"github.com/portico-id/portico/templates"
)

// office is an outbox in a real database.
type office struct {
	t      *testing.T
	db     *storage.Durable
	poll   time.Duration
	sealer *secret.Sealer
	events recorder
}

type recorder struct {
	mu  sync.Mutex
	all []audit.Event
}

func (r *recorder) Record(_ context.Context, e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
}

func (r *recorder) events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Event(nil), r.all...)
}

func newOffice(t *testing.T, url string) *office {
	t.Helper()
	if url == "" {
		url = "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "portico.db"))
	}
	db, err := storage.OpenDurable(t.Context(), url, storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.NewSealer(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &office{t: t, db: db, sealer: sealer, poll: 5 * time.Second}
}

// service is one instance of the server, with its own nudge.
func (o *office) service(s mail.Sender) *mail.Service {
	return mail.NewService(o.db.Mails, o.db, o.sealer, mail.Config{Sender: s})
}

// work runs a worker until stop is called; it ends with the test.
func (o *office) work(s *mail.Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		mail.NewWorker(s, &o.events, slog.New(slog.NewTextHandler(io.Discard, nil))).Poll(o.poll).Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	o.t.Cleanup(stop)
	return stop
}

func (o *office) queue(s *mail.Service, email string) {
	o.t.Helper()
	if err := s.Queue(o.t.Context(), mail.Recipient{UserID: "alice", Email: email, Name: "Alice"}, templates.Letter{Key: "test"}); err != nil {
		o.t.Fatal(err)
	}
}

// only returns the one mail of the outbox.
func (o *office) only() mail.Mail {
	o.t.Helper()
	all, err := o.db.Mails.Recent(o.t.Context(), 10)
	if err != nil || len(all) != 1 {
		o.t.Fatalf("%d mails, %v; want one", len(all), err)
	}
	return all[0]
}

// await looks until the one mail is in the state.
func (o *office) await(what string, ok func(m mail.Mail) bool) mail.Mail {
	o.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		m := o.only()
		if ok(m) {
			return m
		}
		if time.Now().After(end) {
			o.t.Fatalf("waited for %s, and the mail is %+v", what, m)
		}
	}
}

func sent(m mail.Mail) bool { return m.State == mail.Sent }

// fake is a sender that does what a test says.
type fake struct {
	mu   sync.Mutex
	sent []mail.Outgoing
	send func(ctx context.Context, m mail.Outgoing) error
}

func (f *fake) Send(ctx context.Context, m mail.Outgoing) error {
	f.mu.Lock()
	f.sent = append(f.sent, m)
	send := f.send
	f.mu.Unlock()
	if send == nil {
		return nil
	}
	return send(ctx, m)
}

func (f *fake) all() []mail.Outgoing {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]mail.Outgoing(nil), f.sent...)
}

func TestAMailLeavesWhenItsCauseIsCommitted(t *testing.T) {
	o, f := newOffice(t, ""), &fake{}
	s := o.service(f)
	o.work(s)
	began := time.Now()
	if err := o.db.InTx(t.Context(), func(ctx context.Context) error {
		err := s.Queue(ctx, mail.Recipient{Email: "alice@example.org"}, templates.Letter{Key: "test"})
		if len(f.all()) != 0 {
			t.Error("sent before the commit")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m := o.await("it to be sent", sent)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v: nobody woke the worker", took)
	}
	if got := f.all(); len(got) != 1 || got[0].To != "alice@example.org" || got[0].ID != m.ID || m.Sealed != nil || m.EndedAt.IsZero() {
		t.Errorf("sent %+v of %+v", got, m)
	}
}

func TestNoMailOfWhatDidNotHappen(t *testing.T) {
	o, f := newOffice(t, ""), &fake{}
	s := o.service(f)
	broken := errors.New("the account was not made")
	if err := o.db.InTx(t.Context(), func(ctx context.Context) error {
		o.queueIn(ctx, s)
		return broken
	}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if all, err := o.db.Mails.Recent(t.Context(), 10); err != nil || len(all) != 0 {
		t.Errorf("%d mails are there, %v", len(all), err)
	}
}

func (o *office) queueIn(ctx context.Context, s *mail.Service) {
	o.t.Helper()
	if err := s.Queue(ctx, mail.Recipient{Email: "alice@example.org"}, templates.Letter{Key: "test"}); err != nil {
		o.t.Error(err)
	}
}

// jump moves the clock of the process past the longest first pause.
func jump(t *testing.T, by time.Duration) {
	t.Helper()
	t.Cleanup(clock.Jump(by))
}

func TestServerDownThenUp(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // nobody answers there for now
	o := newOffice(t, "")
	s := o.service(sender(t, "smtp://"+addr+"?tls=off", &mailServer{}))
	o.work(s)
	o.queue(s, "alice@example.org")
	m := o.await("the first try to fail", func(m mail.Mail) bool { return m.Problem != "" })
	if m.State != mail.Waiting || m.Tries != 1 || len(m.Sealed) == 0 || strings.Contains(m.Problem, "alice") {
		t.Errorf("after the first try: %+v", m)
	}
	up := newMailServer(t, serverOptions{noTLS: true, addr: addr})
	jump(t, 2*time.Minute)
	s.Wake()
	o.await("the second try", sent)
	if got := up.all(); len(got) != 1 || !strings.Contains(got[0].data, "Message-ID: <"+m.ID+"@example.com>") {
		t.Errorf("arrived: %+v", got)
	}
}

func TestRefusedForNowThenTaken(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	m.set(func(m *mailServer) {
		m.onRcpt = func(to string) error { return &smtp.SMTPError{Code: 451, Message: "<" + to + "> greylisted"} }
	})
	o := newOffice(t, "")
	s := o.service(sender(t, "smtp://"+m.addr, m))
	o.work(s)
	o.queue(s, "alice@example.org")
	got := o.await("the first try to fail", func(m mail.Mail) bool { return m.Problem != "" })
	if !strings.Contains(got.Problem, "451") || !strings.Contains(got.Problem, "greylisted") || strings.Contains(got.Problem, "alice") {
		t.Errorf("the problem is told as %q", got.Problem)
	}
	m.set(func(m *mailServer) { m.onRcpt = nil })
	jump(t, 2*time.Minute)
	s.Wake()
	if got := o.await("the second try", sent); got.Tries != 2 || got.Problem != "" || len(m.all()) != 1 || len(o.events.events()) != 0 {
		t.Errorf("%+v, %d arrived, events %v", got, len(m.all()), o.events.events())
	}
}

func TestRefusedForGoodIsGivenUpAtOnce(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	m.set(func(m *mailServer) {
		m.onRcpt = func(to string) error {
			return &smtp.SMTPError{Code: 550, Message: "no such user " + to + strings.Repeat(" and more", 500)}
		}
	})
	o := newOffice(t, "")
	s := o.service(sender(t, "smtp://"+m.addr, m))
	o.work(s)
	o.queue(s, "alice@example.org")
	got := o.await("it to be given up", func(m mail.Mail) bool { return m.State == mail.GivenUp })
	if got.Tries != 1 || got.Sealed != nil || got.EndedAt.IsZero() || len(got.Problem) > 300 || !strings.Contains(got.Problem, "550") || strings.Contains(got.Problem, "alice") {
		t.Errorf("given up as %+v", got)
	}
	for end := time.Now().Add(10 * time.Second); len(o.events.events()) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	events := o.events.events()
	if len(events) != 1 || events[0].Name != audit.MailGivenUp || events[0].UserID != "alice" || events[0].Data["letter"] != "test" || strings.Contains(fmt.Sprint(events), "example.org") {
		t.Errorf("events: %+v", events)
	}
	if st, err := s.Standing(t.Context()); err != nil || st.GivenUp != 1 || st.Waiting != 0 {
		t.Errorf("Standing = %+v, %v", st, err)
	}
}

// A process dies between its claim and the sending. Another one sends when the
// claim has run out, and not before.
func TestADeadSenderIsFollowed(t *testing.T) {
	o, f := newOffice(t, ""), &fake{}
	s := o.service(f)
	o.queue(s, "alice@example.org")
	now := clock.Now()
	if got, err := o.db.Mails.Claim(t.Context(), 1, now, now.Add(mail.ClaimFor)); err != nil || len(got) != 1 {
		t.Fatal(got, err) // and that process is never heard of again
	}
	other := o.service(f)
	o.work(other)
	other.Wake()
	jump(t, mail.ClaimFor-30*time.Second)
	other.Wake()
	time.Sleep(200 * time.Millisecond)
	if len(f.all()) != 0 {
		t.Fatal("sent while the claim of another held")
	}
	jump(t, time.Minute)
	other.Wake()
	if m := o.await("another sender", sent); m.Tries != 2 || len(f.all()) != 1 {
		t.Errorf("%+v, sent %d times", m, len(f.all()))
	}
}

func TestFiftyWorkersSendEachMailOnce(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return throwaway.Postgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			const workers, mails = 50, 200
			o, f := newOffice(t, url(t)), &fake{}
			first := o.service(f)
			for n := range mails {
				o.queue(first, fmt.Sprintf("p%d@example.org", n))
			}
			for range workers {
				o.work(o.service(f))
			}
			for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				st, err := first.Standing(t.Context())
				if err == nil && st.Waiting == 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%+v are left, %v", st, err)
				}
			}
			times := map[string]int{}
			for _, m := range f.all() {
				times[m.To]++
			}
			for to, n := range times {
				if n != 1 {
					t.Errorf("%s got %d mails", to, n)
				}
			}
			if len(times) != mails {
				t.Errorf("%d people got mail, want %d", len(times), mails)
			}
		})
	}
}

func TestTriesGrowApartAndEndAfterThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		f := &fake{}
		f.send = func(context.Context, mail.Outgoing) error {
			at = append(at, time.Now())
			return errors.New("451 later")
		}
		o := newOffice(t, "")
		defer func() { _ = o.db.Close() }()
		o.poll = 30 * time.Second // looks are real work, and three days are long
		s := o.service(f)
		began := time.Now()
		o.queue(s, "alice@example.org")
		stop := o.work(s)
		time.Sleep(mail.TryFor + time.Hour)
		stop()
		if m := o.only(); m.State != mail.GivenUp || m.Sealed != nil || len(o.events.events()) != 1 {
			t.Errorf("after three days: %+v, events %v", m, o.events.events())
		}
		if n := len(at); n < 40 || n > 60 {
			t.Errorf("%d tries in three days", n)
		}
		for i := 1; i < len(at); i++ {
			gap := at[i].Sub(at[i-1])
			least, most := time.Minute<<(i-1)*9/10, time.Minute<<(i-1)+o.poll
			if i > 7 {
				least, most = 2*time.Hour*9/10, 2*time.Hour+o.poll
			}
			if i == len(at)-1 {
				least = 0 // the last try is at the end
			}
			if gap < least || gap > most {
				t.Errorf("pause %d was %v, want %v to %v", i, gap, least, most)
			}
		}
		if last := at[len(at)-1].Sub(began); last < mail.TryFor || last > mail.TryFor+time.Minute {
			t.Errorf("the last try was after %v", last)
		}
	})
}

func TestWorkersStopGracefully(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		o := newOffice(t, "")
		defer func() { _ = o.db.Close() }()
		s := o.service(f)
		f.send = func(ctx context.Context, _ mail.Outgoing) error {
			select {
			case <-time.After(2 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		o.queue(s, "alice@example.org")
		stop := o.work(s)
		time.Sleep(time.Second)
		stop() // while it is on its way
		if m := o.only(); m.State != mail.Sent {
			t.Errorf("a mail on its way was cut off: %+v", m)
		}

		f.send = func(ctx context.Context, _ mail.Outgoing) error { <-ctx.Done(); return ctx.Err() } // a server that hangs
		o.queue(s, "bob@example.org")
		stop = o.work(s)
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("stopping took %v", took)
		}
		all, err := o.db.Mails.Recent(t.Context(), 1)
		if err != nil || all[0].State != mail.Waiting || all[0].NextAt.After(clock.Now().Add(2*time.Minute)) {
			t.Errorf("the mail that hung: %+v, %v; want it soon", all, err)
		}
	})
}

func TestAMailWhoseKeyIsGoneWaits(t *testing.T) {
	o, f := newOffice(t, ""), &fake{}
	o.queue(o.service(f), "alice@example.org")
	key := make([]byte, secret.KeySize)
	key[0] = 1
	other, err := secret.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	o.work(mail.NewService(o.db.Mails, o.db, other, mail.Config{Sender: f}))
	m := o.await("the try to fail", func(m mail.Mail) bool { return m.Problem != "" })
	if m.State != mail.Waiting || len(m.Sealed) == 0 || len(f.all()) != 0 {
		t.Errorf("%+v, sent %d", m, len(f.all()))
	}
}

func TestNothingIsReadableAtRest(t *testing.T) {
	o := newOffice(t, "")
	for name, cfg := range map[string]mail.Config{"outbox": {Sender: &fake{}}, "mailbox": {Mailbox: true}} {
		s := mail.NewService(o.db.Mails, o.db, o.sealer, cfg)
		o.queue(s, "alice@example.org")
		kept, err := s.Kept(t.Context())
		if err != nil || len(kept) == 0 || kept[0].To != "alice@example.org" || !strings.Contains(kept[0].Text, "Hello Alice") {
			t.Errorf("%s: kept %+v, %v", name, kept, err)
		}
	}
	dump := storagetest.Dump(t, o.db)
	for _, clear := range []string{"alice@example", "Alice", "Hello", "Test mail", "text/html", "<html"} {
		if strings.Contains(dump, clear) {
			t.Errorf("the database holds %q", clear)
		}
	}
	// What is sealed for one row opens at no other.
	all, err := o.db.Mails.Recent(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	moved := all[0]
	moved.ID = "another"
	if err := o.db.Mails.Put(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if k, err := o.service(nil).KeptByID(t.Context(), "another"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a moved row opens: %+v, %v", k, err)
	}
}

func TestQueueRefusals(t *testing.T) {
	o := newOffice(t, "")
	s := o.service(&fake{})
	for _, email := range []string{
		"", "alice", "@example.org", "alice@", "alice@example.org, eve@example.net", "Eve <alice@example.org>", "<alice@example.org>",
		"alice@example.org\r\nBcc: eve@example.net", "alice@example.org\n", " alice@example.org", "alice@example.org ", "al\x00ice@example.org",
		"\"a b\"@example.org", strings.Repeat("a", 250) + "@example.org",
	} {
		err := s.Queue(t.Context(), mail.Recipient{Email: email}, templates.Letter{Key: "test"})
		if !fault.Is(err, fault.Invalid) || fault.As(err).Rule == "" {
			t.Errorf("Queue to %q = %v, want a refusal", email, err)
		}
	}
	if err := s.Queue(t.Context(), mail.Recipient{Email: "a@example.org"}, templates.Letter{Key: "nobody_wrote_this"}); !fault.Is(err, fault.Internal) {
		t.Errorf("a letter without words: %v", err)
	}
	if all, err := o.db.Mails.Recent(t.Context(), 10); err != nil || len(all) != 0 {
		t.Errorf("%d mails were queued, %v", len(all), err)
	}
	none := o.service(nil)
	if err := none.Queue(t.Context(), mail.Recipient{Email: "a@example.org"}, templates.Letter{Key: "test"}); fault.CodeOf(err) != mail.CodeDisabled || none.Enabled() {
		t.Errorf("without a mail server: %v, enabled %v", err, none.Enabled())
	}
}

func TestTheNameOfAStrangerStaysOutOfTheHeaders(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	o := newOffice(t, "")
	s := o.service(sender(t, "smtp://"+m.addr, m))
	o.work(s)
	evil := "Eve\r\nBcc: eve@example.net\r\n\r\nClick https://evil.example"
	if err := s.Queue(t.Context(), mail.Recipient{Email: "alice@example.org", Name: evil}, templates.Letter{Key: "test", Name: evil}); err != nil {
		t.Fatal(err)
	}
	o.await("it to be sent", sent)
	got := m.all()
	if len(got) != 1 || got[0].to != "alice@example.org" || strings.Contains(got[0].data, "evil.example") || strings.Contains(got[0].data, "eve@") {
		t.Errorf("arrived: %+v", got)
	}
}

func TestTestSaysWhatTheServerSays(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	o := newOffice(t, "")
	s := o.service(sender(t, "smtp://"+m.addr, m))
	if err := s.Test(t.Context(), "alice@example.org"); err != nil || len(m.all()) != 1 {
		t.Errorf("Test = %v, %d arrived", err, len(m.all()))
	}
	m.set(func(m *mailServer) { m.onFrom = &smtp.SMTPError{Code: 530, Message: "not for you"} })
	if f := fault.As(s.Test(t.Context(), "alice@example.org")); f == nil || !strings.Contains(f.Say, "530") || f.Hint == "" {
		t.Errorf("Test = %v", f)
	}
	if err := s.Test(t.Context(), "no address"); !fault.Is(err, fault.Invalid) {
		t.Errorf("Test to no address = %v", err)
	}
}

func TestTheMailboxKeepsTheNewest(t *testing.T) {
	o := newOffice(t, "")
	box := mail.NewService(o.db.Mails, o.db, o.sealer, mail.Config{Mailbox: true})
	for n := range 203 {
		o.queue(box, fmt.Sprintf("p%d@example.org", n))
	}
	if n, err := box.DeleteEnded(t.Context(), 500); err != nil || n != 3 {
		t.Errorf("removed %d, %v; want the three that have no room", n, err)
	}
	if kept, err := box.Kept(t.Context()); err != nil || len(kept) != 200 {
		t.Errorf("%d are kept, %v", len(kept), err)
	}
	jump(t, 8*24*time.Hour)
	if n, err := box.DeleteEnded(t.Context(), 500); err != nil || n != 200 {
		t.Errorf("after a week removed %d, %v", n, err)
	}
}

func TestPausesStayWithinTheirBounds(t *testing.T) {
	for _, tries := range []int{-1, 0, 1, 2, 7, 8, 63, 64, 1 << 40} {
		if p := mail.Pause(tries); p < 54*time.Second || p > 2*time.Hour {
			t.Errorf("pause(%d) = %v", tries, p)
		}
	}
}
