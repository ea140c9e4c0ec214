package web

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
)

// answers is one counter that answers the same to everybody.
type answers struct{ says limit.Result }

func (a answers) Take(context.Context, limit.Rule, string, time.Time) (limit.Result, error) {
	return a.says, nil
}
func (a answers) Give(context.Context, limit.Rule, string, time.Time) error { return nil }
func (a answers) Reset(context.Context, limit.Rule, string) error           { return nil }

// taking takes the rules, and refuses when one does.
func taking(got limit.Result, rules ...limit.Rule) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		for _, rule := range rules {
			if err := (limit.Gate{Store: answers{got}}).Take(r.Context(), rule, "key", "security §0.5 attempts are bounded"); err != nil {
				return err
			}
		}
		WriteJSON(w, http.StatusOK, 1)
		return nil
	}
}

var quotaHeaders = []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy", "RateLimit", "Retry-After"}

func TestEveryAnswerOfALimitedEndpointTellsTheQuota(t *testing.T) {
	k := newRig(t, "https://id.example")
	wide := limit.Rule{Name: "signup-address", Max: 100, Window: 15 * time.Minute, Source: true}
	narrow := limit.Rule{Name: "mail-address", Max: 30, Window: time.Hour, Source: true}
	account := limit.Rule{Name: "login-account", Max: 5, Window: time.Minute}
	left := limit.Result{Allowed: true, Remaining: 7, Reset: 90*time.Second + time.Millisecond}
	full := limit.Result{RetryAfter: 61 * time.Second, Reset: 61 * time.Second}
	for name, tt := range map[string]struct {
		handler http.Handler
		status  int
		want    [6]string
	}{
		"a good answer": {k.API(taking(left, wide)), 200, [6]string{
			"100", "7", "91", `"signup-address";q=100;w=900`, `"signup-address";r=7;t=91`, "",
		}},
		"one too many, as JSON": {k.API(taking(full, narrow)), 429, [6]string{
			"30", "0", "61", `"mail-address";q=30;w=3600`, `"mail-address";r=0;t=61`, "61",
		}},
		"one too many, as a page": {k.Pages(taking(full, narrow)), 429, [6]string{
			"30", "0", "61", `"mail-address";q=30;w=3600`, `"mail-address";r=0;t=61`, "61",
		}},
		"an error that has another cause": {k.API(func(w http.ResponseWriter, r *http.Request) error {
			if err := taking(left, wide)(discard{w}, r); err != nil {
				return err
			}
			return fault.New(fault.Invalid, "invalid", "No.")
		}), 400, [6]string{"100", "7", "91", `"signup-address";q=100;w=900`, `"signup-address";r=7;t=91`, ""}},
		"the state of an account is nobody's business": {k.API(taking(left, account)), 200, [6]string{}},
		"but how long to wait is told":                 {k.API(taking(full, account)), 429, [6]string{5: "61"}},
		"no limit, no word":                            {k.API(taking(left)), 200, [6]string{}},
		"two counters": {k.API(taking(left, wide, narrow)), 200, [6]string{
			"100", "7", "91", `"signup-address";q=100;w=900, "mail-address";q=30;w=3600`, `"signup-address";r=7;t=91, "mail-address";r=7;t=91`, "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(k.Outer(tt.handler), request("POST", "/"))
			if w.Code != tt.status {
				t.Errorf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			for i, h := range quotaHeaders {
				if got := w.Header().Values(h); (len(got) == 0) != (tt.want[i] == "") || len(got) > 1 || len(got) == 1 && got[0] != tt.want[i] {
					t.Errorf("%s = %q, want %q", h, got, tt.want[i])
				}
			}
		})
	}
}

// discard takes a body and forgets it.
type discard struct{ http.ResponseWriter }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
