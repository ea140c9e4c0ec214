package web

import (
	"context"
	"net/http"
	"sync"

	"github.com/portico-id/portico/templates"
)

// preferred holds what a handler found out while it served the request, so
// that every page of it, the error page included, speaks one language and
// wears one look.
type preferred struct {
	set     *templates.Set
	mu      sync.Mutex
	locales []string // ui_locales
	account string   // the locale of the person
	client  string   // the application that asks
}

type preferredKey struct{}

// withPreferred makes room for Prefer, PreferAccount and About; Trail does so
// for every request.
func (k *Kit) withPreferred(ctx context.Context) context.Context {
	return context.WithValue(ctx, preferredKey{}, &preferred{set: k.cfg.Templates})
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

// About notes the application that the request turned out to be about: where
// the operator gave it a look of its own, its pages wear it.
func About(ctx context.Context, clientID string) {
	p, ok := ctx.Value(preferredKey{}).(*preferred)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client = clientID
}

func about(r *http.Request) string {
	p, ok := r.Context().Value(preferredKey{}).(*preferred)
	if !ok {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.client
}

// Lang returns the language to speak: the first of uiLocales, or of those
// noted by Prefer, that the pages speak; else the person's, noted by
// PreferAccount; else what the browser accepts; else English.
func Lang(r *http.Request, uiLocales ...string) templates.Lang {
	set := templates.Standard()
	if p, ok := r.Context().Value(preferredKey{}).(*preferred); ok {
		set = p.set
	}
	locales, account, accept := speech(r)
	if len(uiLocales) > 0 {
		locales = uiLocales
	}
	return set.Negotiate(locales, account, accept)
}

// speech returns what is known of the languages of the person.
func speech(r *http.Request) (locales []string, account, accept string) {
	accept = r.Header.Get("Accept-Language")
	p, ok := r.Context().Value(preferredKey{}).(*preferred)
	if !ok {
		return nil, "", accept
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locales, p.account, accept
}
