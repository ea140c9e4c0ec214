package gormstore

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

const (
	// maxStatements bounds the cache. Our texts are constants but for the
	// length of a few lists, so ordinary work does not meet the bound.
	maxStatements = 256
	// maxRows bounds the rows of an INSERT that is kept: a batch has another
	// text at every length, and would drive the others out.
	maxRows = 4
)

// statements keeps prepared statements by their text. A nil one keeps none.
type statements struct {
	mu     sync.RWMutex
	byText map[string]*sql.Stmt
}

func newStatements() *statements { return &statements{byText: map[string]*sql.Stmt{}} }

// get returns the prepared statement, or nil when the text should run as it is.
func (s *statements) get(ctx context.Context, pool *sql.DB, query string) (*sql.Stmt, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.RLock()
	stmt, n := s.byText[query], len(s.byText)
	s.mu.RUnlock()
	if stmt != nil || n >= maxStatements || strings.Count(query, "(?") > maxRows {
		return stmt, nil
	}
	stmt, err := pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.put(query, stmt), nil
}

// put keeps stmt unless somebody was first; the one that is kept is returned.
func (s *statements) put(query string, stmt *sql.Stmt) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byText[query]; other != nil {
		_ = stmt.Close()
		return other
	}
	s.byText[query] = stmt
	return stmt
}

func (s *statements) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.byText {
		_ = stmt.Close()
	}
	clear(s.byText)
}
