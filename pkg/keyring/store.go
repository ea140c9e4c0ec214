package keyring

import (
	"context"
	"encoding/json"
	"time"
)

// Purpose is the kind of token a key signs. Keys of different purposes are
// never shared, so that no token of one kind passes as another.
type Purpose string

// Purposes.
const (
	AccessTokens Purpose = "access" // RFC 9068 access tokens
	IDTokens     Purpose = "id"     // ID tokens
	Answers      Purpose = "answer" // signed userinfo and introspection answers
)

// Key is one signing key as it is stored. Its state follows from its times
// and the clock alone, so every instance agrees: before ActiveAt it is
// published but does not sign; the newest active one signs; after ExpiresAt
// it is gone.
type Key struct {
	ID      string // kid
	Purpose Purpose
	Alg     string
	// Predecessor is the kid it follows, empty for the first of its purpose
	// and algorithm: two instances that rotate at once make one successor.
	Predecessor string
	Public      json.RawMessage // public JWK, with kid, alg and use
	Sealed      []byte          // private JWK, sealed under "keyring/<kid>"
	CreatedAt   time.Time
	ActiveAt    time.Time // starts to sign
	ExpiresAt   time.Time // leaves the JWK Set; zero: not yet replaced
	RevokedAt   time.Time // emergency: signs and verifies nothing from here on
}

// Store keeps keys and the server's own sealed secrets durably.
// Implementations pass storagetest.Keys.
type Store interface {
	// List returns every key, oldest first.
	List(ctx context.Context) ([]Key, error)
	// Add writes a key and sets the ExpiresAt of its predecessor to
	// predecessorExpires, in one transaction. fault.Conflict when the
	// predecessor already has a successor (or, for a first key, when there is
	// one of the purpose and algorithm): somebody else rotated.
	Add(ctx context.Context, k Key, predecessorExpires time.Time) error
	// Revoke marks the key; fault.NotFound when there is none.
	Revoke(ctx context.Context, id string, now time.Time) error
	// Reseal replaces the sealed bytes while they are still old.
	Reseal(ctx context.Context, id string, old, sealed []byte) error
	// DeleteExpired removes keys whose ExpiresAt has passed.
	DeleteExpired(ctx context.Context, now time.Time) (int, error)
	// Secret returns the sealed secret of the name; when absent it stores
	// fresh and returns it. Concurrent first calls all get the same one.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)
	// ResealSecret replaces the sealed bytes of a secret while they are still
	// old; when they are not, somebody else sealed it again and all is well.
	ResealSecret(ctx context.Context, name string, old, sealed []byte) error
}
