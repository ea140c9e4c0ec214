// Package register lets clients register themselves (RFC 7591, OIDC
// Registration 1.0) and look after their registration (RFC 7592). It decides
// what a client may set about itself; what a client is, and whether its
// values are sound, is client's.
package register

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// Mode says who may register.
type Mode string

// Modes of registration.
const (
	Off   Mode = "off"   // nobody; the endpoint is not there
	Token Mode = "token" // who has an initial access token
	Open  Mode = "open"  // everybody
)

// Clients keeps clients; client.Service is one.
type Clients interface {
	Get(ctx context.Context, id string) (*client.Client, error)
	Create(ctx context.Context, c client.Client) (created client.Client, secret string, err error)
	Update(ctx context.Context, c client.Client) (client.Client, error)
	Delete(ctx context.Context, id string) error
	CheckSecret(c *client.Client, presented string, now time.Time) bool
}

// Scopes knows what self-registered clients may ask for; scope.Service is one.
type Scopes interface {
	ForDynamic(ctx context.Context) (scopes, audiences []string, err error)
}

// Config holds what a Handler needs. Without zero defaults everything is
// required.
type Config struct {
	Issuer string
	// Mode; empty is Off.
	Mode Mode
	// InitialTokens are the initial access tokens of mode Token (RFC 7591 §3).
	// Only their fingerprints are kept.
	InitialTokens []string
	// PKCERequired demands code challenges of confidential clients too.
	PKCERequired bool
	// PerAddress bounds registrations of one address; default as
	// limit.Standard.
	PerAddress limit.Rule
	// IDTokenAlgs and AnswerAlgs are what can be signed with.
	IDTokenAlgs, AnswerAlgs []string

	Clients      Clients
	Scopes       Scopes
	Gate         limit.Gate
	Fingerprints *secret.Fingerprinter
}

// Handler serves registrations. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	initial []string // fingerprints
}

// New returns the endpoints. An initial access token that is too short to be
// a secret is an error.
func New(cfg Config) (*Handler, error) {
	switch cfg.Mode {
	case "":
		cfg.Mode = Off
	case Off, Token, Open:
	default:
		return nil, fmt.Errorf("register: unknown mode %q", cfg.Mode)
	}
	if cfg.PerAddress.Max <= 0 {
		cfg.PerAddress = limit.Standard().RegisterAddress
	}
	h := &Handler{cfg: cfg}
	for i, t := range cfg.InitialTokens {
		if len(t) < minInitial {
			return nil, fmt.Errorf("register: initial access token %d has %d characters, want at least %d", i+1, len(t), minInitial)
		}
		h.initial = append(h.initial, cfg.Fingerprints.Of(secret.InitialAccess, t))
	}
	h.cfg.InitialTokens = nil
	return h, nil
}

const minInitial = 32

// Register answers POST to the registration endpoint: 201 with everything that
// was registered, which may be less than what was asked (RFC 7591 §3.2.1).
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) error {
	if err := h.open(); err != nil {
		return err
	}
	if r.Method != http.MethodPost {
		return oauth.WrongMethod(http.MethodPost)
	}
	ctx := r.Context()
	if err := h.mayRegister(r); err != nil {
		return err
	}
	if err := h.brake(ctx); err != nil {
		return err
	}
	m, err := readMetadata(w, r)
	if err != nil {
		return err
	}
	wanted, err := h.newClient(ctx, m)
	if err != nil {
		return err
	}
	token := secret.New(secret.RegistrationToken)
	wanted.RegistrationTokenHash = h.cfg.Fingerprints.Of(secret.RegistrationToken, token)
	c, plain, err := h.cfg.Clients.Create(ctx, wanted)
	if err != nil {
		return err
	}
	trail.Set(ctx, "client_id", c.ID)
	a := h.describe(&c, token)
	a.withSecret(plain)
	return oauth.WriteJSON(w, http.StatusCreated, a)
}

// open answers as if the endpoint did not exist when registration is off.
func (h *Handler) open() error {
	if h.cfg.Mode != Off {
		return nil
	}
	return fault.New(fault.NotFound, protocol.ErrRegistrationNotSupported, "Clients cannot register themselves here.").
		Under("RFC 7591 §3 the server offers registration").
		WithHint("set PORTICO_REGISTRATION to token or open, or create the client with portico client create")
}

// mayRegister checks the initial access token (RFC 7591 §3). Every fingerprint
// is compared, so that time does not tell which one came near.
func (h *Handler) mayRegister(r *http.Request) error {
	if h.cfg.Mode == Open {
		return nil
	}
	token, err := bearer(r)
	if err != nil {
		return err
	}
	got, ok := h.cfg.Fingerprints.Of(secret.InitialAccess, token), false
	for _, want := range h.initial {
		if secret.Equal(got, want) {
			ok = true
		}
	}
	if !ok {
		return invalidToken("RFC 7591 §3 the initial access token is one of ours")
	}
	return nil
}

// brake bounds how many clients one address may register. When attempts
// cannot be counted there are no registrations.
func (h *Handler) brake(ctx context.Context) error {
	err := h.cfg.Gate.Take(ctx, h.cfg.PerAddress, limit.Remote(ctx), "security §9.1 registrations of one address are limited")
	if !fault.Is(err, fault.Limited) {
		return err
	}
	f := *fault.As(err)
	f.Code, f.Say = protocol.ErrTemporarilyUnavailable, "Too many clients were registered from this address."
	return &f
}
