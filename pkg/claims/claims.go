// Package claims says what is told about a person, to whom: the claims of
// each scope, those requested one by one, and their JSON types. It reads no
// store and signs nothing.
package claims

import (
	"slices"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
)

// A source is one claim: the scope that gives it and how it is read. read
// returns nil for a claim that the person does not have.
type source struct {
	name  string
	scope string
	read  func(*user.User) any
}

// sources are the standard claims of OIDC Core §5.1 by the scope of §5.4,
// and roles.
var sources = []source{
	{"name", protocol.ScopeProfile, func(u *user.User) any { return text(u.Name) }},
	{"family_name", protocol.ScopeProfile, func(u *user.User) any { return text(u.FamilyName) }},
	{"given_name", protocol.ScopeProfile, func(u *user.User) any { return text(u.GivenName) }},
	{"middle_name", protocol.ScopeProfile, func(u *user.User) any { return text(u.MiddleName) }},
	{"nickname", protocol.ScopeProfile, func(u *user.User) any { return text(u.Nickname) }},
	{"preferred_username", protocol.ScopeProfile, func(u *user.User) any { return text(u.Username) }},
	{"profile", protocol.ScopeProfile, func(u *user.User) any { return text(u.Profile) }},
	{"picture", protocol.ScopeProfile, func(u *user.User) any { return text(u.Picture) }},
	{"website", protocol.ScopeProfile, func(u *user.User) any { return text(u.Website) }},
	{"gender", protocol.ScopeProfile, func(u *user.User) any { return text(u.Gender) }},
	{"birthdate", protocol.ScopeProfile, func(u *user.User) any { return text(u.Birthdate) }},
	{"zoneinfo", protocol.ScopeProfile, func(u *user.User) any { return text(u.Zoneinfo) }},
	{"locale", protocol.ScopeProfile, func(u *user.User) any { return text(u.Locale) }},
	{"updated_at", protocol.ScopeProfile, updatedAt},
	{"email", protocol.ScopeEmail, func(u *user.User) any { return text(u.Email) }},
	{"email_verified", protocol.ScopeEmail, func(u *user.User) any { return flag(u.Email, u.EmailVerified) }},
	{"address", protocol.ScopeAddress, address},
	{"phone_number", protocol.ScopePhone, func(u *user.User) any { return text(u.PhoneNumber) }},
	{"phone_number_verified", protocol.ScopePhone, func(u *user.User) any { return flag(u.PhoneNumber, u.PhoneNumberVerified) }},
	{"roles", protocol.ScopeRoles, roles},
}

// ScopeClaims returns the claims that the scope gives (OIDC Core §5.4); none
// for a scope that gives no claims.
func ScopeClaims(scope string) []string {
	var names []string
	for _, s := range sources {
		if s.scope == scope {
			names = append(names, s.name)
		}
	}
	return names
}

// ScopeOf returns the scope that gives the claim, or "" for a claim that no
// scope gives.
func ScopeOf(claim string) string {
	for _, s := range sources {
		if s.name == claim {
			return s.scope
		}
	}
	return ""
}

// Supported returns every claim that Portico can supply, for discovery
// (OIDC Discovery §3 claims_supported).
func Supported() []string {
	names := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash"}
	for _, s := range sources {
		names = append(names, s.name)
	}
	return names
}

// ForUserinfo returns what userinfo tells: sub, the claims of the granted
// scopes, and those requested one by one. A claim without a value is left
// out, never null or empty.
func ForUserinfo(u *user.User, scopes []string, req *Requested) map[string]any {
	out := map[string]any{"sub": u.ID}
	collect(out, u, func(s source) bool {
		return slices.Contains(scopes, s.scope) || req.inUserinfo(s.name)
	})
	return out
}

// ForIDToken returns what an ID token tells about the person besides the
// protocol's own claims: only what the claims parameter asks of it, or for a
// client that wants its profile there, the claims of the granted scopes. In
// the code flow these belong to userinfo (OIDC Core §5.4). The result has no
// sub: the engine owns it.
func ForIDToken(u *user.User, c *client.Client, scopes []string, req *Requested) map[string]any {
	out := map[string]any{}
	collect(out, u, func(s source) bool {
		return req.inIDToken(s.name) || c.ProfileInIDToken && slices.Contains(scopes, s.scope)
	})
	return out
}

func collect(out map[string]any, u *user.User, wanted func(source) bool) {
	for _, s := range sources {
		if !wanted(s) {
			continue
		}
		if v := s.read(u); v != nil {
			out[s.name] = v
		}
	}
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// flag is told only beside the value it speaks of, and is a JSON boolean.
func flag(of string, v bool) any {
	if of == "" {
		return nil
	}
	return v
}

// updatedAt is a number of seconds (OIDC Core §5.1).
func updatedAt(u *user.User) any {
	if u.UpdatedAt.IsZero() {
		return nil
	}
	return u.UpdatedAt.Unix()
}

func address(u *user.User) any {
	if u.Address == (user.Address{}) {
		return nil
	}
	return u.Address
}

func roles(u *user.User) any {
	if len(u.Roles) == 0 {
		return nil
	}
	return slices.Clone(u.Roles)
}
