package web

import (
	"net/http"

	"github.com/portico-id/portico/pkg/limit"
)

// answer watches what is written, so that the log knows the status and an
// error after the first byte is not written on top.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
	quotas *limit.Notes // told before the first byte; nil: told elsewhere
}

// watch returns w as an answer, the same one when it is already watched.
func watch(w http.ResponseWriter) *answer {
	if a, ok := w.(*answer); ok {
		return a
	}
	return &answer{ResponseWriter: w}
}

// WriteHeader notes the final status; 1xx answers are not final.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) begin(status int) {
	a.status = status
	tellQuotas(a.Header(), a.quotas.States())
}

// Write counts the bytes of the body.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.begin(http.StatusOK)
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach flush and deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
