package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/paging"
)

func auditPages(t *testing.T, open OpenDurable) {
	s := open(t).Audit
	event := func(id string, name audit.Name, userID string, at time.Duration) audit.Event {
		return audit.Event{ID: id, Name: name, UserID: userID, At: epoch.Add(at)}
	}
	must(t, s.Append(t.Context(), []audit.Event{
		event("1", audit.LoginFailed, "alice", 0), event("2", audit.LoginSucceeded, "alice", time.Minute),
		event("3", audit.LoginSucceeded, "bob", time.Minute), event("4", audit.SessionEnded, "alice", time.Hour),
		event("5", audit.LoginFailed, "alice", time.Hour), event("6", audit.LoginFailed, "", time.Hour),
	}))
	for _, tt := range []struct {
		why    string
		userID string
		page   paging.Page
		names  []audit.Name
		want   string
	}{
		{"all", "alice", paging.Page{}, nil, "5421"},
		{"the first page", "alice", paging.Page{Size: 2}, nil, "54"},
		{"the second page", "alice", paging.Page{Size: 2, Cursor: "4"}, nil, "21"},
		{"between two of one moment", "alice", paging.Page{Size: 1, Cursor: "5"}, nil, "4"},
		{"after the last", "alice", paging.Page{Cursor: "1"}, nil, ""},
		{"of a name", "alice", paging.Page{}, []audit.Name{audit.LoginFailed}, "51"},
		{"of two names", "alice", paging.Page{Cursor: "5"}, []audit.Name{audit.LoginFailed, audit.SessionEnded}, "41"},
		{"another person's cursor", "alice", paging.Page{Cursor: "3"}, nil, ""},
		{"an unknown cursor", "alice", paging.Page{Cursor: "x"}, nil, ""},
		{"a broken cursor", "alice", paging.Page{Cursor: "\x00\xff"}, nil, ""},
		{"somebody else", "bob", paging.Page{}, nil, "3"},
		{"nobody", "", paging.Page{}, nil, ""},
		{"a broken id", "\x00", paging.Page{}, nil, ""},
	} {
		events, err := s.OfUser(t.Context(), tt.userID, tt.page, tt.names...)
		must(t, err)
		got := ""
		for _, e := range events {
			got += e.ID
		}
		if got != tt.want {
			t.Errorf("%s: OfUser(%q, %+v, %v) = %s, want %s", tt.why, tt.userID, tt.page, tt.names, got, tt.want)
		}
	}
}
