package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/trail"
)

// shelf is a Store of a slice. down makes Append fail.
type shelf struct {
	mu     sync.Mutex
	events []audit.Event
	down   error
}

func (s *shelf) Append(_ context.Context, events []audit.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	s.events = append(s.events, events...)
	return nil
}

func (s *shelf) set(down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *shelf) Recent(context.Context, string, int) ([]audit.Event, error) { return nil, nil }

func (s *shelf) OfUser(context.Context, string, paging.Page, ...audit.Name) ([]audit.Event, error) {
	return nil, nil
}

func (s *shelf) DeleteBefore(context.Context, time.Time, int) (int, error) { return 0, nil }

// record records events and returns what was stored and logged.
func record(t *testing.T, ctx context.Context, events ...audit.Event) (stored []audit.Event, logged []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	s := &shelf{}
	stream := audit.NewStream(s, audit.Config{Log: slog.New(slog.NewJSONHandler(&out, nil))})
	for _, e := range events {
		stream.Record(ctx, e)
	}
	stream.Close()
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("a log line that is not JSON: %s", line)
		}
		logged = append(logged, m)
	}
	return s.events, logged
}

func TestRecordFillsWhatTheTrailKnows(t *testing.T) {
	ctx := trail.With(t.Context(), &trail.Trail{ID: "req-1", Remote: netip.MustParseAddr("192.0.2.7"), UserAgent: "browser"})
	stored, logged := record(t, ctx,
		audit.Event{Name: audit.LoginFailed, UserID: "alice", Data: map[string]string{"why": "password"}},
		audit.Event{ID: "own", Name: audit.LoginFailed, At: time.Unix(1, 0), Remote: "shell", UserAgent: "cli", RequestID: "other"},
	)
	if len(stored) != 2 || len(logged) != 2 {
		t.Fatalf("%d stored, %d logged, want 2 and 2", len(stored), len(logged))
	}
	first := stored[0]
	if first.ID == "" || first.At.IsZero() || first.Remote != "192.0.2.7" || first.UserAgent != "browser" || first.RequestID != "req-1" {
		t.Errorf("not filled: %+v", first)
	}
	if second := stored[1]; second.ID != "own" || !second.At.Equal(time.Unix(1, 0)) || second.Remote != "shell" || second.UserAgent != "cli" || second.RequestID != "other" {
		t.Errorf("what was said is replaced: %+v", second)
	}
	if m := logged[0]; m["stream"] != "audit" || m["msg"] != "login.failed" || m["user_id"] != "alice" || m["data.why"] != "password" {
		t.Errorf("logged %v", m)
	}
}

func TestStrangersTextIsBoundedAndPrintable(t *testing.T) {
	data := map[string]string{"client": "a\nb\x00c\u2028d\xff", "long": strings.Repeat("x", 100_000)}
	stored, logged := record(t, t.Context(), audit.Event{
		Name: audit.ClientAuthFailed, ClientID: "evil\x00\r\nfake line", UserAgent: strings.Repeat("y", 100_000), Data: data,
	})
	if len(stored) != 1 || len(logged) != 1 {
		t.Fatalf("%d stored, %d logged", len(stored), len(logged))
	}
	e := stored[0]
	for _, text := range []string{e.ClientID, e.UserAgent, e.Data["client"], e.Data["long"]} {
		if len(text) > 300 || strings.ContainsAny(text, "\x00\r\n\u2028") || strings.ToValidUTF8(text, "") != text {
			t.Errorf("kept as %.40q (%d bytes)", text, len(text))
		}
	}
	if len(data["long"]) != 100_000 {
		t.Error("the caller's own map was changed")
	}
}

func TestEventsOutliveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		dropped := 0
		stream := audit.NewStream(s, audit.Config{Log: slog.New(slog.DiscardHandler), Dropped: func(n int) { dropped += n }})
		s.set(fault.New(fault.Unavailable, "temporarily_unavailable", "down"))
		for range 500 {
			stream.Record(t.Context(), audit.Event{Name: audit.TokenRevoked})
		}
		time.Sleep(time.Minute)
		s.set(nil)
		time.Sleep(10 * time.Second)
		stream.Close()
		if len(s.events) != 500 || dropped != 0 {
			t.Errorf("%d events stored, %d dropped; want 500 and 0", len(s.events), dropped)
		}
	})
}

func TestRecordNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{down: fault.New(fault.Unavailable, "temporarily_unavailable", "down")}
		var mu sync.Mutex
		dropped := 0
		stream := audit.NewStream(s, audit.Config{Log: slog.New(slog.DiscardHandler), Dropped: func(n int) {
			mu.Lock()
			defer mu.Unlock()
			dropped += n
		}})
		begun := time.Now()
		for range 20_000 {
			stream.Record(t.Context(), audit.Event{Name: audit.LoginFailed})
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("recording waited %s for a store that is down", took)
		}
		stream.Close()
		stream.Record(t.Context(), audit.Event{Name: audit.LoginFailed}) // after the end
		if dropped != 20_001 {
			t.Errorf("%d of 20001 lost events were counted", dropped)
		}
	})
}
