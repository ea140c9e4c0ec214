// Package server joins the features into one running product: it opens the
// stores, builds the services, lists every route and keeps the listeners. It
// decides nothing that a feature could decide.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/brand"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/observe"
	"github.com/portico-id/portico/pkg/oidc/discovery"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/storage"
)

// Server is one instance of Portico. The exported services are those that an
// operator's commands use.
type Server struct {
	Clients       *client.Service
	APIs          *scope.Service
	Users         *user.Service
	Passwords     *password.Service
	Sessions      *session.Service
	Consents      *consent.Service
	Confirmations *confirm.Service
	Grants        *grant.Service
	Keys          *keyring.Ring
	Revocations   *revocation.Service
	Mail          *mail.Service
	Federation    *federation.Service
	Factors       *factor.Book
	TOTP          *totp.Service
	RecoveryCodes *recoverycode.Service
	OneTime       *onetime.Service

	cfg     *config.Config
	log     *slog.Logger
	version string

	durable     *storage.Durable
	short       *storage.ShortLived
	sealer      *secret.Sealer
	fingerprint *secret.Fingerprinter
	audit       *audit.Stream
	refusals    *explain.Stream
	watch       *limit.Watch
	browsers    *factor.Browsers
	smtp        *mail.SMTP // nil: no mail server is configured
	smtpProblem error      // why the configured one cannot be used
	metrics     *observe.Metrics
	tracing     *observe.Tracing
	kit         *web.Kit
	brand       *brand.Brand
	discovery   *discovery.Document
	handler     http.Handler
	draining    atomic.Bool // readiness says no
	last        atomic.Bool // each answer is the last of its connection
	conns       connections

	brandProblem error // why brand is Portico's, where it should not be
}

// Options say what a Server is opened for.
type Options struct {
	Log     *slog.Logger
	Version string
	// Migrate runs pending migrations first; without it a schema that is too
	// old stops the start.
	Migrate bool
	// Serving opens everything that answers requests; a shell needs less.
	Serving bool
	// Storage sees statements; for measurements.
	Storage storage.DurableOptions
}

// Open builds a server from its settings. The error is a sentence that says
// what to change. Close it when done.
func Open(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{cfg: cfg, log: o.Log, version: o.Version, metrics: observe.NewMetrics(o.Version)}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, o Options) error {
	if err := s.openBrand(o.Serving); err != nil {
		return err
	}
	if err := s.openStores(ctx, o); err != nil {
		return err
	}
	if err := s.openServices(ctx); err != nil {
		return err
	}
	if o.Serving && s.smtpProblem != nil {
		return fmt.Errorf("mail cannot be sent: %w", s.smtpProblem)
	}
	if s.cfg.Dev {
		if err := s.seedDemo(ctx); err != nil {
			return err
		}
	} else if err := s.refuseDemo(ctx); err != nil && o.Serving {
		return err
	}
	if !o.Serving {
		return nil
	}
	var err error
	if s.tracing, err = observe.NewTracing(ctx, s.cfg.Tracing, s.version); err != nil {
		return err
	}
	s.observe()
	return s.openHandlers(ctx)
}

// OpenDatabase opens the durable side alone, for migrations.
func OpenDatabase(ctx context.Context, cfg *config.Config) (*storage.Durable, error) {
	return storage.OpenDurable(ctx, cfg.DatabaseURL, storage.DurableOptions{})
}

func (s *Server) openStores(ctx context.Context, o Options) error {
	keys, err := secret.ParseKeys(s.cfg.EncryptionKeys)
	if err != nil {
		return fmt.Errorf("PORTICO_ENCRYPTION_KEYS: %w; make one with: openssl rand -base64 32", err)
	}
	if s.sealer, err = secret.NewSealer(keys...); err != nil {
		return err
	}
	if o.Storage.MaxConnections == 0 && !strings.HasPrefix(s.cfg.DatabaseURL, "sqlite") {
		o.Storage.MaxConnections = s.cfg.DatabaseMaxConnections
	}
	if o.Storage.Now == nil {
		o.Storage.Now = clock.Now
	}
	if o.Storage.OnStatement == nil && s.cfg.MetricsListen != "" {
		o.Storage.OnStatement = func(_ context.Context, op, _ string, _ time.Duration, _ error) { s.metrics.Statement(op) }
	}
	if s.durable, err = storage.OpenDurable(ctx, s.cfg.DatabaseURL, o.Storage); err != nil {
		return err
	}
	fresh := false
	if o.Migrate {
		before, _, _, err := s.durable.SchemaStatus(ctx)
		if err != nil {
			return unasked(err)
		}
		fresh = before == 0
		if err := s.durable.Migrate(ctx); err != nil {
			return fmt.Errorf("the schema cannot be migrated: %w", err)
		}
	} else if err := s.checkSchema(ctx); err != nil {
		return err
	}
	s.short, err = storage.OpenShortLived(ctx, storage.Options{
		RedisURL: s.cfg.RedisURL, EmbeddedPath: s.embeddedPath(), Fresh: fresh,
	})
	return err
}

// embeddedPath is the file of the embedded short-lived store: in the data
// directory, which is beside the SQLite database unless it is set.
func (s *Server) embeddedPath() string {
	dir := s.cfg.DataDir
	if path, ok := strings.CutPrefix(s.cfg.DatabaseURL, "sqlite://"); ok && dir == "" {
		path, _, _ = strings.Cut(path, "?")
		dir = filepath.Dir(filepath.FromSlash(path))
	}
	return filepath.Join(dir, "short-lived.db")
}

// unasked is the sentence for a database that does not answer at the start.
func unasked(err error) error {
	return fmt.Errorf("the database cannot be asked for its version: %w; check PORTICO_DATABASE_URL and that it runs", err)
}

// checkSchema refuses to work on a schema of another version.
func (s *Server) checkSchema(ctx context.Context) error {
	current, newest, pending, err := s.durable.SchemaStatus(ctx)
	switch {
	case err != nil:
		return unasked(err)
	case current > newest:
		return fmt.Errorf("the schema has version %d and this portico knows %d: run the newer portico", current, newest)
	case len(pending) > 0:
		return fmt.Errorf("%d migrations are pending: run portico migrate up, or serve with --migrate on a single node", len(pending))
	}
	return nil
}

// Close ends what Open began. Records still in memory are written first.
func (s *Server) Close() error {
	var problems []error
	if s.audit != nil {
		s.audit.Close()
	}
	if s.refusals != nil {
		s.refusals.Close()
	}
	if s.tracing != nil {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
		defer cancel()
		problems = append(problems, s.tracing.Close(ctx))
	}
	if s.short != nil {
		problems = append(problems, s.short.Close())
	}
	if s.durable != nil {
		problems = append(problems, s.durable.Close())
	}
	return errors.Join(problems...)
}

// Handler serves the public listener.
func (s *Server) Handler() http.Handler { return s.handler }

// softMemoryLimit is where collecting often begins. Password hashes take their
// memory in big pieces, which would double the heap before GOGC looked at it.
const softMemoryLimit = 96 << 20

// TuneMemory trades memory for time in the garbage collector: requests leave
// little behind, so collecting less often costs some megabytes and saves a
// tenth of the work, until the soft limit calls for more. GOGC and GOMEMLIMIT,
// when set, win.
func TuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemoryLimit)
	}
}
