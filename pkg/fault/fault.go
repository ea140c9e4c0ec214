// Package fault says what went wrong, as a caller may know it: a kind, a
// stable code, a public sentence, and beside them what only the operator
// sees: the cause, the rule that refused, and the values it compared.
// It writes no answers; web and oauth do.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Kind decides the status code and nothing else.
type Kind int

const (
	None            Kind = iota // no fault
	Internal                    // ours to fix; the caller learns nothing
	Invalid                     // the request cannot be understood or breaks a rule
	Unauthenticated             // who is calling is not proven
	Denied                      // the caller is known and may not
	NotFound                    // there is no such thing, or not for this caller
	Conflict                    // somebody else was first, or the state forbids it
	Gone                        // it was there and is over
	TooLarge                    // the input is above a bound
	Limited                     // too many attempts; RetryAfter says how long to wait
	Unavailable                 // a dependency is down; unsure means no
)

// Status returns the HTTP status of the kind.
func (k Kind) Status() int {
	switch k {
	case None:
		return http.StatusOK
	case Invalid:
		return http.StatusBadRequest
	case Unauthenticated:
		return http.StatusUnauthorized
	case Denied:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Gone:
		return http.StatusGone
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case Limited:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// Error pairs a sentence for the caller with a cause for the log and a rule
// for explain.
type Error struct {
	Kind Kind
	Code string // stable and machine readable: invalid_grant, rate_limited
	Say  string // safe to show, in English; pages translate by Code
	// Cause is never shown to a caller.
	Cause error
	// RetryAfter is meant with Limited and Unavailable; zero means the
	// default of the border (a few seconds).
	RetryAfter time.Duration
	// Rule names the check that refused and begins with its clause, as in the
	// table of checks: "RFC 7636 §4.6 the verifier matches the challenge".
	Rule string
	// Compared are the values the rule looked at, redacted by whoever adds
	// them: never a secret, a token, a code or a password.
	Compared []Value
	// Hint tells the operator what to change.
	Hint string
	// Details name the fields of the caller's input that did not pass. They
	// are shown to the caller, like Say.
	Details []Detail
}

// Detail is one field that did not pass, for the caller.
type Detail struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Value is one thing a rule compared.
type Value struct {
	Name string `json:"name"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// Error joins the public sentence and the private cause: for logs only.
func (e *Error) Error() string {
	s := e.Say
	if e.Code != "" {
		s = e.Code + ": " + s
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns a fault with a code and a public sentence.
func New(kind Kind, code, say string) *Error {
	return &Error{Kind: kind, Code: code, Say: say}
}

// Hide gives err a face: the kind, code and sentence replace its text for the
// caller, and err stays the cause.
func Hide(err error, kind Kind, code, say string) *Error {
	return &Error{Kind: kind, Code: code, Say: say, Cause: err}
}

// Because returns a copy of e with cause behind it.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Under returns a copy of e that names the rule that refused.
func (e *Error) Under(rule string) *Error {
	c := *e
	c.Rule = rule
	return &c
}

// Compare returns a copy of e with one more compared value.
func (e *Error) Compare(name, want, got string) *Error {
	c := *e
	c.Compared = append(append([]Value(nil), e.Compared...), Value{Name: name, Want: Clip(want), Got: Clip(got)})
	return &c
}

// WithHint returns a copy of e that tells the operator what to change.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// About returns a copy of e that names one more field that did not pass.
func (e *Error) About(field, reason string) *Error {
	c := *e
	c.Details = append(append([]Detail(nil), e.Details...), Detail{Field: Clip(field), Reason: reason})
	return &c
}

// After returns a copy of e that asks the caller to wait for d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// KindOf reports the kind of the outermost fault in err's chain. An error
// nobody described is Internal.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf reports the code of the outermost fault in err's chain, or "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// As returns the outermost fault in err's chain; an error nobody described
// becomes an Internal fault with err as its cause. As(nil) is nil.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Internal, Code: "server_error", Say: "Something went wrong on our side.", Cause: err}
}

// Is reports whether the outermost fault in err's chain is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// clipAt bounds what a stranger can write into our records.
const clipAt = 256

// Clip shortens s for records and keeps it printable on one line.
func Clip(s string) string {
	if len(s) > clipAt {
		s = s[:clipAt] + "…"
	}
	clean := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			r = '\uFFFD'
		}
		clean = append(clean, r)
	}
	return string(clean)
}
