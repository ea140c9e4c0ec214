package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

// TokensConfig is what Tokens works with. All but Remember are needed.
type TokensConfig struct {
	Issuer      string
	Keys        VerifyingKeys
	Grants      *grant.Service
	Revocations Revocations
	// Remember bounds how many verified JWTs are remembered; default 8,192.
	Remember int
}

// VerifyingKeys verifies our own tokens. keyring.Ring is one.
type VerifyingKeys interface {
	Verify(p keyring.Purpose, token string) (payload []byte, header keyring.Header, err error)
	// Trusts reports whether the key still verifies tokens of the purpose.
	Trusts(p keyring.Purpose, kid string) bool
}

// Tokens inspects what Portico issued. A signature is verified once and
// remembered by the digest of the token until it expires; whether the token
// was revoked is asked every time. It is safe for concurrent use.
type Tokens struct {
	cfg  TokensConfig
	seen *otter.Cache[[sha256.Size]byte, *verified]
}

// verified is a JWT whose signature and shape were good. It is shared and
// never modified.
type verified struct {
	token Token
	kid   string
}

// NewTokens returns an inspector.
func NewTokens(cfg TokensConfig) *Tokens {
	if cfg.Remember <= 0 {
		cfg.Remember = 8192
	}
	return &Tokens{cfg: cfg, seen: otter.Must(&otter.Options[[sha256.Size]byte, *verified]{MaximumSize: cfg.Remember})}
}

// maxToken bounds a token before anything is computed from it.
const maxToken = 16 << 10

func badToken(rule string) *fault.Error {
	return fault.New(fault.Unauthenticated, protocol.ErrInvalidToken, "The token is not valid.").Under(rule)
}

// Inspect verifies one of our own access tokens, JWT or opaque, and asks
// whether it was revoked. What does not stand is fault.Unauthenticated with
// code invalid_token and the rule that refused; when revocations cannot be
// consulted it is fault.Unavailable.
func (t *Tokens) Inspect(ctx context.Context, token string) (*Token, error) {
	if token == "" || len(token) > maxToken {
		return nil, badToken("RFC 6750 §3.1 the token has the size of a token")
	}
	now := clock.Now()
	var found *Token
	var err error
	if strings.HasPrefix(token, string(secret.OpaqueAccessToken)+"_") {
		found, err = t.opaque(ctx, token)
	} else {
		found, err = t.signed(token)
	}
	if err != nil {
		return nil, err
	}
	if !now.Before(found.ExpiresAt) {
		return nil, badToken("RFC 9068 §4 the token has not expired").Compare("exp", "after "+stamp(now), stamp(found.ExpiresAt))
	}
	if err := t.standing(ctx, found); err != nil {
		return nil, err
	}
	return found, nil
}

// standing asks the revocations; not being able to ask is no "yes".
func (t *Tokens) standing(ctx context.Context, k *Token) error {
	revoked, why, err := t.cfg.Revocations.Check(ctx, revocation.Facts{
		JTI: k.JTI, GrantID: k.GrantID, SessionID: k.SessionID, UserID: k.UserID, ClientID: k.ClientID, IssuedAt: k.IssuedAt,
	})
	switch {
	case err != nil:
		return err
	case revoked && why != nil:
		return badToken("RFC 7009 §2.1 the token was not revoked").Compare("revocation", "none", string(why.Kind)+": "+why.Reason)
	case revoked:
		return badToken("RFC 7009 §2.1 the token was not revoked")
	}
	return nil
}

// signed verifies a JWT, or remembers that it did. A key that was revoked
// since makes the memory worthless.
func (t *Tokens) signed(token string) (*Token, error) {
	digest := sha256.Sum256([]byte(token))
	if v, ok := t.seen.GetIfPresent(digest); ok && t.cfg.Keys.Trusts(keyring.AccessTokens, v.kid) {
		return v.copy(), nil
	}
	payload, header, err := t.cfg.Keys.Verify(keyring.AccessTokens, token)
	if err != nil {
		return nil, err
	}
	if header.Typ != protocol.TypeAccessToken && header.Typ != protocol.TypeJWT {
		return nil, badToken("RFC 9068 §2.1 the token is an access token").Compare("typ", protocol.TypeAccessToken, header.Typ)
	}
	k, err := t.read(payload)
	if err != nil {
		return nil, err
	}
	v := &verified{token: *k, kid: header.KeyID}
	if clock.Now().Before(k.ExpiresAt) {
		t.seen.Set(digest, v)
	}
	return v.copy(), nil
}

func (v *verified) copy() *Token {
	k := v.token
	return &k
}

// opaque looks the claims of an opaque token up.
func (t *Tokens) opaque(ctx context.Context, token string) (*Token, error) {
	hash := t.cfg.Grants.OpaqueHash(token)
	if hash == "" {
		return nil, badToken("RFC 6750 §3.1 the token is one of ours")
	}
	row, err := t.cfg.Grants.Store().Token(ctx, hash)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, badToken("RFC 6750 §3.1 the token is known").Because(err)
	case err != nil:
		return nil, err
	}
	k, err := t.read(row.Claims)
	if err != nil {
		return nil, err
	}
	k.Opaque = true
	return k, nil
}

// wire is the claim set of an access token.
type wire struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience claims.Audience `json:"aud"`
	ClientID string          `json:"client_id"`
	Scope    string          `json:"scope"`
	JTI      string          `json:"jti"`
	IssuedAt int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	AuthTime int64           `json:"auth_time"`
	ACR      string          `json:"acr"`
	Session  string          `json:"sid"`
	Grant    string          `json:"gid"`
	Confirm  struct {
		JKT string `json:"jkt"`
	} `json:"cnf"`
}

// read checks the claims that every access token of ours has (RFC 9068 §4).
func (t *Tokens) read(payload []byte) (*Token, error) {
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return nil, badToken("RFC 7519 §7.2 the claims are a JSON object").Because(err)
	}
	switch {
	case w.Issuer != t.cfg.Issuer:
		return nil, badToken("RFC 9068 §4 the issuer is us").Compare("iss", t.cfg.Issuer, w.Issuer)
	case w.Subject == "", w.ClientID == "", w.JTI == "", w.IssuedAt <= 0, w.Expires <= 0, len(w.Audience) == 0:
		return nil, badToken("RFC 9068 §2.2 the required claims are there")
	}
	k := &Token{
		Use: UseAccess, TokenType: tokenType, Subject: w.Subject, ClientID: w.ClientID, GrantID: w.Grant,
		SessionID: w.Session, JTI: w.JTI, Scopes: words(w.Scope), Audiences: w.Audience,
		IssuedAt: issuedAt(w.IssuedAt, w.JTI), ExpiresAt: time.Unix(w.Expires, 0),
		ACR: w.ACR, JKT: w.Confirm.JKT, Claims: payload,
	}
	if w.AuthTime > 0 {
		k.AuthTime = time.Unix(w.AuthTime, 0)
	}
	if w.Grant != "" { // a token without a grant is the client's own
		k.UserID = w.Subject
	}
	if k.JKT != "" {
		k.TokenType = "DPoP"
	}
	return k, nil
}
