package explain_test

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// shelf is a Store of a slice that refuses what has a NUL byte, as Postgres
// does.
type shelf struct {
	mu       sync.Mutex
	refusals []explain.Refusal
}

func (s *shelf) Append(_ context.Context, refusals []explain.Refusal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range refusals {
		for _, text := range []string{r.Method, r.Path, r.Code, r.Say, r.Rule, r.Hint, r.Cause, r.ClientID, r.UserID, r.Remote} {
			if strings.ContainsRune(text, 0) || strings.ToValidUTF8(text, "") != text {
				return fault.New(fault.Invalid, "malformed", "This cannot be stored.")
			}
		}
	}
	s.refusals = append(s.refusals, refusals...)
	return nil
}

func (s *shelf) ByID(context.Context, string) (explain.Refusal, error) {
	return explain.Refusal{}, nil
}

func (s *shelf) DeleteBefore(context.Context, time.Time, int) (int, error) { return 0, nil }

func TestRecordFillsWhatTheTrailKnows(t *testing.T) {
	s := &shelf{}
	var codes []string
	stream := explain.NewStream(s, explain.Config{Refused: func(code string) { codes = append(codes, code) }})
	ctx := trail.With(t.Context(), &trail.Trail{ID: "req-1", Method: "POST", Path: "/oauth2/token", Remote: netip.MustParseAddr("2001:db8::1")})
	stream.Record(ctx, explain.Refusal{Code: "invalid_grant"})
	stream.Record(ctx, explain.Refusal{RequestID: "req-2", Method: "GET", Path: "/login", Code: "csrf", Remote: "192.0.2.1"})
	stream.Close()
	if len(s.refusals) != 2 || !slices.Equal(codes, []string{"invalid_grant", "csrf"}) {
		t.Fatalf("kept %+v, heard %v", s.refusals, codes)
	}
	if r := s.refusals[0]; r.RequestID != "req-1" || r.Method != "POST" || r.Path != "/oauth2/token" || r.Remote != "2001:db8::1" || r.At.IsZero() {
		t.Errorf("not filled: %+v", r)
	}
	if r := s.refusals[1]; r.RequestID != "req-2" || r.Method != "GET" || r.Path != "/login" || r.Remote != "192.0.2.1" {
		t.Errorf("what was said is replaced: %+v", r)
	}
}

func TestARefusalNobodyCouldAskForIsCountedOnly(t *testing.T) {
	s, heard := &shelf{}, 0
	stream := explain.NewStream(s, explain.Config{Refused: func(string) { heard++ }})
	stream.Record(t.Context(), explain.Refusal{Code: "invalid_request"})
	stream.Close()
	if len(s.refusals) != 0 || heard != 1 {
		t.Errorf("kept %d, heard %d; want 0 and 1", len(s.refusals), heard)
	}
}

func TestStrangersTextCannotHideARefusal(t *testing.T) {
	s := &shelf{}
	dropped := 0
	stream := explain.NewStream(s, explain.Config{Log: slog.New(slog.DiscardHandler), Dropped: func(n int) { dropped += n }})
	long := strings.Repeat("x", 100_000)
	values := make([]fault.Value, 1000)
	for i := range values {
		values[i] = fault.Value{Name: "scope", Want: long, Got: "\x00\xff\n"}
	}
	stream.Record(t.Context(), explain.Refusal{
		RequestID: "req-1", Path: "/\x00", Method: long, Cause: "quoted: \xff\x00", ClientID: "\x00", UserID: "\x00", Say: long, Compared: values,
	})
	stream.Close()
	if len(s.refusals) != 1 || dropped != 0 {
		t.Fatalf("%d kept, %d dropped; want 1 and 0", len(s.refusals), dropped)
	}
	r := s.refusals[0]
	if len(r.Compared) > 32 || len(r.Compared[0].Want) > 300 || strings.ContainsAny(r.Compared[0].Got, "\x00\n") || len(r.Say) > 300 {
		t.Errorf("%d values kept, the first with %d bytes", len(r.Compared), len(r.Compared[0].Want))
	}
	if len(values) != 1000 || len(values[0].Want) != 100_000 {
		t.Error("the caller's own values were changed")
	}
}
