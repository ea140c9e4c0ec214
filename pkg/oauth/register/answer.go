package register

import (
	"encoding/json"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
)

// answer is the client information response (RFC 7591 §3.2.1, RFC 7592 §3):
// everything that is registered. Members without a value are left out, never
// null or empty.
type answer struct {
	ClientID              string `json:"client_id"`
	ClientSecret          string `json:"client_secret,omitempty"`
	ClientIDIssuedAt      int64  `json:"client_id_issued_at"`
	ClientSecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"` // 0: never; beside a secret it is required
	RegistrationToken     string `json:"registration_access_token"`
	RegistrationURI       string `json:"registration_client_uri"`

	RedirectURIs           []string        `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes             []string        `json:"grant_types"`
	ResponseTypes          []string        `json:"response_types,omitempty"`
	AuthMethod             string          `json:"token_endpoint_auth_method"`
	AuthSigningAlg         string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	ApplicationType        string          `json:"application_type"`
	SubjectType            string          `json:"subject_type"`
	Name                   string          `json:"client_name,omitempty"`
	ClientURI              string          `json:"client_uri,omitempty"`
	LogoURI                string          `json:"logo_uri,omitempty"`
	PolicyURI              string          `json:"policy_uri,omitempty"`
	TosURI                 string          `json:"tos_uri,omitempty"`
	InitiateLoginURI       string          `json:"initiate_login_uri,omitempty"`
	Contacts               []string        `json:"contacts,omitempty"`
	Scope                  string          `json:"scope,omitempty"`
	JWKSURI                string          `json:"jwks_uri,omitempty"`
	JWKS                   json.RawMessage `json:"jwks,omitempty"`
	SoftwareID             string          `json:"software_id,omitempty"`
	SoftwareVersion        string          `json:"software_version,omitempty"`
	IDTokenAlg             string          `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg            string          `json:"userinfo_signed_response_alg,omitempty"`
	IntrospectionAlg       string          `json:"introspection_signed_response_alg,omitempty"`
	DefaultMaxAge          *int            `json:"default_max_age,omitempty"`
	RequireAuthTime        bool            `json:"require_auth_time,omitempty"`
	DefaultACRValues       []string        `json:"default_acr_values,omitempty"`
}

// describe writes what is registered. token is the registration access token:
// it is stored as a fingerprint only, and known here because the client sent
// it or was just given it. A client secret is never read back.
func (h *Handler) describe(c *client.Client, token string) *answer {
	a := &answer{
		ClientID:               c.ID,
		ClientIDIssuedAt:       c.CreatedAt.Unix(),
		RegistrationToken:      token,
		RegistrationURI:        h.cfg.Issuer + protocol.PathRegister + "/" + c.ID,
		RedirectURIs:           c.RedirectURIs,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		GrantTypes:             c.GrantTypes,
		ResponseTypes:          c.ResponseTypes,
		AuthMethod:             c.AuthMethod,
		AuthSigningAlg:         c.AuthSigningAlg,
		ApplicationType:        string(c.ApplicationType),
		SubjectType:            "public",
		Name:                   c.Name,
		ClientURI:              c.ClientURI,
		LogoURI:                c.LogoURI,
		PolicyURI:              c.PolicyURI,
		TosURI:                 c.TosURI,
		InitiateLoginURI:       c.InitiateLoginURI,
		Contacts:               c.Contacts,
		Scope:                  strings.Join(c.Scopes, " "),
		JWKSURI:                c.JWKSURI,
		JWKS:                   c.JWKS,
		SoftwareID:             c.SoftwareID,
		SoftwareVersion:        c.SoftwareVersion,
		UserinfoAlg:            c.UserinfoAlg,
		IntrospectionAlg:       c.IntrospectionAlg,
		DefaultMaxAge:          c.DefaultMaxAge,
		RequireAuthTime:        c.RequireAuthTime,
		DefaultACRValues:       c.DefaultACRValues,
	}
	if c.MayUse(protocol.GrantAuthorizationCode) {
		a.IDTokenAlg = c.IDTokenAlg
		if a.IDTokenAlg == "" {
			a.IDTokenAlg = "RS256" // OIDC Registration §2
		}
	}
	return a
}

// withSecret adds the secret that the client was just given.
func (a *answer) withSecret(plain string) {
	if plain == "" {
		return
	}
	never := int64(0)
	a.ClientSecret, a.ClientSecretExpiresAt = plain, &never
}
