package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
)

// algs are the signatures that are taken. None is symmetric: the client secret
// is no key (RFC 8725 §3.1).
var algs = []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA}

// keySet verifies by the keys that the provider publishes, from the cache that
// all share: a key id that nobody knows makes it ask, but not at the pace of
// strangers.
type keySet struct {
	keys    *jwks.Cache
	address string
	down    error // why the keys could not be had
}

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := parse(raw)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Header
	keys, err := k.keys.Keys(ctx, k.address, header.KeyID, header.Algorithm)
	if fault.Is(err, fault.Unavailable) {
		k.down = err
	}
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no published key made the signature")
}

// parse reads a JWT with one signature of an algorithm that is taken.
func parse(raw string) (*jose.JSONWebSignature, error) {
	if raw == "" || len(raw) > maxToken {
		return nil, errors.New("the token is missing or too long")
	}
	taken := make([]jose.SignatureAlgorithm, len(algs))
	for i, alg := range algs {
		taken[i] = jose.SignatureAlgorithm(alg)
	}
	jws, err := jose.ParseSignedCompact(raw, taken)
	if err == nil && len(jws.Signatures) != 1 {
		err = errors.New("the token has not one signature")
	}
	return jws, err
}

// verifier returns what checks signature and audience of tokens.
func (o *openID) verifier(m *metadata) (*oidc.IDTokenVerifier, *keySet) {
	keys := &keySet{keys: o.keys, address: m.Keys}
	return oidc.NewVerifier(m.Issuer, keys, &oidc.Config{
		ClientID: o.p.Settings.ClientID, SupportedSigningAlgs: algs,
		SkipIssuerCheck: true, // compared below: of Microsoft it is a template
		SkipExpiryCheck: true, // compared below, by our clock
	}), keys
}

// idToken checks an ID token and returns its claims (OIDC Core §3.1.3.7).
func (o *openID) idToken(ctx context.Context, m *metadata, raw, nonce, accessToken string) (map[string]any, error) {
	if raw == "" {
		return nil, untrusted("OIDC Core §3.1.3.3 the answer carries an ID token")
	}
	verifier, keys := o.verifier(m)
	token, err := verifier.Verify(ctx, raw)
	claims, err := o.checked(token, keys, err)
	if err != nil {
		return nil, err
	}
	if err := o.about(m, claims); err != nil {
		return nil, err
	}
	if got, _ := claims["nonce"].(string); nonce == "" || got != nonce {
		return nil, untrusted("OIDC Core §3.1.3.7 step 11 the nonce is the one that was sent")
	}
	if sub, _ := claims["sub"].(string); sub == "" || len(sub) > maxSubject {
		return nil, untrusted("OIDC Core §2 sub is there and has at most 255 characters")
	}
	if _, there := claims["at_hash"]; there && token.VerifyAccessToken(accessToken) != nil {
		return nil, untrusted("OIDC Core §3.1.3.8 at_hash is that of the access token")
	}
	return claims, nil
}

// claimer is a token of go-oidc.
type claimer interface{ Claims(v any) error }

// checked turns what go-oidc says into claims, or into the fault of a token
// that is not to be trusted. That keys cannot be had is no fault of the token.
func (o *openID) checked(token claimer, keys *keySet, err error) (map[string]any, error) {
	if keys.down != nil {
		return nil, silent(keys.down)
	}
	if err != nil {
		return nil, untrusted("OIDC Core §3.1.3.7 the token is signed by the provider, for us").Because(err)
	}
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return nil, untrusted("RFC 7519 §7.2 the claims are a JSON object").Because(err)
	}
	claims := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return nil, untrusted("RFC 7519 §7.2 the claims are a JSON object").Because(err)
	}
	return claims, nil
}

// about checks what ID tokens and logout tokens share: who issued it, for whom
// and for how long.
func (o *openID) about(m *metadata, claims map[string]any) error {
	iss, _ := claims["iss"].(string)
	if want := issuerOf(m.Issuer, claims); iss == "" || iss != want {
		return untrusted("OIDC Core §3.1.3.7 step 2 iss is the issuer, to the letter").Compare("iss", m.Issuer, iss)
	}
	aud := texts(claims["aud"])
	if !slices.Contains(aud, o.p.Settings.ClientID) {
		return untrusted("OIDC Core §3.1.3.7 step 3 aud is our client id")
	}
	azp, there := claims["azp"].(string)
	if (there || len(aud) > 1) && azp != o.p.Settings.ClientID {
		return untrusted("OIDC Core §3.1.3.7 step 4 azp is our client id").Compare("azp", o.p.Settings.ClientID, azp)
	}
	now := clock.Now()
	exp, ok := moment(claims["exp"])
	if !ok || !now.Before(exp.Add(skew)) {
		return untrusted("OIDC Core §3.1.3.7 step 9 the token is not over").WithHint("compare the clocks of this machine and of the provider")
	}
	iat, ok := moment(claims["iat"])
	if !ok || iat.After(now.Add(skew)) {
		return untrusted("OIDC Core §3.1.3.7 step 10 the token was issued before now").WithHint("compare the clocks of this machine and of the provider")
	}
	if _, there := claims["nbf"]; there {
		if nbf, ok := moment(claims["nbf"]); !ok || nbf.After(now.Add(skew)) {
			return untrusted("RFC 7519 §4.1.5 the token counts already")
		}
	}
	return nil
}

// moment reads a NumericDate (RFC 7519 §2): a whole number of seconds within
// reason.
func moment(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	sec, err := n.Int64()
	if err != nil || sec < 0 || sec > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(sec, 0), true
}
