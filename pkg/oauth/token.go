package oauth

import (
	"encoding/json"
	"time"
)

// Uses of a token that Portico issued.
const (
	UseAccess  = "access"
	UseRefresh = "refresh"
)

// Token is one of our own tokens after its inspection: it stands.
type Token struct {
	Use       string // UseAccess or UseRefresh
	TokenType string // Bearer or DPoP; empty for refresh tokens
	Subject   string // sub
	UserID    string // empty for client credentials, where sub is the client
	ClientID  string
	GrantID   string // gid; empty for client credentials
	SessionID string // sid
	JTI       string
	Scopes    []string
	Audiences []string
	IssuedAt  time.Time
	ExpiresAt time.Time
	AuthTime  time.Time // zero: nobody signed in
	ACR       string
	JKT       string // thumbprint of the key the token is bound to
	Opaque    bool
	// Claims is the claim set as issued; nil for refresh tokens.
	Claims json.RawMessage
}

// TokenAnswer is the answer of the token endpoint (RFC 6749 §5.1, OIDC Core
// §3.1.3.3). Members without a value are left out: null and empty ones break
// clients. Scope is a space-separated string and is there whenever anything
// was granted, because clients compare it.
type TokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}
