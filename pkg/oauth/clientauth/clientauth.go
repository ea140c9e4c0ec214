// Package clientauth proves which client is calling: by secret in the Basic
// header or the body, by a signed assertion, or, for public clients, by
// nothing but its id. It issues nothing.
package clientauth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/replay"
	"github.com/portico-id/portico/pkg/trail"
)

// Clients finds clients and compares their secrets. client.Service is one.
type Clients interface {
	// Get returns the client, disabled ones too, or fault.NotFound.
	Get(ctx context.Context, id string) (*client.Client, error)
	// CheckSecret reports whether presented is a live secret of the client.
	CheckSecret(c *client.Client, presented string, now time.Time) bool
	// CheckNobody does the same work for a client that does not exist.
	CheckNobody(presented string) bool
}

// KeySource finds the keys behind a jwks_uri. jwks.Cache is one.
type KeySource interface {
	// Keys returns the keys that may have signed: fault.NotFound when none
	// fits, fault.Unavailable when the set cannot be had.
	Keys(ctx context.Context, address, kid, alg string) ([]jose.JSONWebKey, error)
}

// Config is what an Authenticator works with. Clients and Issuer are needed.
type Config struct {
	Clients Clients
	// Issuer and TokenURL are the audiences of an assertion that mean us.
	Issuer, TokenURL string
	// Keys fetches keys by jwks_uri. Nil: clients with inline keys only.
	Keys KeySource
	// Replay remembers assertion ids. Nil: no assertion is taken.
	Replay replay.Store
	// Gate counts failures per client and source. Without a store nobody
	// counts.
	Gate limit.Gate
	// Failures is how many failures are too many; default as limit.Standard.
	Failures limit.Rule
	// Audit hears of failures. Nil: nobody does.
	Audit audit.Recorder
}

// Authenticator authenticates clients. It is safe for concurrent use.
type Authenticator struct {
	cfg Config
	// suspects are the callers that failed of late: only their attempts are
	// counted beforehand, so that the honest cost no round trip.
	suspects *otter.Cache[string, time.Time]
	// sets are inline key sets, parsed, by their digest.
	sets *otter.Cache[[sha256.Size]byte, *jose.JSONWebKeySet]
}

// New returns an authenticator.
func New(cfg Config) *Authenticator {
	if cfg.Failures.Max <= 0 || cfg.Failures.Window <= 0 {
		cfg.Failures = limit.Standard().ClientFailures
	}
	return &Authenticator{
		cfg:      cfg,
		suspects: otter.Must(&otter.Options[string, time.Time]{MaximumSize: 10_000}),
		sets:     otter.Must(&otter.Options[[sha256.Size]byte, *jose.JSONWebKeySet]{MaximumSize: 1000}),
	}
}

// Methods are the ways a client may authenticate, for discovery.
func Methods() []string {
	return []string{
		protocol.AuthSecretBasic, protocol.AuthSecretPost, protocol.AuthPrivateKeyJWT, protocol.AuthNone,
	}
}

// errFailed is the answer for everything that is wrong with a credential: it
// does not tell an unknown client from a wrong secret (RFC 6749 §5.2).
func failed(rule string) *fault.Error {
	return fault.New(fault.Unauthenticated, protocol.ErrInvalidClient, "Client authentication failed.").Under(rule)
}

// Authenticate returns the client that the request proves to be: enabled, and
// by a method it is registered for. A failure is fault.Unauthenticated with
// code invalid_client, the same answer and the same work for an unknown client
// and a wrong secret; two methods at once are an invalid_request; too many
// failures are fault.Limited.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, form url.Values) (*client.Client, error) {
	cred, err := read(r, form)
	if err != nil {
		return nil, err
	}
	trail.Set(ctx, "client_id", fault.Clip(cred.id))
	trail.Set(ctx, "client_auth", cred.method)
	source := sourceOf(ctx, cred.id)
	if err := a.brake(ctx, source); err != nil {
		return nil, err
	}
	c, err := a.prove(ctx, cred)
	if err == nil {
		a.passed(ctx, source)
		return c, nil
	}
	if !fault.Is(err, fault.Unauthenticated) {
		return nil, err // a dependency is down: nobody failed
	}
	a.failure(ctx, source, cred, err)
	return nil, err
}

func (a *Authenticator) prove(ctx context.Context, cred credential) (*client.Client, error) {
	c, err := a.cfg.Clients.Get(ctx, cred.id)
	switch {
	case fault.Is(err, fault.NotFound):
		a.cfg.Clients.CheckNobody(cred.secret)
		return nil, failed("RFC 6749 §5.2 the client is known").Compare(protocol.ClientID, "", cred.id).
			Because(err).WithHint("no client has this id")
	case err != nil:
		return nil, err
	}
	if err := a.check(ctx, c, cred); err != nil {
		return nil, err
	}
	if c.Disabled {
		return nil, failed("the client is enabled").Compare("client", "enabled", "disabled").WithHint("enable client %q", c.ID)
	}
	return c, nil
}

// check proves the credential by the method it came with.
func (a *Authenticator) check(ctx context.Context, c *client.Client, cred credential) error {
	if f := methodFits(c, cred.method); f != nil {
		a.cfg.Clients.CheckNobody(cred.secret)
		return f
	}
	switch cred.method {
	case protocol.AuthSecretBasic, protocol.AuthSecretPost:
		if !a.cfg.Clients.CheckSecret(c, cred.secret, clock.Now()) {
			return failed("RFC 6749 §2.3.1 the secret is the client's").Compare(protocol.ClientSecret, "a live secret", "another").
				WithHint("the secret was mistyped, has expired, or belongs to another client")
		}
		return nil
	case protocol.AuthPrivateKeyJWT:
		return a.checkAssertion(ctx, c, cred.assertion)
	default: // none: the method fits, so the client is public
		return nil
	}
}

// methodFits reports whether the client may authenticate so. One registered
// explicitly is the only one; else basic and post serve the same secret.
func methodFits(c *client.Client, method string) *fault.Error {
	secret := func(m string) bool { return m == protocol.AuthSecretBasic || m == protocol.AuthSecretPost }
	if c.AuthMethod == method || !c.AuthMethodStrict && secret(c.AuthMethod) && secret(method) {
		return nil
	}
	return failed("RFC 7591 §2 the client is registered for the method").
		Compare("token_endpoint_auth_method", c.AuthMethod, method)
}
