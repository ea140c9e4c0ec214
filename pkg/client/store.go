package client

import (
	"context"

	"github.com/portico-id/portico/pkg/paging"
)

// Store keeps clients durably. Implementations pass storagetest.Clients.
// Methods take part in the transaction that the context carries, if any.
type Store interface {
	// Create writes a new client. A taken id is a fault.Conflict.
	Create(ctx context.Context, c Client) error
	// ByID returns the client, disabled ones too, or a fault.NotFound.
	ByID(ctx context.Context, id string) (Client, error)
	// Update replaces the whole client of the same id, or fault.NotFound.
	Update(ctx context.Context, c Client) error
	// Delete removes the client. Repeating it is a fault.NotFound.
	Delete(ctx context.Context, id string) error
	// List returns a page in the order of creation, oldest first.
	List(ctx context.Context, page paging.Page) ([]Client, error)
	// Origins returns the distinct web origins (scheme://host[:port]) of all
	// redirect URIs of enabled clients, for CORS; loopback ones without port.
	Origins(ctx context.Context) ([]string, error)
	// HasSource reports whether any client of the source exists.
	HasSource(ctx context.Context, s Source) (bool, error)
}
