package drills

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

// wire is a line to a server that remembers what was said on it.
type wire struct {
	addr string
	mu   sync.Mutex
	said bytes.Buffer
}

// tap puts a wire between Portico and the server at the address.
func tap(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &wire{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(in, to)
		}
	}()
	return w
}

func (w *wire) join(in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	go func() {
		_, _ = io.Copy(in, out)
		_ = in.Close()
	}()
	_, _ = io.Copy(io.MultiWriter(out, w), in)
}

// Write remembers.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *wire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// secrets are what a test saw that nobody may find at rest, by what they are.
type secrets map[string][]string

func (k secrets) add(what string, values ...string) {
	for _, v := range values {
		if v != "" {
			k[what] = append(k[what], v)
		}
	}
}

func (k secrets) addAnswer(a *porticotest.Answer) {
	for _, name := range []string{"access_token", "refresh_token", "id_token", "client_secret", "registration_access_token"} {
		k.add(name, a.Text(name))
	}
}

// forms are the ways in which a secret could lie somewhere: as it is, its
// end alone, and the bytes that it is made of, plain or in hex.
func forms(s string) []string {
	out := []string{s}
	if len(s) > 40 {
		out = append(out, s[len(s)-24:])
	}
	tail := s[max(strings.LastIndexByte(s, '_'), strings.LastIndexByte(s, '.'))+1:]
	if raw, err := base64.RawURLEncoding.DecodeString(tail); err == nil && len(raw) >= 16 {
		out = append(out, string(raw), hex.EncodeToString(raw))
	}
	return out
}

// absent looks for the secrets in what was found at rest.
func (k secrets) absent(t *testing.T, where, found string) {
	t.Helper()
	for what, values := range k {
		for _, v := range values {
			for _, form := range forms(v) {
				if i := strings.Index(found, form); i >= 0 {
					t.Errorf("%s has %s (%q): …%q…", where, what, v, found[max(0, i-80):min(len(found), i+20)])
				}
			}
		}
	}
	for _, mark := range []string{"PRIVATE KEY", `"d":"`, `"k":"`} {
		if i := strings.Index(found, mark); i >= 0 {
			t.Errorf("%s has a private key: …%q…", where, found[max(0, i-80):min(len(found), i+20)])
		}
	}
}

// live goes through everything that makes secrets and returns those it saw.
func live(t *testing.T, s *porticotest.Server) secrets {
	t.Helper()
	k := secrets{}
	k.add("an encryption key", porticotest.EncryptionKey)
	k.add("a password", server.DemoPassword)
	k.add("a client secret", server.DemoWebSecret, server.DemoServiceSecret)
	k.add("a code verifier", porticotest.Verifier)
	for _, app := range []porticotest.App{web, spa} {
		b := s.NewBrowser()
		code := s.Code(b, app, everything)
		k.add("a code", code, s.Code(b, app, everything)) // the second is never redeemed
		tokens := s.Exchange(app, code)
		want(t, "code exchange", tokens, http.StatusOK)
		k.addAnswer(tokens)
		next := s.Refresh(app, tokens.Text("refresh_token"))
		want(t, "refresh", next, http.StatusOK)
		k.addAnswer(next)
		for _, c := range b.Cookies() {
			if len(c.Value) > 16 { // not a language
				k.add("the cookie "+c.Name, c.Value)
			}
		}
		want(t, "revocation", s.Revoke(app, next.Text("access_token")), http.StatusOK)
		if app.ID == web.ID { // the other one stays signed in
			b.Get(protocol.PathLogout).Submit(nil, "decision", "logout")
		}
	}
	k.addAnswer(s.Send(machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials)))
	m := newSigner(t, s)
	m.takenAgain(s)
	assertion := m.assertion()
	k.addAnswer(s.Send(nobody, protocol.PathToken, m.form(assertion)))
	k.add("an assertion", assertion)
	made := s.SendJSON(http.MethodPost, protocol.PathRegister, "", registration())
	want(t, "registration", made, http.StatusCreated)
	k.addAnswer(made)
	const typo = "a password with a typo in it"
	s.NewBrowser().Get(s.AuthorizeURL(web, everything)).Submit(map[string]string{"username": server.DemoPeople[0], "password": typo}, "", "")
	k.add("a mistyped password", typo)
	s.Send(web, protocol.PathToken, url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"sent to the wrong place"}})
	k.add("a password of another grant", "sent to the wrong place")
	livePeople(t, s, k)
	liveFactors(t, s, k)
	for _, what := range []string{"access_token", "refresh_token", "id_token", "client_secret", "registration_access_token", "a code"} {
		if len(k[what]) == 0 {
			t.Fatalf("the flows gave no %s", what)
		}
	}
	return k
}

// dump returns the whole database as text.
func dump(t *testing.T, url string) string {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), url, storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	out := storagetest.Dump(t, d)
	for _, sign := range []string{server.DemoPeople[0], server.DemoWeb, "signing_keys."} {
		if !strings.Contains(out, sign) {
			t.Fatalf("the dump lacks %q: it proves nothing", sign)
		}
	}
	return out
}

func TestNothingSecretRestsInPostgresOrRedis(t *testing.T) {
	db, rd := throwaway.Postgres(t), throwaway.Redis(t)
	redis := tap(t, rd.Addr())
	u, err := url.Parse(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	postgres := tap(t, u.Host)
	u.Host = postgres.addr
	s := porticotest.New(t, porticotest.Stores(u.String(), "redis://"+redis.addr))
	k := live(t, s)
	s.Stop() // records in memory are written
	k.absent(t, "Postgres", dump(t, db.URL()))
	k.absent(t, "the line to Postgres", postgres.String())
	k.absent(t, "the line to Redis", redis.String())
	k.absent(t, "the log", s.Log.String())
	for where, w := range map[string]*wire{server.DemoPeople[0]: postgres, "portico:": redis} {
		if !strings.Contains(w.String(), where) {
			t.Errorf("the line was not heard: it lacks %q", where)
		}
	}
}

func TestNothingSecretRestsInTheEmbeddedStores(t *testing.T) {
	dir := t.TempDir()
	address := "sqlite://" + filepath.ToSlash(filepath.Join(dir, "portico.db"))
	s := porticotest.New(t, setting(func(c *config.Config) { c.DatabaseURL = address }))
	k := live(t, s)
	files := func(when string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) < 2 {
			t.Fatalf("the folder has %d files, want both stores", len(entries))
		}
		for _, e := range entries {
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			k.absent(t, e.Name()+" "+when, string(raw))
		}
	}
	files("while it runs")
	s.Stop()
	files("afterwards")
	k.absent(t, "SQLite", dump(t, address))
	k.absent(t, "the log", s.Log.String())
}
