package gormstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/storage"
)

// statements collects what a database was asked, by operation.
type statements struct {
	mu   sync.Mutex
	seen map[string]string // text → operation
}

func (s *statements) note(_ context.Context, op, sql string, _ time.Duration, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]string{}
	}
	s.seen[sql] = op
}

// mayScan are the operations that read a whole table: it is small, or all of
// it is what they want.
var mayScan = []string{
	"apis.all", "federation.providers", "audit.recent", "clients.list", "users.list", "users.another_has", "clients.origins", "keys.list", "keys.delete_expired",
	"users.has_demo", "grants.delete_expired", "schema status", "dump",
	"mails.recent", "mails.standing", "mails.trim",
}

// checkPlans asks SQLite how it would run every statement of the suite. One
// that reads a whole table where an index was meant is found here and not by
// the first installation with a million grants.
func checkPlans(t *testing.T, all *statements) {
	address := sqliteURL(t)
	openURL(t, address, storage.DurableOptions{})
	db := openOutside(t, address)
	defer func() { _ = db.Close() }()
	checked := 0
	for text, op := range all.seen {
		verb, _, _ := strings.Cut(text, " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) {
			continue
		}
		rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		if err != nil {
			t.Errorf("%s: %v: %s", op, err, text)
			continue
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Error(err)
			}
			scan := strings.HasPrefix(detail, "SCAN ") && !strings.Contains(detail, "CONSTANT ROW") && !strings.Contains(detail, "VALUES CLAUSE")
			if scan && !slices.Contains(mayScan, op) {
				t.Errorf("%s reads a whole table (%s): %s", op, detail, text)
			}
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		checked++
	}
	if checked < 60 {
		t.Errorf("%d statements were checked, want those of the whole suite", checked)
	}
}

// TestRotationUpdatesInPlace holds because every index entry that a refresh
// has to write costs the database as much again.
func TestRotationUpdatesInPlace(t *testing.T) {
	address := postgresURL(t)
	d := openURL(t, address, storage.DurableOptions{})
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	g := grant.Grant{
		ID: "a", ClientID: "c", UserID: "u", SessionID: "s", CreatedAt: now,
		RefreshHash: "0", RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(24 * time.Hour),
	}
	if err := d.Grants.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	const rotations = 200
	for n := range rotations {
		now = now.Add(time.Second)
		if err := d.Grants.Rotate(t.Context(), grant.Rotation{
			GrantID: "a", OldHash: fmt.Sprint(n), NewHash: fmt.Sprint(n + 1), Now: now,
			IdleExpiresAt: now.Add(time.Hour), RetryKey: "key", RetryAnswer: make([]byte, 1200),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil { // a session reports its figures when it ends
		t.Fatal(err)
	}
	db := openOutside(t, address)
	defer func() { _ = db.Close() }()
	var updated, inPlace int
	waitFor(t, "the figures of Postgres", func() bool {
		err := db.QueryRowContext(t.Context(), "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'grants'").Scan(&updated, &inPlace)
		if err != nil {
			t.Fatal(err)
		}
		return updated >= rotations
	})
	if inPlace < updated*8/10 {
		t.Errorf("%d of %d rotations were in place, want most", inPlace, updated)
	}
}
