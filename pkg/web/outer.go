package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// Outer puts around a whole server what every request passes, in this order:
// Trail, AccessLog, Recover, Limit.
func (k *Kit) Outer(next http.Handler) http.Handler {
	return k.Trail(k.AccessLog(k.Recover(k.Limit(next))))
}

// maxAgent bounds the User-Agent in records, in bytes.
const maxAgent = 256

// Trail gives the request an id of ours, tells it in X-Request-Id, finds the
// client's address, and tells what the counters said that were asked. What the caller sent in X-Request-Id is ignored.
func (k *Kit) Trail(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &trail.Trail{
			ID:        secret.ID(),
			Started:   time.Now(),
			Remote:    k.remote(r),
			UserAgent: fault.Clip(r.UserAgent()[:min(len(r.UserAgent()), maxAgent)]),
			Method:    fault.Clip(r.Method),
			Path:      fault.Clip(r.URL.EscapedPath()),
		}
		w.Header().Set("X-Request-Id", t.ID)
		ctx, quotas := limit.Open(k.withPreferred(trail.With(r.Context(), t)))
		a := watch(w)
		a.quotas = quotas
		next.ServeHTTP(a, r.WithContext(ctx))
	})
}

// AccessLog writes one wide line when the request is over: what Trail knows,
// the facts noted meanwhile, status, bytes and duration. Never the query, a
// header or a body: they hold codes, tokens and passwords.
func (k *Kit) AccessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := watch(w)
		defer func() { k.logLine(r, a) }()
		next.ServeHTTP(a, r)
	})
}

func (k *Kit) logLine(r *http.Request, a *answer) {
	t := trail.From(r.Context())
	if t == nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", t.ID),
		slog.String("method", t.Method),
		slog.String("path", t.Path),
		slog.Int("status", a.status),
		slog.Int64("bytes", a.bytes),
		slog.Float64("ms", float64(time.Since(t.Started).Microseconds())/1000),
		slog.String("remote", remoteText(t.Remote)),
		slog.String("agent", t.UserAgent),
	}
	if r.Context().Err() != nil {
		attrs = append(attrs, slog.Bool("aborted", true)) // the caller went away
	}
	level := slog.LevelInfo
	if a.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	k.cfg.Log.LogAttrs(r.Context(), level, "request", append(attrs, t.Facts()...)...)
}

// remoteText writes the address, or nothing for a peer without one.
func remoteText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// Recover answers 500 when something outside of With panics. Value and stack
// go to the log only.
func (k *Kit) Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := watch(w)
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
				panic(v)
			}
			k.fail(a, r, fault.As(fmt.Errorf("panic: %v\n%s", v, debug.Stack())))
		}()
		next.ServeHTTP(a, r)
	})
}

// fail answers with an error outside of With.
func (k *Kit) fail(a *answer, r *http.Request, err error) {
	k.Refused(r, err)
	if a.status != 0 {
		return
	}
	k.headers(a.Header())
	clean(a.Header())
	setRetryAfter(a.Header(), fault.As(err))
	k.WriteErrorFor(a, r, StatusOf(err), err)
}
