package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

// Refusals keeps why a request was refused. Record never blocks.
type Refusals interface {
	Record(ctx context.Context, r explain.Refusal)
}

// Edge turns the errors of protocol endpoints into answers. Its zero value
// works and keeps no refusals.
type Edge struct {
	// Refusals keeps each refusal for explain. Nil: none.
	Refusals Refusals
	// RetryAfter is told to callers when a dependency is down and nobody knows
	// better; default 2 seconds.
	RetryAfter time.Duration
}

// Handle serves fn and writes the error that it returns.
func (e *Edge) Handle(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			e.WriteError(w, r, err)
		}
	})
}

// errorBody is the error answer of RFC 6749 §5.2.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// WriteError answers with the JSON error of RFC 6749 §5.2: the status and
// code of the fault in err's chain (see Fault), its public sentence with the
// request id at the end, no-store, a challenge on every 401 (RFC 9110
// §15.5.2), Retry-After on 429 and 503. The refusal is kept for explain.
func (e *Edge) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	f := Fault(err)
	code, status := f.Code, f.Kind.Status()
	if m, ok := errors.AsType[*methodError](err); ok {
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", strings.Join(m.allow, ", "))
	}
	id := trail.ID(r.Context())
	body := errorBody{Error: code, Description: Describe(f.Say, id)}
	// An endpoint that knows more, such as the scope that is missing (RFC 6750
	// §3), has written its own challenge.
	if challenge := challengeFor(f, status, body.Description); challenge != "" && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter(f)))
	}
	if code == codeMissingToken {
		body.Error = protocol.ErrInvalidToken
	}
	e.note(r, f, status)
	_ = WriteJSON(w, status, body) // the caller is gone when it fails
}

func (e *Edge) retryAfter(f *fault.Error) int {
	d := f.RetryAfter
	if d <= 0 {
		d = e.RetryAfter
	}
	if d <= 0 {
		d = 2 * time.Second
	}
	return max(1, int((d+time.Second-1)/time.Second))
}

// note keeps the refusal and the facts of the wide log line.
func (e *Edge) note(r *http.Request, f *fault.Error, status int) {
	ctx := r.Context()
	trail.Set(ctx, "error", f.Code)
	if f.Rule != "" {
		trail.Set(ctx, "rule", f.Rule)
	}
	if f.Cause != nil {
		trail.Set(ctx, "cause", fault.Clip(f.Cause.Error()))
	}
	if e.Refusals == nil {
		return
	}
	t := trail.From(ctx)
	refusal := explain.Refusal{
		RequestID: trail.ID(ctx), At: clock.Now().UTC(), Method: r.Method, Path: r.URL.Path, Status: status,
		Code: f.Code, Say: f.Say, Rule: f.Rule, Compared: f.Compared, Hint: f.Hint,
		ClientID: t.Get("client_id"), UserID: t.Get("user_id"),
	}
	if f.Cause != nil {
		refusal.Cause = fault.Clip(f.Cause.Error())
	}
	if t != nil && t.Remote.IsValid() {
		refusal.Remote = t.Remote.String()
	}
	e.Refusals.Record(ctx, refusal)
}

// codeMissingToken marks a resource request without any token: it is answered
// 401 with a bare challenge, because nothing was wrong with what was not sent
// (RFC 6750 §3.1).
const codeMissingToken = "missing_token"

// MissingToken is the fault of a request to a protected resource without an
// access token.
func MissingToken() *fault.Error {
	return fault.New(fault.Unauthenticated, codeMissingToken, "An access token is needed.").
		Under("RFC 6750 §2 the request carries an access token")
}

// challengeFor returns the WWW-Authenticate value, or "".
func challengeFor(f *fault.Error, status int, description string) string {
	switch {
	case f.Code == codeMissingToken:
		return `Bearer realm="portico"`
	case f.Code == protocol.ErrInvalidToken, f.Code == protocol.ErrInsufficientScope:
		return fmt.Sprintf(`Bearer realm="portico", error="%s", error_description="%s"`, f.Code, description)
	case status == http.StatusUnauthorized:
		return `Basic realm="portico", charset="UTF-8"`
	default:
		return ""
	}
}

// Describe joins a public sentence and the request id within the characters
// that RFC 6749 §5.2 allows: printable ASCII without quote and backslash.
func Describe(say, requestID string) string {
	if requestID != "" {
		say = strings.TrimSpace(say + " (request " + requestID + ")")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, say)
}

// WriteJSON writes v as a JSON answer that nobody may keep (RFC 6749 §5.1).
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return writeBytes(w, status, body)
}

func writeBytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
