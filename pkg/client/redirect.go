package client

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// maxURI bounds every URI a client registers.
const maxURI = 2048

// privateScheme is a private-use scheme in reverse domain order (RFC 8252
// §7.1): with a dot, so that it cannot be a scheme that browsers run.
var privateScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+$`)

// ValidateRedirectURI checks a redirect URI before it is registered: https;
// http for loopback only; a private-use scheme with a dot for native clients
// only (RFC 8252 §7, RFC 9700 §4.1). No fragment, no user-info, no blank or
// control character, no wildcard in the host. The fault is an
// invalid_redirect_uri.
func ValidateRedirectURI(uri string, t ApplicationType) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	switch {
	case u.Scheme == "https":
		return needHost(uri, u)
	case u.Scheme == "http":
		if !isLoopbackName(u.Hostname()) {
			return badRedirect(uri, "RFC 8252 §7.3 plain http is for loopback only").
				WithHint("use https, or http with 127.0.0.1, [::1] or localhost for development")
		}
		return needHost(uri, u)
	case t == Native && privateScheme.MatchString(u.Scheme):
		if u.Host == "" && u.Path == "" && u.Opaque == "" {
			return badRedirect(uri, "RFC 8252 §7.1 a private-use redirect URI has a path")
		}
		return nil
	case privateScheme.MatchString(u.Scheme):
		return badRedirect(uri, "RFC 8252 §7.1 private-use schemes are for native clients").
			WithHint("register the client with application type native")
	default:
		return badRedirect(uri, "RFC 8252 §7.1 a redirect URI uses https, http on loopback, or a private-use scheme with a dot")
	}
}

// parseURI applies what every registered URI must keep.
func parseURI(uri string) (*url.URL, error) {
	if uri == "" || len(uri) > maxURI {
		return nil, badRedirect(uri, "a redirect URI has 1 to 2048 bytes")
	}
	for i := range len(uri) {
		if b := uri[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>\\^`{|}*", b) >= 0 {
			return nil, badRedirect(uri, "RFC 3986 §2 a URI holds no blank, control or unsafe character and no wildcard")
		}
	}
	if strings.Contains(uri, "#") {
		return nil, badRedirect(uri, "RFC 6749 §3.1.2 a redirect URI has no fragment")
	}
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() {
		return nil, badRedirect(uri, "RFC 6749 §3.1.2 a redirect URI is absolute")
	}
	// The parser lower-cases the scheme. What is compared byte for byte must be
	// what browsers will see.
	if !strings.HasPrefix(uri, u.Scheme+":") {
		return nil, badRedirect(uri, "RFC 3986 §3.1 the scheme is written in lower case")
	}
	if u.User != nil || strings.Contains(u.Host, "@") {
		return nil, badRedirect(uri, "RFC 3986 §3.2.1 a redirect URI carries no user-info")
	}
	return u, nil
}

func needHost(uri string, u *url.URL) error {
	host := u.Hostname()
	if host == "" || strings.HasSuffix(u.Host, ":") || strings.Contains(host, "%") || u.Opaque != "" {
		return badRedirect(uri, "RFC 3986 §3.2.2 the redirect URI has a plain host")
	}
	return nil
}

func badRedirect(uri, rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRedirectURI, "A redirect URI of this client is not acceptable.").
		Under(rule).Compare("redirect_uri", "", uri)
}

// MatchRedirect reports whether sent is a redirect URI of the client, byte by
// byte. The port of a registered http loopback IP literal is free (RFC 8252
// §7.3); nothing else of it may differ: not the scheme, the spelling of the
// host, the path or the query.
func (c *Client) MatchRedirect(sent string) bool {
	if sent == "" || len(sent) > maxURI {
		return false
	}
	for _, have := range c.RedirectURIs {
		if have == sent {
			return true
		}
	}
	head, tail, ok := loopbackParts(sent)
	if !ok {
		return false
	}
	for _, have := range c.RedirectURIs {
		if h, t, ok := loopbackParts(have); ok && h == head && t == tail {
			return true
		}
	}
	return false
}

// loopbackParts cuts an http URI of a loopback IP literal around its port, as
// bytes: nothing is decoded or normalised before the comparison.
func loopbackParts(uri string) (head, tail string, ok bool) {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	host, port := authority, ""
	switch {
	case strings.HasPrefix(authority, "["):
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", "", false
		}
		host, port = authority[:end+1], authority[end+1:]
	default:
		if i := strings.IndexByte(authority, ':'); i >= 0 {
			host, port = authority[:i], authority[i:]
		}
	}
	if !isLoopbackIP(strings.Trim(host, "[]")) || !validPort(port) || strings.Contains(tail, "#") {
		return "", "", false
	}
	return host, tail, true
}

// validPort accepts nothing, or a colon with a decimal port from 1 to 65535.
func validPort(p string) bool {
	if p == "" {
		return true
	}
	digits := p[1:]
	if p[0] != ':' || digits == "" || len(digits) > 5 || digits[0] == '0' {
		return false
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
		n = n*10 + int(digits[i]-'0')
	}
	return n <= 65535
}
