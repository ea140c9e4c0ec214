package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of what a provider answers, in bytes. The fetcher bounds the whole.
const (
	maxCode    = 8 << 10
	maxToken   = 64 << 10
	maxSubject = 255 // OIDC Core §2
)

// openID is an OpenID provider at work.
type openID struct {
	p    *Provider
	http *http.Client
	keys *jwks.Cache
	meta *discovery
	// secret returns what we authenticate with; empty: we are a public client.
	secret func() (string, error)
}

var _ Upstream = (*openID)(nil)

func (s *Service) newOpenID(p *Provider, plain string) (*openID, error) {
	o := &openID{p: p, http: s.Fetch.HTTP(), keys: s.keys, secret: func() (string, error) { return plain, nil }}
	o.meta = &discovery{fetch: func(ctx context.Context) (*metadata, error) { return s.discover(ctx, p) }}
	if p.Kind == Apple {
		signer, err := newAppleSecret(p, plain)
		if err != nil {
			return nil, err
		}
		o.secret = signer.get
	}
	return o, nil
}

// Begin implements Upstream (OIDC Core §3.1.2.1, RFC 7636 §4.3).
func (o *openID) Begin(ctx context.Context, state, nonce, verifier, redirectURI string) (string, error) {
	m, err := o.meta.get(ctx)
	if err != nil {
		return "", err
	}
	c := o.config(m, "", redirectURI)
	return c.AuthCodeURL(state, append(params(o.p), oauth2.SetAuthURLParam("nonce", nonce), oauth2.S256ChallengeOption(verifier))...), nil
}

// params are what the preset and the operator add to the request.
func params(p *Provider) []oauth2.AuthCodeOption {
	var all []oauth2.AuthCodeOption
	for _, from := range []map[string]string{presets[p.Kind].params, p.Settings.Params} { // the later one wins
		for name, value := range from {
			all = append(all, oauth2.SetAuthURLParam(name, value))
		}
	}
	return all
}

func (o *openID) config(m *metadata, secret, redirectURI string) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: o.p.Settings.ClientID, ClientSecret: secret, RedirectURL: redirectURI, Scopes: o.p.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style(m, secret)},
	}
	if o.p.Kind == Apple { // its document lists client_secret_post alone
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c
}

// unusable is the style of a provider that takes no secret as we send it.
const unusable = oauth2.AuthStyle(-1)

// style returns how the token endpoint is told who we are (OIDC Core §9). A
// public client names itself in the form.
func style(m *metadata, secret string) oauth2.AuthStyle {
	switch {
	case secret == "":
		return oauth2.AuthStyleInParams
	case len(m.AuthMethods) == 0 || slices.Contains(m.AuthMethods, protocol.AuthSecretBasic):
		return oauth2.AuthStyleInHeader
	case slices.Contains(m.AuthMethods, protocol.AuthSecretPost), slices.Contains(m.AuthMethods, protocol.AuthNone):
		return oauth2.AuthStyleInParams
	}
	return unusable
}

// Finish implements Upstream: the steps are those of OIDC Core §3.1.2.7,
// §3.1.3.7 and §5.3.4.
func (o *openID) Finish(ctx context.Context, answer map[string]string, nonce, verifier, redirectURI string) (*Person, error) {
	m, err := o.meta.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.checkIssuer(m, answer); err != nil {
		return nil, err
	}
	if err := answered(answer); err != nil {
		return nil, err
	}
	secret, err := o.secret()
	if err != nil {
		return nil, err
	}
	token, err := exchange(ctx, o.http, o.config(m, secret, redirectURI), answer[protocol.Code], verifier)
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra(protocol.IDToken).(string)
	claims, err := o.idToken(ctx, m, raw, nonce, token.AccessToken)
	if err != nil {
		return nil, err
	}
	if o.lacks(claims) && m.Userinfo != "" {
		if err := o.userinfo(ctx, m, token, claims); err != nil {
			return nil, err
		}
	}
	if o.p.Kind == Apple {
		appleUser(answer["user"], claims)
	}
	return o.person(claims, raw), nil
}

// checkIssuer compares the issuer of the answer, so that nobody passes us the
// code of another provider (RFC 9207 §2.4). Who promised to name it does.
func (o *openID) checkIssuer(m *metadata, answer map[string]string) error {
	iss, there := answer[protocol.Issuer]
	switch {
	case !there && m.IssInAnswer:
		return untrusted("RFC 9207 §2.4 an answer names its issuer when the metadata says so").Compare("iss", m.Issuer, "")
	case there && iss != m.Issuer && (m.Issuer == issuerOf(m.Issuer, nil) || !sameTenant(m.Issuer, iss)):
		return untrusted("RFC 9207 §2.4 the answer comes from the issuer that was asked").Compare("iss", m.Issuer, iss)
	}
	return nil
}

// codes are the errors of an authorization answer (RFC 6749 §4.1.2.1, OIDC
// Core §3.1.2.6) that are told apart; every other one is as good as
// server_error.
var codes = []string{
	protocol.ErrAccessDenied, protocol.ErrInvalidRequest, protocol.ErrUnauthorizedClient, protocol.ErrUnsupportedResponseType,
	protocol.ErrInvalidScope, protocol.ErrServerError, protocol.ErrTemporarilyUnavailable, protocol.ErrInteractionRequired,
	protocol.ErrLoginRequired, protocol.ErrAccountSelectionRequired, protocol.ErrConsentRequired,
	protocol.ErrInvalidClient, protocol.ErrInvalidGrant, protocol.ErrUnsupportedGrantType,
	"user_cancelled_authorize", "incorrect_client_credentials", "redirect_uri_mismatch", "bad_verification_code",
}

func closed(code string) string {
	if slices.Contains(codes, code) {
		return code
	}
	return protocol.ErrServerError
}

// answered refuses an answer that is an error, or none.
func answered(answer map[string]string) error {
	if code := answer[protocol.Error]; code != "" {
		code = closed(code)
		f := refuse(CodeUntrusted, "RFC 6749 §4.1.2.1 the answer is no error", "The other service did not let you in.")
		if code == protocol.ErrAccessDenied || code == "user_cancelled_authorize" {
			f.Code = CodeCancelled
		}
		return f.Compare("error", "", code)
	}
	if code := answer[protocol.Code]; code == "" || len(code) > maxCode {
		return untrusted("RFC 6749 §4.1.2 the answer carries a code")
	}
	return nil
}

// exchange redeems the code (RFC 6749 §4.1.3, RFC 7636 §4.5).
func exchange(ctx context.Context, client *http.Client, c *oauth2.Config, code, verifier string) (*oauth2.Token, error) {
	if c.Endpoint.AuthStyle == unusable {
		return nil, silent(errors.New("the token endpoint takes no secret as it is sent"))
	}
	token, err := c.Exchange(context.WithValue(ctx, oauth2.HTTPClient, client), code, oauth2.VerifierOption(verifier))
	if err == nil {
		if len(token.AccessToken) > maxToken {
			return nil, untrusted("RFC 6749 §5.1 the access token is bounded")
		}
		return token, nil
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || answer.Response == nil || answer.Response.StatusCode >= 500 {
		return nil, silent(errors.New("the token endpoint gave no answer that can be read"))
	}
	f := untrusted("RFC 6749 §5.2 the code is taken by who gave it").
		Compare("status", "200", fmt.Sprint(answer.Response.StatusCode)).Compare("error", "", closed(answer.ErrorCode))
	switch answer.ErrorCode {
	case protocol.ErrInvalidClient, "incorrect_client_credentials":
		f = f.WithHint("client id or secret are not those that the provider knows")
	case "redirect_uri_mismatch":
		f = f.WithHint("register the callback address at the provider, to the letter")
	}
	return nil, f
}

// lacks reports whether the ID token leaves out what a person or a rule needs.
func (o *openID) lacks(claims map[string]any) bool {
	need := []string{"email", or(o.p.Settings.Claims["name"], "name")}
	if o.p.Settings.RolesClaim != "" {
		need = append(need, o.p.Settings.RolesClaim)
	}
	return slices.ContainsFunc(need, func(name string) bool { _, there := claims[name]; return !there })
}

// userinfo adds what the userinfo endpoint says (OIDC Core §5.3). What the ID
// token says stands.
func (o *openID) userinfo(ctx context.Context, m *metadata, token *oauth2.Token, claims map[string]any) error {
	var more map[string]any
	if err := ask(ctx, o.http, m.Userinfo, token.AccessToken, &more); err != nil {
		return err
	}
	if sub, _ := more["sub"].(string); sub == "" || sub != claims["sub"] {
		return untrusted("OIDC Core §5.3.4 userinfo is about the subject of the ID token")
	}
	for name, value := range more {
		if _, there := claims[name]; !there && !slices.Contains(protected, name) {
			claims[name] = value
		}
	}
	return nil
}

// protected are claims that only a signature vouches for.
var protected = []string{"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sid", "amr", "acr", "auth_time", "at_hash", "tid"}

// ask reads a JSON document with an access token (RFC 6750 §2.1).
func ask(ctx context.Context, client *http.Client, address, accessToken string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // safehttp decides what may be reached
	if err != nil {
		return silent(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req) //nolint:gosec // the same
	if err != nil {
		return silent(withoutAddress(err))
	}
	defer func() { _ = res.Body.Close() }()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || kind == "application/jwt" {
		return silent(fmt.Errorf("%s answered %d with %q", withoutQuery(address), res.StatusCode, fault.Clip(kind)))
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return silent(withoutAddress(err))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return silent(fmt.Errorf("%s answered no JSON that can be read", withoutQuery(address)))
	}
	return nil
}

// withoutAddress keeps what a query may carry out of our records.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// person is who a checked ID token is about.
func (o *openID) person(claims map[string]any, raw string) *Person {
	who := &Person{Claims: claims, IDToken: raw, Roles: rolesOf(o.p, claims)}
	who.Issuer, _ = claims["iss"].(string)
	who.Subject, _ = claims["sub"].(string)
	who.Email, _ = claims["email"].(string)
	who.Session, _ = claims["sid"].(string)
	if len(who.Session) > maxSubject {
		who.Session = ""
	}
	who.EmailVerified = who.Email != "" && (o.p.Settings.TrustEmail || o.verified(claims))
	who.Label = first(claims["email"])
	if who.Label == "" {
		who.Label = or(first(claims["preferred_username"]), first(claims["name"]))
	}
	if o.p.Settings.TrustAMR {
		who.AMR = methods(claims["amr"])
	}
	return who
}

// verified reports whether the provider vouches for the address. Microsoft
// lets the administrators of any tenant write any address, and says by a claim
// of its own whether the domain is theirs.
func (o *openID) verified(claims map[string]any) bool {
	name := "email_verified"
	if o.p.Kind == Microsoft {
		name = "xms_edov"
	}
	switch v := claims[name].(type) {
	case bool:
		return v
	case string: // Apple, and Microsoft
		return v == "true" || o.p.Kind == Microsoft && v == "1"
	case json.Number:
		return o.p.Kind == Microsoft && v.String() == "1"
	}
	return false
}

// known methods are those of RFC 8176 §2 and EAP ACR Values §2: what else a
// provider says means nothing here.
var knownMethods = []string{
	"face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba", "retina", "sc", "sms", "swk", "tel", "user", "vbm", "wia",
}

func methods(v any) []string {
	var amr []string
	for _, method := range texts(v) {
		if slices.Contains(knownMethods, method) && !slices.Contains(amr, method) {
			amr = append(amr, method)
		}
	}
	return amr
}

// EndSession implements Upstream (OIDC RP-Initiated Logout §2).
func (o *openID) EndSession(ctx context.Context, idToken, returnTo, state string) (string, error) {
	if !o.p.Settings.Logout {
		return "", nil
	}
	m, err := o.meta.get(ctx)
	if err != nil || m.EndSession == "" {
		return "", err
	}
	u, err := url.Parse(m.EndSession)
	if err != nil {
		return "", silent(err)
	}
	q := u.Query()
	q.Set(protocol.ClientID, o.p.Settings.ClientID)
	for name, value := range map[string]string{protocol.IDTokenHint: idToken, protocol.PostLogoutRedirect: returnTo, protocol.State: state} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// skew is how far the clock of a provider may be from ours.
const skew = time.Minute
