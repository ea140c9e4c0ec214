//go:build unix

package throwaway

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
)

// PG is a fresh database of one test. It is dropped when the test ends.
type PG struct {
	server *PGServer
	name   string
}

// URL is how a client reaches the database:
// postgres://portico@127.0.0.1:PORT/NAME?sslmode=disable.
func (p *PG) URL() string { return p.server.url(superuser, p.name) }

// URLAs is URL for another role of the server, which needs no password. Roles
// belong to the server: a test that makes some should have its own.
func (p *PG) URLAs(role string) string { return p.server.url(role, p.name) }

// Migrate fills the empty database at dsn. It should be a function of the
// package and depend on nothing else: its result is copied, not repeated.
type Migrate = func(ctx context.Context, dsn string) error

// sharedPostgres is the one server that ordinary tests of a process share.
type sharedPostgres struct {
	mu     sync.Mutex
	server *PGServer
	err    error // why it cannot be had; remembered so that it is tried once
}

// get starts the server at the first call.
func (s *sharedPostgres) get() (*PGServer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.server, s.err = makePostgres(PGOptions{})
	}
	return s.server, s.err
}

func (s *sharedPostgres) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.destroy()
	}
	s.server, s.err = nil, nil
}

// Postgres returns an empty database in the server that the tests of this
// process share. It takes about 50 ms, and a second at the first call.
func Postgres(t testing.TB) *PG {
	t.Helper()
	return PostgresFrom(t, nil)
}

// PostgresFrom is Postgres with a schema: migrate runs once in a process, and
// every database is a copy of its result.
func PostgresFrom(t testing.TB, migrate Migrate) *PG {
	t.Helper()
	s, err := process.shared.get()
	if err != nil {
		t.Fatal(err)
	}
	return s.DatabaseFrom(t, migrate)
}

// Database returns an empty database of a private server.
func (s *PGServer) Database(t testing.TB) *PG {
	t.Helper()
	return s.DatabaseFrom(t, nil)
}

// DatabaseFrom is Database with a schema, as PostgresFrom.
func (s *PGServer) DatabaseFrom(t testing.TB, migrate Migrate) *PG {
	t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	template := "template1"
	if migrate != nil {
		m := s.model(migrate)
		if err := m.make(ctx, s, migrate); err != nil {
			t.Fatalf("migrating the template database: %v", err)
		}
		template = m.name
	}
	db := &PG{server: s, name: s.nextName("test")}
	if err := s.exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", db.name, template)); err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	t.Cleanup(func() { s.drop(db.name) })
	return db
}

// drop removes a database together with the connections that a test forgot.
// A server that the test left stopped takes its databases along instead.
func (s *PGServer) drop(name string) {
	ctx, cancel := within(startLimit)
	defer cancel()
	_ = s.exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
}

func (s *PGServer) nextName(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return fmt.Sprintf("%s_%d", prefix, s.serial)
}

// model is a migrated database that others are copied from.
type model struct {
	once sync.Once
	name string
	err  error
}

// model returns the model of a migrate function. Functions are told apart by
// their code, so closures written at one place share a model.
func (s *PGServer) model(migrate Migrate) *model {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := reflect.ValueOf(migrate).Pointer()
	m := s.models[key]
	if m == nil {
		m = &model{}
		s.models[key] = m
	}
	return m
}

// make migrates the model at the first call, and afterwards tells how it went.
// No connection may be open to a template: what migrate forgot is closed, and
// none is allowed from then on.
func (m *model) make(ctx context.Context, s *PGServer, migrate Migrate) error {
	m.once.Do(func() {
		m.name = s.nextName("model")
		m.err = func() error {
			if err := s.exec(ctx, "CREATE DATABASE "+m.name); err != nil {
				return err
			}
			if err := migrate(ctx, s.url(superuser, m.name)); err != nil {
				return err
			}
			if err := s.exec(ctx, fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS false", m.name)); err != nil {
				return err
			}
			return s.exec(ctx, fmt.Sprintf("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '%s'", m.name))
		}()
	})
	return m.err
}
