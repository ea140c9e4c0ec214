package scope

import (
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of scopes and APIs.
const (
	maxAudience = 512 // bytes
	maxScopes   = 100 // of one request, and of one API
	maxScope    = 128 // bytes of one name
	maxText     = 240 // bytes of a name or description that people read
)

// maxTokenTTL bounds the life of an access token: what is longer cannot be
// revoked at resource servers that validate offline.
const maxTokenTTL = 24 * time.Hour

// Parse reads a scope parameter (RFC 6749 §3.3): names of visible ASCII
// without quote and backslash, one space between two. An empty value is the
// same as none (§3.1). Repeated names are returned once. The fault is
// invalid_scope.
func Parse(raw string) ([]string, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.Count(raw, " ") >= maxScopes {
		return nil, badScope("RFC 6749 §3.3 the number of scopes is bounded", "").
			WithHint("At most %d scopes in one request.", maxScopes)
	}
	var out []string
	for name := range strings.SplitSeq(raw, " ") {
		if !ValidName(name) {
			return nil, badScope("RFC 6749 §3.3 scope syntax", name).
				WithHint("Names of at most %d visible ASCII characters, separated by exactly one space.", maxScope)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// ValidName reports whether s is a scope-token of RFC 6749 §3.3 within our
// bound of length.
func ValidName(s string) bool {
	if s == "" || len(s) > maxScope {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// validate checks everything that an operator may set and fills defaults.
func (s *Service) validate(a *API) error {
	if a.Format == "" {
		a.Format = JWT
	}
	switch {
	case !absoluteURI(a.Audience):
		return invalid("audience", a.Audience, "an absolute URI without fragment, user-info or blanks, at most 512 bytes")
	case a.Audience == s.cfg.Issuer:
		return invalid("audience", a.Audience, "another URI than the issuer's, which is Portico's own")
	case !shortText(a.Name):
		return invalid("name", a.Name, "at most 240 bytes without control characters")
	case a.Format != JWT && a.Format != Opaque:
		return invalid("format", string(a.Format), "jwt or opaque")
	case a.TokenTTL < 0 || a.TokenTTL > maxTokenTTL:
		return invalid("token_ttl", a.TokenTTL.String(), "between 0 (default) and 24h")
	case len(a.Scopes) > maxScopes:
		return invalid("scopes", "", "at most 100")
	}
	seen := map[string]bool{}
	for _, sc := range a.Scopes {
		switch {
		case !ValidName(sc.Name):
			return invalid("scope", sc.Name, "at most 128 visible ASCII characters without quote and backslash")
		case isOwn(sc.Name):
			return invalid("scope", sc.Name, "another name: Portico itself owns this one")
		case seen[sc.Name]:
			return invalid("scope", sc.Name, "each name once")
		case !shortText(sc.Description):
			return invalid("scope description", sc.Description, "at most 240 bytes without control characters")
		}
		seen[sc.Name] = true
	}
	return nil
}

func shortText(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

func invalid(field, got, want string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The API is not valid: "+field+" must be "+want+".").
		Under("RFC 8707 §2 an API has an audience and scopes").Compare(field, want, got)
}
