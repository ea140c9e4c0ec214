package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// An ErrorWriter answers with a fault. status is err.Kind's, unless the error
// was given another one by WithStatus.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, status int, err error)

// With serves h and answers its errors by write, after they were recorded. A
// panic of h becomes an Internal fault. It is the one place of the product
// where errors become answers; Pages and API are With with a writer of this
// kit, and the protocol endpoints bring RFC 6749's.
func (k *Kit) With(write ErrorWriter, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := watch(w)
		k.headers(a.Header())
		err := guard(h, a, r)
		if err == nil {
			return
		}
		k.Refused(r, err)
		if a.status != 0 {
			return // too late to say anything
		}
		clean(a.Header())
		setRetryAfter(a.Header(), fault.As(err))
		write(a, r, StatusOf(err), err)
	})
}

// guard turns a panic into an error that carries value and stack, for the log
// only. http.ErrAbortHandler goes on: it asks for the connection to be cut.
func guard(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
				panic(v)
			}
			err = fault.As(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	return h(w, r)
}

// Refused records err for explain and notes it for the wide log line. With
// calls it; a protocol endpoint that answers an error by redirect calls it
// itself.
func (k *Kit) Refused(r *http.Request, err error) {
	if err == nil {
		return
	}
	f, t := fault.As(err), trail.From(r.Context())
	t.Set("error", f.Code)
	if f.Rule != "" {
		t.Set("rule", f.Rule)
	}
	if f.Cause != nil {
		t.Set("cause", bounded(f.Cause.Error()))
	}
	if k.cfg.Explain != nil {
		k.cfg.Explain.Refused(r.Context(), r, f)
	}
}

// maxCause bounds a cause in the log, in bytes: it may quote a stranger, and
// the stack of a panic is long.
const maxCause = 4 << 10

func bounded(s string) string {
	if len(s) > maxCause {
		return strings.ToValidUTF8(s[:maxCause], "") + "…"
	}
	return s
}

// withStatus gives an error a status that no kind has.
type withStatus struct {
	error
	status int
}

func (e *withStatus) Unwrap() error { return e.error }

// WithStatus gives err an HTTP status other than its kind's, such as 405.
func WithStatus(status int, err error) error { return &withStatus{error: err, status: status} }

// StatusOf returns the HTTP status to answer err with.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*withStatus](err); ok {
		return e.status
	}
	return fault.KindOf(err).Status()
}

// MethodNotAllowed refuses the method and names those that are served
// (RFC 9110 §15.5.6).
func MethodNotAllowed(w http.ResponseWriter, allow string) error {
	w.Header().Set("Allow", allow)
	return WithStatus(http.StatusMethodNotAllowed, fault.New(fault.Invalid, "method_not_allowed",
		"This address does not take that method.").Under("RFC 9110 §15.5.6 the method is served"))
}

// clean removes what a handler may have prepared for its good answer.
func clean(h http.Header) {
	for _, name := range []string{
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
		"ETag", "Last-Modified", "Location", "Expires", "Pragma",
	} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}

// defaultRetryAfter is told to a caller when the fault names no time.
const defaultRetryAfter = 5 * time.Second

// setRetryAfter tells when to come back, in whole seconds rounded up
// (RFC 9110 §10.2.3).
func setRetryAfter(h http.Header, f *fault.Error) {
	if f.Kind != fault.Limited && f.Kind != fault.Unavailable {
		return
	}
	wait := f.RetryAfter
	if wait <= 0 {
		wait = defaultRetryAfter
	}
	h.Set("Retry-After", wholeSeconds(wait))
}
