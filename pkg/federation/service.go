package federation

import (
	"context"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/replay"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// Config holds what a Service may be told. Zero values take the defaults.
type Config struct {
	// TTL is how long the providers are served from memory without asking the
	// store: the longest time that a change made on another instance goes
	// unnoticed. Default 2 seconds.
	TTL time.Duration
	// Timeout bounds one sign-in's questions to a provider, all together.
	// Default 10 seconds.
	Timeout time.Duration
	// Loopback lets providers be reached by plain http on this machine: for
	// development, where safehttp is told so too.
	Loopback bool
	// Roles are those that everybody gets who is new.
	Roles []string
}

// Passwords knows who has one. password.Service is one.
type Passwords interface {
	Has(ctx context.Context, userID string) (bool, error)
}

// Sessions ends those that came from an account which is tied no more.
// session.Service is one.
type Sessions interface {
	End(ctx context.Context, id, reason string) error
}

// Deps is what a Service needs.
type Deps struct {
	Store     Store
	Sealer    *secret.Sealer
	Users     *user.Service
	Passwords Passwords
	Sessions  Sessions
	Fetch     *safehttp.Client
	Replay    replay.Store
	Audit     audit.Recorder
	// Letters tell owners what is tied to their accounts. Nil: nobody is told.
	Letters Letters
	// URL makes an address of Portico from a path.
	URL func(path string) string
	// Directory opens an LDAP directory by its settings and the password of
	// who searches. Nil: there are none.
	Directory func(p *Provider, password string) (Authenticator, error)
}

// Service knows the providers, opens them, and decides what a sign-in there
// does here. It is safe for concurrent use.
type Service struct {
	Deps
	cfg   Config
	cache cache
	keys  *jwks.Cache
	open  opened
}

// NewService returns a service.
func NewService(d Deps, cfg Config) *Service {
	if cfg.TTL <= 0 {
		cfg.TTL = 2 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	s := &Service{Deps: d, cfg: cfg, keys: jwks.NewCache(d.Fetch, jwks.Config{Floor: negativeFor})}
	s.cache = cache{load: d.Store.Providers, ttl: cfg.TTL}
	return s
}

// List returns every provider in the order of their buttons, disabled ones
// too, straight from the store.
func (s *Service) List(ctx context.Context) ([]Provider, error) { return s.Store.Providers(ctx) }

// Active returns the providers that people may use, in the order of their
// buttons. They are shared: never modify them.
func (s *Service) Active(ctx context.Context) ([]*Provider, error) {
	all, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	active := make([]*Provider, 0, len(all))
	for _, p := range all {
		if !p.Disabled {
			active = append(active, p)
		}
	}
	return active, nil
}

// Get returns the provider, disabled ones too, or fault.NotFound. It is
// shared: never modify it.
func (s *Service) Get(ctx context.Context, id string) (*Provider, error) {
	all, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(p *Provider) bool { return p.ID == id }); i >= 0 {
		return all[i], nil
	}
	return nil, unknown(id)
}

// active is Get for a provider that is about to be used: a disabled one is
// fault.NotFound as well.
func (s *Service) active(ctx context.Context, id string) (*Provider, error) {
	p, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if p.Disabled {
		return nil, unknown(id).Under("the provider is enabled").WithHint("portico provider enable %s", id)
	}
	return p, nil
}

// Create adds a provider with its secret. fault.Invalid when it breaks a rule
// (Validate), fault.Conflict when the id is taken.
func (s *Service) Create(ctx context.Context, p Provider, plain string) (*Provider, error) {
	p.CreatedAt = now()
	if err := s.free(ctx, p.ID); err != nil {
		return nil, err
	}
	return s.put(ctx, p, plain, audit.ProviderCreated)
}

func (s *Service) free(ctx context.Context, id string) error {
	all, err := s.Store.Providers(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(p Provider) bool { return p.ID == id }) {
		return fault.New(fault.Conflict, "provider_taken", "A provider with this id exists.").WithHint("portico provider list shows them")
	}
	return nil
}

// Change lets change alter a provider, and gives it another secret unless
// plain is empty. Its id, kind and time of creation stay. Faults as for
// Create, and fault.NotFound.
func (s *Service) Change(ctx context.Context, id, plain string, change func(p *Provider) error) (*Provider, error) {
	all, err := s.Store.Providers(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(p Provider) bool { return p.ID == id })
	if i < 0 {
		return nil, unknown(id)
	}
	p := all[i]
	if err := change(&p); err != nil {
		return nil, err
	}
	p.ID, p.Kind, p.CreatedAt = id, all[i].Kind, all[i].CreatedAt
	return s.put(ctx, p, plain, audit.ProviderUpdated)
}

func (s *Service) put(ctx context.Context, p Provider, plain string, name audit.Name) (*Provider, error) {
	if plain != "" {
		p.Sealed = s.Sealer.Seal(place(p.ID), []byte(plain))
	}
	p.UpdatedAt = now()
	if err := s.validate(&p, plain); err != nil {
		return nil, err
	}
	if err := s.Store.PutProvider(ctx, p); err != nil {
		return nil, err
	}
	s.cache.forget()
	s.Audit.Record(ctx, audit.Event{Name: name, Actor: "shell", Data: map[string]string{
		"provider": p.ID, "kind": string(p.Kind), "disabled": yes(p.Disabled),
	}})
	return &p, nil
}

// Delete removes a provider, every identity there, and the roles that it gave,
// or is fault.NotFound. People who have no other way in are locked out:
// disabling is gentler. It may be repeated when it did not come to its end.
func (s *Service) Delete(ctx context.Context, id string) error {
	_, err := s.Change(ctx, id, "", func(p *Provider) error { p.Disabled = true; return nil }) // nobody is given roles meanwhile
	if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unavailable) {
		return err // one that cannot be opened any more can still be removed
	}
	if err := s.takeRoles(ctx, id); err != nil {
		return err
	}
	if err := s.Store.DeleteProvider(ctx, id); err != nil {
		if fault.Is(err, fault.NotFound) {
			return unknown(id)
		}
		return err
	}
	s.cache.forget()
	s.Audit.Record(ctx, audit.Event{Name: audit.ProviderDeleted, Actor: "shell", Data: map[string]string{"provider": id}})
	return nil
}

// place is where the secret of a provider is kept.
func place(id string) string { return "provider/" + id }

// secretOf opens the secret of a provider; it is empty for one that has none.
func (s *Service) secretOf(p *Provider) (string, error) {
	if len(p.Sealed) == 0 {
		return "", nil
	}
	plain, err := s.Sealer.Open(place(p.ID), p.Sealed)
	if err != nil {
		return "", fault.Hide(err, fault.Unavailable, codeUnavailable, sayUnavailable).
			Under("security §14.1 the secret of the provider opens").
			WithHint("was PORTICO_ENCRYPTION_KEYS changed? give the secret again: portico provider update %s --client-secret-stdin", p.ID)
	}
	return string(plain), nil
}

// now is the time as every engine keeps it.
func now() time.Time { return clock.Now().UTC().Truncate(time.Microsecond) }

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
