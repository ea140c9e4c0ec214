package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// metadata is what an OpenID provider says of itself (OIDC Discovery §3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Userinfo      string   `json:"userinfo_endpoint"`
	Keys          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Algs          []string `json:"id_token_signing_alg_values_supported"`
	IssInAnswer   bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// discovery keeps the metadata of one provider: asked for when it is first
// needed, once for all who wait, and not again for a while when that failed.
type discovery struct {
	fetch func(ctx context.Context) (*metadata, error)
	calls singleflight.Group

	mu     sync.Mutex
	have   *metadata
	at     time.Time // when have was fetched
	failed time.Time // when it last could not be
	cause  error
}

func (d *discovery) get(ctx context.Context) (*metadata, error) {
	now := clock.Now()
	d.mu.Lock()
	have, age, cause := d.have, now.Sub(d.at), d.cause
	resting := cause != nil && now.Sub(d.failed) >= 0 && now.Sub(d.failed) < negativeFor
	d.mu.Unlock()
	usable := have != nil && age >= 0 && age < staleFor
	switch {
	case usable && (age < metadataFor || resting):
		return have, nil
	case resting:
		return nil, cause
	}
	done := d.calls.DoChan("", func() (any, error) { return d.load(context.WithoutCancel(ctx)) })
	select {
	case r := <-done:
		if r.Err == nil {
			return r.Val.(*metadata), nil
		} else if usable {
			return have, nil
		}
		return nil, r.Err
	case <-ctx.Done():
		return nil, silent(ctx.Err())
	}
}

func (d *discovery) load(ctx context.Context) (*metadata, error) {
	m, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.failed, d.cause = clock.Now(), err
		return nil, err
	}
	d.have, d.at, d.cause = m, clock.Now(), nil
	return m, nil
}

// wellKnown is where metadata stands below an issuer (OIDC Discovery §4).
const wellKnown = "/.well-known/openid-configuration"

// discover asks the provider what it is like.
func (s *Service) discover(ctx context.Context, p *Provider) (*metadata, error) {
	issuer := p.issuer()
	body, _, err := s.Fetch.Get(ctx, strings.TrimSuffix(issuer, "/")+wellKnown, "application/json")
	if err != nil {
		return nil, silent(err)
	}
	var m metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, silent(errors.New("the discovery document is not the JSON that it should be"))
	}
	if err := s.check(p, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// check refuses metadata that is somebody else's, or lacks what is needed.
func (s *Service) check(p *Provider, m *metadata) error {
	asked := p.issuer()
	if m.Issuer != asked && (p.Kind != Microsoft || !sameTenant(asked, m.Issuer)) {
		return untrusted("OIDC Discovery §4.3 the issuer is the one that was asked").Compare("issuer", asked, m.Issuer).
			WithHint("write the issuer as the provider does, to the letter: portico provider update %s --issuer …", p.ID)
	}
	for name, address := range map[string]string{"authorization_endpoint": m.Authorization, "token_endpoint": m.Token, "jwks_uri": m.Keys} {
		if !s.reachable(withoutQuery(address)) {
			return silent(fmt.Errorf("the discovery document names no %s that can be used", name))
		}
	}
	for _, address := range []*string{&m.Userinfo, &m.EndSession} {
		if !s.reachable(withoutQuery(*address)) {
			*address = "" // they are optional
		}
	}
	if len(m.Algs) > 0 && !slices.ContainsFunc(m.Algs, func(alg string) bool { return slices.Contains(algs, alg) }) {
		return untrusted("RFC 8725 §3.1 ID tokens are signed by an algorithm that is taken").
			Compare("id_token_signing_alg_values_supported", strings.Join(algs, " "), strings.Join(m.Algs, " "))
	}
	if style(m, "secret") == unusable {
		return fault.New(fault.Unavailable, codeUnavailable, sayUnavailable).Under("OIDC Core §9 a way to authenticate is shared").
			Compare("token_endpoint_auth_methods_supported", "client_secret_basic or client_secret_post", strings.Join(m.AuthMethods, " "))
	}
	return nil
}

// withoutQuery returns the address without the query that an endpoint may have
// (RFC 6749 §3.1).
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
