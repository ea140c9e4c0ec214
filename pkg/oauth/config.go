package oauth

import (
	"context"
	"errors"
	"hash"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/ory/fosite"
	"github.com/ory/fosite/i18n"
	"github.com/ory/fosite/token/jwt"
)

// configuration answers fosite's questions with constants. fosite's own Config
// fills its fields on first use without a lock, which races; this one holds
// nothing that ever changes after NewProvider, and it leaves the optional
// interface for pushed requests out, so that fosite cannot act on request_uri.
type configuration struct {
	issuer    string
	lifetimes Lifetimes
	// handlers in the order that works: code before PKCE and OpenID Connect,
	// which need the code; the finisher last.
	authorize fosite.AuthorizeEndpointHandlers
	// token are the handlers of each grant type alone: fosite asks all it is
	// given, and one that says "not mine" makes a stack trace of it.
	token map[string]fosite.TokenEndpointHandlers
}

var _ fosite.Configurator = (*configuration)(nil)

func (c *configuration) GetAuthorizeEndpointHandlers(context.Context) fosite.AuthorizeEndpointHandlers {
	return c.authorize
}

func (c *configuration) GetTokenEndpointHandlers(ctx context.Context) fosite.TokenEndpointHandlers {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		return c.token[r.grantType]
	}
	return nil
}

// Introspection and revocation are ours alone: fosite's take an ID token for
// an access token and answer 200 when the store fails.
func (c *configuration) GetTokenIntrospectionHandlers(context.Context) fosite.TokenIntrospectionHandlers {
	return nil
}

func (c *configuration) GetRevocationHandlers(context.Context) fosite.RevocationHandlers { return nil }

func (c *configuration) GetIDTokenIssuer(context.Context) string     { return c.issuer }
func (c *configuration) GetAccessTokenIssuer(context.Context) string { return c.issuer }
func (c *configuration) GetTokenURLs(context.Context) []string       { return nil }

func (c *configuration) GetAuthorizeCodeLifespan(context.Context) time.Duration {
	return c.lifetimes.Code
}

func (c *configuration) GetAccessTokenLifespan(context.Context) time.Duration {
	return c.lifetimes.Access
}

func (c *configuration) GetRefreshTokenLifespan(context.Context) time.Duration {
	return c.lifetimes.RefreshAbsolute
}

func (c *configuration) GetIDTokenLifespan(context.Context) time.Duration { return c.lifetimes.ID }

func (c *configuration) GetVerifiableCredentialsNonceLifespan(context.Context) time.Duration {
	return time.Minute
}

// GetScopeStrategy compares scopes as byte strings; fosite's default knows
// wildcards.
func (c *configuration) GetScopeStrategy(context.Context) fosite.ScopeStrategy {
	return fosite.ExactScopeStrategy
}

// GetAudienceStrategy compares audiences as byte strings; fosite's default
// matches URL prefixes.
func (c *configuration) GetAudienceStrategy(context.Context) fosite.AudienceMatchingStrategy {
	return fosite.ExactAudienceMatchingStrategy
}

// GetRedirectSecureChecker trusts what client.MatchRedirect matched.
func (c *configuration) GetRedirectSecureChecker(context.Context) func(context.Context, *url.URL) bool {
	return func(context.Context, *url.URL) bool { return true }
}

// GetRefreshTokenScopes is empty: a client with the refresh grant gets a
// refresh token. offline_access decides whether it outlives the session.
func (c *configuration) GetRefreshTokenScopes(context.Context) []string { return nil }

func (c *configuration) GetDisableRefreshTokenValidation(context.Context) bool { return false }

// PKCE: S256 only, public clients always. Per client it is decided before
// fosite is asked (client.PKCERequired).
func (c *configuration) GetEnforcePKCE(context.Context) bool                    { return false }
func (c *configuration) GetEnforcePKCEForPublicClients(context.Context) bool    { return true }
func (c *configuration) GetEnablePKCEPlainChallengeMethod(context.Context) bool { return false }

func (c *configuration) GetAllowedPrompts(context.Context) []string         { return nil }
func (c *configuration) GetMinParameterEntropy(context.Context) int         { return len(noState) }
func (c *configuration) GetOmitRedirectScopeParam(context.Context) bool     { return true }
func (c *configuration) GetSanitationWhiteList(context.Context) []string    { return nil }
func (c *configuration) GetSendDebugMessagesToClients(context.Context) bool { return false }
func (c *configuration) GetUseLegacyErrorFormat(context.Context) bool       { return false }
func (c *configuration) GetMessageCatalog(context.Context) i18n.MessageCatalog {
	return nil
}

func (c *configuration) GetJWTScopeField(context.Context) jwt.JWTScopeFieldEnum {
	return jwt.JWTScopeFieldString
}

func (c *configuration) GetFormPostHTMLTemplate(context.Context) *template.Template { return nil }

func (c *configuration) GetResponseModeHandlerExtension(context.Context) fosite.ResponseModeHandler {
	return nil
}

// JWT bearer is not offered.
func (c *configuration) GetGrantTypeJWTBearerCanSkipClientAuth(context.Context) bool { return false }

func (c *configuration) GetGrantTypeJWTBearerIDOptional(context.Context) bool { return false }

func (c *configuration) GetGrantTypeJWTBearerIssuedDateOptional(context.Context) bool {
	return false
}

func (c *configuration) GetJWTMaxDuration(context.Context) time.Duration { return time.Minute }

// Secrets and codes are made and checked by pkg/secret.
func (c *configuration) GetTokenEntropy(context.Context) int             { return 32 }
func (c *configuration) GetGlobalSecret(context.Context) ([]byte, error) { return nil, errNotOurs }
func (c *configuration) GetHMACHasher(context.Context) func() hash.Hash  { return nil }
func (c *configuration) GetSecretsHasher(context.Context) fosite.Hasher  { return nil }
func (c *configuration) GetRotatedGlobalSecrets(context.Context) ([][]byte, error) {
	return nil, errNotOurs
}

// GetClientAuthenticationStrategy hands fosite the client that was
// authenticated before it was called.
func (c *configuration) GetClientAuthenticationStrategy(context.Context) fosite.ClientAuthenticationStrategy {
	return func(ctx context.Context, _ *http.Request, _ url.Values) (fosite.Client, error) {
		return runFrom(ctx).party, nil
	}
}

func (c *configuration) GetJWKSFetcherStrategy(context.Context) fosite.JWKSFetcherStrategy {
	return nil
}

// GetHTTPClient returns a client that reaches nobody: addresses that strangers
// gave us are fetched by safehttp alone.
func (c *configuration) GetHTTPClient(context.Context) *retryablehttp.Client {
	return &retryablehttp.Client{HTTPClient: &http.Client{Transport: nowhere{}}, CheckRetry: retryablehttp.DefaultRetryPolicy}
}

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNotOurs }

var errNotOurs = errors.New("oauth: fosite asked for something that is done elsewhere")
