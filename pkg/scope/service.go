package scope

import (
	"context"
	"fmt"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
)

// Config holds what a Service needs.
type Config struct {
	// Issuer is the audience of tokens that no API owns, and of userinfo.
	Issuer string
	// LoopbackResources lets clients that registered themselves name any
	// loopback URL as resource (portico dev).
	LoopbackResources bool
	// CacheTTL is how long a list of APIs is trusted; default 2 seconds. With
	// the store down nothing older is.
	CacheTTL time.Duration
}

// Service decides which scopes and audiences a request may get, and keeps the
// APIs. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
	cache cache
}

// NewService returns a Service over the store.
func NewService(store Store, cfg Config) *Service {
	if cfg.CacheTTL <= 0 {
		cfg.CacheTTL = 2 * time.Second
	}
	s := &Service{store: store, cfg: cfg}
	s.cache.load = store.All
	s.cache.ttl = cfg.CacheTTL
	return s
}

// All returns every API in the order of creation. The caller must not modify
// what it gets.
func (s *Service) All(ctx context.Context) ([]API, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	return c.apis, nil
}

// Create registers an API. Faults: Invalid with the field that is wrong;
// Conflict when the audience or one of the scopes is taken.
func (s *Service) Create(ctx context.Context, a API) (API, error) {
	if err := s.validate(&a); err != nil {
		return API{}, err
	}
	if a.CreatedAt.IsZero() {
		a.CreatedAt = clock.Now()
	}
	if err := s.store.Create(ctx, a); err != nil {
		return API{}, fmt.Errorf("create API: %w", err)
	}
	s.cache.forget()
	return a, nil
}

// Update replaces the API of the same audience. Faults as Create, and
// NotFound.
func (s *Service) Update(ctx context.Context, a API) error {
	if err := s.validate(&a); err != nil {
		return err
	}
	if err := s.store.Update(ctx, a); err != nil {
		return fmt.Errorf("update API: %w", err)
	}
	s.cache.forget()
	return nil
}

// Delete removes an API; its scopes are unknown from then on. NotFound when
// there is none.
func (s *Service) Delete(ctx context.Context, audience string) error {
	if err := s.store.Delete(ctx, audience); err != nil {
		return fmt.Errorf("delete API: %w", err)
	}
	s.cache.forget()
	return nil
}

// Described is a scope in the words of the operator.
type Described struct {
	Name        string
	Description string
	API         string // its name; empty for the scopes of Portico itself
	Audience    string // of the API; empty for the scopes of Portico itself
}

// Describe returns the scopes with the sentence that people read, in the
// order given.
func (s *Service) Describe(ctx context.Context, scopes []string) ([]Described, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Described, 0, len(scopes))
	for _, name := range scopes {
		d := Described{Name: name}
		if o, ok := c.owner[name]; ok {
			d.Description, d.API, d.Audience = o.scope.Description, o.api.Name, o.api.Audience
		}
		out = append(out, d)
	}
	return out, nil
}

// MayIntrospect reports whether the client is linked to one of the audiences
// (RFC 7662 §4). An error means that it is not known.
func (s *Service) MayIntrospect(ctx context.Context, clientID string, audiences []string) (bool, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return false, err
	}
	return c.mayIntrospect(clientID, audiences), nil
}

// MinimumACR returns the most demanding class that one of the audiences'
// APIs asks of people; empty: none does. higher returns the higher of two.
func (s *Service) MinimumACR(ctx context.Context, audiences []string, higher func(...string) string) (string, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return "", err
	}
	class := ""
	for _, audience := range audiences {
		if api := c.byAud[audience]; api != nil {
			class = higher(class, api.MinimumACR)
		}
	}
	return class, nil
}

// PersonMay returns the scopes that a person with these roles may have, in
// the order given: a scope that requires a role the person lacks is dropped.
func (s *Service) PersonMay(ctx context.Context, scopes, roles []string) ([]string, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	return c.personMay(scopes, roles), nil
}

// ForDynamic returns the scopes and audiences that a client which registers
// itself may have when it names none: those of Portico, and those of APIs
// that are open to such clients.
func (s *Service) ForDynamic(ctx context.Context) (scopes, audiences []string, err error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	scopes, audiences = c.forDynamic()
	return scopes, audiences, nil
}

// Ask is what a request wants.
type Ask struct {
	Client *client.Client
	// Scopes as sent; empty: the parameter was left out.
	Scopes []string
	// Resources are the resource values as sent (RFC 8707).
	Resources []string
	// Machine holds for client credentials: no person takes part.
	Machine bool
	// Granted holds when Scopes were granted before: an empty list is then
	// empty, and takes no default.
	Granted bool
}

// Answer is what a request may get.
type Answer struct {
	Scopes       []string      // in the order asked, each once
	Audiences    []string      // never empty
	Format       Format        // of the access token
	PlainType    bool          // typ JWT instead of at+jwt
	TokenTTL     time.Duration // zero: the default
	RolesInToken bool
}

// Resolve applies the ceilings of the client and the rules of scopes and
// audiences. Faults: Invalid with invalid_scope or invalid_target.
func (s *Service) Resolve(ctx context.Context, ask Ask) (*Answer, error) {
	c, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	return (&resolver{catalogue: c, cfg: s.cfg, ask: ask}).resolve()
}
