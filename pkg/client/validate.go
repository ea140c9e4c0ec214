package client

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of what a client may carry.
const (
	maxName     = 100 // characters
	maxURIs     = 50
	maxScopes   = 200
	maxContacts = 10
	maxJWKS     = 64 << 10 // bytes
	maxLife     = 366 * 24 * time.Hour
)

// IDTokenAlgs and AnswerAlgs are what Portico can sign with, the default
// first: the keyring has a line of keys for each.
var (
	IDTokenAlgs = []string{"RS256", "ES256", "PS256", "EdDSA"}
	AnswerAlgs  = []string{"RS256", "ES256"}
)

// AssertionAlgs are what private_key_jwt may be signed with: asymmetric only
// (RFC 8725 §3.1).
var AssertionAlgs = []string{
	"ES256", "ES384", "ES512", "RS256", "RS384", "RS512",
	"PS256", "PS384", "PS512", "EdDSA", jwks.AlgEd25519,
}

// a check looks at one rule of a client's metadata and either passes or
// returns the fault to show.
type check struct {
	rule string
	run  func(c *Client) *fault.Error
}

// checks run in this order.
var checks = []check{
	{"RFC 6749 §2.2 a client id is short and printable", checkID},
	{"OIDC Registration §2 what people see is short and printable", checkTexts},
	{"RFC 7591 §2 the authentication method is one of ours", checkMethod},
	{"RFC 7591 §2 keys are inline or fetched, not both", checkKeys},
	{"RFC 7591 §2.1 grant and response types fit each other", checkGrants},
	{"RFC 6749 §3.1.2.2 redirect URIs are registered", checkRedirects},
	{"OIDC RP-Initiated Logout §3.1 logout redirect URIs are exact", checkLogoutRedirects},
	{"RFC 6749 §3.3 scopes are words", checkScopes},
	{"RFC 8707 §2 audiences are absolute URIs", checkAudiences},
	{"RFC 9700 §2.1.1 public clients use PKCE", checkPKCE},
	{"RFC 7518 §3.1 signing algorithms are ours", checkAlgs},
	{"lifetimes are sane", checkLifetimes},
}

// Validate checks everything an operator or a registration may set. The first
// broken rule is returned as a fault with code invalid_client_metadata or
// invalid_redirect_uri (RFC 7591 §3.2.2).
func Validate(c Client) error {
	for _, k := range checks {
		if f := k.run(&c); f != nil {
			if f.Rule == "" {
				f = f.Under(k.rule)
			}
			return f
		}
	}
	return nil
}

// withDefaults fills what RFC 7591 §2 and OIDC Registration §2 give a default.
func withDefaults(c Client) Client {
	if c.AuthMethod == "" {
		c.AuthMethod = protocol.AuthSecretBasic
	}
	if c.ApplicationType == "" {
		c.ApplicationType = Web
	}
	if c.Source == "" {
		c.Source = Operator
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{protocol.GrantAuthorizationCode}
	}
	if len(c.ResponseTypes) == 0 && slices.Contains(c.GrantTypes, protocol.GrantAuthorizationCode) {
		c.ResponseTypes = []string{protocol.ResponseTypeCode}
	}
	return c
}

func invalid(field, want, got string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidClientMetadata,
		fmt.Sprintf("The client's %s is not acceptable.", field)).Compare(field, want, got)
}

func checkID(c *Client) *fault.Error {
	if c.ID == "" || len(c.ID) > maxID {
		return invalid("client_id", "1 to 128 characters", c.ID)
	}
	for i := range len(c.ID) {
		b := c.ID[i]
		plain := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._~", b) >= 0
		if !plain {
			return invalid("client_id", "letters, digits and -._~, because many clients do not encode Basic credentials", c.ID)
		}
	}
	return nil
}

func checkTexts(c *Client) *fault.Error {
	if !utf8.ValidString(c.Name) || utf8.RuneCountInString(c.Name) > maxName || hasControl(c.Name) {
		return invalid("client_name", "at most 100 printable characters", c.Name)
	}
	for _, f := range []struct{ name, uri string }{
		{"client_uri", c.ClientURI},
		{"logo_uri", c.LogoURI},
		{"policy_uri", c.PolicyURI},
		{"tos_uri", c.TosURI},
		{"initiate_login_uri", c.InitiateLoginURI},
	} {
		if f.uri != "" && !isWebURL(f.uri) {
			return invalid(f.name, "an http or https URL without user-info, at most 2048 bytes", f.uri)
		}
	}
	if len(c.Contacts) > maxContacts {
		return invalid("contacts", "at most 10", fmt.Sprint(len(c.Contacts)))
	}
	for _, s := range c.Contacts {
		if s == "" || len(s) > 254 || !utf8.ValidString(s) || hasControl(s) {
			return invalid("contacts", "1 to 254 printable bytes each", s)
		}
	}
	return nil
}

func checkMethod(c *Client) *fault.Error {
	switch c.AuthMethod {
	case protocol.AuthNone, protocol.AuthSecretBasic, protocol.AuthSecretPost, protocol.AuthPrivateKeyJWT:
	default:
		return invalid("token_endpoint_auth_method", "client_secret_basic, client_secret_post, private_key_jwt or none", c.AuthMethod)
	}
	if c.AuthSigningAlg != "" && !slices.Contains(AssertionAlgs, c.AuthSigningAlg) {
		return invalid("token_endpoint_auth_signing_alg", strings.Join(AssertionAlgs, " "), c.AuthSigningAlg)
	}
	if len(c.Secrets) > 2 {
		return invalid("client_secret", "at most two live secrets", fmt.Sprint(len(c.Secrets)))
	}
	return nil
}

func checkGrants(c *Client) *fault.Error {
	for _, g := range c.GrantTypes {
		switch g {
		case protocol.GrantAuthorizationCode, protocol.GrantClientCredentials, protocol.GrantRefreshToken:
		default:
			return invalid("grant_types", "authorization_code, client_credentials, refresh_token", g)
		}
	}
	for _, r := range c.ResponseTypes {
		if r != protocol.ResponseTypeCode {
			return invalid("response_types", protocol.ResponseTypeCode, r)
		}
	}
	code := c.MayUse(protocol.GrantAuthorizationCode)
	if code != (len(c.ResponseTypes) > 0) {
		return invalid("response_types", "code if and only if the grant authorization_code is registered", strings.Join(c.ResponseTypes, " "))
	}
	if c.Public() && c.MayUse(protocol.GrantClientCredentials) {
		return invalid("grant_types", "no client_credentials without authentication (RFC 6749 §4.4)", strings.Join(c.GrantTypes, " "))
	}
	if c.MayUse(protocol.GrantRefreshToken) && !code {
		return invalid("grant_types", "refresh_token beside authorization_code", strings.Join(c.GrantTypes, " "))
	}
	return nil
}

func checkPKCE(c *Client) *fault.Error {
	if c.Public() && c.PKCEOptional {
		return invalid("pkce", "required for a client without authentication", "optional")
	}
	return nil
}

func checkAlgs(c *Client) *fault.Error {
	for _, a := range []struct {
		name, alg string
		ours      []string
	}{
		{"id_token_signed_response_alg", c.IDTokenAlg, IDTokenAlgs},
		{"userinfo_signed_response_alg", c.UserinfoAlg, AnswerAlgs},
		{"introspection_signed_response_alg", c.IntrospectionAlg, AnswerAlgs},
	} {
		if a.alg != "" && !slices.Contains(a.ours, a.alg) {
			return invalid(a.name, strings.Join(a.ours, " "), a.alg)
		}
	}
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		return invalid("default_max_age", "0 or more seconds", fmt.Sprint(*c.DefaultMaxAge))
	}
	return nil
}

func checkLifetimes(c *Client) *fault.Error {
	for _, l := range []struct {
		name string
		d    time.Duration
		max  time.Duration
	}{
		{"access_token_ttl", c.AccessTokenTTL, 24 * time.Hour},
		{"refresh_idle_ttl", c.RefreshIdleTTL, maxLife},
		{"refresh_absolute_ttl", c.RefreshAbsoluteTTL, maxLife},
	} {
		if l.d < 0 || l.d > l.max || l.d%time.Second != 0 {
			return invalid(l.name, "whole seconds up to "+l.max.String(), l.d.String())
		}
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
	})
}

// isWebURL reports whether s is a link that people may be shown.
func isWebURL(s string) bool {
	u, err := parseURI(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
}

// isHTTPS reports whether s is an address that Portico may fetch from; plain
// http is for loopback, and safehttp decides again when it dials.
func isHTTPS(s string) bool {
	u, err := parseURI(s)
	return err == nil && u.Hostname() != "" &&
		(u.Scheme == "https" || u.Scheme == "http" && isLoopbackName(u.Hostname()))
}

// isAbsoluteURI reports whether s can be a resource (RFC 8707 §2).
func isAbsoluteURI(s string) bool {
	if s == "" || len(s) > maxURI || hasControl(s) || strings.ContainsAny(s, "# ") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}
