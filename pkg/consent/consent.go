package consent

import (
	"context"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/user"
)

// Config holds what a Service may be told. Zero durations take the defaults.
type Config struct {
	// TokenLife is at least the longest life of an access token: that long a
	// withdrawal is remembered against what was issued; default 24 hours.
	TokenLife time.Duration
}

// Scopes knows the scopes of every API. scope.Service is one.
type Scopes interface {
	PersonMay(ctx context.Context, scopes, roles []string) ([]string, error)
	Describe(ctx context.Context, scopes []string) ([]scope.Described, error)
	All(ctx context.Context) ([]scope.API, error)
}

// Users finds people. user.Service is one.
type Users interface {
	Get(ctx context.Context, id string) (*user.User, error)
}

// GrantEnder ends what an application got. grant.Store is one.
type GrantEnder interface {
	RevokeOfUser(ctx context.Context, userID, clientID, reason string, now time.Time) ([]string, error)
}

// Revoker makes a revocation hold everywhere. revocation.Service is one.
type Revoker interface {
	// Revoke runs cause in one transaction, writes the entries it returns to
	// the ledger in the same transaction and to the live set, and returns nil
	// only when both hold.
	Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error
}

// Service remembers consents. It is safe for concurrent use.
type Service struct {
	store  Store
	scopes Scopes
	users  Users
	grants GrantEnder
	rev    Revoker
	audit  audit.Recorder
	cfg    Config
}

// NewService returns a service over the store.
func NewService(store Store, scopes Scopes, users Users, grants GrantEnder, rev Revoker, rec audit.Recorder, cfg Config) *Service {
	if cfg.TokenLife <= 0 {
		cfg.TokenLife = 24 * time.Hour
	}
	return &Service{store: store, scopes: scopes, users: users, grants: grants, rev: rev, audit: rec, cfg: cfg}
}

// Covers reports whether what the person allowed the client before covers the
// request: every scope they may have, every audience, and every claim that
// none of the scopes gives. A public client whose answers go to this device
// is never covered: anybody could be behind its name (RFC 8252 §8.6).
func (s *Service) Covers(ctx context.Context, userID string, c *client.Client, q *flow.Request) (bool, error) {
	if !assurance.Verifiable(c, q.RedirectURI) {
		return false, nil
	}
	given, err := s.store.Get(ctx, userID, c.ID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	scopes := q.Scopes
	if !within(scopes, given.Scopes) { // perhaps only for those the person may not have
		u, err := s.users.Get(ctx, userID)
		if err != nil {
			return false, err
		}
		if scopes, err = s.scopes.PersonMay(ctx, scopes, u.Roles); err != nil {
			return false, err
		}
	}
	single, err := singleClaims(q.Claims, scopes)
	if err != nil {
		return false, err
	}
	return within(scopes, given.Scopes) && within(q.Audiences, given.Audiences) && within(single, given.Claims), nil
}

// Allow remembers that the person allowed the client what it asks for. Scopes
// that they may not have are left out: a role that they get later asks anew.
func (s *Service) Allow(ctx context.Context, u *user.User, c *client.Client, q *flow.Request) error {
	scopes, err := s.scopes.PersonMay(ctx, q.Scopes, u.Roles)
	if err != nil {
		return err
	}
	single, err := singleClaims(q.Claims, scopes)
	if err != nil {
		return err
	}
	now := clock.Now()
	return s.store.Allow(ctx, Consent{
		UserID: u.ID, ClientID: c.ID, Scopes: scopes, Audiences: q.Audiences,
		Claims: single, CreatedAt: now, UpdatedAt: now,
	})
}

// Withdraw takes a consent back. The client's grants and tokens of the person
// end in the same transaction. Repeating it is harmless.
func (s *Service) Withdraw(ctx context.Context, userID, clientID string) error {
	const reason = "consent withdrawn"
	err := s.rev.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		if err := s.store.Withdraw(ctx, userID, clientID); err != nil {
			return nil, err
		}
		now := clock.Now()
		ended, err := s.grants.RevokeOfUser(ctx, userID, clientID, reason, now)
		if err != nil {
			return nil, err
		}
		entries := make([]revocation.Entry, len(ended))
		for i, id := range ended {
			entries[i] = revocation.Entry{Kind: revocation.Grant, ID: id, ExpiresAt: now.Add(s.cfg.TokenLife), Reason: reason}
		}
		return entries, nil
	})
	if err != nil {
		return err
	}
	s.audit.Record(ctx, audit.Event{
		Name: audit.GrantRevoked, Actor: userID, UserID: userID, ClientID: clientID,
		Data: map[string]string{"reason": reason},
	})
	return nil
}

// OfUser returns the consents of a person, newest first.
func (s *Service) OfUser(ctx context.Context, userID string) ([]Consent, error) {
	return s.store.OfUser(ctx, userID)
}

// singleClaims returns the claims about the person that are requested one by
// one (OIDC Core §5.5) and that no scope of the request gives.
func singleClaims(raw string, scopes []string) ([]string, error) {
	requested, err := claims.Parse(raw)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(requested.Names(), func(name string) bool {
		return slices.Contains(scopes, claims.ScopeOf(name))
	}), nil
}

func within(asked, given []string) bool {
	for _, one := range asked {
		if !slices.Contains(given, one) {
			return false
		}
	}
	return true
}
