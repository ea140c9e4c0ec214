package drills

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
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
	var out, errs bytes.Buffer
	code := cli.Main(append(args, "--output", "json"), cli.Process{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Environ: s.env})
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
	c := &child{cmd: exec.Command(self), stderr: &porticotest.Log{}, exit: make(chan error, 1)} //nolint:gosec,noctx // this test itself
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
		res, err := http.Get(address + protocol.PathReady) //nolint:noctx,gosec // bounded by soon
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
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// caller sends requests to a child, on connections that stay open. Unlike
// porticotest it returns errors: connections break in these drills.
type caller struct {
	s    *site
	http http.Client
}

func (s *site) caller() *caller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &caller{s, http.Client{
		Jar: jar, Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is what came back.
type reply struct {
	status   int
	header   http.Header
	raw      []byte
	json     map[string]any
	location string
}

func (r reply) text(member string) string { v, _ := r.json[member].(string); return v }

func (r reply) String() string { return fmt.Sprintf("%d %.300s", r.status, r.raw) }

// send sends a form, or a GET when form is nil, as the application.
func (c *caller) send(app porticotest.App, address string, form url.Values) (reply, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(address, "/") {
		address = c.s.url + address
	}
	req, err := http.NewRequest(method, address, body) //nolint:noctx // the client has a timeout
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if app.Secret != "" {
		req.SetBasicAuth(app.ID, app.Secret)
	}
	return c.do(req)
}

func (c *caller) do(req *http.Request) (reply, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	raw, err := read(res)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: res.StatusCode, header: res.Header, raw: raw, location: res.Header.Get("Location")}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(raw, &r.json)
	}
	return r, err
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// code signs in, unless the caller has a session, and returns a code.
func (c *caller) code(scope string) (string, error) {
	q := url.Values{
		protocol.ClientID: {c.s.web.ID}, protocol.ResponseType: {protocol.ResponseTypeCode}, protocol.Scope: {scope},
		protocol.RedirectURI: {porticotest.Callback}, protocol.State: {"s"}, protocol.Nonce: {"n"},
		protocol.CodeChallenge: {porticotest.Challenge(porticotest.Verifier)}, protocol.CodeChallengeMethod: {protocol.ChallengeS256},
	}
	r, err := c.send(nobody, protocol.PathAuthorize+"?"+q.Encode(), nil)
	for range 3 {
		if err != nil {
			return "", err
		}
		if u, err := url.Parse(r.location); err == nil && u.Query().Get(protocol.Code) != "" {
			return u.Query().Get(protocol.Code), nil
		}
		if r.location == "" {
			break
		}
		at := r.location
		if r, err = c.send(nobody, at, nil); err != nil || r.status != http.StatusOK {
			continue
		}
		form := url.Values{"username": {c.s.email}, "password": {c.s.password}}
		for _, m := range hidden.FindAllStringSubmatch(string(r.raw), -1) {
			form.Set(m[1], m[2])
		}
		r, err = c.send(nobody, at, form)
	}
	return "", fmt.Errorf("no code: %s", r)
}

// tokens signs in and redeems the code.
func (c *caller) tokens(scope string) (reply, error) {
	code, err := c.code(scope)
	if err != nil {
		return reply{}, err
	}
	r, err := c.send(c.s.web, protocol.PathToken, codeForm(c.s.web, code))
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("code exchange: %s", r)
	}
	return r, err
}

// must is tokens for the stage of a drill.
func (c *caller) must(scope string) reply {
	c.s.t.Helper()
	r, err := c.tokens(scope)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return r
}

// userinfo asks with the token.
func (c *caller) userinfo(access string) (reply, error) {
	req, err := http.NewRequest(http.MethodGet, c.s.url+protocol.PathUserinfo, nil) //nolint:noctx // the client has a timeout
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	return c.do(req)
}
