package explain

import (
	"context"
	"log/slog"

	"github.com/portico-id/portico/pkg/batch"
	"github.com/portico-id/portico/pkg/fault"
)

// Config holds what a Stream may be told.
type Config struct {
	Log *slog.Logger // default slog.Default
	// Dropped hears of refusals that found no room: a flood of them costs
	// explanations, never answers.
	Dropped func(n int)
	// Refused hears the code of every refusal; for metrics.
	Refused func(code string)
}

// Stream keeps the refusals of a running server. It is safe for concurrent
// use.
type Stream struct {
	cfg Config
	out *batch.Writer[Refusal]
}

// NewStream starts a stream into the store. Close it.
func NewStream(store Store, cfg Config) *Stream {
	return &Stream{cfg: cfg, out: batch.New(store.Append, batch.Config{Dropped: cfg.Dropped, Log: cfg.Log})}
}

// Record keeps a refusal. It never blocks.
func (s *Stream) Record(_ context.Context, r Refusal) {
	if s.cfg.Refused != nil {
		s.cfg.Refused(r.Code)
	}
	r.Path, r.Method, r.Cause = fault.Clip(r.Path), fault.Clip(r.Method), fault.Clip(r.Cause)
	r.ClientID = fault.Clip(r.ClientID)
	s.out.Put(r)
}

// Close stores what is waiting and ends the stream.
func (s *Stream) Close() { s.out.Close() }
