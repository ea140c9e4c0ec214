package oauth

import (
	"context"
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
)

// defaultIDAlg is what clients assume when they say nothing (OIDC Core §15.1).
const defaultIDAlg = "RS256"

// idStrategy makes ID tokens with the algorithm of the client.
type idStrategy struct{ p *Provider }

var _ openid.OpenIDConnectTokenStrategy = idStrategy{}

// GenerateIDToken builds and signs the ID token of the run. The access token
// it is bound to by at_hash is in the response that fosite is filling.
func (s idStrategy) GenerateIDToken(ctx context.Context, life time.Duration, _ fosite.Requester) (string, error) {
	r := runFrom(ctx)
	alg := r.client.IDTokenAlg
	if alg == "" {
		alg = defaultIDAlg
	}
	key, err := s.p.keys.Signer(keyring.IDTokens, alg)
	if err != nil {
		return "", fmt.Errorf("ID token key for %s: %w", alg, err)
	}
	access := ""
	if resp, ok := ctx.Value(fosite.AccessResponseContextKey).(fosite.AccessResponder); ok {
		access = resp.GetAccessToken()
	}
	body, err := r.idClaims(key.Alg(), access, life)
	if err != nil {
		return "", err
	}
	return key.Sign(protocol.TypeJWT, body)
}

// idClaims are those of OIDC Core §2, and of §3.1.3.6 and §12.2: exactly one
// audience; no nonce after a refresh, where nobody waits for one.
func (r *run) idClaims(alg, access string, life time.Duration) ([]byte, error) {
	g := r.grant
	o := newObject(512)
	o.text("iss", r.p.issuer)
	o.text("sub", g.UserID)
	o.text("aud", r.client.ID)
	o.number("iat", r.now.Unix())
	o.number("exp", r.now.Truncate(time.Second).Add(life).Unix())
	if !g.AuthTime.IsZero() {
		o.number("auth_time", g.AuthTime.Unix())
	}
	if r.grantType == protocol.GrantAuthorizationCode {
		o.text("nonce", g.Nonce)
	}
	o.text("acr", g.ACR)
	o.texts("amr", g.AMR)
	o.text("azp", r.client.ID)
	o.text("sid", g.SessionID)
	if access != "" {
		hash, err := TokenHash(alg, access)
		if err != nil {
			return nil, err
		}
		o.text("at_hash", hash)
	}
	if r.person != nil {
		if err := r.addPersonal(o); err != nil {
			return nil, err
		}
	}
	return o.bytes(), nil
}

// reserved are the claims that the engine alone writes.
var reserved = map[string]bool{
	"iss": true, "sub": true, "aud": true, "iat": true, "exp": true, "nbf": true, "jti": true,
	"auth_time": true, "nonce": true, "acr": true, "amr": true, "azp": true, "sid": true,
	"at_hash": true, "c_hash": true, "s_hash": true,
}

func (r *run) addPersonal(o *object) error {
	asked, err := r.claimsRequest()
	if err != nil {
		return err
	}
	for name, v := range claims.ForIDToken(r.person, r.client, r.scopes, asked) {
		if reserved[name] {
			continue
		}
		if err := o.value(name, v); err != nil {
			return fmt.Errorf("claim %s: %w", name, err)
		}
	}
	return nil
}

// claimsRequest is the claims parameter that was validated when it came.
func (r *run) claimsRequest() (*claims.Requested, error) {
	if r.grant.ClaimsRequest == "" {
		return nil, nil
	}
	asked, err := claims.Parse(r.grant.ClaimsRequest)
	if err != nil {
		return nil, fmt.Errorf("stored claims parameter: %w", err)
	}
	return asked, nil
}
