package consent

import (
	"context"
	"time"
)

// Consent is what a person allowed a client, over all requests.
type Consent struct {
	UserID    string
	ClientID  string
	Scopes    []string
	Audiences []string
	Claims    []string // individually requested claims (OIDC Core §5.5)
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Store keeps consents durably. Implementations pass storagetest.Consents.
type Store interface {
	// Get returns the consent, or fault.NotFound.
	Get(ctx context.Context, userID, clientID string) (Consent, error)
	// Allow adds what c names to the consent of its person and client,
	// atomically: concurrent calls lose nothing.
	Allow(ctx context.Context, c Consent) error
	// Withdraw removes the consent; repeating it is no error.
	Withdraw(ctx context.Context, userID, clientID string) error
	// OfUser returns the consents of a person, newest first.
	OfUser(ctx context.Context, userID string) ([]Consent, error)
}
