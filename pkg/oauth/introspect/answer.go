package introspect

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// answer is the introspection response (RFC 7662 §2.2). The zero value says
// that the token is not active, and nothing else. Members without a value are
// left out.
type answer struct {
	Active    bool            `json:"active"`
	Scope     string          `json:"scope,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	TokenType string          `json:"token_type,omitempty"`
	TokenUse  string          `json:"token_use,omitempty"` // access_token or refresh_token
	Subject   string          `json:"sub,omitempty"`
	Audience  json.RawMessage `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	JTI       string          `json:"jti,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	Expires   int64           `json:"exp,omitempty"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	ACR       string          `json:"acr,omitempty"`
	SessionID string          `json:"sid,omitempty"`
	Confirm   *confirmation   `json:"cnf,omitempty"` // RFC 9449 §6.2
	// What the API asked to be told about the person, as issued.
	Roles       json.RawMessage `json:"roles,omitempty"`
	Permissions json.RawMessage `json:"permissions,omitempty"`
}

type confirmation struct {
	JKT string `json:"jkt"`
}

// describe writes what a token that stands is.
func describe(issuer string, t *oauth.Token) answer {
	a := answer{
		Active:    true,
		Scope:     strings.Join(t.Scopes, " "),
		ClientID:  t.ClientID,
		TokenType: t.TokenType,
		TokenUse:  "access_token",
		Subject:   t.Subject,
		Audience:  audience(t.Audiences),
		Issuer:    issuer,
		JTI:       t.JTI,
		IssuedAt:  seconds(t.IssuedAt),
		Expires:   seconds(t.ExpiresAt),
		AuthTime:  seconds(t.AuthTime),
		ACR:       t.ACR,
		SessionID: t.SessionID,
	}
	if t.Use == oauth.UseRefresh {
		a.TokenUse, a.TokenType = "refresh_token", ""
	}
	if t.JKT != "" {
		a.Confirm = &confirmation{JKT: t.JKT}
	}
	a.Roles, a.Permissions = issued(t.Claims)
	return a
}

// issued returns the members of the claim set that only the API asked for.
func issued(claims json.RawMessage) (roles, permissions json.RawMessage) {
	var set struct {
		Roles       json.RawMessage `json:"roles"`
		Permissions json.RawMessage `json:"permissions"`
	}
	if len(claims) == 0 || json.Unmarshal(claims, &set) != nil {
		return nil, nil
	}
	return set.Roles, set.Permissions
}

// audience writes one value as a string and several as an array, as the token
// itself does (RFC 7519 §4.1.3).
func audience(values []string) json.RawMessage {
	var v any = values
	switch len(values) {
	case 0:
		return nil
	case 1:
		v = values[0]
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil // strings always encode
	}
	return raw
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// mediaType is that of a signed answer (RFC 9701 §5).
const mediaType = "application/token-introspection+jwt"

// wantsJWT reports whether the answer is to be signed: the client registered
// for it or accepts it by name (RFC 9701 §4).
func wantsJWT(r *http.Request, c *client.Client) bool {
	if c.IntrospectionAlg != "" {
		return true
	}
	for _, field := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(field, ",") {
			kind, params, err := mime.ParseMediaType(one)
			if err != nil || kind != mediaType {
				continue
			}
			if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 {
				continue
			}
			return true
		}
	}
	return false
}

// signed are the claims of RFC 9701 §5. They hold no sub and no exp of their
// own, so that the JWT cannot be taken for an access or ID token.
type signed struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Token    answer `json:"token_introspection"`
}

// writeSigned answers with a JWT. Without a registered algorithm it is RS256
// (RFC 9701 §6).
func (h *Handler) writeSigned(w http.ResponseWriter, c *client.Client, a answer) error {
	alg := c.IntrospectionAlg
	if alg == "" {
		alg = "RS256"
	}
	signer, err := h.cfg.Keys.Signer(keyring.Answers, alg)
	if fault.Is(err, fault.NotFound) {
		return fault.Hide(err, fault.Internal, protocol.ErrServerError, "Something went wrong on our side.").
			Under("RFC 9701 §6 the answer is signed as the client registered").
			WithHint("client %q wants introspection signed with %s, which this server has no key for", c.ID, alg)
	} else if err != nil {
		return err
	}
	payload, err := json.Marshal(signed{Issuer: h.cfg.Issuer, Audience: c.ID, IssuedAt: clock.Now().Unix(), Token: a})
	if err != nil {
		return fmt.Errorf("encode introspection: %w", err)
	}
	token, err := signer.Sign(protocol.TypeIntrospection, payload)
	if err != nil {
		return fmt.Errorf("sign introspection: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(token)) // the caller is gone when it fails
	return nil
}
