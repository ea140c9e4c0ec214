package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/observe"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// The last line of defence: whatever is logged by mistake is cut out.
func TestNoSecretReachesTheLog(t *testing.T) {
	var out bytes.Buffer
	log := observe.NewLogger(&out, "debug", "json")
	refresh, jwt := secret.New(secret.RefreshToken), "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
	log.Info("x", "password", "hunter2", "Authorization", "Basic Zm9v", "url", "/cb?code="+secret.New(secret.AuthorizationCode),
		"error", errors.New("token "+refresh+" is bad"), "note", jwt, "plain", "ptc_short stays, path/ptr stays")
	got := out.String()
	for _, bad := range []string{"hunter2", "Zm9v", refresh, jwt, "ptac_"} {
		if strings.Contains(got, bad) {
			t.Errorf("the log holds %q: %s", bad, got)
		}
	}
	if !strings.Contains(got, "ptc_short stays, path/ptr stays") || strings.Count(got, "[redacted]") != 5 {
		t.Errorf("cut too much or too little: %s", got)
	}
}

func TestLinesCarryTheRequest(t *testing.T) {
	var out bytes.Buffer
	log := observe.NewLogger(&out, "info", "json").With("a", 1)
	ctx := trail.With(context.Background(), &trail.Trail{ID: "req-1"})
	log.InfoContext(ctx, "two\nlines")
	log.DebugContext(ctx, "not shown")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON record: %v\n%s", err, out.String())
	}
	if line["request_id"] != "req-1" || line["msg"] != "two\nlines" {
		t.Errorf("line %v", line)
	}
}

func TestMetrics(t *testing.T) {
	m := observe.NewMetrics("v1")
	m.Answered("/oauth2/token", http.MethodPost, 200, time.Millisecond)
	m.Answered("/oauth2/token", "BREW", 405, time.Millisecond)
	m.TokenIssued("client_credentials")
	m.Refused("invalid_grant")
	m.Dropped("audit", 3)
	m.Statement("grants.redeem")
	m.Gauge("portico_test", "t", func() float64 { return 7 })
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`portico_http_requests_total{method="POST",route="/oauth2/token",status="200"} 1`,
		`portico_http_requests_total{method="other",route="/oauth2/token",status="405"} 1`,
		`portico_tokens_issued_total{grant_type="client_credentials"} 1`,
		`portico_refusals_total{error="invalid_grant"} 1`, `portico_records_dropped_total{stream="audit"} 3`,
		`portico_sql_statements_total{operation="grants.redeem"} 1`, `portico_build_info{version="v1"} 1`, "portico_test 7",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestTracingIsFreeWhenOff(t *testing.T) {
	tr, err := observe.NewTracing(t.Context(), "off", "v1")
	if err != nil {
		t.Fatal(err)
	}
	h := http.NewServeMux()
	if got := tr.Wrap(h); got != http.Handler(h) {
		t.Error("a handler is wrapped although nobody traces")
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTracingSendsSpans(t *testing.T) {
	got := make(chan string, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.Path }))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tr, err := observe.NewTracing(t.Context(), "otlp", "v1")
	if err != nil {
		t.Fatal(err)
	}
	h := tr.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Pattern = "/x" }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x?code=secret", nil))
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case path := <-got:
		if path != "/v1/traces" {
			t.Errorf("spans went to %s", path)
		}
	default:
		t.Error("no span was sent")
	}
}
