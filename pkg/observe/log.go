// Package observe makes the log, the metrics and the traces of a running
// Portico. It decides where they go and what may never be in them; what is
// noted, each feature decides.
package observe

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/portico-id/portico/pkg/trail"
)

// NewLogger returns the log of the process: one JSON (or text) record per
// line. Request and trace ids are added from the context; values that look
// like secrets of ours are cut out wherever they turn up.
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // unknown stays info; config has checked it
	opts := &slog.HandlerOptions{Level: l, ReplaceAttr: redact}
	var h slog.Handler = slog.NewJSONHandler(w, opts)
	if format == "text" {
		h = slog.NewTextHandler(w, opts)
	}
	return slog.New(contextHandler{h})
}

// contextHandler adds the request id and the trace id.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := trail.ID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

// secretKeys are attribute names whose values never reach a log.
var secretKeys = map[string]bool{
	"password": true, "secret": true, "client_secret": true, "token": true,
	"access_token": true, "refresh_token": true, "id_token": true, "code": true,
	"code_verifier": true, "authorization": true, "cookie": true,
	"client_assertion": true, "assertion": true,
}

// secretMarks begin the secrets that Portico makes, and JWTs.
var secretMarks = []string{"ptc_", "ptac_", "ptrt_", "ptat_", "ptrat_", "ptiat_", "pts_", "ptb_", "ptf_", "ptq_", "eyJ"}

const redacted = "[redacted]"

// redact is the last line of defence, not the first: nobody should log a
// secret, and if somebody does it is cut out here.
func redact(_ []string, a slog.Attr) slog.Attr {
	if secretKeys[strings.ToLower(a.Key)] {
		return slog.String(a.Key, redacted)
	}
	a.Value = a.Value.Resolve()
	var s string
	switch a.Value.Kind() {
	case slog.KindString:
		s = a.Value.String()
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			s = err.Error()
		}
	default:
		return a
	}
	if s == "" {
		return a
	}
	if clean := Redact(s); clean != s {
		return slog.String(a.Key, clean)
	}
	return a
}

// Redact cuts everything out of s that begins like a secret of ours.
func Redact(s string) string {
	for _, mark := range secretMarks {
		from := 0
		for {
			i := strings.Index(s[from:], mark)
			if i < 0 {
				break
			}
			i += from
			if i > 0 && isTokenByte(s[i-1]) { // inside a longer word: no secret begins here
				from = i + len(mark)
				continue
			}
			end := i + len(mark)
			for end < len(s) && isTokenByte(s[end]) {
				end++
			}
			if end-i < 20 { // too short to be a secret
				from = end
				continue
			}
			s = s[:i] + redacted + s[end:]
			from = i + len(redacted)
		}
	}
	return s
}

func isTokenByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.'
}
