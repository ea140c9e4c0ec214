package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of the public listener. A stranger's slow or huge header ends here.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
)

// Run listens where the settings say and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listeners...)
}

// Serve answers on open listeners until ctx ends, then stops taking
// connections and lets accepted requests finish: readiness says no first, so
// that a load balancer turns away before the listener closes.
func (s *Server) Serve(ctx context.Context, public ...net.Listener) error {
	tlsConfig, err := s.tlsConfig(ctx)
	if err != nil {
		return err
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	failed := make(chan error, len(public)+1)
	main := httpServer(s.sayLast(s.Handler()), tlsConfig, s.log)
	main.ConnState = s.conns.track
	servers := []*http.Server{main}
	for _, l := range public {
		go func() { failed <- serveOn(main, l) }()
	}
	if s.cfg.MetricsListen != "" {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", s.cfg.MetricsListen)
		if err != nil {
			_ = main.Close()
			return fmt.Errorf("cannot listen on %s: %w; set PORTICO_METRICS_LISTEN to a free address", s.cfg.MetricsListen, err)
		}
		ops := httpServer(s.opsHandler(), nil, s.log)
		servers = append(servers, ops)
		go func() { failed <- serveOn(ops, l) }()
	}
	background := s.startWork(work)
	s.log.Info("portico is listening", "issuer", s.cfg.Issuer, "listen", public[0].Addr().String(), "version", s.version)

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
	}
	s.drain(servers, public)
	stopWork()
	background.Wait()
	if errors.Is(cause, http.ErrServerClosed) {
		cause = nil
	}
	return cause
}

func serveOn(srv *http.Server, l net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

func httpServer(h http.Handler, t *tls.Config, log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler: h, TLSConfig: t,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // strangers' broken handshakes
	}
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(t != nil)
	srv.Protocols = &p
	return srv
}

// Listen opens the public listeners. portico dev opens loopback only,
// whatever the setting says, and both families of it where there are two:
// browsers differ in which one localhost means.
func (s *Server) Listen(ctx context.Context) ([]net.Listener, error) {
	addresses := []string{s.cfg.Listen}
	if s.cfg.Dev {
		_, port, err := net.SplitHostPort(s.cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen: %q is not host:port", s.cfg.Listen)
		}
		addresses = []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	var lc net.ListenConfig
	var open []net.Listener
	for i, addr := range addresses {
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil && i > 0 {
			continue // no IPv6 here, or somebody else's: the first one serves
		}
		if err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w; free the port, or set PORTICO_LISTEN to another one", addr, err)
		}
		open = append(open, l)
	}
	return open, nil
}

// tlsConfig returns nil without own certificates. The files are read again
// when they change, so a renewed certificate needs no restart.
func (s *Server) tlsConfig(ctx context.Context) (*tls.Config, error) {
	if s.cfg.TLSCertFile == "" {
		return nil, nil
	}
	c, err := newCertificate(s.cfg.TLSCertFile, s.cfg.TLSKeyFile)
	if err != nil {
		return nil, err
	}
	go c.watch(ctx, s.log)
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}
