// Package client keeps the registered applications: what each may ask for,
// where its answers go and how it proves who it is. It authenticates nobody
// (oauth/clientauth does) and reads no registration requests (oauth/register
// does).
package client

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/protocol"
)

// Source tells who made a client.
type Source string

// Sources of a client.
const (
	Operator Source = "operator" // shell, admin API or file
	Dynamic  Source = "dynamic"  // registered itself (RFC 7591)
	Demo     Source = "demo"     // portico dev; refused by serve
)

// ApplicationType is native or web (OIDC Registration §2).
type ApplicationType string

// Application types.
const (
	Web    ApplicationType = "web"
	Native ApplicationType = "native"
)

// Client is one registered application. Zero durations take the defaults of
// the server. Slices are never modified after the client was read.
type Client struct {
	ID              string
	Name            string // shown to people, escaped; bounded at 100 characters
	ApplicationType ApplicationType
	Source          Source
	Disabled        bool

	// What people see (OIDC Registration §2).
	ClientURI, LogoURI, PolicyURI, TosURI string
	Contacts                              []string

	// How it authenticates. AuthMethod none makes the client public.
	AuthMethod string
	// AuthMethodStrict holds when the method was registered explicitly: then
	// only that one is taken; else basic and post serve the same secret.
	AuthMethodStrict bool
	AuthSigningAlg   string          // private_key_jwt: the one alg allowed; empty allows all of ours
	Secrets          []Secret        // live secrets, newest first; at most two
	JWKS             json.RawMessage // public keys inline, or
	JWKSURI          string          // where to fetch them

	// Where answers go. Compared byte for byte, but for the port of a
	// loopback IP literal (RFC 8252 §7.3).
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	InitiateLoginURI       string

	// What it may ask for.
	GrantTypes    []string
	ResponseTypes []string
	Scopes        []string // ceiling; OpenID scopes included
	Audiences     []string // APIs it may name as resource
	// PKCEOptional lets a confidential client go without a code challenge. A
	// public client never may (RFC 9700 §2.1.1).
	PKCEOptional bool
	// SkipConsent marks the operator's own application: nobody is asked.
	SkipConsent bool
	// ProfileInIDToken puts the claims of profile, email, phone and address
	// into the ID token as well, for clients that never call userinfo.
	ProfileInIDToken bool

	// Signing of what it receives. Empty: RS256 for ID tokens; plain JSON for
	// userinfo and introspection.
	IDTokenAlg, UserinfoAlg, IntrospectionAlg string
	DefaultMaxAge                             *int // seconds
	RequireAuthTime                           bool
	DefaultACRValues                          []string
	// MinimumACR is the authentication context class that a person must reach
	// to use it; empty: any.
	MinimumACR string
	// Ways are the ways to sign in that it allows: WayLocal, or the id of a
	// provider. Empty: all.
	Ways []string

	AccessTokenTTL     time.Duration
	RefreshIdleTTL     time.Duration
	RefreshAbsoluteTTL time.Duration

	SoftwareID, SoftwareVersion string
	// RegistrationTokenHash is the fingerprint of the RFC 7592 registration
	// access token; empty for clients that did not register themselves.
	RegistrationTokenHash string
	CreatedAt, UpdatedAt  time.Time
}

// Secret is one live client secret. Only its fingerprint is stored.
type Secret struct {
	Hash      string    `json:"hash"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: never
}

// WayLocal is the way to sign in with what Portico itself keeps: password and
// passkey.
const WayLocal = "local"

// Allows reports whether people may use the way to sign in for the client.
func (c *Client) Allows(way string) bool { return len(c.Ways) == 0 || slices.Contains(c.Ways, way) }

// Public reports whether the client has no credential of its own.
func (c *Client) Public() bool { return c.AuthMethod == protocol.AuthNone }

// MayUse reports whether the grant type is registered for the client.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// MayAsk reports whether the scope is within the client's ceiling.
func (c *Client) MayAsk(scope string) bool { return slices.Contains(c.Scopes, scope) }

// MayTarget reports whether the client may name the audience.
func (c *Client) MayTarget(audience string) bool { return slices.Contains(c.Audiences, audience) }

// PKCERequired reports whether an authorization request of the client must
// carry a code challenge.
func (c *Client) PKCERequired() bool { return c.Public() || !c.PKCEOptional }
