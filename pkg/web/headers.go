package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Policy is a Content-Security-Policy, by what it adds to the strict one of
// every answer: scripts and styles from our own files, nothing else from
// anywhere, in no frame.
type Policy struct {
	// Images are absolute URLs whose origins may show pictures.
	Images []string
	// Connect lets scripts of the page call this server.
	Connect bool
	// Private adds form-action 'self' and COOP same-origin: for the account
	// and admin pages. Never on flow pages: browsers apply form-action to the
	// redirects that follow a form, and COOP breaks logins in a popup.
	Private bool
}

// Set writes the policy, in place of the one that was there.
func (p Policy) Set(h http.Header) {
	h.Set("Content-Security-Policy", p.String())
	if p.Private {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}

// String returns the header value.
func (p Policy) String() string {
	var b strings.Builder
	b.WriteString("default-src 'none'; script-src 'self'; style-src 'self'; ")
	b.WriteString(imageSources(p.Images))
	if p.Connect {
		b.WriteString("; connect-src 'self'")
	}
	b.WriteString("; base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
	if p.Private {
		b.WriteString("; form-action 'self'")
	}
	return b.String()
}

// imageSources writes the img-src directive for the origins of the URLs.
func imageSources(images []string) string {
	sources := []string{"img-src 'self'"}
	for _, s := range images {
		if u, err := url.Parse(s); err == nil && sourceSafe(u) && !slices.Contains(sources, originOf(u)) {
			sources = append(sources, originOf(u))
		}
	}
	return strings.Join(sources, " ")
}

// showImages lets the page that is about to be sent show the images, and
// leaves the rest of its policy as it is.
func showImages(h http.Header, images []string) {
	policy := h.Get("Content-Security-Policy")
	h.Set("Content-Security-Policy", strings.Replace(policy, imageSources(nil), imageSources(images), 1))
}

// sourceSafe keeps a stranger's host from ending the directive it stands in.
func sourceSafe(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(u.Host, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`;,'"*\`, r)
		})
}

var strictPolicy = Policy{}.String()

// headers sets what every answer carries.
func (k *Kit) headers(h http.Header) {
	h.Set("Content-Security-Policy", strictPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if k.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Headers sets the security headers around a plain handler, such as discovery
// and the key set, that writes its own errors. Caching is the handler's.
func (k *Kit) Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.headers(w.Header())
		next.ServeHTTP(w, r)
	})
}
