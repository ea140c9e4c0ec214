package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/labstack/echo/v4"

	"github.com/portico-id/portico/pkg/cli"
	"github.com/portico-id/portico/storage/throwaway"
)

// role makes a copy of this test binary play a server of its own process, so
// that its CPU can be told apart from the load generator's.
const role = "PORTICO_TEST_BENCH_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "serve":
		os.Exit(serve())
	case "floor":
		floor()
	default:
		os.Exit(throwaway.Main(m))
	}
}

// profile names a file for the server's CPU profile.
const profile = "PORTICO_TEST_BENCH_PROFILE"

// serve is portico serve, profiled when that was asked for.
func serve() int {
	if path := os.Getenv(profile); path != "" {
		f, err := os.Create(path)
		if err != nil {
			panic(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	return cli.Main([]string{"serve"}, cli.Process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()})
}

// floor is the physical bound: echo and one go-jose ES256 signature.
func floor() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		panic(err)
	}
	document := bytes.Repeat([]byte("x"), 2000)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/bare", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", document) })
	e.GET("/sign", func(c echo.Context) error {
		claims, err := json.Marshal(map[string]any{
			"iss": "http://localhost", "sub": "service", "aud": "https://orders.example.test", "client_id": "service",
			"scope": "orders:read orders:write", "jti": "0123456789abcdef", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 900,
		})
		if err != nil {
			return err
		}
		jws, err := signer.Sign(claims)
		if err != nil {
			return err
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 900})
	})
	if err := e.Start(os.Getenv("LISTEN")); err != nil {
		panic(err)
	}
}

// site is everything that runs during a measurement.
type site struct {
	URL, metrics, floorURL string
	serverPID, floorPID    int
	postgresPID, redisPID  int
	env                    []string
	started                time.Duration // until the first answer
	password, email        string
	machine, web, rsa      credentials // rsa has the default algorithm of ID tokens, RS256
}

type credentials struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

const redirect = "http://127.0.0.1/callback"

// open starts Postgres, Redis, the floor and portico serve, with further
// settings, and makes clients and a person by the shell.
func open(b *testing.B, settings ...string) *site {
	b.Helper()
	pg, rd := throwaway.NewPostgres(b, throwaway.PGOptions{}), throwaway.Redis(b)
	port, ops := freePort(b), freePort(b)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	s := &site{
		URL: "http://localhost:" + port, metrics: "http://127.0.0.1:" + ops + "/metrics",
		email: "ada@example.com", password: "a long enough password",
	}
	s.env = []string{
		"PORTICO_ISSUER=" + s.URL, "PORTICO_LISTEN=127.0.0.1:" + port, "PORTICO_METRICS_LISTEN=127.0.0.1:" + ops,
		"PORTICO_DATABASE_URL=" + pg.Database(b).URL(), "PORTICO_REDIS_URL=" + rd.URL(),
		"PORTICO_ENCRYPTION_KEYS=" + base64.StdEncoding.EncodeToString(key),
		"PORTICO_LOG_LEVEL=warn", "PORTICO_LIMIT_FACTOR=1000000", "HOME=" + b.TempDir(), "PATH=" + os.Getenv("PATH"),
		profile + "=" + os.Getenv(profile),
	}
	s.env = append(s.env, settings...)
	s.shell(b, nil, "migrate", "up")
	s.shell(b, nil, "api", "create", "--audience", "https://orders.example.test", "--scope", "orders:read", "--scope", "orders:write")
	s.shell(b, &s.machine, "client", "create", "--name", "Machine", "--grant-type", "client_credentials",
		"--scope", "orders:read orders:write", "--audience", "https://orders.example.test")
	s.shell(b, &s.web, "client", "create", "--name", "Web", "--redirect-uri", redirect, "--skip-consent", "--id-token-alg", "ES256")
	s.shell(b, &s.rsa, "client", "create", "--name", "RSA", "--redirect-uri", redirect, "--skip-consent")
	s.shell(b, nil, "user", "create", "--email", s.email, "--password", s.password)
	s.serverPID, s.started = start(b, "serve", s.env, s.URL+"/healthz")
	floorPort := freePort(b)
	s.floorURL = "http://127.0.0.1:" + floorPort
	s.floorPID, _ = start(b, "floor", []string{"LISTEN=127.0.0.1:" + floorPort}, s.floorURL+"/bare")
	s.postgresPID = listenerPID(b, "postgres")
	s.redisPID = listenerPID(b, "redis-server")
	return s
}

// shell runs a portico command and reads its JSON.
func (s *site) shell(b *testing.B, into any, args ...string) {
	b.Helper()
	var out, errs bytes.Buffer
	if code := cli.Main(append(args, "--output", "json"), cli.Process{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Environ: s.env}); code != 0 {
		b.Fatalf("portico %s: %s", strings.Join(args, " "), errs.String())
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		b.Fatalf("portico %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
}

// start runs this binary in another role and waits for its first answer.
func start(b *testing.B, as string, env []string, probe string) (pid int, took time.Duration) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), self) // ended by SIGTERM below
	cmd.Env = append(env, role+"="+as)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for time.Since(begun) < 20*time.Second {
		res, err := http.Get(probe)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return cmd.Process.Pid, time.Since(begun)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.Fatalf("%s does not answer", as)
	return 0, 0
}

func freePort(b *testing.B) string {
	b.Helper()
	l := httptest.NewUnstartedServer(nil).Listener
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	_ = l.Close()
	return port
}

// usage is CPU time since the processes began.
type usage struct{ server, postgres, redis time.Duration }

func (s *site) cpu(b *testing.B) usage {
	b.Helper()
	u := usage{server: cpuOf(s.serverPID)}
	if s.redisPID != 0 {
		u.redis = cpuOf(s.redisPID)
	}
	if s.postgresPID != 0 {
		u.postgres = cpuOf(s.postgresPID)
		for _, pid := range children(s.postgresPID) {
			u.postgres += cpuOf(pid)
		}
	}
	return u
}

// tick is the unit of /proc/*/stat (USER_HZ, 100 on every Linux Go runs on).
const tick = 10 * time.Millisecond

// cpuOf returns user and system time of a process and of its children that
// have ended.
func cpuOf(pid int) time.Duration {
	f := stat(pid)
	if len(f) < 17 {
		return 0
	}
	var sum time.Duration
	for _, i := range []int{13, 14, 15, 16} {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}

// stat returns the fields of /proc/pid/stat; the name, which may hold blanks,
// counts as one.
func stat(pid int) []string {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return nil
	}
	return append([]string{string(raw[:open]), string(raw[open+1 : end])}, strings.Fields(string(raw[end+1:]))...)
}

func children(parent int) []int {
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := stat(pid); len(f) > 3 && f[3] == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}

// listenerPID finds the child of this process with the name: the throwaway
// servers are ours.
func listenerPID(b *testing.B, name string) int {
	b.Helper()
	for _, pid := range children(os.Getpid()) {
		if f := stat(pid); len(f) > 1 && strings.HasPrefix(f[1], name[:min(len(name), 15)]) {
			return pid
		}
	}
	b.Fatalf("no child process is called %s", name)
	return 0
}

// memory returns the resident set of a process in megabytes.
func memory(pid int) float64 {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1024
		}
	}
	return 0
}

// statements reads how many SQL statements the server has sent.
func (s *site) statements(b *testing.B) float64 {
	b.Helper()
	if s.metrics == "" {
		return 0
	}
	res, err := http.Get(s.metrics)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "portico_sql_statements_total{") {
			n, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			sum += n
		}
	}
	return sum
}
