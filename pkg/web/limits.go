package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
)

// Limits bound a request. Zero fields take the defaults.
type Limits struct {
	URL    int   // bytes of path and query; default 16 KiB
	Header int   // bytes of all header names and values; default 32 KiB
	Body   int64 // bytes; default 128 KiB
}

func (l Limits) withDefaults() Limits {
	if l.URL <= 0 {
		l.URL = 16 << 10
	}
	if l.Header <= 0 {
		l.Header = 32 << 10
	}
	if l.Body <= 0 {
		l.Body = 128 << 10
	}
	return l
}

// methods are those that some endpoint may know. TRACE, CONNECT and what
// nobody has heard of reach none: a router would say that the address is not
// there.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// Limit refuses what is too long, compressed or multipart bodies, and every
// method besides methods, before anything is read or looked up.
func (k *Kit) Limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			// net/http reads the chunks and forgets a Content-Length beside
			// them. A proxy that went by the length holds the rest for a
			// request of its own, so nothing more is read from this
			// connection (RFC 9112 §6.1).
			w.Header().Set("Connection", "close")
		}
		if err := k.bounds(w, r); err != nil {
			k.fail(watch(w), r, err)
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(unwrapped(w), r.Body, k.cfg.Limits.Body)
		}
		next.ServeHTTP(w, r)
	})
}

// unwrapped returns the server's own writer: MaxBytesReader tells it to close
// the connection after a body that was too large.
func unwrapped(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}

func (k *Kit) bounds(w http.ResponseWriter, r *http.Request) error {
	l := k.cfg.Limits
	switch {
	case !slices.Contains(methods, r.Method):
		return MethodNotAllowed(w, "GET, HEAD, POST, OPTIONS")
	case len(r.URL.Path) > l.URL || len(r.RequestURI) > l.URL || len(r.URL.RawQuery) > l.URL:
		return WithStatus(http.StatusRequestURITooLong,
			fault.New(fault.TooLarge, "uri_too_long", "This address is too long."))
	case headerSize(r.Header) > l.Header:
		return WithStatus(http.StatusRequestHeaderFieldsTooLarge,
			fault.New(fault.TooLarge, "headers_too_large", "The headers of this request are too long."))
	case r.ContentLength > l.Body:
		return fault.New(fault.TooLarge, "too_large", "This is more than we can take.")
	}
	return bodyType(r)
}

func headerSize(h http.Header) int {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	return size
}

// bodyType refuses bodies that cost more than their length says, and those
// that no endpoint takes.
func bodyType(r *http.Request) error {
	refused := fault.New(fault.Invalid, "unsupported_media_type", "Bodies of this type are not taken.")
	for _, coding := range r.Header["Content-Encoding"] {
		if c := strings.TrimSpace(coding); c != "" && !strings.EqualFold(c, "identity") {
			return WithStatus(http.StatusUnsupportedMediaType, refused.Compare("Content-Encoding", "identity", c))
		}
	}
	if len(r.Header["Content-Type"]) > 1 {
		return WithStatus(http.StatusUnsupportedMediaType, refused.Compare("Content-Type", "one", "several"))
	}
	kind := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Type")))
	if strings.HasPrefix(kind, "multipart/") {
		return WithStatus(http.StatusUnsupportedMediaType, refused.Compare("Content-Type", "no multipart", kind))
	}
	return nil
}
