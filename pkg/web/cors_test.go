package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
)

const (
	friend   = "https://spa.example"
	stranger = "https://evil.example"
)

func TestCORSForRegisteredClients(t *testing.T) {
	k := newRig(t, "https://id.example")
	asked := 0
	allowed := func(_ context.Context, origin string) bool { asked++; return origin == friend }
	good := k.API(func(w http.ResponseWriter, _ *http.Request) error { WriteJSON(w, 200, 1); return nil })
	bad := k.API(failing(fault.New(fault.Unauthenticated, "invalid_token", "x")))
	broken := k.API(failing(errors.New("x")))
	preflightFrom := func(origin string) *http.Request {
		return request("OPTIONS", "/oauth2/token", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,dpop")
	}
	for name, tt := range map[string]struct {
		next    http.Handler
		r       *http.Request
		status  int
		granted bool
	}{
		"answer to a client's site":    {good, request("POST", "/", "Origin", friend), 200, true},
		"error to a client's site":     {bad, request("POST", "/", "Origin", friend), 401, true},
		"failure to a client's site":   {broken, request("POST", "/", "Origin", friend), 500, true},
		"answer to another site":       {good, request("POST", "/", "Origin", stranger), 200, false},
		"error to another site":        {bad, request("POST", "/", "Origin", stranger), 401, false},
		"no origin":                    {good, request("POST", "/"), 200, false},
		"null":                         {good, request("POST", "/", "Origin", "null"), 200, false},
		"origin with a tail":           {good, request("POST", "/", "Origin", friend+".evil.example"), 200, false},
		"origin in upper case":         {good, request("POST", "/", "Origin", "HTTPS://SPA.EXAMPLE"), 200, false},
		"huge origin":                  {good, request("POST", "/", "Origin", "https://"+strings.Repeat("a", 5000)), 200, false},
		"preflight of a client's site": {bad, preflightFrom(friend), 204, true},
		"preflight of another site":    {bad, preflightFrom(stranger), 204, false},
		"preflight of null":            {bad, preflightFrom("null"), 204, false},
		"OPTIONS that is no preflight": {bad, request("OPTIONS", "/", "Origin", friend), 401, true},
		"OPTIONS without origin":       {bad, request("OPTIONS", "/", "Access-Control-Request-Method", "POST"), 401, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(CORSClients(allowed, tt.next), tt.r)
			h := w.Header()
			wantOrigin, wantExpose := "", ""
			if tt.granted {
				wantOrigin, wantExpose = friend, corsExpose
			}
			if w.Code != tt.status || h.Get("Access-Control-Allow-Origin") != wantOrigin || h.Get("Access-Control-Expose-Headers") != wantExpose {
				t.Errorf("%d, origin %q, exposes %q", w.Code, h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Expose-Headers"))
			}
			if !slices.Contains(h["Vary"], "Origin") {
				t.Errorf("Vary %q: a cache would give this answer to another origin", h["Vary"])
			}
			if h.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("allows credentials")
			}
			isPreflight := tt.r.Header.Get("Access-Control-Request-Method") != "" && tt.r.Header.Get("Origin") != ""
			for header, value := range map[string]string{
				"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
				"Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP, MCP-Protocol-Version",
				"Access-Control-Max-Age":       "600",
			} {
				if !isPreflight || !tt.granted {
					value = ""
				}
				if got := h.Get(header); got != value {
					t.Errorf("%s = %q, want %q", header, got, value)
				}
			}
			if tt.status == 204 && (w.Body.Len() != 0 || h.Get("Content-Type") != "") {
				t.Errorf("a preflight with a body of type %q", h.Get("Content-Type"))
			}
		})
	}
	if asked != 10 {
		t.Errorf("the registered origins were asked %d times, want 10: null, absent and huge ones need no look", asked)
	}
}

func TestCORSForEverybody(t *testing.T) {
	public := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, 200, 1) })
	for _, origin := range []string{"", "null", friend, stranger} {
		w := serve(CORSAny(public), request("GET", "/oauth2/jwks", "Origin", origin))
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("origin %q: %d %v", origin, w.Code, w.Header())
		}
	}
	w := serve(CORSAny(public), request("OPTIONS", "/oauth2/jwks", "Origin", stranger, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "mcp-protocol-version"))
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" ||
		!strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "MCP-Protocol-Version") || w.Body.Len() != 0 {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}
