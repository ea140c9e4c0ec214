package web

import (
	"context"
	"net/http"
	"sync"

	"github.com/portico-id/portico/templates"
)

// preferred holds what a handler found out about languages while it served
// the request, so that its error page speaks the same one.
type preferred struct {
	mu      sync.Mutex
	locales []string // ui_locales
	account string   // the locale of the person
}

type preferredKey struct{}

// withPreferred makes room for Prefer and PreferAccount; Outer does so for
// every request.
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

// PreferAccount notes the locale of the person whom the request turned out to
// be about, in place of anybody's before: who is signed in in this browser, or
// whose form was just accepted. Empty: that person never chose one.
func PreferAccount(ctx context.Context, locale string) {
	p, ok := ctx.Value(preferredKey{}).(*preferred)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.account = locale
}

// Lang returns the language to speak: the first of uiLocales, or of those
// noted by Prefer, that the catalogue has; else the person's, noted by
// PreferAccount; else what the browser accepts; else English.
func Lang(r *http.Request, uiLocales ...string) templates.Lang {
	var account string
	if p, ok := r.Context().Value(preferredKey{}).(*preferred); ok {
		p.mu.Lock()
		if account = p.account; len(uiLocales) == 0 {
			uiLocales = p.locales
		}
		p.mu.Unlock()
	}
	return templates.Negotiate(uiLocales, account, r.Header.Get("Accept-Language"))
}
