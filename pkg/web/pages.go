package web

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/templates"
)

// Pages serves a page of our own. Errors become a page in the language of the
// person. A POST from another website is refused before h runs (CSRF), and a
// GET on the wrong loopback name is sent to the issuer's.
func (k *Kit) Pages(h Handler) http.Handler {
	return k.OpenPages(k.ours(h))
}

// ours lets no other website post to h.
func (k *Kit) ours(h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := k.cross.Check(r); err != nil {
			return errCrossOrigin.Because(err).
				Compare("origin", k.origin, r.Header.Get("Origin")).
				Compare("Sec-Fetch-Site", "same-origin", r.Header.Get("Sec-Fetch-Site"))
		}
		return h(w, r)
	}
}

var errCrossOrigin = fault.New(fault.Denied, "cross_origin", "This form was sent from another website.").
	Under("OWASP ASVS 3.5.1 a form comes from our own page").
	WithHint("a reverse proxy must pass the Host header on unchanged")

// OpenPages is Pages for endpoints that other websites may post to, such as
// the authorization endpoint and RP-initiated logout. h must not change
// anything by such a POST alone.
func (k *Kit) OpenPages(h Handler) http.Handler {
	return k.LoopbackName(k.With(k.WriteErrorPage, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		return h(w, r)
	}))
}

// Data is Pages for what scripts of our own pages ask: errors are JSON.
func (k *Kit) Data(h Handler) http.Handler {
	return k.With(k.WriteAPIError, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		return k.ours(h)(w, r)
	})
}

// BackLink leads out of an error page, back to the application.
type BackLink struct {
	Err error
	// URL is a local path, or an absolute URL that is registered for the
	// client: never one from the request. Anything else is not shown.
	URL string
	// Name is the name of the application.
	Name string
}

// Error returns the text of the error behind.
func (b *BackLink) Error() string { return b.Err.Error() }

// Unwrap returns the error behind.
func (b *BackLink) Unwrap() error { return b.Err }

// Back wraps err, so that its page leads back.
func Back(err error, url, name string) error { return &BackLink{Err: err, URL: url, Name: name} }

// WriteErrorPage is the ErrorWriter of Pages. A fault of kind Gone says that
// the flow is over. Where even the page fails, a bare one in English answers.
func (k *Kit) WriteErrorPage(w http.ResponseWriter, r *http.Request, status int, err error) {
	f := fault.As(err)
	page := templates.Error{
		Status:    status,
		Code:      f.Code,
		Say:       f.Say,
		Over:      f.Kind == fault.Gone,
		RequestID: trail.ID(r.Context()),
	}
	if b, ok := errors.AsType[*BackLink](err); ok && (SafeLocalPath(b.URL) || safeReturn(b.URL)) {
		page.Back, page.BackName = b.URL, b.Name
	}
	if failed := k.Render(w, r, status, page); failed != nil {
		k.Refused(r, failed)
		http.Error(w, "Portico cannot continue. Request "+page.RequestID, status)
	}
}

// Render draws the page in the language of the person, and in the look of the
// application that it is about, and answers with it.
// When it fails nothing was written.
func (k *Kit) Render(w http.ResponseWriter, r *http.Request, status int, page templates.Page) error {
	var body bytes.Buffer
	frame := templates.Frame{Lang: k.cfg.Templates.Negotiate(speech(r)), Base: k.base, Client: about(r)}
	if err := k.cfg.Templates.Write(&body, frame, page); err != nil {
		return fault.As(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", frame.Lang.Tag())
	h.Set("Cache-Control", "no-store")
	if p, ok := page.(templates.Illustrated); ok {
		if images := p.Images(); len(images) > 0 {
			showImages(h, images)
		}
	}
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the person is gone: nothing left to do
	return nil
}

// SeeOther sends the browser to a local path by GET, also after a POST with
// credentials (303; RFC 9700 §4.12). A path that is not safe is a mistake of
// the caller and becomes an Internal fault.
func (k *Kit) SeeOther(w http.ResponseWriter, _ *http.Request, path string) error {
	if !SafeLocalPath(path) {
		return fault.As(errors.New("web: redirect to a path that is not local"))
	}
	w.Header().Set("Location", k.base+path)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// Unknown answers 404 for every path that no route serves: a page to a
// browser, JSON to everybody else.
func (k *Kit) Unknown() http.Handler {
	return k.With(k.WriteErrorFor, func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.NotFound, "not_found", "There is nothing at this address.")
	})
}

// WriteErrorFor is the ErrorWriter for places that serve both people and
// programs: a page when the caller takes HTML, else JSON.
func (k *Kit) WriteErrorFor(w http.ResponseWriter, r *http.Request, status int, err error) {
	w.Header().Add("Vary", "Accept")
	if wantsHTML(r) {
		k.WriteErrorPage(w, r, status, err)
		return
	}
	k.WriteAPIError(w, r, status, err)
}
