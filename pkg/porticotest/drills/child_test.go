package drills

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/cli"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// site is an installation as an operator makes it: settings in the
// environment, clients and people made by the shell, servers as processes.
type site struct {
	t        *testing.T
	url      string
	listen   string
	env      []string
	email    string
	password string
	web      porticotest.App
	machine  porticotest.App
}

// newSite makes settings. more are further variables.
func newSite(t *testing.T, databaseURL, redisURL string, more ...string) *site {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	listen := freeAddress(t)
	s := &site{t: t, url: "http://" + listen, listen: listen, email: "ada@example.com", password: "a long enough password"}
	s.env = append([]string{
		"PORTICO_ISSUER=" + s.url, "PORTICO_LISTEN=" + listen,
		"PORTICO_DATABASE_URL=" + databaseURL, "PORTICO_REDIS_URL=" + redisURL,
		"PORTICO_ENCRYPTION_KEYS=" + base64.StdEncoding.EncodeToString(key),
		"PORTICO_ARGON2_MEMORY=7168", "PORTICO_ARGON2_TIME=1", "PORTICO_LIMIT_FACTOR=1000",
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
	}, more...)
	return s
}

// fill migrates the database and makes an API, two clients and a person.
func (s *site) fill() {
	s.t.Helper()
	s.shell(nil, "migrate", "up")
	s.people()
}

// people makes an API, two clients and a person.
func (s *site) people() {
	s.t.Helper()
	const api = "https://orders.example.test"
	var w, m struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	s.shell(nil, "api", "create", "--audience", api, "--scope", "orders:read")
	s.shell(&m, "client", "create", "--name", "Machine", "--grant-type", "client_credentials", "--scope", "orders:read", "--audience", api)
	s.shell(&w, "client", "create", "--name", "Web", "--redirect-uri", "http://127.0.0.1/callback", "--skip-consent",
		"--scope", "openid profile orders:read", "--audience", api)
	s.shell(nil, "user", "create", "--email", s.email, "--password", s.password)
	s.machine = porticotest.App{ID: m.ID, Secret: m.Secret}
	s.web = porticotest.App{ID: w.ID, Secret: w.Secret, RedirectURI: porticotest.Callback, Verifier: porticotest.Verifier}
}

// shell runs a portico command and reads its JSON.
func (s *site) shell(into any, args ...string) {
	s.t.Helper()
	s.say("", into, args...)
}

// say is shell with something on standard input.
func (s *site) say(input string, into any, args ...string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(append(args, "--output", "json"), cli.Process{Stdin: strings.NewReader(input), Stdout: &out, Stderr: &errs, Environ: s.env})
	if code != 0 {
		s.t.Fatalf("portico %s: %s", strings.Join(args, " "), errs.String())
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		s.t.Fatalf("portico %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
}

// child is a portico in a process of its own.
type child struct {
	cmd    *exec.Cmd
	stderr *porticotest.Log
	exit   chan error
}

// start runs the command and does not wait for it. It ends with the test.
func (s *site) start(command string, more ...string) *child {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), stderr: &porticotest.Log{}, exit: make(chan error, 1)}
	c.cmd.Env = append(append(append([]string(nil), s.env...), more...), role+"="+command)
	c.cmd.Stderr = c.stderr
	hold, err := c.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { c.exit <- c.cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // unless it has ended
		_ = hold.Close()
	})
	return c
}

// serve starts the server and waits until it is ready.
func (s *site) serve() *child {
	s.t.Helper()
	c := s.start("serve")
	s.ready(c, s.url)
	return c
}

// ready waits until the child is ready at the address.
func (s *site) ready(c *child, address string) {
	s.t.Helper()
	soon(s.t, "the server is ready", func() bool {
		select {
		case err := <-c.exit:
			s.t.Fatalf("the server ended: %v\n%s", err, c.stderr)
		default:
		}
		res, err := http.Get(address + protocol.PathReady)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// wait returns the exit status of the process.
func (s *site) wait(c *child) int {
	s.t.Helper()
	select {
	case <-c.exit:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Fatalf("the process does not end\n%s", c.stderr)
		return -1
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
