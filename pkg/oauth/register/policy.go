package register

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
)

// newClient turns metadata into a client that may be created.
func (h *Handler) newClient(ctx context.Context, m *metadata) (client.Client, error) {
	scopes, audiences, err := h.cfg.Scopes.ForDynamic(ctx)
	if err != nil {
		return client.Client{}, err
	}
	c := client.Client{Source: client.Dynamic, Audiences: audiences}
	if err := h.apply(&c, m, scopes); err != nil {
		return client.Client{}, err
	}
	c.PKCEOptional = !c.Public() && !h.cfg.PKCERequired
	return c, nil
}

// changed turns metadata into the successor of a client. Identifiers, secrets,
// trust, lifetimes and audiences are not the client's to set (security §9.2).
func (h *Handler) changed(ctx context.Context, m *metadata, old *client.Client) (client.Client, error) {
	scopes, _, err := h.cfg.Scopes.ForDynamic(ctx)
	if err != nil {
		return client.Client{}, err
	}
	c := *old
	// Its ceiling may have been raised by an operator: that it keeps.
	if err := h.apply(&c, m, append(scopes, old.Scopes...)); err != nil {
		return client.Client{}, err
	}
	if usesSecret(c.AuthMethod) && !usesSecret(old.AuthMethod) {
		return client.Client{}, badMetadata("token_endpoint_auth_method", "security §9.2 secrets are given at registration only").
			Compare("token_endpoint_auth_method", old.AuthMethod, c.AuthMethod).
			WithHint("the client must register anew to get a secret")
	}
	if c.AuthMethod == old.AuthMethod {
		// Sending back what we answered does not make the method strict.
		c.AuthMethodStrict = old.AuthMethodStrict
	}
	c.PKCEOptional = old.PKCEOptional && !c.Public() && !h.cfg.PKCERequired
	return c, nil
}

func usesSecret(method string) bool {
	return method == protocol.AuthSecretBasic || method == protocol.AuthSecretPost
}

// apply writes everything that a client says about itself, replacing all of
// it. What the values must be is for client.Validate to check.
func (h *Handler) apply(c *client.Client, m *metadata, scopes []string) error {
	if err := h.check(m); err != nil {
		return err
	}
	c.Name, c.ClientURI, c.LogoURI, c.PolicyURI, c.TosURI = m.name, m.clientURI, m.logoURI, m.policyURI, m.tosURI
	c.Contacts, c.InitiateLoginURI = m.contacts, m.initiateLoginURI
	c.SoftwareID, c.SoftwareVersion = m.softwareID, m.softwareVersion
	c.RedirectURIs, c.PostLogoutRedirectURIs = m.redirectURIs, m.postLogoutRedirectURIs
	c.JWKS, c.JWKSURI = m.jwks, m.jwksURI
	c.AuthMethod, c.AuthMethodStrict, c.AuthSigningAlg = m.authMethod, m.authMethod != "", m.authSigningAlg
	if c.AuthMethod == "" {
		c.AuthMethod = protocol.AuthSecretBasic // RFC 7591 §2; and the same secret by post
	}
	c.ApplicationType = applicationType(m, c.AuthMethod)
	c.IDTokenAlg, c.UserinfoAlg, c.IntrospectionAlg = m.idTokenAlg, plain(m.userinfoAlg), plain(m.introspecAlg)
	c.DefaultMaxAge, c.RequireAuthTime, c.DefaultACRValues = m.defaultMaxAge, m.requireAuthTime, m.defaultACRValues
	c.Scopes = ceiling(m.scope, scopes)
	return grants(c, m)
}

// grants cuts what is not supported and answers with the rest instead of
// refusing: some clients ask for everything they know (RFC 7591 §3.2.1).
func grants(c *client.Client, m *metadata) error {
	c.GrantTypes = known(m.grantTypes, protocol.GrantAuthorizationCode, protocol.GrantClientCredentials, protocol.GrantRefreshToken)
	if len(m.grantTypes) == 0 {
		c.GrantTypes = []string{protocol.GrantAuthorizationCode}
	}
	if len(c.GrantTypes) == 0 {
		return badMetadata("grant_types", "RFC 7591 §2 one of the grant types is supported").
			Compare("grant_types", "authorization_code, client_credentials, refresh_token", strings.Join(m.grantTypes, " "))
	}
	c.ResponseTypes = known(m.responseTypes, protocol.ResponseTypeCode)
	if len(m.responseTypes) == 0 {
		c.ResponseTypes = []string{protocol.ResponseTypeCode}
	}
	if !slices.Contains(c.GrantTypes, protocol.GrantAuthorizationCode) {
		c.ResponseTypes = nil // RFC 7591 §2.1: the two lists fit each other
	} else if len(c.ResponseTypes) == 0 {
		return badMetadata("response_types", "RFC 7591 §2 one of the response types is supported").
			Compare("response_types", protocol.ResponseTypeCode, strings.Join(m.responseTypes, " "))
	}
	return nil
}

// known returns the values that are among ours, each once, in the order asked.
func known(asked []string, ours ...string) []string {
	var kept []string
	for _, v := range asked {
		if slices.Contains(ours, v) && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// usual are the scopes of a client that names none. roles is told only to
// those who ask for it.
var usual = []string{
	protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress,
	protocol.ScopePhone, protocol.ScopeOfflineAccess,
}

// ceiling returns the scopes that the client may ask for: those it names, as
// far as they are open to it. One that names none, or none that is known here,
// gets the usual ones and those of the open APIs.
func ceiling(asked string, open []string) []string {
	if kept := known(strings.Fields(asked), open...); len(kept) > 0 {
		return kept
	}
	return known(slices.DeleteFunc(slices.Concat(usual, open), func(s string) bool { return s == protocol.ScopeRoles }), open...)
}

// applicationType is what the client says, else web (OIDC Registration §2).
// RFC 7591 does not know the member: a public client with a private-use
// redirect URI that leaves it out is native, because only such have one.
func applicationType(m *metadata, method string) client.ApplicationType {
	if m.applicationType != "" {
		return client.ApplicationType(m.applicationType)
	}
	if method != protocol.AuthNone {
		return client.Web
	}
	for _, uri := range m.redirectURIs {
		scheme, _, ok := strings.Cut(uri, ":")
		if ok && strings.Contains(scheme, ".") {
			return client.Native
		}
	}
	return client.Web
}

// plain reads the algorithm "none" of an answer as JSON without signature.
func plain(alg string) string {
	if alg == "none" {
		return ""
	}
	return alg
}

// check refuses what cannot be had and must not be left out silently.
func (h *Handler) check(m *metadata) error {
	if len(m.encryption) > 0 {
		return badMetadata(m.encryption[0], "OIDC Registration §2 encrypted answers are not offered")
	}
	if m.subjectType != "" && m.subjectType != "public" {
		return badMetadata("subject_type", "OIDC Core §8 subject identifiers are public").Compare("subject_type", "public", m.subjectType)
	}
	for _, a := range []struct {
		name, alg string
		ours      []string
	}{
		{"id_token_signed_response_alg", m.idTokenAlg, h.cfg.IDTokenAlgs},
		{"userinfo_signed_response_alg", plain(m.userinfoAlg), h.cfg.AnswerAlgs},
		{"introspection_signed_response_alg", plain(m.introspecAlg), h.cfg.AnswerAlgs},
	} {
		if a.alg != "" && !slices.Contains(a.ours, a.alg) {
			return badMetadata(a.name, "RFC 7591 §2 the algorithm is one that the server signs with").
				Compare(a.name, strings.Join(a.ours, " "), a.alg)
		}
	}
	if m.initiateLoginURI != "" && !strings.HasPrefix(m.initiateLoginURI, "https://") {
		return badMetadata("initiate_login_uri", "OIDC Registration §2 initiate_login_uri is https").
			Compare("initiate_login_uri", "https", m.initiateLoginURI)
	}
	for _, link := range []struct{ name, uri string }{
		{"client_uri", m.clientURI}, {"logo_uri", m.logoURI}, {"policy_uri", m.policyURI}, {"tos_uri", m.tosURI},
	} {
		if link.uri != "" && !httpsOrLoopback(link.uri) {
			return badMetadata(link.name, "security §9.4 links are https").Compare(link.name, "https", link.uri)
		}
	}
	if len(m.softwareID) > 256 || len(m.softwareVersion) > 256 {
		return badMetadata("software_id", "security §0.4 software_id and software_version have at most 256 bytes")
	}
	return nil
}

// httpsOrLoopback accepts https, and http on this machine for development.
func httpsOrLoopback(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}
