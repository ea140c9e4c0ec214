package web

import (
	"context"
	"net/http"
)

// What the scripts of registered clients may send and see (RFC 6749 clients
// in browsers, RFC 9449, MCP).
const (
	corsMethods = "GET, POST, PUT, DELETE, OPTIONS"
	corsHeaders = "Authorization, Content-Type, DPoP, MCP-Protocol-Version"
	corsExpose  = "WWW-Authenticate, DPoP-Nonce, Retry-After, X-Request-Id, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
	corsMaxAge  = "600" // seconds
	maxOrigin   = 256   // bytes
)

// CORSAny lets every website read the answers: for discovery and the key set,
// which hold nothing that is not public. Never with credentials.
func CORSAny(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "ETag, X-Request-Id")
		if preflight(r) {
			allow(w.Header(), "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CORSClients lets the websites of registered clients read the answers, errors
// too: for token, userinfo, revocation and registration. originAllowed is
// asked for the union of all registered origins, because a preflight names no
// client. Never with credentials. A request of another origin is served
// without the headers, so its script learns nothing.
func CORSClients(originAllowed func(ctx context.Context, origin string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		allowed := origin != "" && origin != "null" && len(origin) <= maxOrigin &&
			originAllowed(r.Context(), origin)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", corsExpose)
		}
		if preflight(r) {
			h.Add("Vary", "Access-Control-Request-Method")
			h.Add("Vary", "Access-Control-Request-Headers")
			if allowed {
				allow(h, corsMethods)
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allow(h http.Header, methods string) {
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
}

// preflight tells a CORS preflight from an OPTIONS that somebody sends by hand
// (Fetch §4.8).
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}
