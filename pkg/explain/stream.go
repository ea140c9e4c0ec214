package explain

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/portico-id/portico/pkg/batch"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
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

// Record keeps a refusal. It never blocks. It fills At and, from the trail of
// the context, RequestID, Method, Path and Remote when they are empty. One
// without a request id could never be asked for and is not kept.
func (s *Stream) Record(ctx context.Context, r Refusal) {
	if s.cfg.Refused != nil {
		s.cfg.Refused(r.Code)
	}
	if r.At.IsZero() {
		r.At = clock.Now()
	}
	if t := trail.From(ctx); t != nil {
		r.fill(t)
	}
	if r.RequestID == "" {
		return
	}
	r.clip()
	s.out.Put(r)
}

// fill takes from the trail what nobody said.
func (r *Refusal) fill(t *trail.Trail) {
	r.RequestID, r.Method, r.Path = cmp.Or(r.RequestID, t.ID), cmp.Or(r.Method, t.Method), cmp.Or(r.Path, t.Path)
	if r.Remote == "" && t.Remote.IsValid() {
		r.Remote = t.Remote.String()
	}
}

// maxCompared bounds how many values are kept with a refusal.
const maxCompared = 32

// clip bounds what strangers can write into the records, and keeps it
// printable: a byte that the store refuses would hide the refusal it is in.
func (r *Refusal) clip() {
	for _, field := range []*string{
		&r.Method, &r.Path, &r.Code, &r.Say, &r.Rule, &r.Hint, &r.Cause, &r.ClientID, &r.UserID, &r.Remote,
	} {
		*field = fault.Clip(*field)
	}
	r.Compared = slices.Clone(r.Compared[:min(len(r.Compared), maxCompared)]) // the caller keeps its own
	for i, v := range r.Compared {
		r.Compared[i] = fault.Value{Name: fault.Clip(v.Name), Want: fault.Clip(v.Want), Got: fault.Clip(v.Got)}
	}
}

// Close stores what is waiting and ends the stream.
func (s *Stream) Close() { s.out.Close() }
