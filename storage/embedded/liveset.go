package embedded

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// LiveSet implements revocation.Live: the set is in memory, absent at the
// start, and rebuilt from the ledger. Only its mark is in the file, and it
// vouches for the memory of whoever wrote it: when a second process revokes (a
// command of the shell beside the server), the mark in the file is not ours
// any more, our set counts as absent, and the next question rebuilds it.
type LiveSet struct {
	db *DB

	mu      sync.RWMutex
	mark    revocation.Mark // empty: absent
	adopted bool            // the mark was in the file when the set was rebuilt
	entries map[entryName]revocation.Entry
	log     []appended // the newest last
	pruned  time.Time
}

type entryName struct {
	kind revocation.Kind
	id   string
}

// appended is one step of the history.
type appended struct {
	mark    revocation.Mark // after it
	entries []revocation.Entry
}

const logLength = 1000

// Revocations returns the live set.
func (db *DB) Revocations() *LiveSet { return db.live }

var errNoSet = fault.New(fault.NotFound, "not_found", "The live set of revocations is absent.")

// Head implements revocation.Live.
func (s *LiveSet) Head(ctx context.Context) (revocation.Mark, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head(ctx)
}

// head returns the mark if the file confirms it. Callers hold mu.
func (s *LiveSet) head(ctx context.Context) (revocation.Mark, error) {
	if s.mark == "" {
		return "", errNoSet
	}
	shown, err := s.shown(ctx)
	if err != nil {
		return "", err
	}
	if shown != s.mark {
		return "", errNoSet
	}
	return s.mark, nil
}

func (s *LiveSet) shown(ctx context.Context) (revocation.Mark, error) {
	var shown string
	err := s.db.read.mark.QueryRowContext(ctx).Scan(&shown)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", away(err)
	}
	return revocation.Mark(shown), nil
}

// Since implements revocation.Live.
func (s *LiveSet) Since(ctx context.Context, after revocation.Mark) ([]revocation.Entry, revocation.Mark, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	head, err := s.head(ctx)
	if err != nil {
		return nil, "", false, err
	}
	for i := len(s.log) - 1; i >= 0; i-- {
		if s.log[i].mark != after {
			continue
		}
		var entries []revocation.Entry
		for _, step := range s.log[i+1:] {
			entries = append(entries, step.entries...)
		}
		return entries, head, false, nil
	}
	entries := make([]revocation.Entry, 0, len(s.entries))
	for _, e := range s.entries {
		entries = append(entries, e)
	}
	return entries, head, true, nil
}

// Append implements revocation.Live.
func (s *LiveSet) Append(ctx context.Context, entries ...revocation.Entry) (revocation.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, err := s.head(ctx)
	if err != nil {
		return "", err
	}
	further := s.further(entries)
	if len(further) == 0 && !s.adopted {
		return head, nil
	}
	next, moved := mintMark(), int64(0)
	err = s.db.write(ctx, relaxed, func(st *statements) error {
		return affected(&moved)(st.nextMark.Exec(string(head), string(next)))
	})
	if err != nil {
		s.mark = "" // the file may hold either mark
		return "", err
	}
	if moved != 1 {
		return "", errNoSet // another process was between
	}
	s.apply(further)
	s.mark = next
	s.log = append(s.log, appended{next, further})
	if len(s.log) > 2*logLength {
		s.log = append([]appended(nil), s.log[logLength:]...)
	}
	return next, nil
}

// Rebuild implements revocation.Live. A mark that the file shows is adopted:
// it belongs to another process, or to the one before a restart, and a new one
// would make that process rebuild in turn. What was revoked under it before
// now is in the ledger, and the caller reads that again after this. But of
// what we hold then, nobody knows what the others hold: so from there on each
// append moves the mark, also of entries that we have from the ledger.
func (s *LiveSet) Rebuild(ctx context.Context, entries []revocation.Entry) (revocation.Mark, error) {
	s.mu.Lock()
	_, err := s.head(ctx)
	if err == nil { // somebody rebuilt first
		s.mu.Unlock()
		return s.Append(ctx, entries...)
	}
	defer s.mu.Unlock()
	if !fault.Is(err, fault.NotFound) {
		return "", err
	}
	fresh := mintMark()
	err = s.db.write(ctx, relaxed, func(st *statements) error {
		_, err := st.firstMark.Exec(string(fresh))
		return err
	})
	if err != nil {
		return "", err
	}
	shown, err := s.shown(ctx)
	if err != nil {
		return "", err
	}
	s.entries = make(map[entryName]revocation.Entry, len(entries))
	s.apply(s.further(entries))
	s.mark, s.log, s.adopted = shown, []appended{{mark: shown}}, shown != fresh
	return shown, nil
}

// further returns what reaches further than the set, extended by it.
func (s *LiveSet) further(entries []revocation.Entry) []revocation.Entry {
	var more []revocation.Entry
	for _, e := range entries {
		had, known := s.entries[entryName{e.Kind, e.ID}]
		switch {
		case !known:
			more = append(more, e)
		case e.Beyond(had):
			more = append(more, had.Extend(e))
		}
	}
	return more
}

// apply adds entries, and now and then forgets what expired long ago.
func (s *LiveSet) apply(entries []revocation.Entry) {
	for _, e := range entries {
		n := entryName{e.Kind, e.ID}
		if had, known := s.entries[n]; known {
			e = had.Extend(e)
		}
		s.entries[n] = e
	}
	now := clock.Now()
	if since := now.Sub(s.pruned); since >= 0 && since < time.Minute {
		return
	}
	s.pruned = now
	for n, e := range s.entries {
		if e.ExpiresAt.Before(now.Add(-slack)) {
			delete(s.entries, n)
		}
	}
}

func mintMark() revocation.Mark {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return revocation.Mark(base64.RawURLEncoding.EncodeToString(b[:]))
}
