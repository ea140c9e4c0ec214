package cli_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/portico-id/portico/pkg/cli"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/storage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"portico": func() {
		os.Exit(cli.Main(os.Args[1:], cli.Process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}))
	}})
}

// Every script is a story told by a shell.
func TestScripts(t *testing.T) {
	elsewhere := newElsewhere(t)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"enrol": enrol, "idof": idOf, "provide": provide},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("KEY", "cG9ydGljbyFwb3J0aWNvIXBvcnRpY28hcG9ydGljbyE=")
			env.Setenv("ELSEWHERE", elsewhere)
			env.Setenv("DB", "sqlite://"+filepath.ToSlash(filepath.Join(env.WorkDir, "data", "portico.db")))
			return nil
		},
	})
}

// newElsewhere is what an OpenID provider says of itself to whoever asks, at
// the address and below the path /moved of it, where it names another issuer.
func newElsewhere(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one"}}})
	})
	for _, path := range []string{"", "/moved"} {
		mux.HandleFunc(path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{
				"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
			})
		})
	}
	return s.URL
}

// enrol gives a person an authenticator app, which takes a phone and not a
// shell: enrol ada@example.com
func enrol(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	d, err := storage.OpenDurable(ctx, ts.Getenv("DB"), storage.DurableOptions{})
	ts.Check(err)
	u, err := d.Users.ByIdentifier(ctx, args[0])
	ts.Check(err)
	u.Factors = []string{"totp"}
	ts.Check(d.Users.Update(ctx, u))
	ts.Check(d.TOTPs.Create(ctx, totp.App{
		ID: "app-of-" + u.ID, UserID: u.ID, Name: "Phone", Sealed: []byte("sealed"), CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}))
	ts.Check(d.Close())
}

// idOf keeps the id of a JSON answer in a variable: idof asked.json ID
func idOf(ts *testscript.TestScript, _ bool, args []string) {
	var answer struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &answer))
	ts.Setenv(args[1], answer.ID)
}

// provide adds a provider that people may sign in with: provide google, or of
// another kind: provide corp ldap
func provide(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	d, err := storage.OpenDurable(ctx, ts.Getenv("DB"), storage.DurableOptions{})
	ts.Check(err)
	kind := federation.Google
	if len(args) > 1 {
		kind = federation.Kind(args[1])
	}
	ts.Check(d.Federation.PutProvider(ctx, federation.Provider{ID: args[0], Kind: kind, Name: args[0]}))
	ts.Check(d.Close())
}
