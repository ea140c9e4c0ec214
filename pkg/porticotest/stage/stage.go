// Package stage sets up the identity features for their tests: a real SQLite
// database, short-lived stores in memory that can be taken away, a fingerprint
// key, cheap passwords, and a finisher that notes what it is told. It starts
// no server; a Browser calls handlers in process.
package stage

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/embedded"
	"github.com/portico-id/portico/templates"
)

// Issuer of every stage.
const Issuer = "https://id.example.test"

// Redirect is where the answers of the client go.
const Redirect = "https://app.example.test/callback"

// Password of every person that Person makes.
const Password = "correct horse battery"

// Stage is everything that the identity features stand on.
type Stage struct {
	Durable  *storage.Durable
	Flows    *flow.Service
	FlowKeep *Flows
	Limits   *Limits
	Spreads  *Spreads
	Audit    *Audit
	Revoker  *Revoker
	Copies   *Copies
	Prints   *secret.Fingerprinter
	Letters  *Letters

	Sessions      *session.Service
	Users         *user.Service
	Passwords     *password.Service
	Clients       *client.Service
	APIs          *scope.Service
	Consents      *consent.Service
	Confirmations *confirm.Service
	Sealer        *secret.Sealer
	Browsers      *factor.Browsers
	Factors       *factor.Book
	TOTP          *totp.Service
	RecoveryCodes *recoverycode.Service
	OneTime       *onetime.Service
	Texts         *Texts
	WayBack       *recovery.Factors
	Federation    *federation.Service
	Replay        *Replay

	Kit      *web.Kit
	Refusals *Refusals
	Log      *bytes.Buffer
	Opener   *visit.Opener
	Finisher *Finisher
}

// New returns a stage on an empty database.
func New(t *testing.T) *Stage {
	t.Helper()
	s := &Stage{FlowKeep: &Flows{}, Limits: &Limits{}, Spreads: &Spreads{}, Audit: &Audit{}, Refusals: &Refusals{}, Log: &bytes.Buffer{}, Letters: &Letters{}}
	s.openDurable(t)
	s.Prints = secret.NewFingerprinter(bytes.Repeat([]byte{7}, 32))
	s.Revoker = &Revoker{Tx: s.Durable, Ledger: s.Durable.Revocations}
	s.Copies = &Copies{Cache: embedded.NewSessions()}
	s.Flows = flow.NewService(s.FlowKeep, s.Prints, flow.Config{})
	s.Sessions = session.NewService(s.Durable.Sessions, s.Durable.Grants, s.Revoker, s.Prints, s.Audit, session.Config{Cache: s.Copies})
	s.Users = user.NewService(s.Durable.Users, s.Durable, s.Sessions, s.Audit)
	s.Clients = client.NewService(s.Durable.Clients, s.Prints, client.Config{})
	s.APIs = scope.NewService(s.Durable.APIs, scope.Config{Issuer: Issuer})
	s.Consents = consent.NewService(s.Durable.Consents, s.APIs, s.Users, s.Durable.Grants, s.Revoker, s.Audit, consent.Config{})
	var err error
	if s.Sealer, err = secret.NewSealer(bytes.Repeat([]byte{5}, secret.KeySize)); err != nil {
		t.Fatal(err)
	}
	s.Confirmations = confirm.NewService(s.Durable.Confirmations, s.Prints, s.Sealer)
	s.Passwords, err = password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{MemoryKiB: 64, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := url.Parse(Issuer)
	if err != nil {
		t.Fatal(err)
	}
	s.Kit, err = web.New(web.Config{
		Issuer: issuer, FormKey: bytes.Repeat([]byte{9}, 32), Explain: s.Refusals,
		Log: slog.New(slog.NewJSONHandler(&syncWriter{w: s.Log}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := assurance.Policy{Taken: assurance.Factors()}
	s.Browsers = factor.NewBrowsers(s.Durable.Browsers, s.Prints, s.Audit, factor.BrowsersConfig{For: 30 * 24 * time.Hour})
	s.RecoveryCodes = recoverycode.NewService(recoverycode.Deps{
		Store: s.Durable.RecoveryCodes, Users: s.Users, Tx: s.Durable, Fingerprint: s.Prints, Letters: s.Letters, Audit: s.Audit, URL: s.Kit.URL,
	})
	s.Factors = factor.NewBook(factor.BookDeps{
		Users: s.Users, Policy: policy, Browsers: s.Browsers, Letters: s.Letters, Audit: s.Audit, URL: s.Kit.URL, Codes: s.RecoveryCodes,
	})
	s.Texts = &Texts{}
	s.OneTime = onetime.NewService(onetime.Deps{
		Store: s.Durable.Contacts, Users: s.Users, Proofs: s.Confirmations, Keeper: s.Factors, Letters: s.Letters, SMS: s.Texts,
		Words: templates.Standard(), Host: issuer.Hostname(), Tx: s.Durable, Gate: limit.Gate{Store: s.Limits}, Rules: limit.Standard(),
		Fingerprint: s.Prints, Audit: s.Audit,
	})
	s.WayBack = recovery.NewFactors(recovery.FactorsDeps{
		Store: s.Durable.FactorRecoveries, Users: s.Users, Sessions: s.Sessions, Confirm: s.Confirmations, Letters: s.Letters, Tx: s.Durable, Audit: s.Audit,
		URL: s.Kit.URL, TTL: 24 * time.Hour,
	})
	s.Replay = &Replay{}
	s.Federation = s.NewFederation(federation.Config{Loopback: true})
	s.TOTP = totp.NewService(s.Durable.TOTPs, s.Sealer, s.Factors, "Portico")
	s.Finisher = &Finisher{flows: s.Flows}
	s.Opener = &visit.Opener{
		Cookies: s.Kit.Cookies, Flows: s.Flows, Sessions: s.Sessions, Users: s.Users,
		Clients: s.Clients, Consents: s.Consents, Way: s.Finisher, Signup: true, APIs: s.APIs,
		Policy: policy,
	}
	return s
}

// NewFederation returns what knows other places where people sign in, which
// may be on this machine.
func (s *Stage) NewFederation(cfg federation.Config) *federation.Service {
	return federation.NewService(federation.Deps{
		Store: s.Durable.Federation, Sealer: s.Sealer, Users: s.Users, Passwords: s.Passwords, Sessions: s.Sessions,
		Fetch: safehttp.New(safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), Replay: s.Replay, Audit: s.Audit,
	}, cfg)
}

func (s *Stage) openDurable(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	db, err := storage.OpenDurable(ctx, "sqlite://"+filepath.Join(t.TempDir(), "stage.db"), storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	s.Durable = db
}

// syncWriter lets requests in parallel write one log.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// Person makes somebody with the e-mail address, the name Ann Example and
// Password.
func (s *Stage) Person(t *testing.T, email string, roles ...string) *user.User {
	t.Helper()
	ctx := context.Background()
	hash, err := s.Passwords.Hash(ctx, Password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Users.Create(ctx, user.User{Email: email, Name: "Ann Example", Roles: roles}, func(ctx context.Context, id string) error {
		return s.Passwords.Put(ctx, id, hash)
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Client registers a confidential web application; change may make it another.
func (s *Stage) Client(t *testing.T, change ...func(*client.Client)) *client.Client {
	t.Helper()
	c := client.Client{
		Name: "Shop & Co", ApplicationType: client.Web, Source: client.Operator, AuthMethod: protocol.AuthSecretBasic,
		RedirectURIs: []string{Redirect}, PostLogoutRedirectURIs: []string{"https://app.example.test/bye"},
		GrantTypes: []string{protocol.GrantAuthorizationCode}, ResponseTypes: []string{protocol.ResponseTypeCode},
		Scopes: []string{protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail},
	}
	for _, f := range change {
		f(&c)
	}
	made, _, err := s.Clients.Create(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return &made
}

// Refusals keeps what was refused.
type Refusals struct {
	mu   sync.Mutex
	seen []*fault.Error
}

// Refused implements web.Recorder.
func (r *Refusals) Refused(_ context.Context, _ *http.Request, err *fault.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, err)
}

// Last returns the latest refusal, or an empty one.
func (r *Refusals) Last() *fault.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return &fault.Error{}
	}
	return r.seen[len(r.seen)-1]
}
