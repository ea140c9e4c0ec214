package grant

import (
	"context"
	"errors"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

var errBadID = errors.New("grant: not an id of 128 bits")

// Revoker makes a revocation hold everywhere. revocation.Service is one.
type Revoker interface {
	// Revoke runs cause in one transaction, writes the entries it returns to
	// the ledger in the same transaction and to the live set, and returns nil
	// only when both hold.
	Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error
}

// Config holds what a Service needs besides the store.
type Config struct {
	// Revoker ends a grant durably and on all instances. Required.
	Revoker Revoker
	// TokenLife is at least the longest life of an access token: that long the
	// end of a grant is remembered against its tokens. Default 24 hours.
	TokenLife time.Duration
	// Audit hears of revocations. Nil: nobody does.
	Audit audit.Recorder
}

// Service mints and reads codes and refresh tokens and ends grants. It is
// safe for concurrent use.
type Service struct {
	store Store
	fp    *secret.Fingerprinter
	cfg   Config
}

// NewService returns a service over the store; fp fingerprints what is kept.
func NewService(store Store, fp *secret.Fingerprinter, cfg Config) *Service {
	if cfg.TokenLife <= 0 {
		cfg.TokenLife = 24 * time.Hour
	}
	return &Service{store: store, fp: fp, cfg: cfg}
}

// Store returns the store, for those who read and spend what it keeps.
func (s *Service) Store() Store { return s.store }

// NewCode mints an authorization code and returns it with its fingerprint.
func (s *Service) NewCode() (code, hash string) {
	code = secret.New(secret.AuthorizationCode)
	return code, s.fp.Of(secret.AuthorizationCode, code)
}

// CodeHash returns the fingerprint of a presented code, or "" for what cannot
// be one of ours: no store is asked for garbage.
func (s *Service) CodeHash(code string) string {
	if _, ok := secret.Unwrap(secret.AuthorizationCode, code); !ok {
		return ""
	}
	return s.fp.Of(secret.AuthorizationCode, code)
}

// NewOpaque mints an opaque access token and returns it with its fingerprint.
func (s *Service) NewOpaque() (token, hash string) {
	token = secret.New(secret.OpaqueAccessToken)
	return token, s.fp.Of(secret.OpaqueAccessToken, token)
}

// OpaqueHash returns the fingerprint of a presented opaque access token, or
// "" for what cannot be one of ours.
func (s *Service) OpaqueHash(token string) string {
	if _, ok := secret.Unwrap(secret.OpaqueAccessToken, token); !ok {
		return ""
	}
	return s.fp.Of(secret.OpaqueAccessToken, token)
}

// Revoke ends the grant with everything issued from it: durable and seen by
// every instance before it returns nil. Repeating it is harmless.
func (s *Service) Revoke(ctx context.Context, id, reason string) error {
	if id == "" {
		return fault.New(fault.Internal, "server_error", "Something went wrong on our side.").Because(errBadID)
	}
	var ended bool
	err := s.cfg.Revoker.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		now := clock.Now()
		var err error
		if ended, err = s.store.Revoke(ctx, id, reason, now); err != nil {
			return nil, err
		}
		// Also when it had ended before: an earlier call may have died between
		// the commit and the live set.
		return []revocation.Entry{{Kind: revocation.Grant, ID: id, ExpiresAt: now.Add(s.cfg.TokenLife), Reason: reason}}, nil
	})
	if err != nil {
		return err
	}
	if ended && s.cfg.Audit != nil {
		s.cfg.Audit.Record(ctx, audit.Event{Name: audit.GrantRevoked, Data: map[string]string{"grant": id, "reason": reason}})
	}
	return nil
}
