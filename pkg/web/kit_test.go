package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
)

// recorder keeps what was refused.
type recorder struct {
	mu   sync.Mutex
	seen []*fault.Error
}

func (r *recorder) Refused(_ context.Context, _ *http.Request, err *fault.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, err)
}

// rig is a kit with what it records and logs.
type rig struct {
	*Kit
	refused *recorder
	log     *bytes.Buffer
}

func newRig(t *testing.T, issuer string, change ...func(*Config)) rig {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	r := rig{refused: &recorder{}, log: &bytes.Buffer{}}
	cfg := Config{
		Issuer: u, FormKey: bytes.Repeat([]byte{7}, 32), Explain: r.refused,
		Log: slog.New(slog.NewJSONHandler(r.log, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	if r.Kit, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// line returns the one log line as JSON.
func (r rig) line(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal(r.log.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON line: %v\n%s", err, r.log)
	}
	return line
}

func trusted(prefixes ...string) func(*Config) {
	return func(c *Config) {
		for _, p := range prefixes {
			c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
		}
	}
}

// request builds a request with headers given as pairs.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// post builds a form POST.
func post(target, body string, headers ...string) *http.Request {
	r := request("POST", target, headers...)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func failing(err error) Handler {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

func TestRefusesAnUnusableConfiguration(t *testing.T) {
	good := func() Config {
		return Config{Issuer: &url.URL{Scheme: "https", Host: "id.example"}, FormKey: make([]byte, 32)}
	}
	for name, spoil := range map[string]func(*Config){
		"no issuer":    func(c *Config) { c.Issuer = nil },
		"no host":      func(c *Config) { c.Issuer = &url.URL{Scheme: "https", Path: "/x"} },
		"other scheme": func(c *Config) { c.Issuer.Scheme = "ftp" },
		"short key":    func(c *Config) { c.FormKey = make([]byte, 31) },
	} {
		cfg := good()
		spoil(&cfg)
		if k, err := New(cfg); err == nil || k != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(good()); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestURLsComeFromTheIssuer(t *testing.T) {
	for issuer, want := range map[string][2]string{
		"https://id.example":                {"https://id.example/login", "/login"},
		"https://id.example/":               {"https://id.example/login", "/login"},
		"HTTPS://ID.example:443/auth/":      {"https://id.example/auth/login", "/auth/login"},
		"http://localhost:8080/a%20b":       {"http://localhost:8080/a%20b/login", "/a%20b/login"},
		"http://[::1]:80":                   {"http://[::1]/login", "/login"},
		"https://id.example:8443/one/two//": {"https://id.example:8443/one/two/login", "/one/two/login"},
	} {
		k := newRig(t, issuer)
		if got := [2]string{k.URL("/login"), k.At("/login")}; got != want {
			t.Errorf("issuer %s gives %v, want %v", issuer, got, want)
		}
	}
}
