package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
)

// Audit checks an audit.Store.
func Audit(t *testing.T, open OpenDurable) {
	event := func(id, userID string, at time.Duration) audit.Event {
		return audit.Event{ID: id, Name: audit.LoginFailed, UserID: userID, At: epoch.Add(at)}
	}

	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Audit
		var e audit.Event
		fill(t, &e)
		must(t, s.Append(t.Context(), []audit.Event{e}))
		got, err := s.Recent(t.Context(), "", 10)
		must(t, err)
		same(t, "Recent", got, []audit.Event{e})
	})

	t.Run("newest first, of all or of one", func(t *testing.T) {
		s := open(t).Audit
		must(t, s.Append(t.Context(), nil))
		must(t, s.Append(t.Context(), []audit.Event{event("1", "alice", 0), event("3", "bob", 2), event("2", "alice", time.Hour), event("4", "", time.Minute)}))
		for _, tt := range []struct {
			userID string
			limit  int
			want   string
		}{{"", 10, "2431"}, {"", 2, "24"}, {"alice", 10, "21"}, {"alice", 1, "2"}, {"nobody", 10, ""}, {"\x00", 10, ""}, {"", 0, ""}} {
			events, err := s.Recent(t.Context(), tt.userID, tt.limit)
			must(t, err)
			got := ""
			for _, e := range events {
				got += e.ID
			}
			if got != tt.want {
				t.Errorf("Recent(%q, %d) = %s, want %s", tt.userID, tt.limit, got, tt.want)
			}
		}
	})

	t.Run("pages of one person", func(t *testing.T) { auditPages(t, open) })

	t.Run("a batch may be repeated, and be long", func(t *testing.T) {
		s := open(t).Audit
		var batch []audit.Event
		for n := range 1000 {
			batch = append(batch, event(fmt.Sprint(n), "alice", time.Duration(n)))
		}
		must(t, s.Append(t.Context(), batch))
		must(t, s.Append(t.Context(), batch))
		if got, err := s.Recent(t.Context(), "", 5000); err != nil || len(got) != 1000 {
			t.Errorf("%d events, %v; want 1000", len(got), err)
		}
	})

	t.Run("what strangers send can be written", func(t *testing.T) {
		s := open(t).Audit
		e := event("a", "alice", 0)
		e.UserAgent, e.Data = "\xff\x00", map[string]string{"identifier\x00": "\xc3\x28\x00'"}
		must(t, s.Append(t.Context(), []audit.Event{e}))
		wantKind(t, "no id", s.Append(t.Context(), []audit.Event{{}}), fault.Invalid)
	})

	t.Run("removal in batches", func(t *testing.T) {
		s := open(t).Audit
		must(t, s.Append(t.Context(), []audit.Event{event("1", "", 0), event("2", "", 1000), event("3", "", 2000), event("4", "", time.Hour)}))
		for i, want := range []int{2, 1, 0} {
			if n, err := s.DeleteBefore(t.Context(), epoch.Add(time.Hour), 2); err != nil || n != want {
				t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
			}
		}
	})
}

// Refusals checks an explain.Store.
func Refusals(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Refusals
		var r explain.Refusal
		fill(t, &r)
		must(t, s.Append(t.Context(), []explain.Refusal{r}))
		got, err := s.ByID(t.Context(), r.RequestID)
		must(t, err)
		same(t, "ByID", got, r)
	})

	t.Run("the first of a request counts", func(t *testing.T) {
		s := open(t).Refusals
		must(t, s.Append(t.Context(), nil))
		must(t, s.Append(t.Context(), []explain.Refusal{{RequestID: "a", Rule: "first"}, {RequestID: "a", Rule: "second"}, {RequestID: "b"}}))
		must(t, s.Append(t.Context(), []explain.Refusal{{RequestID: "a", Rule: "third"}}))
		if got, err := s.ByID(t.Context(), "a"); err != nil || got.Rule != "first" {
			t.Errorf("ByID = %+v, %v; want the first", got, err)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Refusals
		must(t, s.Append(t.Context(), []explain.Refusal{{RequestID: "taken"}}))
		for name, id := range strangeKeys {
			_, err := s.ByID(t.Context(), id)
			wantKind(t, "ByID of "+name, err, fault.NotFound)
		}
		wantKind(t, "no request id", s.Append(t.Context(), []explain.Refusal{{}}), fault.Invalid)
	})

	t.Run("what strangers send can be written", func(t *testing.T) {
		s := open(t).Refusals
		must(t, s.Append(t.Context(), []explain.Refusal{{
			RequestID: "a", Path: "/\x00\xff", Say: "\x00", ClientID: "\xfe",
			Compared: []fault.Value{{Name: "redirect_uri", Want: "\x00", Got: "\xff\x00"}},
		}}))
		if got, err := s.ByID(t.Context(), "a"); err != nil || len(got.Compared) != 1 {
			t.Errorf("ByID = %+v, %v; want it", got, err)
		}
	})

	t.Run("removal in batches", func(t *testing.T) {
		s := open(t).Refusals
		for n := range 4 {
			must(t, s.Append(t.Context(), []explain.Refusal{{RequestID: fmt.Sprint(n), At: epoch.Add(time.Duration(n) * time.Second)}}))
		}
		for i, want := range []int{2, 1, 0} {
			if n, err := s.DeleteBefore(t.Context(), epoch.Add(3*time.Second), 2); err != nil || n != want {
				t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
			}
		}
		if n, err := s.DeleteBefore(t.Context(), epoch.Add(time.Hour), -1); err != nil || n != 0 {
			t.Errorf("a negative limit: removed %d, %v; want 0", n, err)
		}
	})
}
