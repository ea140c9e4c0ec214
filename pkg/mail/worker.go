package mail

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// ErrRefused is in the chain of an error of Sender.Send when trying again
// cannot help.
var ErrRefused = errors.New("mail: refused for good")

// How mails leave. A claim outlives the longest try by far: only the mail of
// a sender that died is taken by another.
const (
	parallel     = 4               // mails on their way at once
	pollEvery    = 5 * time.Second // for mails of other instances, and those that wait
	sendTimeout  = time.Minute
	claimFor     = 5 * time.Minute
	stopGrace    = 5 * time.Second // for mails on their way when we are to stop
	firstPause   = time.Minute
	longestPause = 2 * time.Hour
	tryFor       = 3 * 24 * time.Hour
)

// Worker takes mails from the outbox to the mail server. Any number may work
// on one outbox, in one process or in many.
type Worker struct {
	s     *Service
	audit audit.Recorder
	log   *slog.Logger
	poll  time.Duration
}

// NewWorker returns a worker for the outbox of the service.
func NewWorker(s *Service, rec audit.Recorder, log *slog.Logger) *Worker {
	return &Worker{s: s, audit: rec, log: log, poll: pollEvery}
}

// Run works until ctx ends and mails on their way have arrived, or for a
// short while. Without a mail server it returns at once.
func (w *Worker) Run(ctx context.Context) {
	if w.s.cfg.Sender == nil {
		return
	}
	// What is on its way is not cut off by the end of ctx: the server may have
	// taken it, and then it would be sent again.
	sends, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var wg sync.WaitGroup
	w.loop(ctx, func(m Mail, done func()) {
		wg.Go(func() {
			defer done()
			w.deliver(sends, m)
		})
	})
	defer time.AfterFunc(stopGrace, cut).Stop()
	wg.Wait()
}

// loop claims as many mails as can leave at once, never more: a mail that is
// claimed and not sent would have to wait for the end of its claim.
func (w *Worker) loop(ctx context.Context, start func(m Mail, done func())) {
	slots := make(chan struct{}, parallel)
	free := func() { <-slots }
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		mails := w.claim(ctx, 1+cap(slots)-len(slots))
		for i, m := range mails {
			if i > 0 {
				slots <- struct{}{} // there is room: nobody else fills them
			}
			start(m, free)
		}
		if len(mails) > 0 {
			continue
		}
		free()
		select {
		case <-ctx.Done():
			return
		case <-w.s.nudge:
		case <-time.After(w.poll):
		}
	}
}

func (w *Worker) claim(ctx context.Context, most int) []Mail {
	if ctx.Err() != nil {
		return nil
	}
	now := clock.Now()
	mails, err := w.s.store.Claim(ctx, most, now, now.Add(claimFor))
	if err != nil && ctx.Err() == nil {
		w.log.Warn("the outbox cannot be asked for mail and will be asked again", "error", err)
	}
	return mails
}

// deliver makes one try.
func (w *Worker) deliver(ctx context.Context, m Mail) {
	err := w.send(ctx, m)
	log := w.log.With("mail", m.ID, "letter", m.Letter, "tries", m.Tries)
	now := clock.Now()
	switch {
	case err == nil:
		w.note(log, func(ctx context.Context) error { return w.s.store.Sent(ctx, m.ID, now) })
		log.Info("mail sent")
	case errors.Is(err, ErrRefused) || now.Sub(m.CreatedAt) >= tryFor:
		w.giveUp(log, m, problemOf(err), now)
	default:
		next := now.Add(pause(m.Tries))
		if last := m.CreatedAt.Add(tryFor); next.After(last) {
			next = last
		}
		log.Warn("mail was not sent and will be tried again", "problem", problemOf(err), "next", next)
		w.note(log, func(ctx context.Context) error { return w.s.store.Later(ctx, m.ID, m.Tries, problemOf(err), next) })
	}
}

// send opens the mail and hands it over. One whose key is gone waits like any
// other: the operator may bring the key back.
func (w *Worker) send(ctx context.Context, m Mail) error {
	c, err := w.s.open(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return w.s.cfg.Sender.Send(ctx, Outgoing{ID: m.ID, At: m.CreatedAt, Content: c})
}

func (w *Worker) giveUp(log *slog.Logger, m Mail, problem string, now time.Time) {
	if !w.note(log, func(ctx context.Context) error { return w.s.store.GiveUp(ctx, m.ID, m.Tries, problem, now) }) {
		return
	}
	log.Error("mail was given up", "problem", problem)
	w.audit.Record(context.Background(), audit.Event{Name: audit.MailGivenUp, UserID: m.UserID, Data: map[string]string{
		"letter": m.Letter, "problem": problem, "tries": strconv.Itoa(m.Tries),
	}})
}

// noteTries is how often the outcome is written while the database is away: a
// mail whose sending nobody noted is sent again.
const noteTries = 6

// note writes what became of a mail, and reports whether it could. It goes on
// when the worker is to stop.
func (w *Worker) note(log *slog.Logger, write func(context.Context) error) bool {
	wait := 100 * time.Millisecond
	for n := 1; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		err := write(ctx)
		cancel()
		switch {
		case err == nil:
			return true
		case fault.Is(err, fault.Conflict):
			log.Info("another sender has this mail by now")
			return false
		case n == noteTries:
			log.Error("what became of a mail cannot be written", "error", err)
			return false
		}
		time.Sleep(wait)
		wait *= 2
	}
}

// pause grows from a minute to two hours. A tenth of it is chance, so that
// mails that failed together do not come back together.
func pause(tries int) time.Duration {
	p := longestPause
	if n := max(tries, 1) - 1; n < 7 {
		p = min(firstPause<<n, longestPause)
	}
	return p - time.Duration(rand.Int64N(int64(p)/10)) //nolint:gosec // spread, not secrecy
}
