package client

import (
	"fmt"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/jwks"
	"github.com/portico-id/portico/pkg/protocol"
)

func checkRedirects(c *Client) *fault.Error {
	if len(c.RedirectURIs) > maxURIs {
		return invalid("redirect_uris", "at most 50", fmt.Sprint(len(c.RedirectURIs)))
	}
	if c.MayUse(protocol.GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		return fault.New(fault.Invalid, protocol.ErrInvalidRedirectURI, "The client needs a redirect URI.").
			Compare("redirect_uris", "at least one", "none").WithHint("name where the answers go, byte for byte")
	}
	for _, uri := range c.RedirectURIs {
		if err := ValidateRedirectURI(uri, c.ApplicationType); err != nil {
			return fault.As(err)
		}
	}
	switch c.ApplicationType {
	case Web, Native:
		return nil
	default:
		return invalid("application_type", "web or native", string(c.ApplicationType))
	}
}

func checkLogoutRedirects(c *Client) *fault.Error {
	if len(c.PostLogoutRedirectURIs) > maxURIs {
		return invalid("post_logout_redirect_uris", "at most 50", fmt.Sprint(len(c.PostLogoutRedirectURIs)))
	}
	for _, uri := range c.PostLogoutRedirectURIs {
		if err := ValidateRedirectURI(uri, c.ApplicationType); err != nil {
			f := fault.As(err)
			f.Code = protocol.ErrInvalidClientMetadata
			return f
		}
	}
	return nil
}

func checkScopes(c *Client) *fault.Error {
	if len(c.Scopes) > maxScopes {
		return invalid("scope", "at most 200 scopes", fmt.Sprint(len(c.Scopes)))
	}
	for _, s := range c.Scopes {
		if !isScopeToken(s) {
			return invalid("scope", "1 to 128 characters of %x21 / %x23-5B / %x5D-7E", s)
		}
	}
	return nil
}

// isScopeToken reports whether s is a scope-token (RFC 6749 §3.3).
func isScopeToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if b := s[i]; b <= ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func checkAudiences(c *Client) *fault.Error {
	if len(c.Audiences) > maxURIs {
		return invalid("audiences", "at most 50", fmt.Sprint(len(c.Audiences)))
	}
	for _, a := range c.Audiences {
		if !isAbsoluteURI(a) {
			return invalid("audiences", "absolute URIs without fragment", a)
		}
	}
	return nil
}

func checkKeys(c *Client) *fault.Error {
	switch {
	case len(c.JWKS) > 0 && c.JWKSURI != "":
		return invalid("jwks", "jwks or jwks_uri, not both", "both")
	case len(c.JWKS) > maxJWKS:
		return invalid("jwks", "at most 64 kB", fmt.Sprint(len(c.JWKS)))
	case c.JWKSURI != "" && !isHTTPS(c.JWKSURI):
		return invalid("jwks_uri", "an https URL", c.JWKSURI)
	case c.AuthMethod == protocol.AuthPrivateKeyJWT && len(c.JWKS) == 0 && c.JWKSURI == "":
		return invalid("jwks", "keys for private_key_jwt, inline or by jwks_uri", "none")
	}
	if len(c.JWKS) > 0 {
		if _, err := jwks.ParseSet(c.JWKS); err != nil {
			return invalid("jwks", "public keys only, RSA of at least 2048 bits", strings.TrimSpace(err.Error())).Because(err)
		}
	}
	return nil
}
