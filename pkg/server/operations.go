package server

import (
	"context"

	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// What an operator does takes several services; shell and admin API both call
// these, so that neither forgets a part.

// CreateUser makes a person and, unless it is empty, their password: both or
// neither.
func (s *Server) CreateUser(ctx context.Context, u user.User, password string) (user.User, error) {
	var hash string
	if password != "" {
		if err := s.Passwords.Check(ctx, password, namesOf(&u)...); err != nil {
			return user.User{}, err
		}
		var err error
		if hash, err = s.Passwords.Hash(ctx, password); err != nil { // slow: before the transaction
			return user.User{}, err
		}
	}
	made, err := s.Users.Create(ctx, u, func(ctx context.Context, id string) error {
		if hash == "" {
			return nil
		}
		return s.Passwords.Put(ctx, id, hash)
	})
	if err != nil {
		return user.User{}, err
	}
	return *made, nil
}

// namesOf are the words that a person's password is not built on.
func namesOf(u *user.User) []string {
	return []string{u.Email, u.Username, u.Name, u.GivenName, u.FamilyName, u.Nickname}
}

// FindUser finds a person by e-mail address, username or sub.
func (s *Server) FindUser(ctx context.Context, identifier string) (*user.User, error) {
	u, err := s.Users.ByIdentifier(ctx, identifier)
	if fault.Is(err, fault.NotFound) {
		return s.Users.Get(ctx, identifier)
	}
	return u, err
}

// SetPassword replaces a person's password and ends what they had open.
func (s *Server) SetPassword(ctx context.Context, userID, plain string) error {
	return s.Passwords.Change(ctx, userID, plain, "")
}

// SetUserDisabled switches a person off, everywhere and before it returns, or
// on again.
func (s *Server) SetUserDisabled(ctx context.Context, userID string, disabled bool) error {
	if disabled {
		return s.Users.Disable(ctx, userID)
	}
	return s.Users.Enable(ctx, userID)
}

// SetClientDisabled switches a client off, everywhere and before it returns,
// or on again.
func (s *Server) SetClientDisabled(ctx context.Context, clientID string, disabled bool) error {
	if disabled {
		return s.Clients.Disable(ctx, clientID)
	}
	c, err := s.durable.Clients.ByID(ctx, clientID)
	if err != nil {
		return err
	}
	c.Disabled = false
	_, err = s.Clients.Update(ctx, c)
	return err
}

// Explain returns why a request was refused.
func (s *Server) Explain(ctx context.Context, requestID string) (explain.Refusal, error) {
	r, err := s.durable.Refusals.ByID(ctx, requestID)
	if fault.Is(err, fault.NotFound) {
		return r, fault.Hide(err, fault.NotFound, "not_found", "No refusal of that id is known.").
			WithHint("refusals are kept for %s and written within a second; successful requests are in the log", s.cfg.RefusalsKeep)
	}
	return r, err
}
