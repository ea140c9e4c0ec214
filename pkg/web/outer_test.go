package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

func TestTheRequestIDIsOurs(t *testing.T) {
	k := newRig(t, "https://id.example")
	seen := map[string]bool{}
	for range 3 {
		var inside string
		h := k.Outer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = trail.ID(r.Context()) }))
		w := serve(h, request("GET", "/", "X-Request-Id", "forged", "Traceparent", "00-forged"))
		id := w.Header().Get("X-Request-Id")
		if id != inside || id == "forged" || len(id) != 22 || seen[id] || len(w.Header()["X-Request-Id"]) != 1 {
			t.Errorf("answered %q, inside %q", id, inside)
		}
		seen[id] = true
	}
}

func TestOneWideLine(t *testing.T) {
	k := newRig(t, "https://id.example")
	h := k.Outer(k.API(func(w http.ResponseWriter, r *http.Request) error {
		trail.Set(r.Context(), "client", "demo-web")
		return fault.Hide(errors.New("dial tcp: refused"), fault.Unavailable, "temporarily_unavailable", "Try again.")
	}))
	r := request("POST", "/oauth2/token?code=SECRET-CODE", "Authorization", "Basic SECRET-BASIC", "Cookie", "portico_session=SECRET-COOKIE",
		"User-Agent", "evil\r\n\u2028{\"level\":\"INFO\"}"+strings.Repeat("a", 5000))
	w := serve(h, r)
	line := k.line(t)
	for key, want := range map[string]any{
		"msg": "request", "level": "ERROR", "method": "POST", "path": "/oauth2/token", "status": 503.0, "client": "demo-web",
		"error": "temporarily_unavailable", "cause": "dial tcp: refused", "request_id": w.Header().Get("X-Request-Id"),
		"bytes": float64(w.Body.Len()), "remote": "192.0.2.1",
	} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	if _, ok := line["ms"].(float64); !ok {
		t.Errorf("ms = %v", line["ms"])
	}
	if agent := fmt.Sprint(line["agent"]); len(agent) > 300 || strings.ContainsAny(agent, "\r\n\u2028") {
		t.Errorf("agent %q", agent)
	}
	if strings.Contains(k.log.String(), "SECRET") {
		t.Errorf("the log holds a secret: %s", k.log)
	}
}

func TestTheLineOfGoodAndAbortedRequests(t *testing.T) {
	k := newRig(t, "https://id.example")
	h := k.Outer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	serve(h, request("GET", "/a%1b[31m%0a").WithContext(ctx))
	line := k.line(t)
	if line["level"] != "INFO" || line["status"] != 200.0 || line["bytes"] != 5.0 || line["aborted"] != true || line["path"] != "/a%1b[31m%0a" {
		t.Errorf("line %v", line)
	}
}

func TestPanicsAnswerOnceAndAreLoggedWithTheirStack(t *testing.T) {
	k := newRig(t, "https://id.example")
	w := serve(k.Outer(panics("the disk is gone")), request("GET", "/", "Accept", "text/html"))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "cannot continue") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	cause := fmt.Sprint(k.line(t)["cause"])
	if !strings.Contains(cause, "the disk is gone") || !strings.Contains(cause, "outer_test.go") && !strings.Contains(cause, "errors_test.go") {
		t.Errorf("the log holds %q", cause)
	}
	k = newRig(t, "https://id.example")
	w = serve(k.Outer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun")
		panic("late")
	})), request("GET", "/"))
	if w.Body.String() != "begun" || len(k.refused.seen) != 1 {
		t.Errorf("after the first byte: %q, %d recorded", w.Body, len(k.refused.seen))
	}
}

func TestLimits(t *testing.T) {
	small := func(c *Config) { c.Limits = Limits{URL: 100, Header: 200, Body: 10} }
	k := newRig(t, "https://id.example", small)
	read := k.API(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadAll(r.Body); err != nil {
			return BodyFault(err)
		}
		w.WriteHeader(204)
		return nil
	})
	chunked := post("/", "01234567890")
	chunked.ContentLength = -1
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"within":                        {post("/", "0123456789"), 204, ""},
		"GET":                           {request("GET", "/?"+strings.Repeat("x", 90)), 204, ""},
		"URL too long":                  {request("GET", "/?"+strings.Repeat("x", 100)), 414, "uri_too_long"},
		"path too long":                 {request("GET", "/"+strings.Repeat("x", 100)), 414, "uri_too_long"},
		"headers too long":              {request("GET", "/", "X-A", strings.Repeat("x", 200)), 431, "headers_too_large"},
		"many headers":                  {request("GET", "/", many(50)...), 431, "headers_too_large"},
		"body too long by its own word": {post("/", "01234567890"), 413, "too_large"},
		"body too long, chunked":        {chunked, 413, "too_large"},
		"gzip":                          {post("/", "x", "Content-Encoding", "gzip"), 415, "unsupported_media_type"},
		"gzip behind identity":          {post("/", "x", "Content-Encoding", "identity", "Content-Encoding", "br"), 415, "unsupported_media_type"},
		"identity":                      {post("/", "x", "Content-Encoding", "Identity"), 204, ""},
		"multipart":                     {post("/", "x", "Content-Type", "multipart/form-data; boundary=x"), 415, "unsupported_media_type"},
		"multipart, spelled oddly":      {post("/", "x", "Content-Type", " MultiPart/Mixed;;;"), 415, "unsupported_media_type"},
		"two content types":             {post("/", "x", "Content-Type", "text/plain", "Content-Type", "application/json"), 415, "unsupported_media_type"},
		"TRACE":                         {request("TRACE", "/"), 405, "method_not_allowed"},
		"a method nobody has heard of":  {request("BREW", "/"), 405, "method_not_allowed"},
		"methods are case-sensitive":    {request("get", "/"), 405, "method_not_allowed"},
		"CONNECT":                       {request("CONNECT", "/"), 405, "method_not_allowed"},
		"method override is ignored":    {request("GET", "/", "X-HTTP-Method-Override", "TRACE"), 204, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(k.Outer(read), tt.r)
			if w.Code != tt.status || tt.code != "" && !strings.Contains(w.Body.String(), `"error":"`+tt.code+`"`) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
		})
	}
}

func many(n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("X-%d", i), "v")
	}
	return pairs
}

func TestALongBodyIsRefusedBeforeItIsRead(t *testing.T) {
	k := newRig(t, "https://id.example", func(c *Config) { c.Limits.Body = 10 })
	reached := false
	w := serve(k.Outer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })), post("/", "01234567890"))
	if w.Code != 413 || reached {
		t.Errorf("%d, handler reached: %v", w.Code, reached)
	}
}

func TestTheFirstFinalStatusIsLogged(t *testing.T) {
	k := newRig(t, "https://id.example")
	serve(k.Outer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusInternalServerError)
	})), request("GET", "/"))
	if line := k.line(t); line["status"] != 201.0 || line["level"] != "INFO" {
		t.Errorf("logged %v %v, want 201", line["status"], line["level"])
	}
}

// TestOverTheWire proves on a real connection what a recorder cannot show.
func TestOverTheWire(t *testing.T) {
	k := newRig(t, "https://id.example", func(c *Config) { c.Limits.Body = 1000 })
	server := httptest.NewServer(k.Outer(k.API(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadAll(r.Body); err != nil {
			return BodyFault(err)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		return nil
	})))
	defer server.Close()
	res, err := http.Post(server.URL, "application/x-www-form-urlencoded", io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 || !res.Close {
		t.Errorf("a long chunked body: %d, connection kept %v", res.StatusCode, !res.Close)
	}
	res, err = http.Post(server.URL, "application/x-www-form-urlencoded", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("flush through the kit: %d", res.StatusCode)
	}
}

// A length beside chunks is gone when we see the request, so every chunked
// request ends its connection.
func TestChunkedRequestsEndTheConnection(t *testing.T) {
	k := newRig(t, "https://id.example")
	for name, tt := range map[string]struct {
		encoding []string
		kind     string
		closes   bool
	}{
		"chunked":              {[]string{"chunked"}, "application/json", true},
		"chunked, and refused": {[]string{"chunked"}, "multipart/form-data", true},
		"by length":            {nil, "application/json", false},
	} {
		r := post("/", "x", "Content-Type", tt.kind)
		r.TransferEncoding = tt.encoding
		w := serve(k.Outer(http.NotFoundHandler()), r)
		if got := w.Header().Get("Connection") == "close"; got != tt.closes {
			t.Errorf("%s: connection closed %v, want %v", name, got, tt.closes)
		}
	}
}
