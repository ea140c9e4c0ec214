// Package porticotest runs a whole Portico in one process: with the demo data
// of portico dev, a browser that needs no JavaScript, and calls as
// applications make them. For tests of Portico and of programs that use it.
package porticotest

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/observe"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
)

// Server is a running Portico.
type Server struct {
	*server.Server
	URL string // the issuer
	// Log holds what the server logged.
	Log *Log

	tb        testing.TB
	set       setup
	issuer    *url.URL
	transport *http.Transport
	stop      context.CancelFunc
	ended     chan struct{}
	once      *sync.Once
}

// Option changes the settings of a server before it starts.
type Option func(*setup)

type setup struct {
	cfg     config.Config
	pipe    bool
	host    string // of the issuer
	path    string // of the issuer
	address string // to listen on
	log     *Log
	heard   func(operation string)
}

// Statements hears of every SQL statement, by the operation that sent it.
func Statements(heard func(operation string)) Option { return func(s *setup) { s.heard = heard } }

// With edits the settings.
func With(edit func(*config.Config)) Option { return func(s *setup) { edit(&s.cfg) } }

// Stores runs the server on a database and a Redis of their own URLs.
func Stores(databaseURL, redisURL string) Option {
	return With(func(c *config.Config) { c.DatabaseURL, c.RedisURL = databaseURL, redisURL })
}

// Issuer makes the server one of several of the same issuer: it answers on
// its own address, and calls of this Server go there.
func Issuer(issuer string) Option { return With(func(c *config.Config) { c.Issuer = issuer }) }

// Host gives the issuer another name of this machine than 127.0.0.1.
func Host(name string) Option { return func(s *setup) { s.host = name } }

// Path puts the issuer below a path, such as /realms/one.
func Path(path string) Option { return func(s *setup) { s.path = path } }

// InMemory connects clients through memory instead of the network, so that a
// whole flow runs in a testing/synctest bubble.
func InMemory() Option { return func(s *setup) { s.pipe = true } }

// EncryptionKey is the key that servers of this package seal with.
var EncryptionKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("portico!"), 4))

// New starts a server with the demo data on embedded stores in a directory of
// the test. It stops when the test ends.
func New(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Start(tb, opts...)
	if err != nil {
		tb.Fatalf("portico does not start: %v", err)
	}
	return s
}

// Start is New for tests in which it may fail.
func Start(tb testing.TB, opts ...Option) (*Server, error) {
	tb.Helper()
	base, err := config.Load(config.Sources{Defaults: map[string]string{
		"registration": "open", "signup": "open", "limit_factor": "100", "outbound_allow": "127.0.0.0/8,::1/128",
		"encryption_keys": EncryptionKey, "log_level": "debug",
		"database_url": "sqlite://" + filepath.ToSlash(filepath.Join(tb.TempDir(), "portico.db")),
		// The cost of a password is not what these tests look at.
		"argon2_memory": "7168", "argon2_time": "1",
	}})
	if err != nil {
		return nil, err
	}
	set := setup{cfg: *base, address: "127.0.0.1:0", log: &Log{}}
	set.cfg.Dev = true
	for _, o := range opts {
		o(&set)
	}
	s := &Server{tb: tb, set: set, Log: set.log}
	if err := s.start(); err != nil {
		return nil, err
	}
	tb.Cleanup(func() { s.Stop() })
	return s, nil
}

// start opens the product and serves it.
func (s *Server) start() error {
	set := &s.set
	listener, transport, err := network(set.pipe, set.address)
	if err != nil {
		return err
	}
	set.address = listener.Addr().String()
	if set.cfg.Issuer == "" {
		set.cfg.Issuer = "http://" + set.issuerHost(set.address) + set.path
	}
	var watch storage.DurableOptions
	if set.heard != nil {
		watch.OnStatement = func(_ context.Context, op, _ string, _ time.Duration, _ error) { set.heard(op) }
	}
	inner, err := server.Open(s.tb.Context(), &set.cfg, server.Options{
		Storage: watch, Migrate: true, Serving: true, Version: "test", Log: observe.NewLogger(set.log, set.cfg.LogLevel, "json"),
	})
	if err != nil {
		_ = listener.Close()
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.tb.Context()))
	ended := make(chan struct{})
	s.Server, s.URL, s.issuer, s.transport = inner, set.cfg.Issuer, set.cfg.IssuerURL(), transport
	s.stop, s.ended, s.once = stop, ended, &sync.Once{}
	go func() {
		defer close(ended)
		if err := inner.Serve(ctx, listener); err != nil {
			slog.New(slog.NewTextHandler(set.log, nil)).Error("serve", "error", err)
		}
	}()
	return nil
}

func (s *setup) issuerHost(address string) string {
	if s.host == "" {
		return address
	}
	_, port, _ := net.SplitHostPort(address) // of an open listener
	return net.JoinHostPort(s.host, port)
}

// Restart stops the server and starts it again on the same data, at the same
// address, as an upgrade does. Nobody may use the server meanwhile, but
// browsers made before go on.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.tb.Fatalf("portico does not start again: %v", err)
	}
}

// Stop ends the server as SIGTERM does, and waits for it.
func (s *Server) Stop() {
	s.once.Do(func() {
		s.transport.CloseIdleConnections() // else the server waits for them to be silent
		s.stop()
		<-s.ended
		s.transport.CloseIdleConnections()
		if err := s.Close(); err != nil {
			s.tb.Errorf("close: %v", err)
		}
	})
}

// network opens a listener and the transport that reaches it, whatever host
// an address names: all names lead to this server.
func network(pipe bool, address string) (net.Listener, *http.Transport, error) {
	if pipe {
		l := newPipeListener()
		return l, &http.Transport{DialContext: l.dial, IdleConnTimeout: time.Second}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	var d net.Dialer
	return l, &http.Transport{MaxIdleConnsPerHost: 100, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}}, nil
}

// pipeListener connects clients and server through memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a client.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close refuses further clients.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is an address that leads nowhere.
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// Log keeps what was logged. It is safe for concurrent use.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns everything logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

var _ io.Writer = (*Log)(nil)
