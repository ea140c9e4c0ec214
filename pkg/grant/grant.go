// Package grant keeps what a person (or the client itself) allowed a client:
// the authorization code that carries it, the refresh token family that
// continues it, and its end. One grant is one row; everything issued from it
// shares its id (gid). It makes no tokens (oauth does).
package grant

import (
	"time"
)

// Grant is one authorization from its code to its end.
type Grant struct {
	ID        string // the family; claim gid of its access tokens
	ClientID  string
	UserID    string
	SessionID string // sid of the session it was given in

	// Scopes granted, and the audiences its access tokens may name. Both are
	// ceilings: a token may carry less, never more (RFC 6749 §6, RFC 8707 §2).
	Scopes    []string
	Audiences []string
	// Resources are the resource values of the authorization request.
	Resources []string

	// The code and what the request bound to it.
	CodeHash      string // fingerprint
	CodeExpiresAt time.Time
	CodeUsedAt    time.Time // zero: not yet redeemed
	RedirectURI   string    // as sent; empty when the request left it out
	Challenge     string    // S256 code challenge; empty: none was sent
	Nonce         string
	ClaimsRequest string // the claims parameter, raw JSON
	DPoPKey       string // jkt a code or refresh token is bound to; empty: none

	AuthTime time.Time
	ACR      string
	AMR      []string

	// The live refresh token. Empty hash: none was issued.
	RefreshHash          string
	RefreshGeneration    int
	RefreshIdleExpiresAt time.Time
	RefreshExpiresAt     time.Time // absolute; rotation does not extend it

	// The generation before, for the retry window.
	PreviousHash string
	RotatedAt    time.Time
	RetryKey     string // digest of client, proof key, scope and resource of that refresh
	RetryAnswer  []byte // its answer, sealed

	// Offline holds when offline_access was granted: the family outlives its
	// session.
	Offline bool

	CreatedAt time.Time
	RevokedAt time.Time // zero: alive
	Reason    string    // why it was revoked
}

// Revoked reports whether the grant has ended.
func (g *Grant) Revoked() bool { return !g.RevokedAt.IsZero() }

// Standing is a grant with everything that a refresh looks at again, read in
// one statement.
type Standing struct {
	Grant
	UserActive  bool // the person exists and is not disabled
	SessionLive bool // the session exists, has not ended and not passed its absolute limit
	// ConsentScopes are the scopes that the person's consent to the client
	// covers now; ConsentGiven is false when there is none (any more).
	ConsentGiven  bool
	ConsentScopes []string
}

// Redemption spends a code.
type Redemption struct {
	GrantID  string
	CodeHash string
	Now      time.Time
	// The first refresh token; empty hash when none is issued.
	RefreshHash          string
	RefreshIdleExpiresAt time.Time
	RefreshExpiresAt     time.Time
}

// Rotation spends a refresh token and puts the next in its place.
type Rotation struct {
	GrantID       string
	OldHash       string
	NewHash       string
	Now           time.Time
	IdleExpiresAt time.Time
	RetryKey      string
	RetryAnswer   []byte
}

// OpaqueToken is an access token that the API asked to be opaque. Claims is
// the claim set the JWT would have carried.
type OpaqueToken struct {
	Hash      string // fingerprint
	GrantID   string // empty for client credentials
	JTI       string
	ClientID  string
	Claims    []byte // JSON
	ExpiresAt time.Time
}
