//go:build unix

package throwaway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// RedisOptions changes how a Redis runs. Zero is a server that keeps nothing
// on disk and never evicts.
type RedisOptions struct {
	// AppendOnly keeps every write on disk, so that it survives Stop, and
	// Kill as well: each write is handed to the kernel before its answer.
	AppendOnly bool
	// Password is demanded of every client; default none.
	Password string
	// Cert and Key are PEM; with both the server listens with TLS besides.
	Cert, Key []byte
	// Settings are further settings of redis.conf by name, such as
	// "maxmemory-policy".
	Settings map[string]string
}

// RedisServer is a Redis on 127.0.0.1 that belongs to one test.
type RedisServer struct {
	t    testing.TB
	bin  string
	dir  string
	log  string
	port int
	opts RedisOptions

	mu   sync.Mutex
	proc *child // nil while stopped
}

// Redis starts an empty server for one test; that takes about 20 ms.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	return NewRedis(t, RedisOptions{})
}

// NewRedis starts a server for one test. It ends with the test.
func NewRedis(t testing.TB, opts RedisOptions) *RedisServer {
	t.Helper()
	s, err := makeRedis(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(s.destroy)
	return s
}

func makeRedis(opts RedisOptions) (*RedisServer, error) {
	bin, err := find(redisVariable, redisFolders, "redis-server", "redis-cli")
	if err != nil {
		return nil, fmt.Errorf("a test needs Redis: %w; run 'apt-get install redis-server', or set %s to the folder of redis-server", err, redisVariable)
	}
	dir, err := scratch("redis-")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{bin: bin, dir: dir, log: dir + ".log", opts: opts}
	if err := s.configure(); err != nil {
		return nil, err
	}
	for range 5 { // another process may take the port that we saw free
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		s.destroy()
		return nil, err
	}
	return s, nil
}

// configure writes the files that the options bring.
func (s *RedisServer) configure() error {
	for name, content := range map[string][]byte{"server.crt": s.opts.Cert, "server.key": s.opts.Key} {
		if len(content) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// start runs the server and waits until it answers. A running one is left
// alone.
func (s *RedisServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	ctx, cancel := within(startLimit)
	defer cancel()
	mark := fileSize(s.log)
	proc, err := spawn(exec.Command(filepath.Join(s.bin, "redis-server"), s.arguments()...), nil, s.log)
	if err != nil {
		return err
	}
	pid, ready := strconv.Itoa(proc.cmd.Process.Pid), false
	poll(ctx, func() bool {
		ready = s.ready(ctx, pid)
		return ready || proc.ended()
	})
	if ready {
		s.proc = proc
		return nil
	}
	proc.stop(syscall.SIGKILL)
	said := readFrom(s.log, mark)
	if bytes.Contains(said, []byte("Address already in use")) || bytes.Contains(said, []byte("Failed listening on port")) {
		return fmt.Errorf("redis on port %d: %w", s.port, errPortTaken)
	}
	return fmt.Errorf("redis did not start: %s", tail(said))
}

// arguments are the whole configuration; no file is read.
func (s *RedisServer) arguments() []string {
	args := []string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--pidfile", filepath.Join(s.dir, "redis.pid"), "--daemonize", "no", "--save", "",
		"--appendonly", map[bool]string{false: "no", true: "yes"}[s.opts.AppendOnly],
		"--appendfsync", "no", "--maxmemory-policy", "noeviction",
	}
	if s.opts.Password != "" {
		args = append(args, "--requirepass", s.opts.Password)
	}
	if s.opts.Cert != nil && s.opts.Key != nil {
		args = append(args, "--tls-port", strconv.Itoa(s.port+busOffset), "--tls-auth-clients", "no",
			"--tls-cert-file", filepath.Join(s.dir, "server.crt"), "--tls-key-file", filepath.Join(s.dir, "server.key"))
	}
	for name, value := range s.opts.Settings {
		args = append(args, "--"+name, value)
	}
	return args
}

// Addr is the server's host and port.
func (s *RedisServer) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// URL is how a client reaches the server: redis://127.0.0.1:PORT, with the
// password when there is one.
func (s *RedisServer) URL() string { return s.url("redis", s.port) }

// TLSURL is URL with TLS, rediss://, for a server that has a certificate.
func (s *RedisServer) TLSURL() string { return s.url("rediss", s.port+busOffset) }

func (s *RedisServer) url(scheme string, port int) string {
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	if s.opts.Password != "" {
		u.User = url.UserPassword("", s.opts.Password)
	}
	return u.String()
}

// Stop shuts the server down as an administrator would. What it holds
// survives only with AppendOnly.
func (s *RedisServer) Stop() { s.halt(syscall.SIGTERM) }

// Kill ends the server without warning (SIGKILL).
func (s *RedisServer) Kill() { s.halt(syscall.SIGKILL) }

// Start runs a stopped or killed server again, on the same port and with the
// data that it has kept.
func (s *RedisServer) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// StartEmpty is Start after the disk was lost.
func (s *RedisServer) StartEmpty() {
	s.t.Helper()
	s.Stop()
	if err := errors.Join(s.wipe(), s.configure()); err != nil {
		s.t.Fatal(err)
	}
	s.Start()
}

// FlushAll forgets every key of a running server.
func (s *RedisServer) FlushAll() {
	s.t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	if _, err := s.ask(ctx, "FLUSHALL"); err != nil {
		s.t.Fatalf("FLUSHALL: %v", err)
	}
}

func (s *RedisServer) halt(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return
	}
	s.proc.stop(sig)
	s.proc = nil
	_ = os.Remove(filepath.Join(s.dir, "redis.pid")) // else the guard might signal a stranger
}

// wipe empties the folder of a stopped server.
func (s *RedisServer) wipe() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (s *RedisServer) destroy() {
	s.halt(syscall.SIGKILL)
	_ = os.RemoveAll(s.dir) // else the guard does
	_ = os.Remove(s.log)
}
