//go:build unix

package throwaway

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// superuser owns everything in a throwaway server and needs no password.
const superuser = "portico"

// PGOptions changes how a Postgres runs. Zero is what most tests want.
type PGOptions struct {
	// Fsync makes every commit durable against loss of power. Off by
	// default: data then survives the death of the server, which is what
	// the fault drills cause, at a tenth of the cost.
	Fsync bool
	// MaxConnections is the server's limit; default 200.
	MaxConnections int
	// Auth is the content of pg_hba.conf; default: nobody needs a password.
	Auth string
	// Cert and Key are PEM; with both the server offers TLS besides.
	Cert, Key []byte
	// Settings are further settings of postgresql.conf by name.
	Settings map[string]string
}

// PGServer is a Postgres server on 127.0.0.1. Its methods are safe for
// concurrent use, but only in the goroutine of the test may they fail.
type PGServer struct {
	bin  string
	data string
	log  string
	port int
	cred *syscall.Credential
	opts PGOptions
	t    testing.TB // nil for the shared server, which no test restarts

	mu     sync.Mutex
	proc   *child // nil while stopped
	serial int    // number of the last database made
	models map[uintptr]*model
}

// NewPostgres starts a server that belongs to the test alone, for drills that
// stop or kill it. It ends with the test.
func NewPostgres(t testing.TB, opts PGOptions) *PGServer {
	t.Helper()
	s, err := makePostgres(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(s.destroy)
	return s
}

// makePostgres initialises a data folder and starts a server on it.
func makePostgres(opts PGOptions) (*PGServer, error) {
	bin, err := find(postgresVariable, postgresFolders, "initdb", "postgres")
	if err != nil {
		return nil, fmt.Errorf("a test needs PostgreSQL: %w; run 'apt-get install postgresql', or set %s to the folder of initdb", err, postgresVariable)
	}
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := scratch("postgres-")
	if err != nil {
		return nil, err
	}
	if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	s := &PGServer{bin: bin, data: dir, log: dir + ".log", cred: cred, opts: opts, models: map[uintptr]*model{}}
	if err := s.initdb(); err != nil {
		s.destroy()
		return nil, err
	}
	if err := s.configure(); err != nil {
		s.destroy()
		return nil, err
	}
	if err := s.firstStart(); err != nil {
		s.destroy()
		return nil, err
	}
	return s, nil
}

// initdb makes the data folder. Trust is safe where it stands: the server
// listens on 127.0.0.1 only and holds nothing but test data.
func (s *PGServer) initdb() error {
	ctx, cancel := within(startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata", s.data, "--username", superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir = "/"
	cmd.Env = cleanEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, tail(out))
	}
	return nil
}

// configure writes the files that the options bring, as the server's own:
// Postgres refuses a key that another user could read.
func (s *PGServer) configure() error {
	for name, content := range map[string][]byte{
		"pg_hba.conf": []byte(s.opts.Auth), "server.crt": s.opts.Cert, "server.key": s.opts.Key,
	} {
		if len(content) == 0 {
			continue
		}
		file := filepath.Join(s.data, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
		if s.cred == nil {
			continue
		}
		if err := os.Chown(file, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// cleanEnv is the environment without the variables by which a person
// chooses their own server, such as PGDATA and PGPORT.
func cleanEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PG") && !strings.HasPrefix(kv, "LC_") && !strings.HasPrefix(kv, "TZ=") {
			env = append(env, kv)
		}
	}
	return env
}

// halt ends the running server with sig, if it runs.
func (s *PGServer) halt(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return
	}
	s.proc.stop(sig)
	s.proc = nil
}

// Stop shuts the server down as an administrator would: transactions are
// rolled back, connections closed, data written. Port and data are kept.
func (s *PGServer) Stop() { s.halt(syscall.SIGINT) }

// Kill ends the server without warning (SIGKILL), as a crash would. Backends
// in the middle of a statement may live a moment longer.
func (s *PGServer) Kill() { s.halt(syscall.SIGKILL) }

// Crash ends every process of the server at once and leaves recovery to the
// next Start. Unlike after Kill, no backend lives on.
func (s *PGServer) Crash() { s.halt(syscall.SIGQUIT) }

// Start runs a stopped or killed server again, on the same port and data, and
// returns when it accepts connections; crash recovery is then over.
func (s *PGServer) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// destroy stops the server at once and removes its data.
func (s *PGServer) destroy() {
	s.halt(syscall.SIGQUIT)
	_ = os.RemoveAll(s.data) // else the guard does
	_ = os.Remove(s.log)
}

// url addresses one database of the server as one of its users.
func (s *PGServer) url(user, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(user), Path: "/" + database, RawQuery: "sslmode=disable",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
	}
	return u.String()
}

// exec runs one statement in the maintenance database.
func (s *PGServer) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url(superuser, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
