// Package web is the HTTP kit that every page and endpoint is served with: it
// turns errors into pages or JSON, sets the security headers, knows the
// client's address, keeps cookies and form tokens, draws pages, and bounds
// what strangers send. It knows no feature and lists no route.
//
// Local paths: everywhere in this kit a local path is below the issuer, such
// as "/login?flow=x". An issuer with a path of its own is put in front by the
// kit, never by the caller.
package web

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/templates"
)

// A Handler serves a request or returns the error to answer with. It must not
// have written anything when it returns an error.
type Handler func(w http.ResponseWriter, r *http.Request) error

// A Recorder keeps why a request was refused, for explain. It must not block
// the request; r is read only.
type Recorder interface {
	Refused(ctx context.Context, r *http.Request, err *fault.Error)
}

// Config holds what a Kit needs.
type Config struct {
	// Issuer is the configured issuer: the source of every URL, of the base
	// path, and of whether cookies are Secure. Never taken from a request.
	Issuer *url.URL
	// Templates are the pages; nil: as Portico ships them.
	Templates *templates.Set
	// TrustedProxies may tell the client's address in X-Forwarded-For.
	TrustedProxies []netip.Prefix
	// FormKey keys the form tokens; at least 32 bytes, the same on every
	// instance. A key of its own is derived from it.
	FormKey []byte
	// Explain records refusals; nil: nobody does.
	Explain Recorder
	// Log takes one line per request; nil: slog.Default().
	Log *slog.Logger
	// Limits bound requests; zero fields take the defaults.
	Limits Limits
}

// Kit serves pages and endpoints. It is safe for concurrent use.
type Kit struct {
	cfg     Config
	base    string // path of the issuer, without a slash at the end
	origin  string // scheme://host[:port] of the issuer
	secure  bool   // the issuer is https
	formKey []byte
	cross   *http.CrossOriginProtection

	// Cookies are the cookies of this issuer.
	Cookies Cookies
}

// New checks the configuration and returns a kit.
func New(cfg Config) (*Kit, error) {
	if cfg.Issuer == nil || cfg.Issuer.Host == "" {
		return nil, errors.New("web: the issuer has no host")
	}
	if cfg.Issuer.Scheme != "https" && cfg.Issuer.Scheme != "http" {
		return nil, fmt.Errorf("web: the issuer is %s, want https or http", cfg.Issuer.Scheme)
	}
	if len(cfg.FormKey) < sha256.Size {
		return nil, fmt.Errorf("web: the form key has %d bytes, want at least %d", len(cfg.FormKey), sha256.Size)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Templates == nil {
		cfg.Templates = templates.Standard()
	}
	cfg.Limits = cfg.Limits.withDefaults()
	k := &Kit{cfg: cfg, secure: cfg.Issuer.Scheme == "https"}
	k.base = strings.TrimRight(cfg.Issuer.EscapedPath(), "/")
	k.origin = originOf(cfg.Issuer)
	k.Cookies = newCookies(k.secure)
	key, err := hkdf.Key(sha256.New, cfg.FormKey, nil, "portico form token", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("web: derive the form key: %w", err)
	}
	k.formKey = key
	k.cross = http.NewCrossOriginProtection()
	if err := k.cross.AddTrustedOrigin(k.origin); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return k, nil
}

// originOf writes the origin as browsers do: lower case, no default port
// (RFC 6454 §6.2).
func originOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// URL returns the absolute URL of a local path, from the configured issuer.
func (k *Kit) URL(path string) string { return k.origin + k.base + path }

// At returns a local path with the issuer's own path in front, for Location
// headers and links outside of templates.
func (k *Kit) At(path string) string { return k.base + path }
