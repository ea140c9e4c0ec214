// Package explain keeps why a request was refused, so that an operator who is
// given a request id can be told the rule, its clause, the values compared
// and what to change.
package explain

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// Refusal is one refused request.
type Refusal struct {
	RequestID string        `json:"request_id"`
	At        time.Time     `json:"at"`
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	Status    int           `json:"status"`
	Code      string        `json:"error"`
	Say       string        `json:"message"`
	Rule      string        `json:"rule,omitempty"`
	Compared  []fault.Value `json:"compared,omitempty"`
	Hint      string        `json:"hint,omitempty"`
	Cause     string        `json:"cause,omitempty"`
	ClientID  string        `json:"client_id,omitempty"`
	UserID    string        `json:"user_id,omitempty"`
	Remote    string        `json:"remote,omitempty"`
}

// Store keeps refusals for a bounded time. Implementations pass
// storagetest.Refusals.
type Store interface {
	// Append writes a batch.
	Append(ctx context.Context, refusals []Refusal) error
	// ByID returns the refusal of a request id, or fault.NotFound.
	ByID(ctx context.Context, requestID string) (Refusal, error)
	// DeleteBefore removes at most limit refusals older than the time.
	DeleteBefore(ctx context.Context, before time.Time, limit int) (int, error)
}
