package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// PasskeyRP returns the relying party id of passkeys and the origins that they
// may be used from. The id is empty when there can be none: an issuer that is
// an IP address is no relying party (WebAuthn §5.1.3).
func (c *Config) PasskeyRP() (id string, origins []string) {
	issuer := c.IssuerURL()
	if issuer == nil || !named(issuer.Hostname()) {
		return "", nil
	}
	id = c.PasskeyRPID
	if id == "" {
		id = issuer.Hostname()
	}
	origins = []string{originOf(issuer)}
	for _, s := range c.PasskeyOrigins {
		if !slices.Contains(origins, s) {
			origins = append(origins, s)
		}
	}
	return id, origins
}

func named(host string) bool {
	_, err := netip.ParseAddr(host)
	return host != "" && err != nil
}

// originOf writes an origin as browsers do (RFC 6454 §6.2).
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return u.Scheme + "://" + strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":80")
}

// PasskeyRoots reads the certificates that vouch for authenticators; nil: none
// is named.
func (c *Config) PasskeyRoots() (*x509.CertPool, error) {
	if c.PasskeyAttestationRoots == "" {
		return nil, nil //nolint:nilnil // none is a value here
	}
	raw, err := os.ReadFile(c.PasskeyAttestationRoots)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}

var aaguid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// checkPasskeys looks at where passkeys may be used, and which.
func (c *Config) checkPasskeys(add func(key, format string, args ...any)) {
	rp := c.checkRP(add)
	for _, s := range c.PasskeyOrigins {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || s != originOf(u) || u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Hostname())):
			add("passkey_origins", "%q is no origin such as https://login.example.com: no path, lower case, no default port", s)
		case rp != "" && !within(u.Hostname(), rp):
			add("passkey_origins", "%q does not belong to passkey_rp_id %s: browsers would refuse", s, rp)
		}
	}
	if _, err := c.PasskeyRoots(); err != nil {
		add("passkey_attestation_roots", "%v", err)
	}
	if c.PasskeyAttestation == "required" && c.PasskeyAttestationRoots == "" {
		add("passkey_attestation_roots", "is empty, and passkey_attestation is required: nothing would vouch for any authenticator")
	}
	if c.PasskeyAttestation != "required" && len(c.PasskeyAAGUIDs) > 0 {
		add("passkey_aaguids", "needs passkey_attestation=required, because the model is otherwise only claimed")
	}
	for _, s := range c.PasskeyAAGUIDs {
		if !aaguid.MatchString(s) {
			add("passkey_aaguids", "%q is no AAGUID such as 00000000-0000-0000-0000-000000000000", s)
		}
	}
}

// checkRP looks at the relying party id, and returns the one in force; empty:
// it is not known, or wrong.
func (c *Config) checkRP(add func(key, format string, args ...any)) string {
	host := ""
	if u, err := url.Parse(c.Issuer); err == nil {
		host = u.Hostname()
	}
	id := c.PasskeyRPID
	switch {
	case id == "":
		if named(host) {
			return host
		}
		return ""
	case id != strings.ToLower(id) || !named(id) || strings.ContainsAny(id, ":/ @"):
		add("passkey_rp_id", "%q is no host name in lower case", id)
		return ""
	case host != "" && !within(host, id):
		add("passkey_rp_id", "%q is neither the host of the issuer nor a registrable domain above it: browsers would refuse", id)
		return ""
	}
	return id
}

// within reports whether pages of the host may use the relying party id: it is
// the host, or a domain above it that somebody can register (WebAuthn §5.1.3).
func within(host, id string) bool {
	if host == id {
		return named(host)
	}
	_, err := publicsuffix.EffectiveTLDPlusOne(id)
	return err == nil && strings.HasSuffix(host, "."+id)
}
