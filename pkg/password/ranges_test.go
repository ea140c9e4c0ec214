package password_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/trail"
)

const breached = "vyxo qupa rimbe"

// lines returns a range with the rest of the digest of plain at a count,
// among others.
func lines(plain string, count int) string {
	sum := sha1.Sum([]byte(plain))
	return fmt.Sprintf("%s:3\r\n%s:%d\r\n%s:0\r\n", strings.Repeat("0", 35), strings.ToUpper(hex.EncodeToString(sum[:]))[5:], count, strings.Repeat("F", 35))
}

// ranges serves h as a range service and returns a client of it, and what it
// saw of each question.
func ranges(t *testing.T, h http.HandlerFunc) (r *password.Ranges, seen func() []string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return rangesAt(s.URL+"/range/", netip.MustParsePrefix("127.0.0.1/32"))
}

func rangesAt(url string, allow ...netip.Prefix) (*password.Ranges, func() []string) {
	var mu sync.Mutex
	var outcomes []string
	return password.NewRanges(password.RangeConfig{
			URL: url, Allow: allow, Timeout: 200 * time.Millisecond,
			Observe: func(o string) { mu.Lock(); defer mu.Unlock(); outcomes = append(outcomes, o) },
		}), func() []string {
			mu.Lock()
			defer mu.Unlock()
			return outcomes
		}
}

func TestRanges(t *testing.T) {
	write := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"hit":                     {write(200, lines(breached, 42)), password.RangeHit},
		"hit in small letters":    {write(200, strings.ToLower(lines(breached, 1))), password.RangeHit},
		"hit on a last bare line": {write(200, strings.TrimSpace(lines("x", 2)+strings.Split(lines(breached, 7), "\r\n")[1])), password.RangeHit},
		"hit among garbage":       {write(200, "<html>\n::\n"+lines(breached, 9)), password.RangeHit},
		"miss":                    {write(200, lines("another", 42)), password.RangeMiss},
		"padding is no hit":       {write(200, lines(breached, 0)), password.RangeMiss},
		"a count below zero":      {write(200, lines("x", 1)+lines(breached, -5)), password.RangeMiss},
		"slow": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}, password.RangeFailed},
		"slow in the middle": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, lines("another", 1))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}, password.RangeFailed},
		"garbage":           {write(200, "<html>hello</html>"), password.RangeFailed},
		"binary":            {write(200, "\x00\xff\x1f\x8b"), password.RangeFailed},
		"nothing":           {write(200, ""), password.RangeFailed},
		"huge":              {write(200, strings.Repeat(lines(breached, 3), 5000)), password.RangeFailed},
		"endless line":      {write(200, strings.Repeat("A", 1<<20)), password.RangeFailed},
		"not found":         {write(404, lines(breached, 3)), password.RangeFailed},
		"too many requests": {write(429, ""), password.RangeFailed},
		"broken":            {write(500, lines(breached, 3)), password.RangeFailed},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hit" {
				_, _ = io.WriteString(w, lines(breached, 3))
				return
			}
			http.Redirect(w, r, "/hit", http.StatusFound)
		}, password.RangeFailed},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, lines(breached, 3))
		}, password.RangeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r, seen := ranges(t, tt.serve)
			noted := &trail.Trail{}
			hit := r.Breached(trail.With(ctx, noted), breached)
			if got := noted.Get("password_range"); got != tt.want || hit != (tt.want == password.RangeHit) || strings.Join(seen(), " ") != tt.want {
				t.Errorf("Breached = %v, noted %q, counted %q; want %q", hit, got, seen(), tt.want)
			}
		})
	}
}

func TestOnlyFiveCharactersLeave(t *testing.T) {
	var got atomic.Pointer[http.Request]
	r, _ := ranges(t, func(w http.ResponseWriter, r *http.Request) {
		got.Store(r)
		_, _ = io.WriteString(w, lines(breached, 1))
	})
	if !r.Breached(ctx, breached) {
		t.Fatal("no hit")
	}
	q := got.Load()
	sum := sha1.Sum([]byte(breached))
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	if q.Method != http.MethodGet || q.RequestURI != "/range/"+digest[:5] || q.Header.Get("Add-Padding") != "true" {
		t.Errorf("asked %s %s, padding %q", q.Method, q.RequestURI, q.Header.Get("Add-Padding"))
	}
	for name, values := range q.Header {
		if line := strings.ToUpper(strings.Join(values, " ")); strings.Contains(line, digest[5:12]) || strings.Contains(line, "VYXO") || name == "Cookie" {
			t.Errorf("%s: %q left the server", name, values)
		}
	}
}

func TestAServiceThatIsDownIsLeftAlone(t *testing.T) {
	var asked atomic.Int32
	var up atomic.Bool
	r, seen := ranges(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if !up.Load() {
			w.WriteHeader(503)
			return
		}
		_, _ = io.WriteString(w, lines(breached, 1))
	})
	for range 10 {
		if r.Breached(ctx, breached) {
			t.Fatal("a hit from a service that is down")
		}
	}
	if n := asked.Load(); n != 3 || strings.Join(seen(), " ") != strings.TrimSpace(strings.Repeat("failed ", 3)+strings.Repeat("skipped ", 7)) {
		t.Fatalf("asked %d times: %v", n, seen())
	}
	defer clock.Jump(61 * time.Second)()
	if r.Breached(ctx, breached); asked.Load() != 4 {
		t.Errorf("asked %d times after a minute, want once more", asked.Load()-3)
	}
	if r.Breached(ctx, breached); asked.Load() != 4 {
		t.Error("asked again within the minute after it failed again")
	}
	defer clock.Jump(61 * time.Second)()
	up.Store(true)
	for range 2 {
		if !r.Breached(ctx, breached) {
			t.Error("the service is up again and is not believed")
		}
	}
}

func TestRangesReachWhatTheOperatorAllows(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer s.Close()
	for name, url := range map[string]string{
		"a private address":  s.URL,
		"nobody there":       "http://127.0.0.1:1/range/",
		"a name of no host":  "https://ranges.invalid/range/",
		"no address at all":  "::",
		"nothing":            "",
		"another protocol":   "ftp://127.0.0.1/",
		"user and password":  "https://a:b@127.0.0.1/",
		"a metadata service": "http://169.254.169.254/range/",
	} {
		r, seen := rangesAt(url)
		if r.Breached(ctx, breached) || strings.Join(seen(), "") != password.RangeFailed {
			t.Errorf("%s: %v", name, seen())
		}
	}
	if asked.Load() != 0 {
		t.Error("an address was reached that nobody allowed")
	}
}

func TestWhoLeavesSaysNothingOfTheService(t *testing.T) {
	r, _ := ranges(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, lines(breached, 1)) })
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for range 5 {
		r.Breached(gone, breached)
	}
	if !r.Breached(ctx, breached) {
		t.Error("five people who left closed the service for everybody")
	}
}

func TestBreachedPasswordsAreRefused(t *testing.T) {
	s := stage.New(t)
	r, seen := ranges(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, lines(breached, 1)) })
	svc := strict(t, s, password.Config{Breached: r})
	if err := svc.Check(ctx, breached); fault.CodeOf(err) != password.CodeBreached || !fault.Is(err, fault.Invalid) || fault.As(err).Rule == "" {
		t.Errorf("Check = %v, want %s under a rule", err, password.CodeBreached)
	}
	ann := s.Person(t, "a@example.test")
	if err := svc.Change(ctx, ann.ID, breached, ""); fault.CodeOf(err) != password.CodeBreached {
		t.Errorf("Change = %v", err)
	}
	if err := svc.Check(ctx, "mixed bag of words"); err != nil {
		t.Errorf("another password: %v", err)
	}
	asked := len(seen())
	for _, refused := range []string{"", "short", "Password12345678", strings.Repeat("x", password.MaxBytes+1), "\xff"} {
		_ = svc.Check(ctx, refused)
	}
	if len(seen()) != asked {
		t.Error("the service is asked about passwords that are refused anyway")
	}
	if right, err := svc.Verify(ctx, ann.ID, stage.Password); err != nil || !right || len(seen()) != asked {
		t.Error("signing in asks the service")
	}
}
