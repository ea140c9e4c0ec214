package client

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

// Create registers a client after checking everything it carries (Validate).
// An empty id is made, and so is the secret of a client that authenticates
// with one; the secret is returned here and never again. Empty grant and
// response types, method and application type take their defaults.
func (s *Service) Create(ctx context.Context, c Client) (created Client, plain string, err error) {
	c = withDefaults(c)
	if usesSecret(c.AuthMethod) {
		plain = secret.New(secret.ClientSecret)
	}
	created, err = s.create(ctx, c, plain)
	if err != nil {
		return Client{}, "", err
	}
	return created, plain, nil
}

// CreateDemo registers a client of the demo data with the secret that the
// documentation prints. portico serve refuses databases that hold one.
func (s *Service) CreateDemo(ctx context.Context, c Client, plain string) (Client, error) {
	c = withDefaults(c)
	c.Source = Demo
	return s.create(ctx, c, plain)
}

func (s *Service) create(ctx context.Context, c Client, plain string) (Client, error) {
	now := clock.Now().UTC()
	if c.ID == "" {
		c.ID = secret.ID()
	}
	c.CreatedAt, c.UpdatedAt = now, now
	c.Secrets = nil
	if usesSecret(c.AuthMethod) {
		if plain == "" {
			return Client{}, invalid("client_secret", "a client that authenticates with a secret has one", "")
		}
		c.Secrets = []Secret{{Hash: s.fp.Of(secret.ClientSecret, plain), CreatedAt: now}}
	}
	if err := Validate(c); err != nil {
		return Client{}, err
	}
	if err := s.store.Create(ctx, c); err != nil {
		return Client{}, err
	}
	s.forget(c.ID)
	name := audit.ClientCreated
	if c.Source == Dynamic {
		name = audit.ClientRegistered
	}
	s.record(ctx, name, c.ID, map[string]string{"name": c.Name, "source": string(c.Source)})
	return c, nil
}

// Update replaces what may be changed of a client. Its secrets, source,
// registration token and creation time stay as they are stored; RotateSecret
// changes secrets. Disabling through Update ends what the client holds.
func (s *Service) Update(ctx context.Context, c Client) (Client, error) {
	old, err := s.store.ByID(ctx, c.ID)
	if err != nil {
		return Client{}, err
	}
	c = withDefaults(c)
	c.Source, c.CreatedAt = old.Source, old.CreatedAt
	c.RegistrationTokenHash = old.RegistrationTokenHash
	c.Secrets = old.Secrets
	if !usesSecret(c.AuthMethod) {
		c.Secrets = nil
	}
	c.UpdatedAt = clock.Now().UTC()
	if err := Validate(c); err != nil {
		return Client{}, err
	}
	if usesSecret(c.AuthMethod) && len(c.Secrets) == 0 {
		return Client{}, invalid("token_endpoint_auth_method", "a client that authenticates with a secret has one", c.AuthMethod).
			WithHint("rotate the secret of client %q to give it one", c.ID)
	}
	write := func(ctx context.Context) error { return s.store.Update(ctx, c) }
	if c.Disabled {
		err = s.end(ctx, c.ID, "client_disabled", write)
	} else {
		err = write(ctx)
	}
	if err != nil {
		return Client{}, err
	}
	s.forget(c.ID)
	s.record(ctx, audit.ClientUpdated, c.ID, map[string]string{"disabled": boolText(c.Disabled)})
	return c, nil
}

// Disable stops the client and ends what it holds, before it returns nil.
// Repeating it is harmless.
func (s *Service) Disable(ctx context.Context, id string) error {
	c, err := s.store.ByID(ctx, id)
	if err != nil {
		return err
	}
	// Also when it is disabled: an earlier call may have died before the live
	// set heard of it.
	c.Disabled, c.UpdatedAt = true, clock.Now().UTC()
	err = s.end(ctx, id, "client_disabled", func(ctx context.Context) error { return s.store.Update(ctx, c) })
	if err != nil {
		return err
	}
	s.forget(id)
	s.record(ctx, audit.ClientUpdated, id, map[string]string{"disabled": "true"})
	return nil
}

// Delete removes the client and ends what it holds, before it returns nil.
// Repeating it is a fault.NotFound.
func (s *Service) Delete(ctx context.Context, id string) error {
	err := s.end(ctx, id, "client_deleted", func(ctx context.Context) error { return s.store.Delete(ctx, id) })
	if err != nil {
		return err
	}
	s.forget(id)
	s.record(ctx, audit.ClientDeleted, id, nil)
	return nil
}

// RotateSecret gives the client a new secret and returns it, here and never
// again. The newest of its old ones lives on for keepOld; zero ends all at
// once.
func (s *Service) RotateSecret(ctx context.Context, id string, keepOld time.Duration) (string, error) {
	c, err := s.store.ByID(ctx, id)
	if err != nil {
		return "", err
	}
	if !usesSecret(c.AuthMethod) {
		return "", fault.New(fault.Conflict, "no_secret", "This client does not authenticate with a secret.").
			Compare("token_endpoint_auth_method", protocol.AuthSecretBasic, c.AuthMethod)
	}
	now := clock.Now().UTC()
	plain := secret.New(secret.ClientSecret)
	next := []Secret{{Hash: s.fp.Of(secret.ClientSecret, plain), CreatedAt: now}}
	if keepOld > 0 && len(c.Secrets) > 0 {
		old := c.Secrets[0]
		if end := now.Add(keepOld); old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
			old.ExpiresAt = end
		}
		next = append(next, old)
	}
	c.Secrets, c.UpdatedAt = next, now
	if err := s.store.Update(ctx, c); err != nil {
		return "", err
	}
	s.forget(id)
	s.record(ctx, audit.ClientSecretRotated, id, map[string]string{"keep_old": keepOld.String()})
	return plain, nil
}

// end changes the row and ends what the client holds, in one transaction and
// on all instances.
func (s *Service) end(ctx context.Context, id, reason string, change func(context.Context) error) error {
	if s.cfg.Revoker == nil {
		return change(ctx)
	}
	return s.cfg.Revoker.Revoke(ctx, func(ctx context.Context) ([]revocation.Entry, error) {
		now := clock.Now()
		if s.cfg.Grants != nil {
			if err := s.cfg.Grants.RevokeOfClient(ctx, id, reason, now); err != nil {
				return nil, err
			}
		}
		if err := change(ctx); err != nil {
			return nil, err
		}
		// Another instance may serve the client from memory for a moment more:
		// what it issues in that time is dead as well.
		until := now.Add(s.cfg.TTL + time.Second)
		return []revocation.Entry{{
			Kind: revocation.Client, ID: id, NotBefore: until, ExpiresAt: until.Add(s.cfg.TokenLife), Reason: reason,
		}}, nil
	})
}

func usesSecret(method string) bool {
	return method == protocol.AuthSecretBasic || method == protocol.AuthSecretPost
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
