package sms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/sms"
)

const key = "0123456789abcdef0123456789abcdef"

var (
	thisMachine = safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	message     = sms.Message{ID: "one", To: "+4930123456", Text: "1234 is your code.\n\n@id.example.test #1234"}
)

// The vector of docs/operate/sms.md.
const (
	vectorBody = `{"id":"one","to":"+4930123456","text":"12345678 is your code."}`
	vector     = "t=1764316800,v1=8ca8908d7f06d4b7fddef85640c656210376afa12dd47d685ae8714bb6af2e3b"
)

// gateway is a webhook that notes what it is asked.
type gateway struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
}

func newGateway(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		g.bodies, g.heads = append(g.bodies, string(body)), append(g.heads, r.Header.Clone())
		n := len(g.bodies)
		g.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.bodies)
}

func status(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

func wantUnsent(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "sms_not_sent" {
		t.Errorf("Send = %v, want sms_not_sent", err)
	}
	if err != nil && strings.Contains(fault.As(err).Say, "secret of the gateway") {
		t.Errorf("the answer is told: %v", err)
	}
}

func TestAMessageIsHandedOverSigned(t *testing.T) {
	for _, code := range []int{200, 201, 202, 204} {
		g := newGateway(t, status(code))
		if err := sms.NewWebhook(g.URL+"/send?x=1", key, thisMachine).Send(t.Context(), message); err != nil {
			t.Fatalf("answered %d: %v", code, err)
		}
		var got struct{ ID, To, Text string }
		if err := json.Unmarshal([]byte(g.bodies[0]), &got); err != nil || got.ID != message.ID || got.To != message.To || got.Text != message.Text {
			t.Errorf("the body is %s, %v", g.bodies[0], err)
		}
		if got := g.heads[0].Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
		signed := g.heads[0].Get("Portico-Signature")
		m := regexp.MustCompile(`^t=([0-9]+),v1=[0-9a-f]{64}$`).FindStringSubmatch(signed)
		if m == nil {
			t.Fatalf("signature %q", signed)
		}
		unix, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || time.Since(time.Unix(unix, 0)).Abs() > time.Minute {
			t.Errorf("signed at %s", m[1])
		}
		if want := sms.Signature([]byte(key), time.Unix(unix, 0), []byte(g.bodies[0])); signed != want {
			t.Errorf("signature %s, want %s", signed, want)
		}
		if g.asked() != 1 {
			t.Errorf("asked %d times", g.asked())
		}
	}
}

func TestSignatureIsTheOneOfTheManual(t *testing.T) {
	if got := sms.Signature([]byte(key), time.Unix(1764316800, 0), []byte(vectorBody)); got != vector {
		t.Errorf("Signature = %s, want %s", got, vector)
	}
	for name, got := range map[string]string{
		"another time": sms.Signature([]byte(key), time.Unix(1764316801, 0), []byte(vectorBody)),
		"another body": sms.Signature([]byte(key), time.Unix(1764316800, 0), []byte(vectorBody+" ")),
		"another key":  sms.Signature([]byte(key+"x"), time.Unix(1764316800, 0), []byte(vectorBody)),
	} {
		if _, sum, _ := strings.Cut(got, ",v1="); strings.HasSuffix(vector, sum) {
			t.Errorf("%s has the same signature", name)
		}
	}
}

func TestWhatIsNoYesIsANo(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request)
		asked  int
	}{
		"refused":      {status(400), 1},
		"unknown":      {status(404), 1},
		"limited":      {status(429), 1},
		"broken":       {status(500), 2},
		"broken twice": {status(503, 502), 2},
		"not modified": {status(304), 1},
		"moved": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 1},
		"moved with a body": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusPermanentRedirect)
		}, 1},
		"without an end": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("secret of the gateway"), 1<<12))
		}, 2},
		"garbage": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("secret of the gateway\r\n\r\n"))
				_ = conn.Close()
			}
		}, 2},
		"hung up": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, tt.answer)
			wantUnsent(t, sms.NewWebhook(g.URL, key, thisMachine).Send(t.Context(), message))
			if g.asked() != tt.asked {
				t.Errorf("asked %d times, want %d", g.asked(), tt.asked)
			}
			for _, body := range g.bodies {
				if body != g.bodies[0] {
					t.Errorf("the second try is another message: %s", body)
				}
			}
		})
	}
}

func TestASecondTryMayBeTaken(t *testing.T) {
	g := newGateway(t, status(503, 202))
	if err := sms.NewWebhook(g.URL, key, thisMachine).Send(t.Context(), message); err != nil {
		t.Errorf("after a 503: %v", err)
	}
	if g.asked() != 2 || g.bodies[0] != g.bodies[1] {
		t.Errorf("asked %d times: %q", g.asked(), g.bodies)
	}
}

func TestASlowGatewayIsNotWaitedForLong(t *testing.T) {
	stop := make(chan struct{})
	g := newGateway(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	cfg := thisMachine
	cfg.Timeout = 50 * time.Millisecond
	wantUnsent(t, sms.NewWebhook(g.URL, key, cfg).Send(t.Context(), message))
	if g.asked() != 2 {
		t.Errorf("asked %d times, want once more after silence", g.asked())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnsent(t, sms.NewWebhook(g.URL, key, thisMachine).Send(ctx, message))
}

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	g := newGateway(t, status(200))
	wantUnsent(t, sms.NewWebhook(g.URL, key, safehttp.Config{}).Send(t.Context(), message))
	if g.asked() != 0 {
		t.Error("this machine was asked although nobody allowed it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	wantUnsent(t, sms.NewWebhook("http://"+l.Addr().String(), key, thisMachine).Send(t.Context(), message))
}

func TestTheLogOfADevelopmentServerShowsTheCode(t *testing.T) {
	var out bytes.Buffer
	if err := (sms.Log{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "+4930123456") || !strings.Contains(out.String(), "1234 is your code") {
		t.Errorf("the log says %s", out.String())
	}
}

// The examples of the manual say yes to what we sign, and no to what we do not.
func TestTheManualVerifies(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate/sms.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), vector) || !strings.Contains(string(page), vectorBody) {
		t.Error("the manual lacks the vector")
	}
	example := func(lang string) string {
		m := regexp.MustCompile("(?s)```" + lang + "\n(.*?)```").FindSubmatch(page)
		if m == nil {
			t.Fatalf("no example in %s", lang)
		}
		return string(m[1])
	}
	programs := map[string]func(t *testing.T, folder string) *exec.Cmd{
		"go": func(t *testing.T, folder string) *exec.Cmd {
			write(t, folder, "verify.go", "package main\n\n"+example("go"))
			write(t, folder, "main.go", `package main

import (
	"io"
	"os"
	"strconv"
	"time"
)

func main() {
	body, _ := io.ReadAll(os.Stdin)
	now, _ := strconv.ParseInt(os.Args[2], 10, 64)
	if !signedByPortico(os.Args[1], body, []byte("`+key+`"), time.Unix(now, 0)) {
		os.Exit(3)
	}
}
`)
			write(t, folder, "go.mod", "module example.test/verify\n\ngo 1.24\n")
			build := exec.CommandContext(t.Context(), "go", "build", "-o", "verify", ".")
			build.Dir, build.Env = folder, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("the example does not compile: %s", out)
			}
			return exec.CommandContext(t.Context(), filepath.Join(folder, "verify"))
		},
		"js": func(t *testing.T, folder string) *exec.Cmd {
			write(t, folder, "verify.mjs", example("js")+`
const chunks = [];
for await (const chunk of process.stdin) { chunks.push(chunk); }
process.exit(signedByPortico(process.argv[2], Buffer.concat(chunks), "`+key+`", Number(process.argv[3])) ? 0 : 3);
`)
			return exec.CommandContext(t.Context(), "node", filepath.Join(folder, "verify.mjs"))
		},
	}
	for lang, prepare := range programs {
		t.Run(lang, func(t *testing.T) {
			run := prepare(t, t.TempDir())
			for name, tt := range map[string]struct {
				header, body string
				now          int
				yes          bool
			}{
				"ours":               {vector, vectorBody, 1764316800, true},
				"a minute later":     {vector, vectorBody, 1764316860, true},
				"an hour later":      {vector, vectorBody, 1764320400, false},
				"an hour before":     {vector, vectorBody, 1764313200, false},
				"another body":       {vector, vectorBody + " ", 1764316800, false},
				"another time in it": {strings.Replace(vector, "t=1764316800", "t=1764316801", 1), vectorBody, 1764316800, false},
				"cut short":          {vector[:len(vector)-2], vectorBody, 1764316800, false},
				"nothing":            {"", vectorBody, 1764316800, false},
				"no hex":             {"t=1764316800,v1=zz", vectorBody, 1764316800, false},
			} {
				cmd := exec.CommandContext(t.Context(), run.Path, append(run.Args[1:], tt.header, strconv.Itoa(tt.now))...)
				cmd.Stdin = strings.NewReader(tt.body)
				out, err := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); (code == 0) != tt.yes || code != 0 && code != 3 {
					t.Errorf("%s: it says yes: %v, want %v (%v, %s)", name, code == 0, tt.yes, err, out)
				}
			}
		})
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
