package federation

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// Bounds of what an operator says.
const (
	maxName    = 60 // characters on a button
	maxURL     = 2048
	maxClient  = 512
	maxSecret  = 16 << 10
	maxScopes  = 30
	maxParams  = 20
	maxDomains = 200
	maxMapped  = 500 // roles
	maxValue   = 500
)

// codeInvalid is the code of a provider that breaks a rule.
const codeInvalid = "invalid_provider"

var (
	providerID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,200}$`) // RFC 6749 §3.3
	appleID    = regexp.MustCompile(`^[A-Z0-9]{10}$`)
)

// Local names signing in here among the ways that a client allows; no provider
// is called so.
const Local = "local"

// validate trims p, gives it what its preset says, and tells whether it keeps
// the rules. plain is a new secret; empty: it keeps the one it has.
func (s *Service) validate(p *Provider, plain string) error {
	p.Name = strings.TrimSpace(p.Name)
	if p.Name == "" {
		p.Name = or(presets[p.Kind].name, p.ID)
	}
	switch {
	case !providerID.MatchString(p.ID) || p.ID == Local:
		return invalid("id", "an id has up to 32 of a-z, 0-9, - and _, begins with a letter or digit, and is not local", p.ID)
	case !slices.Contains(Kinds(), p.Kind):
		return invalid("kind", fmt.Sprintf("a kind is one of %v", Kinds()), string(p.Kind))
	case p.Name == "" || utf8.RuneCountInString(p.Name) > maxName || strings.ContainsFunc(p.Name, unreadable) || user.Invisible(p.Name):
		return invalid("name", "a name has 1 to 60 characters that can be seen", p.Name)
	case len(plain) > maxSecret:
		return invalid("secret", "a secret has at most 16 kB", "")
	case p.Position < 0 || p.Position > 10_000:
		return invalid("position", "a position is 0 to 10000", fmt.Sprint(p.Position))
	}
	for _, check := range []func(*Provider) error{s.validateKind, s.validateURLs, validateRequest, validatePolicy, validateRoles} {
		if err := check(p); err != nil {
			return err
		}
	}
	return s.validateSecret(p)
}

func (s *Service) validateKind(p *Provider) error {
	set := &p.Settings
	switch {
	case p.Kind == LDAP && set.Directory == nil:
		return invalid("directory", "a directory has an address and a base", "")
	case p.Kind == LDAP:
		return nil
	case set.Directory != nil:
		return invalid("directory", "only the kind ldap is a directory", string(p.Kind))
	case set.ClientID == "" || len(set.ClientID) > maxClient || strings.ContainsFunc(set.ClientID, unreadable):
		return invalid("client_id", "the provider gave Portico a client id", set.ClientID)
	case p.issuer() == "":
		return invalid("issuer", "an OpenID provider has an issuer", "")
	case p.Kind == Apple && (!appleID.MatchString(set.TeamID) || !appleID.MatchString(set.KeyID)):
		return invalid("team_id", "Apple gave the team and the key an id of ten capital letters and digits each", set.TeamID+" "+set.KeyID)
	case p.Kind == Microsoft && set.Issuer != "" && s.validTenant(set.Issuer) != nil:
		return s.validTenant(set.Issuer)
	case presets[p.Kind].openid && set.AuthURL+set.TokenURL+set.UserinfoURL != "":
		return invalid("authorization_endpoint", "an OpenID provider tells its endpoints itself", set.AuthURL)
	case set.AuthURL+set.TokenURL+set.UserinfoURL != "" && set.Issuer == "":
		// Accounts of another server must not pass for those of the same number
		// at the one that the preset names.
		return invalid("issuer", "a server of another address has another issuer: name it", "")
	}
	return nil
}

func (s *Service) validTenant(issuer string) error {
	if s.cfg.Loopback && !strings.HasPrefix(issuer, "https://") || tenant.MatchString(issuer) {
		return nil
	}
	return invalid("issuer", "the issuer of Microsoft is "+microsoft+"<tenant>/v2.0", issuer)
}

func (s *Service) validateURLs(p *Provider) error {
	for field, address := range map[string]string{
		"issuer": p.Settings.Issuer, "authorization_endpoint": p.Settings.AuthURL,
		"token_endpoint": p.Settings.TokenURL, "userinfo_endpoint": p.Settings.UserinfoURL,
	} {
		if address == "" {
			continue
		}
		if !s.reachable(address) {
			return invalid(field, "an address is https and has no query and no fragment", address)
		}
	}
	return nil
}

// reachable reports whether a provider may be at the address: https, and http
// on this machine for development.
func (s *Service) reachable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURL || u.Host == "" || u.User != nil || strings.ContainsAny(address, "?# \\") || strings.ContainsFunc(address, unreadable) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && s.cfg.Loopback && loopback(u.Hostname())
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// reserved are parameters of the authorization request that are ours to set.
var reserved = []string{
	"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "request", "request_uri",
}

func validateRequest(p *Provider) error {
	set := &p.Settings
	if len(set.Scopes) > maxScopes {
		return invalid("scopes", "there are at most 30", "")
	}
	for _, scope := range set.Scopes {
		if !scopeToken.MatchString(scope) {
			return invalid("scopes", "a scope has no blanks", scope)
		}
	}
	if len(set.Scopes) > 0 && presets[p.Kind].openid && !slices.Contains(set.Scopes, "openid") {
		return invalid("scopes", "an OpenID provider is asked for openid (OIDC Core §3.1.2.1)", strings.Join(set.Scopes, " "))
	}
	if len(set.Params) > maxParams {
		return invalid("params", "there are at most 20", "")
	}
	for name, value := range set.Params {
		if name == "" || len(name) > maxValue || len(value) > maxValue || slices.Contains(reserved, name) || strings.ContainsFunc(name+value, unreadable) {
			return invalid("params", "this one is for Portico to set, or too long", name)
		}
		if name == "response_mode" && value != "query" && value != "form_post" {
			return invalid("params", "answers come by query or form_post", value)
		}
	}
	return nil
}

func validatePolicy(p *Provider) error {
	set := &p.Settings
	if len(set.Domains) > maxDomains {
		return invalid("domains", "there are at most 200", "")
	}
	for i, domain := range set.Domains {
		set.Domains[i] = user.Normalise(domain)
		if !user.ValidEmail("someone@" + set.Domains[i]) {
			return invalid("domains", "a domain is written such as example.com", domain)
		}
	}
	if set.TrustEmail && p.Kind == Microsoft && !oneTenant(p.issuer()) {
		return invalid("trust_email", "anybody with a tenant of their own writes any address into it: name your tenant first", p.issuer()).
			WithHint("portico provider update %s --issuer %s<tenant>/v2.0", p.ID, microsoft)
	}
	for ours, theirs := range set.Claims {
		// The addresses of a directory may stand in any attribute.
		if mapped[ours] == nil && (ours != "email" || p.Kind != LDAP) {
			return invalid("claims", fmt.Sprintf("claims that can be taken over are %v", slices.Sorted(maps.Keys(mapped))), ours)
		}
		if theirs == "" || len(theirs) > maxValue || strings.ContainsFunc(theirs, unreadable) {
			return invalid("claims", "a claim of the provider has a name", theirs)
		}
	}
	return nil
}

func validateRoles(p *Provider) error {
	set := &p.Settings
	// Roles of a directory come from its groups unless a claim is named.
	if (set.RolesClaim == "") != (len(set.Roles) == 0) && (p.Kind != LDAP || set.RolesClaim != "") {
		return invalid("roles", "roles come from a claim whose values are named: give roles_claim and roles", "")
	}
	if len(set.RolesClaim) > maxValue || len(set.Roles) > maxMapped {
		return invalid("roles", "there are at most 500, in a claim whose name is not longer", "")
	}
	for value, role := range set.Roles {
		if value == "" || len(value) > maxValue || strings.ContainsFunc(value, unreadable) {
			return invalid("roles", "a value of the claim is named", value)
		}
		if role == "" || user.Validate(&user.User{Username: "trial", Roles: []string{role}}) != nil {
			return invalid("roles", "a role has up to 64 letters, digits and : . _ - /", role)
		}
	}
	return nil
}

func (s *Service) validateSecret(p *Provider) error {
	if p.Kind != LDAP && len(p.Sealed) == 0 {
		if presets[p.Kind].secret {
			return invalid("secret", "this kind of provider needs a secret", "").
				WithHint("give it with --client-secret-stdin or --client-secret-file")
		}
		return nil
	}
	plain, err := s.secretOf(p)
	if err != nil {
		return err
	}
	switch p.Kind {
	case Apple:
		if _, err := applePrivateKey(plain); err != nil {
			return invalid("secret", "the secret of Apple is the private key of the file AuthKey_….p8, in PEM", "")
		}
	case LDAP:
		if s.Directory != nil {
			_, err = s.Directory(p, plain)
		}
		return err
	}
	return nil
}

func invalid(field, why, got string) *fault.Error {
	return fault.New(fault.Invalid, codeInvalid, "The provider cannot be taken: "+why+".").
		Under("provider "+field+" keeps its rules").Compare(field, "", got).About(field, why)
}
