package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Transactor runs work in one SQL transaction.
type Transactor interface {
	// InTx commits when fn returns nil and rolls back otherwise. It may run
	// fn again when the database asks for a retry.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Config holds what a Service needs. Zero durations take the defaults.
type Config struct {
	// Reconcile is how often the ledger is compared with the live set;
	// default 15 seconds.
	Reconcile time.Duration
	// Patience bounds one catch-up or rebuild; default 5 seconds. It runs
	// apart from the request that asked, so that a client that hangs up
	// leaves nothing half done.
	Patience time.Duration
}

// slack is how long an entry is remembered after it expired: a clock that
// steps back must not bring a token to life whose revocation was forgotten
// while the clock was ahead.
const slack = 2 * time.Hour

// Service revokes, and answers whether something was revoked. Revocations are
// decided in SQL, shared through the live set, and looked up in a local copy
// that is trusted only while its mark is the one that the live set shows. It
// is safe for concurrent use.
type Service struct {
	ledger Ledger
	live   Live
	tx     Transactor
	cfg    Config

	set   local
	heads heads
	kick  chan struct{} // wakes Run before its time

	mu      sync.Mutex
	waiting *flight       // the catch-up that has not begun; guarded by mu
	flying  chan struct{} // holds one token while a catch-up runs
}

// New returns a service whose local set is empty and not in step: the first
// question, or Ready, or Run, brings it there.
func New(ledger Ledger, live Live, tx Transactor, cfg Config) *Service {
	if cfg.Reconcile <= 0 {
		cfg.Reconcile = 15 * time.Second
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	return &Service{ledger: ledger, live: live, tx: tx, cfg: cfg, heads: heads{live: live}, kick: make(chan struct{}, 1), flying: make(chan struct{}, 1)}
}

// Revoke runs cause and adds the entries it returns to the ledger, in one SQL
// transaction; then it adds them to the live set and to the local one. Only
// when all of that is done it returns nil, and from then on no instance
// accepts what the entries name. It must not be called inside a transaction:
// the live set would hear of what may yet be rolled back.
//
// When the transaction fails, its error comes back and nothing was revoked.
// When the live set cannot be reached after the commit, fault.Unavailable
// comes back, caused by ErrCommitted: the revocation stands in SQL, the
// reconciler will push it, and the client is to try again. So cause must return its entries also when the
// wanted state already holds, and must have no effect outside the database.
func (s *Service) Revoke(ctx context.Context, cause func(ctx context.Context) ([]Entry, error)) error {
	var entries []Entry
	err := s.tx.InTx(ctx, func(ctx context.Context) error {
		var err error
		if entries, err = cause(ctx); err != nil || len(entries) == 0 {
			return err
		}
		if entries, err = settle(entries); err != nil {
			return err
		}
		return s.ledger.Add(ctx, entries...)
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	// The cause is committed. A client that hangs up now must not keep the
	// others from hearing of it.
	ctx, cancel := s.patience(ctx)
	defer cancel()
	if err := s.spread(ctx, entries); err != nil {
		s.wake()
		return unavailable(fmt.Errorf("%w: %w", ErrCommitted, err))
	}
	return nil
}

// patience returns a context for work that many callers wait for, or that must
// go on when its caller hangs up.
func (s *Service) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
}

// settle refuses entries that would revoke nothing, or everything unnamed, and
// rounds their times up to what every engine keeps, so that all copies of an
// entry are equal.
func settle(entries []Entry) ([]Entry, error) {
	settled := make([]Entry, len(entries))
	for i, e := range entries {
		switch e.Kind {
		case Token, Grant:
		case Session, Subject, Client:
			if e.NotBefore.IsZero() {
				return nil, fmt.Errorf("revocation: entry of kind %q without NotBefore", e.Kind)
			}
		default:
			return nil, fmt.Errorf("revocation: entry of unknown kind %q", e.Kind)
		}
		if e.ID == "" || e.ExpiresAt.IsZero() {
			return nil, fmt.Errorf("revocation: entry of kind %q without id or expiry", e.Kind)
		}
		e.NotBefore, e.ExpiresAt = up(e.NotBefore), up(e.ExpiresAt)
		settled[i] = e
	}
	return settled, nil
}

func up(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Microsecond - 1).Truncate(time.Microsecond).UTC()
}

// spread adds committed entries to the live set, and when that is absent
// rebuilds it first, from a ledger that holds them already. They are appended
// all the same: where several processes keep a set each, the append is what
// the others notice.
func (s *Service) spread(ctx context.Context, entries []Entry) error {
	_, err := s.live.Append(ctx, entries...)
	for range 3 {
		if !fault.Is(err, fault.NotFound) {
			break
		}
		if err := s.sync(ctx); err != nil {
			return err
		}
		_, err = s.live.Append(ctx, entries...)
	}
	if err != nil {
		return err
	}
	// The mark stays: others may have appended before us, and the next
	// question learns that through Since.
	s.set.add(entries)
	return nil
}

// Facts are what a token says of itself. Empty fields match nothing.
type Facts struct {
	JTI       string
	GrantID   string
	SessionID string
	UserID    string
	ClientID  string
	// IssuedAt is compared with NotBefore. A zero time is older than any.
	IssuedAt time.Time
}

// Check reports whether a token with these facts was revoked, and by which
// entry. It asks the live set for its mark once; while that is the mark of
// the local set, the local set answers. Otherwise it catches up first, and
// when the live set is absent it is rebuilt from the ledger first. When any
// of that cannot be done the answer is fault.Unavailable, never "no".
func (s *Service) Check(ctx context.Context, f Facts) (revoked bool, why *Entry, err error) {
	head, err := s.heads.read(ctx, s.patience)
	switch {
	case err == nil:
		if why, ok := s.set.lookup(head, f); ok {
			return why != nil, why, nil
		}
	case !fault.Is(err, fault.NotFound):
		return false, nil, unavailable(err)
	}
	if err := s.sync(ctx); err != nil {
		return false, nil, unavailable(err)
	}
	why = s.set.find(f)
	return why != nil, why, nil
}

// Ready reports whether the local set is in step with the live one, after
// bringing it there if need be; fault.Unavailable otherwise.
func (s *Service) Ready(ctx context.Context) error {
	head, err := s.live.Head(ctx)
	if err == nil && s.set.at(head) {
		return nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return unavailable(err)
	}
	if err := s.sync(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// Run compares the ledger with the live set until ctx ends, and adds what is
// missing: the process that committed it may have died before it could
// append, or the live set may have lost it by failing over.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Reconcile)
	defer tick.Stop()
	for {
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "revocations are not reconciled", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.kick:
			select { // the live set was away a moment ago: give it one
			case <-ctx.Done():
				return
			case <-time.After(min(time.Second, s.cfg.Reconcile)):
			}
		}
	}
}

// reconcile pushes what stands in the ledger and not in the local set, which
// it brings in step first.
func (s *Service) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Patience)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		return err
	}
	standing, err := s.ledger.Standing(ctx, clock.Now())
	if err != nil {
		return fmt.Errorf("read the revocation ledger: %w", err)
	}
	if missing := s.set.missing(standing); len(missing) > 0 {
		slog.InfoContext(ctx, "revocations were missing from the live set", "count", len(missing))
		if err := s.spread(ctx, missing); err != nil {
			return fmt.Errorf("push missing revocations: %w", err)
		}
	}
	s.set.prune(clock.Now().Add(-slack))
	return nil
}

// DeleteExpired removes at most limit entries from the ledger that expired
// longer ago than a clock is ever wrong, and returns how many.
func (s *Service) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return s.ledger.DeleteExpired(ctx, clock.Now().Add(-slack), limit)
}

func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default: // Run is already asked
	}
}

// unavailable gives err the face that every failure to know has here.
func unavailable(err error) error {
	if fault.Is(err, fault.Unavailable) && !errors.Is(err, ErrCommitted) {
		return err
	}
	return fault.Hide(err, fault.Unavailable, "temporarily_unavailable", "Revocations cannot be checked at the moment.")
}

// ErrCommitted is the cause of a fault.Unavailable after the commit: the
// revocation stands, and is not acknowledged yet.
var ErrCommitted = errors.New("revocation: committed and not spread yet")

// errLost says that the live set vanished each time it was rebuilt.
var errLost = errors.New("revocation: the live set was lost again while it was rebuilt")
