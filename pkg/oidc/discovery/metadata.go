package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/protocol"
)

// Config holds what varies from one server to another. Everything else in the
// document is what this version does.
type Config struct {
	// Issuer is copied into the document byte for byte: clients compare it.
	Issuer string
	// IDTokenAlgs and AnswerAlgs are what the keyring signs with, the default
	// first.
	IDTokenAlgs, AnswerAlgs []string
	// AssertionAlgs are taken in private_key_jwt.
	AssertionAlgs []string
	// OwnScopes are the scopes of Portico itself; those of APIs come through
	// SetScopes.
	OwnScopes []string
	// Claims are all that can be supplied.
	Claims []string
	// ACRValues are those that can be reached.
	ACRValues []string
	// UILocales are the languages of the pages.
	UILocales []string
	// Registration advertises the registration endpoint.
	Registration bool
	// Signup advertises prompt=create.
	Signup bool
	// Links for people; empty ones are left out.
	ServiceDocumentation, PolicyURI, TosURI string
}

// Metadata is the provider's metadata (OIDC Discovery §3, RFC 8414 §2). Every
// member is one that this version keeps its word on; those without a value
// are left out, because clients break on null.
type Metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	RegistrationEndpoint  string `json:"registration_endpoint,omitempty"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`

	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported []string `json:"response_types_supported"`
	ResponseModesSupported []string `json:"response_modes_supported"`
	GrantTypesSupported    []string `json:"grant_types_supported"`
	SubjectTypesSupported  []string `json:"subject_types_supported"`
	ACRValuesSupported     []string `json:"acr_values_supported,omitempty"`
	PromptValuesSupported  []string `json:"prompt_values_supported"`
	ClaimTypesSupported    []string `json:"claim_types_supported"`
	ClaimsSupported        []string `json:"claims_supported,omitempty"`
	UILocalesSupported     []string `json:"ui_locales_supported,omitempty"`
	ChallengeMethods       []string `json:"code_challenge_methods_supported"`

	IDTokenAlgs       []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs      []string `json:"userinfo_signing_alg_values_supported,omitempty"`
	IntrospectionAlgs []string `json:"introspection_signing_alg_values_supported,omitempty"`

	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs            []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`

	// Both defaults of OIDC Discovery §3 are not what holds here: these are
	// always written.
	ClaimsParameter     bool `json:"claims_parameter_supported"`
	RequestParameter    bool `json:"request_parameter_supported"`
	RequestURIParameter bool `json:"request_uri_parameter_supported"`
	IssParameter        bool `json:"authorization_response_iss_parameter_supported"`

	ServiceDocumentation string `json:"service_documentation,omitempty"`
	PolicyURI            string `json:"op_policy_uri,omitempty"`
	TosURI               string `json:"op_tos_uri,omitempty"`
}

// metadata writes the document of cfg with the scopes of APIs behind our own.
func metadata(cfg Config, apiScopes []string) Metadata {
	at := func(path string) string { return cfg.Issuer + path }
	authenticated := []string{protocol.AuthSecretBasic, protocol.AuthSecretPost, protocol.AuthPrivateKeyJWT}
	all := append(slices.Clone(authenticated), protocol.AuthNone)
	prompts := []string{protocol.PromptNone, protocol.PromptLogin, protocol.PromptConsent, protocol.PromptSelectAccount}
	if cfg.Signup {
		prompts = append(prompts, protocol.PromptCreate)
	}
	m := Metadata{
		Issuer:                cfg.Issuer,
		AuthorizationEndpoint: at(protocol.PathAuthorize),
		TokenEndpoint:         at(protocol.PathToken),
		UserinfoEndpoint:      at(protocol.PathUserinfo),
		JWKSURI:               at(protocol.PathJWKS),
		IntrospectionEndpoint: at(protocol.PathIntrospect),
		RevocationEndpoint:    at(protocol.PathRevoke),
		EndSessionEndpoint:    at(protocol.PathLogout),

		ScopesSupported:        slices.Concat(cfg.OwnScopes, apiScopes),
		ResponseTypesSupported: []string{protocol.ResponseTypeCode},
		ResponseModesSupported: []string{protocol.ModeQuery, protocol.ModeFragment, protocol.ModeFormPost},
		GrantTypesSupported:    []string{protocol.GrantAuthorizationCode, protocol.GrantClientCredentials, protocol.GrantRefreshToken},
		SubjectTypesSupported:  []string{"public"},
		ACRValuesSupported:     cfg.ACRValues,
		PromptValuesSupported:  prompts,
		ClaimTypesSupported:    []string{"normal"},
		ClaimsSupported:        cfg.Claims,
		UILocalesSupported:     cfg.UILocales,
		ChallengeMethods:       []string{protocol.ChallengeS256},

		IDTokenAlgs:       cfg.IDTokenAlgs,
		UserinfoAlgs:      cfg.AnswerAlgs,
		IntrospectionAlgs: cfg.AnswerAlgs,

		TokenAuthMethods:         all,
		TokenAuthAlgs:            cfg.AssertionAlgs,
		RevocationAuthMethods:    all,
		RevocationAuthAlgs:       cfg.AssertionAlgs,
		IntrospectionAuthMethods: authenticated,
		IntrospectionAuthAlgs:    cfg.AssertionAlgs,

		ClaimsParameter: true,
		IssParameter:    true,

		ServiceDocumentation: cfg.ServiceDocumentation,
		PolicyURI:            cfg.PolicyURI,
		TosURI:               cfg.TosURI,
	}
	if cfg.Registration {
		m.RegistrationEndpoint = at(protocol.PathRegister)
	}
	return m
}

// check refuses a configuration whose document would not be valid.
func (c Config) check() error {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("discovery: issuer %q is not an absolute URL", c.Issuer)
	case strings.ContainsAny(c.Issuer, "?#"): // OIDC Discovery §3, RFC 8414 §2
		return fmt.Errorf("discovery: issuer %q has a query or a fragment", c.Issuer)
	case strings.HasSuffix(c.Issuer, "/"): // paths are put behind it
		return fmt.Errorf("discovery: issuer %q ends in a slash", c.Issuer)
	case !slices.Contains(c.IDTokenAlgs, "RS256"): // OIDC Discovery §3
		return errors.New("discovery: ID tokens must be available in RS256")
	case len(c.OwnScopes) == 0 || !slices.Contains(c.OwnScopes, protocol.ScopeOpenID):
		return errors.New("discovery: openid must be among the scopes")
	}
	return nil
}
