package client

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

// Config holds what a Service may be told. Zero values take the defaults.
type Config struct {
	// TTL is how long a client is served from memory without asking the
	// store: the longest time that a change made on another instance, or a
	// store that is down, goes unnoticed. Default 2 seconds.
	TTL time.Duration
	// MissingTTL is the same for ids that do not exist. Default 1 second.
	MissingTTL time.Duration
	// MaxCached bounds the clients kept in memory, and separately the missing
	// ids, so that strangers' guesses push no client out. Default 10,000.
	MaxCached int
	// Revoker and Grants end what a client holds when it is disabled or
	// deleted, before the call returns. Nil Revoker: only the row changes.
	Revoker Revoker
	Grants  GrantEnder
	// TokenLife is at least the longest life of an access token. Default 24
	// hours.
	TokenLife time.Duration
	// Audit hears of every change. Nil: nobody does.
	Audit audit.Recorder
}

// Revoker makes a revocation hold everywhere. revocation.Service is one.
type Revoker interface {
	// Revoke runs cause in one transaction, writes the entries it returns to
	// the ledger in the same transaction and to the live set, and returns nil
	// only when both hold.
	Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error
}

// GrantEnder ends what people allowed a client. grant.Store is one.
type GrantEnder interface {
	// RevokeOfClient ends all grants of a client.
	RevokeOfClient(ctx context.Context, clientID, reason string, now time.Time) error
}

// Service serves clients from a short-lived cache and changes them. It is
// safe for concurrent use.
type Service struct {
	store Store
	fp    *secret.Fingerprinter
	cfg   Config

	found   *otter.Cache[string, cached]
	missing *otter.Cache[string, time.Time] // id → until when it is believed missing
	loads   singleflight.Group
	epoch   epoch
	origins origins
	nobody  []Secret // what an unknown client's secret is compared with
}

// NewService returns a service over the store. fp fingerprints secrets.
func NewService(store Store, fp *secret.Fingerprinter, cfg Config) *Service {
	if cfg.TTL <= 0 {
		cfg.TTL = 2 * time.Second
	}
	if cfg.MissingTTL <= 0 {
		cfg.MissingTTL = time.Second
	}
	if cfg.MaxCached <= 0 {
		cfg.MaxCached = 10_000
	}
	if cfg.TokenLife <= 0 {
		cfg.TokenLife = 24 * time.Hour
	}
	s := &Service{
		store:   store,
		fp:      fp,
		cfg:     cfg,
		found:   otter.Must(&otter.Options[string, cached]{MaximumSize: cfg.MaxCached}),
		missing: otter.Must(&otter.Options[string, time.Time]{MaximumSize: cfg.MaxCached}),
		nobody:  []Secret{{Hash: fp.Of(secret.ClientSecret, secret.New(secret.ClientSecret))}},
	}
	return s
}

// List returns a page in the order of creation, oldest first, straight from
// the store.
func (s *Service) List(ctx context.Context, page paging.Page) ([]Client, error) {
	return s.store.List(ctx, page)
}

// HasSource reports whether any client of the source exists.
func (s *Service) HasSource(ctx context.Context, source Source) (bool, error) {
	return s.store.HasSource(ctx, source)
}

func (s *Service) record(ctx context.Context, name audit.Name, id string, data map[string]string) {
	if s.cfg.Audit != nil {
		s.cfg.Audit.Record(ctx, audit.Event{Name: name, ClientID: id, Data: data})
	}
}

// errUnknown is the answer for ids that no client has.
func errUnknown() *fault.Error {
	return fault.New(fault.NotFound, "client_not_found", "There is no such client.")
}
