package user

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/secret"
)

// Sessions ends what a person has. session.Service is one.
type Sessions interface {
	EndOfUser(ctx context.Context, userID, except, reason string, also func(ctx context.Context) error) error
}

// Transactor runs work in one transaction. storage.Durable is one.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Service finds and changes people. It is safe for concurrent use.
type Service struct {
	store    Store
	tx       Transactor
	sessions Sessions
	audit    audit.Recorder
}

// NewService returns a service over the store.
func NewService(store Store, tx Transactor, sessions Sessions, rec audit.Recorder) *Service {
	return &Service{store: store, tx: tx, sessions: sessions, audit: rec}
}

// Create makes a new person and returns it with its id. The id and the times
// are ours, whatever u says. also runs in the same transaction (may be nil),
// so that a person and their password exist both or not at all; it may run
// more than once and must have no effect outside the database. fault.Invalid
// when a field breaks its bounds, fault.Conflict when the e-mail address or
// username is taken.
func (s *Service) Create(ctx context.Context, u User, also func(ctx context.Context, id string) error) (*User, error) {
	if err := Validate(&u); err != nil {
		return nil, err
	}
	u.ID = secret.ID()
	u.CreatedAt = clock.Now().UTC().Truncate(time.Microsecond) // what every engine keeps
	u.UpdatedAt = u.CreatedAt
	err := s.tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.Create(ctx, u); err != nil || also == nil {
			return err
		}
		return also(ctx, u.ID)
	})
	if err != nil {
		return nil, err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserCreated, UserID: u.ID})
	return &u, nil
}

// Get returns the person, disabled ones too, or fault.NotFound.
func (s *Service) Get(ctx context.Context, id string) (*User, error) {
	u, err := s.store.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// ByIdentifier finds a person by any spelling of the e-mail address or
// username, disabled ones too, or fault.NotFound.
func (s *Service) ByIdentifier(ctx context.Context, identifier string) (*User, error) {
	normalised := Normalise(identifier)
	if normalised == "" || len(identifier) > maxEmail*4 || hasControl(normalised) {
		return nil, fault.New(fault.NotFound, "user_not_found", "There is no such person.")
	}
	u, err := s.store.ByIdentifier(ctx, normalised)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// Update replaces the profile of the person of u.ID. Whether they are
// disabled, demo people, on their way out, which terms they accepted, which
// second factors they have, and when they were made, stays as it is.
func (s *Service) Update(ctx context.Context, u User) (*User, error) {
	if err := Validate(&u); err != nil { // before anybody is looked for
		return nil, err
	}
	changed, err := s.Change(ctx, u.ID, func(_ context.Context, held *User) error {
		u.Disabled, u.Demo, u.CreatedAt = held.Disabled, held.Demo, held.CreatedAt
		u.TermsVersion, u.TermsAcceptedAt, u.DeleteAt = held.TermsVersion, held.TermsAcceptedAt, held.DeleteAt
		u.Factors, u.EnrolAskedAt = held.Factors, held.EnrolAskedAt
		*held = u
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserUpdated, UserID: u.ID})
	return changed, nil
}

// Change lets change alter the person of the id, and returns what they are
// then. Nobody else changes them meanwhile, and what change does in the
// database happens exactly when the person is changed. change may run more
// than once and must have no effect outside the database; its error comes back
// as it is. fault.NotFound, fault.Invalid and fault.Conflict as with Update.
func (s *Service) Change(ctx context.Context, id string, change func(ctx context.Context, u *User) error) (*User, error) {
	var changed User
	err := s.tx.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.Hold(ctx, id)
		if err != nil {
			return err
		}
		if err := change(ctx, &u); err != nil {
			return err
		}
		if err := Validate(&u); err != nil {
			return err
		}
		u.ID, u.UpdatedAt = id, clock.Now().UTC().Truncate(time.Microsecond)
		changed = u
		return s.store.Update(ctx, u)
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// Disable keeps a person out. Their sessions, grants and tokens end in the
// same transaction: when it returns nil nothing of them works any more.
// Repeating it is harmless.
func (s *Service) Disable(ctx context.Context, id string) error {
	err := s.sessions.EndOfUser(ctx, id, "", "user disabled", func(ctx context.Context) error {
		return s.setDisabled(ctx, id, true)
	})
	if err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserDisabled, UserID: id})
	return nil
}

// Enable lets a disabled person sign in again. What ended stays ended.
func (s *Service) Enable(ctx context.Context, id string) error {
	if err := s.setDisabled(ctx, id, false); err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserEnabled, UserID: id})
	return nil
}

// setDisabled holds the person: a change of their profile at the same moment
// must not bring them back.
func (s *Service) setDisabled(ctx context.Context, id string, disabled bool) error {
	return s.tx.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.Hold(ctx, id)
		if err != nil {
			return err
		}
		u.Disabled, u.UpdatedAt = disabled, clock.Now()
		return s.store.Update(ctx, u)
	})
}

// List returns a page in the order of creation, oldest first.
func (s *Service) List(ctx context.Context, page paging.Page) ([]User, error) {
	return s.store.List(ctx, page)
}
