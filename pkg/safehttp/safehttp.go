// Package safehttp fetches documents from addresses that strangers gave us,
// such as a client's jwks_uri: public addresses only, checked when the
// connection is made, no redirects, no proxy, bounded in time, size and
// number. It keeps nothing and reads nothing of what it fetched.
package safehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// Config holds what a Client may be told. Zero values take the defaults.
type Config struct {
	// Allow are prefixes that may be reached besides public addresses, and the
	// only ones that plain http is spoken to. IPv4 prefixes do not cover the
	// IPv6 spellings of their addresses.
	Allow []netip.Prefix
	// Timeout is for the whole fetch: lookup, connection, TLS, headers and
	// body. Default and upper limit 5 seconds.
	Timeout time.Duration
	// MaxBytes bounds the body. Default 256 kB.
	MaxBytes int64
	// Parallel bounds the fetches under way; more wait, within Timeout.
	// Default 32.
	Parallel int
	// Header is sent with every fetch, besides what Get says.
	Header http.Header
	// RootCAs verify servers. Nil: those of the system, which honours
	// SSL_CERT_FILE.
	RootCAs *x509.CertPool
	// Resolver looks up names. Nil: the system's.
	Resolver *net.Resolver
}

// Bounds of one fetch.
const (
	maxTimeout  = 5 * time.Second
	maxBody     = 256 << 10
	maxHeader   = 16 << 10
	maxParallel = 32
	maxURL      = 2048
)

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		c.Timeout = maxTimeout
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = maxBody
	}
	if c.Parallel <= 0 {
		c.Parallel = maxParallel
	}
	return c
}

// Client fetches. It is safe for concurrent use and keeps no connections.
type Client struct {
	cfg   Config
	https http.RoundTripper
	http  http.RoundTripper
	slots chan struct{}
}

// New returns a client.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	g := newGuard(cfg.Allow)
	return &Client{
		cfg:   cfg,
		https: transport(cfg, g.public),
		http:  transport(cfg, g.allowed),
		slots: make(chan struct{}, cfg.Parallel),
	}
}

// transport returns a round tripper that opens one connection per fetch, so
// that the name is resolved once and what was checked is what is spoken to.
func transport(cfg Config, check control) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.Timeout, Control: check, Resolver: cfg.Resolver, KeepAlive: -1}
	return &http.Transport{
		Proxy:                  nil, // a proxy would resolve and connect in our place
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		DisableKeepAlives:      true,
		DisableCompression:     true, // a compressed body would be larger than its bound
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Get fetches a document. accept is the Accept header. Anything but a 200
// within the bounds is one and the same fault.Unavailable with code
// fetch_failed: what happened is its cause, for the operator alone, so that
// nobody explores a network through our answers.
func (c *Client) Get(ctx context.Context, address, accept string) (body []byte, header http.Header, err error) {
	body, header, err = c.get(ctx, address, accept)
	if err != nil {
		return nil, nil, neutral(err).Compare("address", "a public https address", withoutQuery(address))
	}
	return body, header, nil
}

// neutral is the only face of a failed fetch.
func neutral(cause error) *fault.Error {
	return fault.Hide(cause, fault.Unavailable, "fetch_failed", "A document at another server could not be fetched.").
		Under("security §9.6 outbound calls reach public addresses, within their bounds").
		WithHint("check that the address answers 200 within 5 seconds; a private address needs PORTICO_OUTBOUND_ALLOW")
}

// withoutQuery keeps what a query may carry out of our records.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

func (c *Client) get(ctx context.Context, address, accept string) ([]byte, http.Header, error) {
	u, err := parse(address)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for a free slot: %w", ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(req.Header, c.cfg.Header)
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "Portico")
	over := c.https
	if u.Scheme == "http" {
		over = c.http
	}
	// A round trip follows no redirects and keeps no cookies.
	res, err := over.RoundTrip(req)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	return c.read(res)
}

func (c *Client) read(res *http.Response) ([]byte, http.Header, error) {
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("answered %d", res.StatusCode)
	}
	if coding := res.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, nil, fmt.Errorf("answered with content coding %q, which was not asked for", fault.Clip(coding))
	}
	if res.ContentLength > c.cfg.MaxBytes {
		return nil, nil, fmt.Errorf("announced %d bytes, at most %d are taken", res.ContentLength, c.cfg.MaxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(body)) > c.cfg.MaxBytes {
		return nil, nil, fmt.Errorf("sent more than %d bytes", c.cfg.MaxBytes)
	}
	return body, res.Header, nil
}

// parse accepts an absolute http or https URL with a host and nothing that
// could mislead who reads it. Whether http is spoken is decided at the dial.
func parse(address string) (*url.URL, error) {
	if len(address) > maxURL {
		return nil, errors.New("address is too long")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("address: %w", err)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("address is neither https nor http")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("address has no host")
	case u.User != nil:
		return nil, errors.New("address carries user-info")
	case strings.Contains(address, "#"):
		return nil, errors.New("address has a fragment")
	}
	return u, nil
}
