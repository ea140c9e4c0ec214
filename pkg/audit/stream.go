package audit

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/portico-id/portico/pkg/batch"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// Config holds what a Stream may be told.
type Config struct {
	// Log is where every event is written as well, marked with stream=audit.
	// Default slog.Default.
	Log *slog.Logger
	// Dropped hears of events that found no room.
	Dropped func(n int)
}

// Stream is the Recorder of a running server: it logs every event at once and
// stores it shortly after. It is safe for concurrent use.
type Stream struct {
	log *slog.Logger
	out *batch.Writer[Event]
}

var _ Recorder = (*Stream)(nil)

// NewStream starts a stream into the store. Close it.
func NewStream(store Store, cfg Config) *Stream {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Stream{
		log: cfg.Log.With("stream", "audit"),
		out: batch.New(store.Append, batch.Config{Dropped: cfg.Dropped, Log: cfg.Log}),
	}
}

// Record takes an event. It never blocks on the store.
func (s *Stream) Record(ctx context.Context, e Event) {
	if e.ID == "" {
		e.ID = secret.ID()
	}
	if e.At.IsZero() {
		e.At = clock.Now()
	}
	if t := trail.From(ctx); t != nil {
		e.fill(t)
	}
	e.clip()
	s.log.LogAttrs(ctx, slog.LevelInfo, string(e.Name), e.attrs()...)
	s.out.Put(e)
}

// fill takes from the trail what nobody said.
func (e *Event) fill(t *trail.Trail) {
	if e.RequestID == "" {
		e.RequestID = t.ID
	}
	if e.UserAgent == "" {
		e.UserAgent = t.UserAgent
	}
	if e.Remote == "" && t.Remote.IsValid() {
		e.Remote = t.Remote.String()
	}
}

// clip bounds what strangers can write into the records, and keeps it
// printable: a byte that the store refuses would hide the event it stands in.
func (e *Event) clip() {
	for _, field := range []*string{&e.Actor, &e.UserID, &e.ClientID, &e.SessionID, &e.Remote, &e.UserAgent} {
		*field = fault.Clip(*field)
	}
	if len(e.Data) == 0 {
		return
	}
	data := make(map[string]string, len(e.Data)) // the caller keeps its own
	for k, v := range e.Data {
		data[fault.Clip(k)] = fault.Clip(v)
	}
	e.Data = data
}

func (e *Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("event_id", e.ID)}
	for _, a := range []struct{ name, value string }{
		{"actor", e.Actor},
		{"user_id", e.UserID},
		{"client_id", e.ClientID},
		{"sid", e.SessionID},
		{"remote", e.Remote},
		{"user_agent", e.UserAgent},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.Data)) {
		attrs = append(attrs, slog.String("data."+k, e.Data[k]))
	}
	return attrs
}

// Close stores what is waiting and ends the stream.
func (s *Stream) Close() { s.out.Close() }
