package server

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/job"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
)

// readyTimeout bounds the questions behind /readyz.
const readyTimeout = 2 * time.Second

// startWork runs what goes on besides requests until ctx ends.
func (s *Server) startWork(ctx context.Context) *sync.WaitGroup {
	var wg sync.WaitGroup
	wg.Go(func() { s.Keys.Run(ctx) })
	wg.Go(func() { s.Revocations.Run(ctx) })
	wg.Go(func() { mail.NewWorker(s.Mail, s.audit, s.log).Run(ctx) })
	wg.Go(func() { s.discovery.Run(ctx, 30*time.Second, s.apiScopes) })
	wg.Go(func() { job.NewRunner(s.durable.Leases, secret.ID(), s.log, s.sweep()).Run(ctx) })
	return &wg
}

// sweep removes what nothing can use any more.
func (s *Server) sweep() job.Task {
	d := s.durable
	return job.Sweep(time.Minute, s.log,
		job.Expiry{What: "grants", Delete: func(ctx context.Context, n int) (int, error) {
			return d.Grants.DeleteExpired(ctx, clock.Now(), n)
		}},
		job.Expiry{What: "sessions", Delete: func(ctx context.Context, n int) (int, error) {
			return d.Sessions.DeleteExpired(ctx, clock.Now().Add(-maxTokenTTL), n)
		}},
		job.Expiry{What: "confirmations", Delete: s.Confirmations.DeleteExpired},
		job.Expiry{What: "ways back in", Delete: s.recoveries().DeleteExpired},
		job.Expiry{What: "remembered browsers", Delete: s.browsers.DeleteExpired},
		job.Expiry{What: "origins of sessions", Delete: s.Federation.DeleteExpired},
		job.Expiry{What: "revocations", Delete: s.Revocations.DeleteExpired},
		job.Expiry{What: "accounts", Delete: account.Remover(s.Users, s.Mail)},
		job.Expiry{What: "refusals", Delete: func(ctx context.Context, n int) (int, error) {
			return d.Refusals.DeleteBefore(ctx, clock.Now().Add(-s.cfg.RefusalsKeep), n)
		}},
		job.Expiry{What: "mails", Delete: s.Mail.DeleteEnded},
		job.Expiry{What: "audit events", Delete: func(ctx context.Context, n int) (int, error) {
			return d.Audit.DeleteBefore(ctx, clock.Now().Add(-s.cfg.AuditKeep), n)
		}},
		job.Expiry{What: "signing keys", Delete: func(ctx context.Context, _ int) (int, error) {
			return s.Keys.DeleteExpired(ctx)
		}},
	)
}

// opsHandler serves the listener that strangers do not reach.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET "+protocol.PathHealth, s.health())
	mux.Handle("GET "+protocol.PathReady, s.ready())
	return mux
}

// health says that the process answers; it asks nobody, so that a database
// that is down does not get every instance restarted.
func (s *Server) health() http.Handler {
	return probe(func(w http.ResponseWriter, _ *http.Request) { answerStatus(w, http.StatusOK, "ok") })
}

// probe serves a question about the process: it is read, and nothing else.
func probe(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			answerStatus(w, http.StatusMethodNotAllowed, "method not allowed")
			return
		}
		h(w, r)
	})
}

// ready says whether requests should be sent here: not while draining, not
// while a store is down, not before the revocations are in step.
func (s *Server) ready() http.Handler {
	return probe(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if why := s.unready(ctx); why != "" {
			w.Header().Set("Retry-After", "2")
			answerStatus(w, http.StatusServiceUnavailable, why)
			return
		}
		answerStatus(w, http.StatusOK, "ready")
	})
}

// unready returns what is missing, in a word, or "".
func (s *Server) unready(ctx context.Context) string {
	if s.draining.Load() {
		return "draining"
	}
	for _, part := range []struct {
		name string
		ask  func(context.Context) error
	}{
		{"database", s.durable.Ping},
		{"short-lived store", s.short.Ping},
		{"revocations", s.Revocations.Ready},
	} {
		if err := part.ask(ctx); err != nil {
			s.log.WarnContext(ctx, "not ready", "part", part.name, "error", fault.As(err))
			return part.name
		}
	}
	return ""
}

func answerStatus(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": word})
}

// observe registers the metrics.
func (s *Server) observe() {
	s.metrics.Gauge("portico_draining", "1 while the instance lets its last requests finish.", func() float64 {
		if s.draining.Load() {
			return 1
		}
		return 0
	})
}
