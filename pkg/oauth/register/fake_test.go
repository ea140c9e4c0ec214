package register

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

const issuer = "https://id.example"

var errDown = fault.New(fault.Unavailable, "temporarily_unavailable", "down")

// world is everything behind the endpoints: a real client service over a
// store in memory.
type world struct {
	mu      sync.Mutex
	rows    map[string]client.Client
	down    error // of the client store
	scopes  error
	limits  error
	taken   map[string]int
	ended   []string
	service *client.Service
	fp      *secret.Fingerprinter
	cfg     Config
}

func newWorld() *world {
	w := &world{rows: map[string]client.Client{}, taken: map[string]int{}, fp: secret.NewFingerprinter(make([]byte, 32))}
	w.service = client.NewService(w, w.fp, client.Config{Revoker: w, Grants: w, TTL: time.Nanosecond, MissingTTL: time.Nanosecond})
	w.cfg = Config{
		Issuer: issuer, Mode: Open, IDTokenAlgs: []string{"RS256", "ES256"}, AnswerAlgs: []string{"RS256"},
		Clients: w.service, Scopes: w, Gate: limit.Gate{Store: w}, Fingerprints: w.fp,
	}
	return w
}

func (w *world) handler(t *testing.T) *Handler {
	t.Helper()
	h, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) Create(_ context.Context, c client.Client) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down == nil {
		w.rows[c.ID] = c
	}
	return w.down
}

func (w *world) ByID(_ context.Context, id string) (client.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down != nil {
		return client.Client{}, w.down
	}
	c, ok := w.rows[id]
	if !ok {
		return client.Client{}, fault.New(fault.NotFound, "not_found", "none")
	}
	return c, nil
}

func (w *world) Update(ctx context.Context, c client.Client) error { return w.Create(ctx, c) }

func (w *world) Delete(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.rows, id)
	return w.down
}

func (w *world) List(context.Context, paging.Page) ([]client.Client, error) { return nil, nil }
func (w *world) Origins(context.Context) ([]string, error)                  { return nil, nil }
func (w *world) HasSource(context.Context, client.Source) (bool, error)     { return false, nil }

// Revoke is revocation.Service.Revoke.
func (w *world) Revoke(ctx context.Context, cause func(context.Context) ([]revocation.Entry, error)) error {
	_, err := cause(ctx)
	return err
}

func (w *world) RevokeOfClient(_ context.Context, id, _ string, _ time.Time) error {
	w.ended = append(w.ended, id)
	return nil
}

func (w *world) ForDynamic(context.Context) ([]string, []string, error) {
	if w.scopes != nil {
		return nil, nil, w.scopes
	}
	return append(scope.Own(), "orders:read", "orders:write"), []string{"https://orders.example"}, nil
}

func (w *world) Take(_ context.Context, rule limit.Rule, key string, _ time.Time) (limit.Result, error) {
	if w.limits != nil {
		return limit.Result{}, w.limits
	}
	if w.taken[key] >= rule.Max {
		return limit.Result{RetryAfter: 90 * time.Second}, nil
	}
	w.taken[key]++
	return limit.Result{Allowed: true}, nil
}

func (w *world) Give(context.Context, limit.Rule, string, time.Time) error { return nil }
func (w *world) Reset(context.Context, limit.Rule, string) error           { return nil }

func (w *world) row(id string) client.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows[id]
}

// change edits a stored client as an operator would.
func (w *world) change(id string, f func(*client.Client)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.rows[id]
	f(&c)
	w.rows[id] = c
}

type call struct {
	method, path, body string
	header             []string
	remote             string
}

func (w *world) send(t *testing.T, c call) *http.Response {
	t.Helper()
	var body io.Reader
	if c.body != "" {
		body = bytes.NewReader([]byte(c.body))
	}
	if c.path == "" {
		c.path = "/oauth2/register"
	}
	if c.remote == "" {
		c.remote = "198.51.100.7"
	}
	r := httptest.NewRequest(c.method, c.path, body)
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(c.header); i += 2 {
		if c.header[i] == "Content-Type" {
			r.Header.Set(c.header[i], c.header[i+1])
			continue
		}
		r.Header.Add(c.header[i], c.header[i+1])
	}
	r = r.WithContext(trail.With(r.Context(), &trail.Trail{ID: "req1", Remote: netip.MustParseAddr(c.remote)}))
	h := w.handler(t)
	serve := h.Register
	if r.URL.Path != "/oauth2/register" {
		serve = h.Configure
	}
	rec := httptest.NewRecorder()
	(&oauth.Edge{}).Handle(serve).ServeHTTP(rec, r)
	return rec.Result()
}

func decode(t *testing.T, res *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatalf("answer is no JSON: %v", err)
	}
	return m
}

// register registers a client and returns the answer.
func (w *world) register(t *testing.T, body string) map[string]any {
	t.Helper()
	res := w.send(t, call{method: "POST", body: body})
	m := decode(t, res)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("register = %d %v", res.StatusCode, m)
	}
	return m
}
