package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// maxLocalPath bounds a local path with its query, in bytes.
const maxLocalPath = 2048

// SafeLocalPath reports whether s is a path on this server and nothing else:
// no host, no scheme, no backslash, no control character, no dot segments, no
// fragment. Browsers read "//host" and "/\host" as another server.
func SafeLocalPath(s string) bool {
	if len(s) > maxLocalPath || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	if strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	clean := path.Clean(u.Path) // decoded: also sees %2e%2e and %2f%2f
	return clean == u.Path || clean+"/" == u.Path
}

// safeReturn reports whether s is an absolute http(s) URL without user-info.
// That it is registered is the caller's word.
func safeReturn(s string) bool {
	if len(s) > maxLocalPath || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// LoopbackName sends a GET that came on the other name of this machine
// (localhost, 127.0.0.1, [::1]) to the issuer's name, before any cookie is
// set: browsers keep cookies by name. It acts only when the issuer is on
// loopback and the port is the same, so that a proxy that calls us by another
// port is not sent in circles. Every other method passes.
func (k *Kit) LoopbackName(next http.Handler) http.Handler {
	if !isLoopbackName(k.cfg.Issuer.Hostname()) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method != http.MethodGet && r.Method != http.MethodHead) || !k.otherLoopback(r.Host) ||
			!strings.HasPrefix(r.URL.EscapedPath(), "/") {
			next.ServeHTTP(w, r)
			return
		}
		to := k.origin + r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		k.headers(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
}

// otherLoopback reports whether host is another loopback name with the
// issuer's port.
func (k *Kit) otherLoopback(host string) bool {
	u := url.URL{Scheme: k.cfg.Issuer.Scheme, Host: host}
	return isLoopbackName(u.Hostname()) &&
		!strings.EqualFold(u.Hostname(), k.cfg.Issuer.Hostname()) &&
		portOf(&u) == portOf(k.cfg.Issuer)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

func isLoopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// wantsHTML reports whether the caller asks for a page: browsers name
// text/html first, programs do not.
func wantsHTML(r *http.Request) bool {
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(accept, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/html", "application/xhtml+xml":
			return true
		case "application/json", "*/*":
			return false
		}
	}
	return false
}
