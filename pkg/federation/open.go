package federation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
)

// opened are the providers at work, by id. One is opened anew when its
// settings or its secret change.
type opened struct {
	mu   sync.Mutex
	byID map[string]atWork
}

type atWork struct {
	settings  *Provider
	upstream  Upstream
	directory Authenticator
}

// same reports whether two readings of the store are of one state.
func same(a, b *Provider) bool {
	return a.UpdatedAt.Equal(b.UpdatedAt) && a.Kind == b.Kind && string(a.Sealed) == string(b.Sealed)
}

// work returns the provider at work. Opening one asks nobody.
func (s *Service) work(p *Provider) (atWork, error) {
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	if w, ok := s.open.byID[p.ID]; ok && same(w.settings, p) {
		return w, nil
	}
	plain, err := s.secretOf(p)
	if err != nil {
		return atWork{}, err
	}
	w := atWork{settings: p}
	switch {
	case p.Kind == LDAP && s.Directory != nil:
		w.directory, err = s.Directory(p, plain)
	case p.Kind == LDAP:
		err = unknown(p.ID)
	case presets[p.Kind].openid:
		w.upstream, err = s.newOpenID(p, plain)
	default:
		w.upstream = s.newOAuth(p, plain)
	}
	if err != nil {
		return atWork{}, err
	}
	if s.open.byID == nil {
		s.open.byID = map[string]atWork{}
	}
	s.open.byID[p.ID] = w
	return w, nil
}

// Upstream returns the provider where people are sent to sign in, at work, and
// its settings. It asks nobody: a provider that is down slows those alone who
// want to go there. fault.NotFound when there is no such one, it is disabled,
// or a directory.
func (s *Service) Upstream(ctx context.Context, id string) (Upstream, *Provider, error) {
	p, err := s.active(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if !p.Interactive() {
		return nil, nil, unknown(id)
	}
	w, err := s.work(p)
	if err != nil {
		return nil, nil, err
	}
	return &watched{Upstream: w.upstream, s: s, p: p}, p, nil
}

// Authenticator returns a directory at work, and its settings. fault.NotFound
// when there is no such one, or it is disabled.
func (s *Service) Authenticator(ctx context.Context, id string) (Authenticator, *Provider, error) {
	p, err := s.active(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if p.Interactive() {
		return nil, nil, unknown(id)
	}
	w, err := s.work(p)
	if err != nil {
		return nil, nil, err
	}
	return w.directory, p, nil
}

// watched is an upstream whose failures are on record and whose questions end
// in time.
type watched struct {
	Upstream
	s *Service
	p *Provider
}

func (w *watched) Begin(ctx context.Context, state, nonce, verifier, redirectURI string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, w.s.cfg.Timeout)
	defer cancel()
	to, err := w.Upstream.Begin(ctx, state, nonce, verifier, redirectURI)
	return to, w.failed(ctx, err)
}

func (w *watched) Finish(ctx context.Context, answer map[string]string, nonce, verifier, redirectURI string) (*Person, error) {
	ctx, cancel := context.WithTimeout(ctx, w.s.cfg.Timeout)
	defer cancel()
	who, err := w.Upstream.Finish(ctx, answer, nonce, verifier, redirectURI)
	return who, w.failed(ctx, err)
}

// failed puts on record that the provider did not do its part. A person who
// changed their mind is no failure.
func (w *watched) failed(ctx context.Context, err error) error {
	if err == nil || fault.CodeOf(err) == CodeCancelled {
		return err
	}
	if _, described := errors.AsType[*fault.Error](err); !described {
		err = silent(err)
	}
	f := fault.As(err)
	w.s.Audit.Record(context.WithoutCancel(ctx), audit.Event{
		Name: audit.ProviderFailed, Data: map[string]string{"provider": w.p.ID, "code": f.Code, "rule": f.Rule},
	})
	return err
}

// Bounds of what is known of a provider.
const (
	metadataFor = time.Hour        // is used without asking again
	staleFor    = 24 * time.Hour   // is used while it cannot be asked
	negativeFor = 10 * time.Second // is not asked again after it failed
)
