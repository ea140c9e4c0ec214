package web

import (
	"context"
	"net/http"
	"sync"

	"github.com/portico-id/portico/templates"
)

// preferred holds the ui_locales that a handler found out while it served the
// request, so that its error page speaks the same language.
type preferred struct {
	mu      sync.Mutex
	locales []string
}

type preferredKey struct{}

// withPreferred makes room for Prefer; Trail does so for every request.
func withPreferred(ctx context.Context) context.Context {
	return context.WithValue(ctx, preferredKey{}, &preferred{})
}

// Prefer notes the ui_locales of the authorization request (OIDC Core
// §3.1.2.1) for every page drawn for this request, the error page included.
// An empty list changes nothing.
func Prefer(r *http.Request, uiLocales ...string) {
	p, ok := r.Context().Value(preferredKey{}).(*preferred)
	if !ok || len(uiLocales) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.locales = append([]string(nil), uiLocales...)
}

// Lang returns the language to speak: the first of uiLocales, or of those
// noted by Prefer, that the catalogue has; else what the browser accepts; else
// English.
func Lang(r *http.Request, uiLocales ...string) templates.Lang {
	if len(uiLocales) == 0 {
		if p, ok := r.Context().Value(preferredKey{}).(*preferred); ok {
			p.mu.Lock()
			uiLocales = p.locales
			p.mu.Unlock()
		}
	}
	return templates.Negotiate(uiLocales, r.Header.Get("Accept-Language"))
}
