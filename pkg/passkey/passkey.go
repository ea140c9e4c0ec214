// Package passkey is passkeys through WebAuthn: how a browser is asked for
// one, what its answer must hold, the first step of a sign-in by it, the
// second factor, and the account's page about them. It decides nothing about
// who must have one (assurance does) and signs nobody in itself (login does).
package passkey

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/mail"
	ours "github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Bounds of what is kept.
const (
	// Most is how many passkeys one person may have.
	Most = 20
	// MaxName bounds what a person calls one, in characters.
	MaxName = 64
	// maxCredential bounds an answer of a browser, in bytes.
	maxCredential = 16 << 10
	// maxID bounds a credential id, in bytes (WebAuthn §7.1).
	maxID = 1023
	// maxKey bounds a public key, in bytes; RSA with 4096 bits has half of it.
	maxKey = 1 << 10
	// maxTransports and maxTransport bound how a browser reaches one.
	maxTransports, maxTransport = 8, 32
)

// lasts is how long a challenge may be answered.
const lasts = 5 * time.Minute

// Passkey is one WebAuthn credential of a person.
type Passkey struct {
	ID           string
	CredentialID string // base64url
	UserID       string
	Name         string
	PublicKey    []byte // COSE
	SignCount    uint32
	AAGUID       string // of its model; only claimed unless Attested
	Transports   []string
	// BackupEligible holds when it may be synced to other devices, BackedUp
	// when it is.
	BackupEligible, BackedUp bool
	// Attested holds when a trusted certificate vouches for its hardware.
	Attested     bool
	UserVerified bool      // when it was added
	SuspendedAt  time.Time // zero: it may be used
	CreatedAt    time.Time
	UsedAt       time.Time // zero: never after it was added
}

// Suspended reports whether it opens nothing any more.
func (p *Passkey) Suspended() bool { return !p.SuspendedAt.IsZero() }

// AMR returns what an answer of it proves (RFC 8176): that of a key which is
// known to stay in its hardware, or of one that may be anywhere. The person
// was there in any case.
func (p *Passkey) AMR() []string {
	if p.Attested && !p.BackupEligible {
		return []string{ours.AMRHardware, ours.AMRUser}
	}
	return []string{ours.AMRPossession, ours.AMRUser}
}

// Config says for whom passkeys are.
type Config struct {
	// RPID is the relying party id: the host of every origin, or above it.
	RPID string
	// RPName is what devices show beside it.
	RPName string
	// Origins are where the pages come from that may ask.
	Origins []string
	// Attestation demands that a certificate of Roots vouches for each.
	Attestation bool
	Roots       *x509.CertPool
	// AAGUIDs are the models that may be added; empty: all. Needs Attestation.
	AAGUIDs []string
}

// Ceremonies keep what was asked of a browser until it answers. flow.Service
// is one.
type Ceremonies interface {
	Hold(ctx context.Context, params url.Values) (id string, err error)
	Claim(ctx context.Context, id string) (url.Values, error)
}

// People finds people. user.Service is one.
type People interface {
	Get(ctx context.Context, id string) (*user.User, error)
}

// Letters sends mails. mail.Service is one.
type Letters interface {
	// Queue takes a letter within the transaction of ctx.
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Deps is what a Service needs. All of it.
type Deps struct {
	Store       Store
	Ceremonies  Ceremonies
	People      People
	Keeper      factor.Keeper
	Letters     Letters
	Tx          user.Transactor
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
	// URL makes an address of Portico from a path.
	URL func(path string) string
}

// Service asks for passkeys and checks what comes back. It is a factor.Method
// and safe for concurrent use.
type Service struct {
	Deps
	cfg Config
	web *webauthn.WebAuthn
}

var (
	_ factor.Method = (*Service)(nil)
	_ factor.Lister = (*Service)(nil)
)

// algorithms are those of keys that are taken, best first.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// New returns a service. An error says what of the configuration is wrong.
func New(cfg Config, d Deps) (*Service, error) {
	switch {
	case cfg.Attestation && cfg.Roots == nil:
		return nil, errors.New("passkey: attestation is demanded, and no certificate vouches for any authenticator")
	case !cfg.Attestation && len(cfg.AAGUIDs) > 0:
		return nil, errors.New("passkey: models are listed, and without attestation a model is only claimed")
	}
	conveyance := protocol.PreferNoAttestation
	if cfg.Attestation {
		conveyance = protocol.PreferDirectAttestation
	}
	within := webauthn.TimeoutConfig{Timeout: lasts, TimeoutUVD: lasts}
	w, err := webauthn.New(&webauthn.Config{
		RPID: cfg.RPID, RPDisplayName: cfg.RPName, RPOrigins: slices.Clone(cfg.Origins), AttestationPreference: conveyance,
		Timeouts: webauthn.TimeoutsConfig{Login: within, Registration: within},
		// Password managers answer what nobody asked; it changes nothing here.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return &Service{Deps: d, cfg: cfg, web: w}, nil
}

// Kind implements factor.Method.
func (*Service) Kind() assurance.Factor { return assurance.Passkey }

// Passkeys returns the passkeys of a person, oldest first.
func (s *Service) Passkeys(ctx context.Context, userID string) ([]Passkey, error) {
	return s.Store.OfUser(ctx, userID)
}

// List implements factor.Lister.
func (s *Service) List(ctx context.Context, userID string) ([]factor.Entry, error) {
	keys, err := s.Store.OfUser(ctx, userID)
	entries := make([]factor.Entry, len(keys))
	for i, k := range keys {
		entries[i] = factor.Entry{Kind: assurance.Passkey, ID: k.ID, Name: k.Name, AddedAt: k.CreatedAt, UsedAt: k.UsedAt, Suspended: k.Suspended()}
	}
	return entries, err
}

// Rename gives a passkey of the person another name, or is fault.NotFound.
func (s *Service) Rename(ctx context.Context, userID, id, name string) error {
	return s.Store.Rename(ctx, userID, id, name)
}

// Remove removes a passkey of the person: fault.NotFound when it is not
// theirs, fault.Conflict, code "last_factor", as factor.Keeper says.
func (s *Service) Remove(ctx context.Context, c factor.Change, id string) error {
	c.Kind = assurance.Passkey
	return s.Keeper.Remove(ctx, c, func(ctx context.Context, u *user.User) (int, error) {
		if err := s.Store.Delete(ctx, u.ID, id); err != nil {
			return 0, err
		}
		left, err := s.Store.OfUser(ctx, u.ID)
		return len(left), err
	})
}
