package password

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// MaxBytes bounds a password as it is typed. Nothing is cut: a longer one is
// refused.
const MaxBytes = 1024

// Config holds the cost of a password. Zero values take the defaults.
type Config struct {
	MemoryKiB uint32 // argon2id m; default 19456 (19 MiB), OWASP's lower bound
	Passes    int    // argon2id t; default 2
	Lanes     int    // argon2id p; default 1
	// Parallel is how many hashes run at once; default the number of CPUs.
	// Each takes MemoryKiB.
	Parallel int
	// QueueTimeout is how long a login waits for its turn before it is
	// answered 503; default 3 seconds.
	QueueTimeout time.Duration
	// MinLength is the least number of characters of a new password; default
	// 15, what NIST SP 800-63B asks of a password that stands alone.
	MinLength int
	// Require are kinds of characters that a new password must hold: Digit,
	// Upper, Lower, Symbol. Default none.
	Require []string
	// Brand are names of this service, which everybody's password may not be
	// built on.
	Brand []string
	// Person returns what Change must not find in a password: name, e-mail
	// address, username. Nil: Change knows nobody.
	Person func(ctx context.Context, userID string) ([]string, error)
	// Breached is asked last about a new password; a Ranges is one. Nil: the
	// list inside Portico decides alone.
	Breached Breached
}

// Breached knows passwords from breaches. It answers soon, and no when it
// does not know.
type Breached interface {
	Breached(ctx context.Context, plain string) bool
}

func (c Config) withDefaults() Config {
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 19456
	}
	if c.Passes <= 0 {
		c.Passes = 2
	}
	if c.Lanes <= 0 {
		c.Lanes = 1
	}
	if c.Parallel <= 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
	}
	if c.QueueTimeout <= 0 {
		c.QueueTimeout = 3 * time.Second
	}
	if c.MinLength <= 0 {
		c.MinLength = 15
	}
	return c
}

// Sessions ends what a person had before a password change. session.Service
// is one.
type Sessions interface {
	EndOfUser(ctx context.Context, userID, except, reason string, also func(ctx context.Context) error) error
}

// Service verifies and changes passwords. It is safe for concurrent use.
type Service struct {
	store    Store
	sessions Sessions
	audit    audit.Recorder
	cfg      Config
	gate     *gate
	hasher   *hasher
}

// NewService returns a service over the store. It fails when the costs make
// no sense.
func NewService(store Store, sessions Sessions, rec audit.Recorder, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	for _, kind := range cfg.Require {
		if kinds[kind] == nil {
			return nil, fmt.Errorf("password: %q is no kind of characters", kind)
		}
	}
	h, err := newHasher(cfg)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: store, sessions: sessions, audit: rec, cfg: cfg,
		gate: newGate(cfg.Parallel, cfg.QueueTimeout), hasher: h,
	}, nil
}

// MinLength returns the least number of characters of a new password.
func (s *Service) MinLength() int { return s.cfg.MinLength }

// Required returns the kinds of characters that a new password must hold.
func (s *Service) Required() []string { return s.cfg.Require }

// Verify reports whether plain is the password of the person. A person
// without a password, an empty password and a wrong one cost the same. When
// it is right but kept at other costs than the configured ones, or in an
// imported format, it is hashed anew. fault.Unavailable when the store is
// down or too many are waiting.
func (s *Service) Verify(ctx context.Context, userID, plain string) (bool, error) {
	if len(plain) > MaxBytes {
		return false, nil // its length is the caller's own knowledge
	}
	stored, err := s.store.Hash(ctx, userID)
	if fault.Is(err, fault.NotFound) {
		return false, s.burn(ctx, plain)
	} else if err != nil {
		return false, err
	}
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	right, err := s.hasher.match(stored, plain)
	if err != nil {
		// A stored hash that nothing can read: the person cannot sign in, and
		// nobody may see a difference.
		trail.Set(ctx, "password_hash", "unreadable")
		s.hasher.burn(plain)
		return false, nil
	}
	if right && s.hasher.outdated(stored) {
		s.rehash(ctx, userID, stored, plain)
	}
	return right, nil
}

// VerifyNobody spends what Verify spends, for identifiers that nobody has.
func (s *Service) VerifyNobody(ctx context.Context, plain string) error {
	if len(plain) > MaxBytes {
		return nil
	}
	// The look-up is part of what it takes.
	if _, err := s.store.Hash(ctx, nobody); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return s.burn(ctx, plain)
}

// nobody is an id that no person has.
const nobody = "nobody"

func (s *Service) burn(ctx context.Context, plain string) error {
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.hasher.burn(plain)
	return nil
}

// rehash replaces a stored hash of the right password by one at the
// configured costs. A failure costs nothing but another try at the next login.
func (s *Service) rehash(ctx context.Context, userID, stored, plain string) {
	next, err := s.hasher.hash(plain)
	if err == nil {
		err = s.store.Swap(ctx, userID, stored, next, time.Now())
	}
	if err != nil {
		trail.Set(ctx, "password_rehash", "failed")
		return
	}
	trail.Set(ctx, "password_rehash", "done")
}

// Hash returns what may be stored with Put. Whoever lets somebody choose a
// password calls Check first, which knows the person; Hash refuses what no
// person may have. It is apart from the writing because it takes long and a
// transaction should not.
func (s *Service) Hash(ctx context.Context, plain string) (string, error) {
	if err := s.rules(plain); err != nil {
		return "", err
	}
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return s.hasher.hash(plain)
}

// Put writes what Hash returned, in the transaction that the context carries.
// It is meant for a new person; Change is for everybody else.
func (s *Service) Put(ctx context.Context, userID, hash string) error {
	return s.store.Set(ctx, userID, hash, time.Now())
}

// Set gives a new person their first password.
func (s *Service) Set(ctx context.Context, userID, plain string) error {
	hash, err := s.Hash(ctx, plain)
	if err != nil {
		return err
	}
	return s.Put(ctx, userID, hash)
}

// Change replaces the password after Check. In the same transaction every
// session of the person ends but for the one of the sid except (may be
// empty), with all grants and tokens (ASVS 7.4.3).
func (s *Service) Change(ctx context.Context, userID, plain, except string) error {
	return s.ChangeWith(ctx, userID, plain, except, nil)
}

// ChangeWith is Change with other work in its transaction: also (may be nil)
// runs before the password is written, and its error keeps the old one. It
// may run more than once and must have no effect outside the database.
func (s *Service) ChangeWith(ctx context.Context, userID, plain, except string, also func(ctx context.Context) error) error {
	if err := s.checkOf(ctx, userID, plain); err != nil {
		return err
	}
	hash, err := s.Hash(ctx, plain)
	if err != nil {
		return err
	}
	err = s.sessions.EndOfUser(ctx, userID, except, "password changed", func(ctx context.Context) error {
		if also != nil {
			if err := also(ctx); err != nil {
				return err
			}
		}
		return s.store.Set(ctx, userID, hash, time.Now())
	})
	if err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.PasswordChanged, UserID: userID})
	return nil
}

// checkOf is Check for a person who exists.
func (s *Service) checkOf(ctx context.Context, userID, plain string) error {
	var person []string
	if s.cfg.Person != nil {
		var err error
		if person, err = s.cfg.Person(ctx, userID); err != nil {
			return err
		}
	}
	return s.Check(ctx, plain, person...)
}
