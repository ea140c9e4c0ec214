// Package scope keeps the APIs that tokens are for: their audience, scopes,
// token format and lifetime, and decides which scopes and audiences a request
// may get. It asks no person (consent does) and makes no tokens.
package scope

import (
	"context"
	"time"
)

// Format is the shape of the access tokens of an API.
type Format string

// Formats of an access token.
const (
	JWT    Format = "jwt"
	Opaque Format = "opaque"
)

// API is a resource server that Portico issues tokens for.
type API struct {
	Audience string // absolute URI, compared byte for byte; the resource of RFC 8707
	Name     string // shown on the consent page
	Scopes   []Scope
	Format   Format
	// PlainType asks for typ JWT instead of at+jwt, because stock Spring
	// decoders refuse the latter.
	PlainType bool
	// TokenTTL is the life of its access tokens; zero takes the default.
	TokenTTL time.Duration
	// RolesInToken puts roles and permissions into its access tokens.
	RolesInToken bool
	// ResourceServers are the ids of the clients that may introspect its
	// tokens (RFC 7662 §4).
	ResourceServers []string
	// OpenToDynamic lets clients that registered themselves ask for it.
	OpenToDynamic bool
	// MinimumACR is the authentication context class that a person must reach
	// for its tokens; empty: any.
	MinimumACR string
	Demo       bool
	CreatedAt  time.Time
}

// Scope is one scope of an API, with the sentence that people read.
type Scope struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// RequiresRole limits the scope to people who hold the role; from anybody
	// else's grant it is dropped, and the answer's scope says so.
	RequiresRole string `json:"requires_role,omitempty"`
}

// Store keeps APIs durably. Implementations pass storagetest.APIs.
type Store interface {
	// Create writes a new API. A taken audience, or a scope name that another
	// API owns, is a fault.Conflict: a scope belongs to exactly one API.
	Create(ctx context.Context, a API) error
	// Update replaces the API of the same audience, or fault.NotFound.
	Update(ctx context.Context, a API) error
	// All returns every API in the order of creation. There are few.
	All(ctx context.Context) ([]API, error)
	// Delete removes the API, or fault.NotFound.
	Delete(ctx context.Context, audience string) error
}
