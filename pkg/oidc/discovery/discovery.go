// Package discovery publishes what this server is and does: the two well-known
// documents and the key set. Bytes and ETag are prepared when something
// changes, so that a request costs one write and asks no store. It decides
// nothing that the document says.
package discovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// keepFor is how long a reader may keep the documents.
const keepFor = 5 * time.Minute

// Document is the metadata of one issuer, ready to be sent. It is safe for
// concurrent use.
type Document struct {
	cfg     Config
	current atomic.Pointer[prepared] // replaced whole, never edited
}

// prepared is an answer that only has to be written.
type prepared struct {
	scopes []string
	body   []byte
	etag   string
}

// New checks the configuration and prepares the document, with the scopes of
// no API yet.
func New(cfg Config) (*Document, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d := &Document{cfg: cfg}
	if err := d.SetScopes(nil); err != nil {
		return nil, err
	}
	return d, nil
}

// SetScopes replaces the scopes of APIs in the document. The order given is
// kept, duplicates are dropped.
func (d *Document) SetScopes(apiScopes []string) error {
	var scopes []string
	for _, s := range apiScopes {
		if !slices.Contains(scopes, s) && !slices.Contains(d.cfg.OwnScopes, s) {
			scopes = append(scopes, s)
		}
	}
	if had := d.current.Load(); had != nil && slices.Equal(had.scopes, scopes) {
		return nil
	}
	body, err := json.Marshal(metadata(d.cfg, scopes))
	if err != nil {
		return fmt.Errorf("discovery: encode metadata: %w", err)
	}
	sum := sha256.Sum256(body)
	d.current.Store(&prepared{scopes: scopes, body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`})
	return nil
}

// Run asks for the scopes of APIs now and then every interval until ctx ends.
// While they cannot be had the document stays as it is: discovery answers
// with every store down.
func (d *Document) Run(ctx context.Context, every time.Duration, apiScopes func(context.Context) ([]string, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if scopes, err := apiScopes(ctx); err == nil {
			_ = d.SetScopes(scopes) // strings always encode
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Serve answers with the document: the same for OpenID Connect and for OAuth,
// in every place that Paths names.
func (d *Document) Serve(w http.ResponseWriter, r *http.Request) error {
	p := d.current.Load()
	return serve(w, r, p.body, p.etag, keepFor)
}

// Keys is where the key set comes from; keyring.Ring is one.
type Keys interface {
	JWKS() (body []byte, etag string, maxAge time.Duration)
}

// KeySet serves the JWK Set (RFC 7517 §5).
func KeySet(keys Keys) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, etag, maxAge := keys.JWKS()
		return serve(w, r, body, etag, maxAge)
	}
}

func serve(w http.ResponseWriter, r *http.Request, body []byte, etag string, maxAge time.Duration) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return oauth.WrongMethod(http.MethodGet, http.MethodHead)
	}
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(maxAge/time.Second)))
	h.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the caller is gone when it fails
	}
	return nil
}

// matches compares weakly (RFC 9110 §13.1.2).
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for candidate := range strings.SplitSeq(field, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// Paths returns every path on the host of the issuer where the document is
// looked for, each without a redirect: behind the issuer's own path (OIDC
// Discovery §4), and for an issuer with a path also inserted before it
// (RFC 8414 §3.1), because clients differ.
func Paths(issuer *url.URL) []string {
	own := strings.TrimRight(issuer.EscapedPath(), "/")
	paths := []string{own + protocol.PathOpenIDConfiguration, own + protocol.PathOAuthServer}
	if own != "" {
		paths = append(paths, protocol.PathOpenIDConfiguration+own, protocol.PathOAuthServer+own)
	}
	return paths
}
