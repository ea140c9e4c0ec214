package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"

	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/trail"
)

type recorder struct{ all []explain.Refusal }

func (r *recorder) Record(_ context.Context, e explain.Refusal) { r.all = append(r.all, e) }

// answer serves err through an edge.
func answer(t *testing.T, err error) (*httptest.ResponseRecorder, map[string]any, explain.Refusal) {
	t.Helper()
	kept := &recorder{}
	edge := &oauth.Edge{Refusals: kept}
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", nil)
	tr := &trail.Trail{ID: "req-1", Remote: netip.MustParseAddr("192.0.2.9")}
	tr.Set("client_id", "web")
	w := httptest.NewRecorder()
	edge.Handle(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r.WithContext(trail.With(r.Context(), tr)))
	var body map[string]any
	if e := json.Unmarshal(w.Body.Bytes(), &body); e != nil {
		t.Fatalf("%q is not JSON", w.Body)
	}
	if len(kept.all) != 1 {
		t.Fatalf("%d refusals kept, want 1", len(kept.all))
	}
	return w, body, kept.all[0]
}

func TestWriteError(t *testing.T) {
	secretCause := errors.New("pq: password authentication failed for user portico at /var/run")
	tests := map[string]struct {
		err    error
		status int
		code   string
		header map[string]string // substrings
	}{
		"invalid_grant":             {fault.New(fault.Invalid, "invalid_grant", "No."), 400, "invalid_grant", nil},
		"wrapped":                   {fmt.Errorf("while: %w", fault.New(fault.Invalid, "invalid_scope", "No.")), 400, "invalid_scope", nil},
		"RFC 6749 §5.2 401":         {fault.New(fault.Unauthenticated, "invalid_client", "No."), 401, "invalid_client", map[string]string{"WWW-Authenticate": `Basic realm="portico"`}},
		"a 401 of another code":     {fault.New(fault.Unauthenticated, "session_expired", "No."), 401, "invalid_client", map[string]string{"WWW-Authenticate": "Basic"}},
		"RFC 6750 §3.1 token":       {fault.New(fault.Unauthenticated, "invalid_token", "No."), 401, "invalid_token", map[string]string{"WWW-Authenticate": `Bearer realm="portico", error="invalid_token"`}},
		"RFC 6750 §3.1 scope":       {fault.New(fault.Denied, "insufficient_scope", "No."), 403, "insufficient_scope", map[string]string{"WWW-Authenticate": `error="insufficient_scope"`}},
		"RFC 6750 §3.1 no token":    {oauth.MissingToken(), 401, "invalid_token", map[string]string{"WWW-Authenticate": `Bearer realm="portico"`}},
		"unavailable":               {fault.Hide(secretCause, fault.Unavailable, "sql_down", "Try again."), 503, "temporarily_unavailable", map[string]string{"Retry-After": "2"}},
		"limited":                   {fault.New(fault.Limited, "rate_limited", "Slow down.").After(1500 * time.Millisecond), 429, "temporarily_unavailable", map[string]string{"Retry-After": "2"}},
		"nobody described it":       {secretCause, 500, "server_error", nil},
		"a conflict nobody handled": {fault.New(fault.Conflict, "conflict", "Taken."), 500, "server_error", nil},
		"a cancelled request":       {fmt.Errorf("read: %w", context.Canceled), 503, "temporarily_unavailable", map[string]string{"Retry-After": "2"}},
		"a request out of time":     {context.DeadlineExceeded, 503, "temporarily_unavailable", nil},
		"too large":                 {fault.New(fault.TooLarge, "too_large", "Big."), 413, "invalid_request", nil},
		"RFC 9110 §15.5.6 method":   {oauth.WrongMethod("POST"), 405, "invalid_request", map[string]string{"Allow": "POST"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, body, kept := answer(t, tt.err)
			if w.Code != tt.status || body["error"] != tt.code {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
			for header, want := range tt.header {
				if got := w.Header().Get(header); !strings.Contains(got, want) {
					t.Errorf("%s is %q, want %q in it", header, got, want)
				}
			}
			if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
				t.Errorf("header %v", w.Header())
			}
			if d := body["error_description"].(string); !strings.HasSuffix(d, "(request req-1)") || strings.Contains(w.Body.String(), "portico at") {
				t.Errorf("description %q", d)
			}
			if kept.RequestID != "req-1" || kept.Status != tt.status || kept.ClientID != "web" || kept.Remote != "192.0.2.9" {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

func TestAChallengeNamesNoErrorWhenNothingWasSent(t *testing.T) {
	w, _, _ := answer(t, oauth.MissingToken())
	if got := w.Header().Get("WWW-Authenticate"); strings.Contains(got, "error") {
		t.Errorf("RFC 6750 §3.1: %q", got)
	}
}

func TestRefusalsKeepWhatTheClientMayNotSee(t *testing.T) {
	f := fault.New(fault.Invalid, "invalid_grant", "No.").Under("RFC 6749 §5.2 rule").Compare("a", "1", "2").
		WithHint("turn it").Because(errors.New("cause"))
	w, _, kept := answer(t, f)
	if kept.Rule != f.Rule || kept.Hint != "turn it" || kept.Cause != "cause" || len(kept.Compared) != 1 {
		t.Errorf("kept %+v", kept)
	}
	for _, s := range []string{"rule", "turn it", "cause"} {
		if strings.Contains(w.Body.String(), s) {
			t.Errorf("the answer tells %q: %s", s, w.Body)
		}
	}
}

func TestDescribeKeepsToItsCharacters(t *testing.T) {
	got := oauth.Describe("He said \"no\\\" – ü\n", "id")
	for _, r := range got {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			t.Errorf("RFC 6749 §5.2: %q holds %q", got, r)
		}
	}
}

func TestFaultTranslatesFosite(t *testing.T) {
	tests := map[string]struct {
		err  error
		kind fault.Kind
		code string
	}{
		"invalidated code":      {fosite.ErrInvalidatedAuthorizeCode, fault.Invalid, "invalid_grant"},
		"inactive token":        {fosite.ErrInactiveToken, fault.Invalid, "invalid_grant"},
		"expired token":         {fosite.ErrTokenExpired, fault.Invalid, "invalid_grant"},
		"bad signature":         {fosite.ErrTokenSignatureMismatch, fault.Invalid, "invalid_grant"},
		"known jti":             {fosite.ErrJTIKnown, fault.Unauthenticated, "invalid_client"},
		"invalid client":        {fosite.ErrInvalidClient, fault.Unauthenticated, "invalid_client"},
		"missing state":         {fosite.ErrInvalidState, fault.Invalid, "invalid_request"},
		"little entropy":        {fosite.ErrInsufficientEntropy, fault.Invalid, "invalid_request"},
		"scope not granted":     {fosite.ErrScopeNotGranted, fault.Invalid, "invalid_scope"},
		"unauthorized client":   {fosite.ErrUnauthorizedClient, fault.Invalid, "unauthorized_client"},
		"temporarily":           {fosite.ErrTemporarilyUnavailable, fault.Unavailable, "temporarily_unavailable"},
		"server error":          {fosite.ErrServerError, fault.Internal, "server_error"},
		"another 4xx":           {&fosite.RFC6749Error{ErrorField: "odd", CodeField: 418}, fault.Invalid, "invalid_request"},
		"another 5xx":           {&fosite.RFC6749Error{ErrorField: "odd", CodeField: 599}, fault.Internal, "server_error"},
		"a lost race inside":    {fosite.ErrServerError.WithWrap(fosite.ErrInvalidatedAuthorizeCode), fault.Invalid, "invalid_grant"},
		"our own fault inside":  {fosite.ErrServerError.WithWrap(fault.New(fault.Unavailable, "sql", "Down.")), fault.Unavailable, "temporarily_unavailable"},
		"our own grant refused": {fosite.ErrServerError.WithWrap(fault.New(fault.Invalid, "invalid_grant", "No.")), fault.Invalid, "invalid_grant"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := oauth.Fault(tt.err)
			if f.Kind != tt.kind || f.Code != tt.code {
				t.Errorf("got %v %s, want %v %s", f.Kind, f.Code, tt.kind, tt.code)
			}
			if strings.Contains(f.Say, "OAuth 2.0") || strings.Contains(f.Say, "fosite") {
				t.Errorf("the sentence is the library's: %q", f.Say)
			}
		})
	}
	if oauth.Fault(nil) != nil {
		t.Error("Fault(nil) is a fault")
	}
}
