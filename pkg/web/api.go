package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// apiError is the error body of every JSON API but the OAuth endpoints.
type apiError struct {
	StatusCode int            `json:"statusCode"`
	Message    string         `json:"message"`
	Error      string         `json:"error"`
	Path       string         `json:"path"`
	Timestamp  string         `json:"timestamp"` // RFC 3339, UTC, milliseconds
	RequestID  string         `json:"requestId"`
	Details    []fault.Detail `json:"details,omitempty"`
}

// API serves h and answers its errors as JSON.
func (k *Kit) API(h Handler) http.Handler {
	return k.With(k.WriteAPIError, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		return h(w, r)
	})
}

// WriteAPIError is the ErrorWriter of API.
func (k *Kit) WriteAPIError(w http.ResponseWriter, r *http.Request, status int, err error) {
	f := fault.As(err)
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 §15.5.2
	}
	WriteJSON(w, status, apiError{
		StatusCode: status,
		Message:    f.Say,
		Error:      f.Code,
		Path:       fault.Clip(r.URL.EscapedPath()),
		Timestamp:  time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		RequestID:  trail.ID(r.Context()),
		Details:    f.Details,
	})
}

// WriteJSON answers with body as JSON. A body that cannot be written as JSON
// is a mistake in the program and panics.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller is gone: nothing left to do
}
