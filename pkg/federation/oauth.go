package federation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/oauth2"

	"github.com/portico-id/portico/pkg/protocol"
)

// plainOAuth is a provider at work that speaks OAuth without OpenID Connect:
// who signed in is asked at an API, over TLS, with the token that the code
// bought. There is no nonce, so state and PKCE bind the answer to the browser.
type plainOAuth struct {
	p      *Provider
	secret string
	http   *http.Client
	person func(ctx context.Context, o *plainOAuth, accessToken string) (*Person, error)
}

var _ Upstream = (*plainOAuth)(nil)

func (s *Service) newOAuth(p *Provider, plain string) *plainOAuth {
	o := &plainOAuth{p: p, secret: plain, http: s.Fetch.HTTP(), person: gitHub}
	if p.Kind == Facebook {
		o.person = facebook
	}
	return o
}

func (o *plainOAuth) config(redirectURI string) *oauth2.Config {
	at := o.p.endpoints()
	return &oauth2.Config{
		ClientID: o.p.Settings.ClientID, ClientSecret: o.secret, RedirectURL: redirectURI, Scopes: o.p.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: at.authorize, TokenURL: at.token, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// endpoints are where an OAuth provider is asked: as the settings say, else
// below the issuer of a GitHub of one's own, else as the preset says.
func (p *Provider) endpoints() preset {
	at, set := presets[p.Kind], &p.Settings
	if p.Kind == GitHub && p.issuer() != at.issuer {
		at.authorize, at.token, at.api = p.issuer()+"/login/oauth/authorize", p.issuer()+"/login/oauth/access_token", p.issuer()+"/api/v3/user"
	}
	at.authorize, at.token, at.api = or(set.AuthURL, at.authorize), or(set.TokenURL, at.token), or(set.UserinfoURL, at.api)
	return at
}

// Begin implements Upstream (RFC 6749 §4.1.1, RFC 7636 §4.3).
func (o *plainOAuth) Begin(_ context.Context, state, _, verifier, redirectURI string) (string, error) {
	return o.config(redirectURI).AuthCodeURL(state, append(params(o.p), oauth2.S256ChallengeOption(verifier))...), nil
}

// Finish implements Upstream.
func (o *plainOAuth) Finish(ctx context.Context, answer map[string]string, _, verifier, redirectURI string) (*Person, error) {
	if iss, there := answer[protocol.Issuer]; there && iss != o.p.issuer() && !gitHubIssuer(o.p, iss) {
		return nil, untrusted("RFC 9207 §2.4 the answer comes from the issuer that was asked").Compare("iss", o.p.issuer(), iss)
	}
	if err := answered(answer); err != nil {
		return nil, err
	}
	token, err := exchange(ctx, o.http, o.config(redirectURI), answer[protocol.Code], verifier)
	if err != nil {
		return nil, err
	}
	who, err := o.person(ctx, o, token.AccessToken)
	if err != nil {
		return nil, err
	}
	who.Issuer, who.Roles = o.p.issuer(), rolesOf(o.p, who.Claims)
	who.EmailVerified = who.Email != "" && (who.EmailVerified || o.p.Settings.TrustEmail)
	return who, nil
}

// gitHubIssuer reports whether iss is how GitHub names itself in answers,
// which is longer than the name of its accounts.
func gitHubIssuer(p *Provider, iss string) bool {
	return p.Kind == GitHub && iss == p.issuer()+"/login/oauth"
}

// EndSession implements Upstream: there is none without OpenID Connect.
func (*plainOAuth) EndSession(context.Context, string, string, string) (string, error) {
	return "", nil
}

// LogoutToken implements Upstream: there is none without OpenID Connect.
func (*plainOAuth) LogoutToken(context.Context, string) (*Logout, error) {
	return nil, badLogout("OIDC Back-Channel Logout §2.6 the provider speaks OpenID Connect")
}

// gitHub asks who has the token, and for their addresses: the profile shows
// one that they chose, which nobody confirmed.
func gitHub(ctx context.Context, o *plainOAuth, accessToken string) (*Person, error) {
	var account struct {
		ID      json.Number `json:"id"`
		Login   string      `json:"login"`
		Name    string      `json:"name"`
		Picture string      `json:"avatar_url"`
	}
	if err := ask(ctx, o.http, o.p.endpoints().api, accessToken, &account); err != nil {
		return nil, err
	}
	id, err := account.ID.Int64() // never the login: it can be renamed, and given to somebody else
	if err != nil || id <= 0 {
		return nil, untrusted("security §11.10 the account has a number")
	}
	var addresses []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	err = ask(ctx, o.http, o.p.endpoints().api+"/emails", accessToken, &addresses)
	if err != nil {
		return nil, err
	}
	who := &Person{Subject: strconv.FormatInt(id, 10), Label: or(account.Login, account.Name)}
	who.Claims = map[string]any{"sub": who.Subject, "name": account.Name, "preferred_username": account.Login, "picture": account.Picture}
	for _, a := range addresses {
		if a.Primary {
			who.Email, who.EmailVerified = a.Email, a.Verified
			who.Claims["email"], who.Claims["email_verified"] = a.Email, a.Verified
		}
	}
	return who, nil
}

// facebook asks the Graph API who has the token, with the proof that we are
// the application (appsecret_proof). It tells an address only when there is
// one, and not whether anybody confirmed it.
func facebook(ctx context.Context, o *plainOAuth, accessToken string) (*Person, error) {
	mac := hmac.New(sha256.New, []byte(o.secret))
	mac.Write([]byte(accessToken))
	q := url.Values{"fields": {"id,name,first_name,last_name,email"}, "appsecret_proof": {hex.EncodeToString(mac.Sum(nil))}}
	var account struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		First string `json:"first_name"`
		Last  string `json:"last_name"`
		Email string `json:"email"`
	}
	if err := ask(ctx, o.http, o.p.endpoints().api+"?"+q.Encode(), accessToken, &account); err != nil {
		return nil, err
	}
	if _, err := strconv.ParseUint(account.ID, 10, 64); err != nil {
		return nil, untrusted("security §11.10 the account has a number")
	}
	return &Person{
		Subject: account.ID, Email: account.Email, Label: or(account.Name, account.Email),
		Claims: map[string]any{
			"sub": account.ID, "name": account.Name, "given_name": account.First, "family_name": account.Last, "email": account.Email,
		},
	}, nil
}
