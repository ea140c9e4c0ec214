package porticotest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
)

// nodeProject holds the client libraries and the scripts that use them.
const nodeProject = "testdata/node"

// needNode fails with what to do when the libraries are not installed.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(nodeProject, "node_modules", "openid-client")); err != nil {
		t.Fatal("the Node libraries are not installed: run 'make node'")
	}
}

// scenarioBound ends a script that hangs.
const scenarioBound = 90 * time.Second

// playScenario runs one scenario of a script against the server, with a
// browser of its own on the other side of the script's pipes.
func playScenario(t *testing.T, s *porticotest.Server, script, name string, args ...string) {
	t.Helper()
	playScenarioWith(t, s, s.NewBrowser(), script, name, args...)
}

// playScenarioWith is playScenario with a browser at hand.
func playScenarioWith(t *testing.T, s *porticotest.Server, b *porticotest.Browser, script, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scenarioBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script, name, s.URL}, args...)...)
	cmd.Dir = nodeProject
	var problems strings.Builder
	cmd.Stderr = &problems
	answers, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	questions, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("node does not start: %v", err)
	}
	serveVisits(t, b, questions, answers)
	_ = answers.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s %s: %v\n%s", script, name, err, problems.String())
	}
}

// question is a line of a script.
type question struct {
	Visit    string `json:"visit"`
	As       string `json:"as"`
	Decision string `json:"decision"`
}

// visited is the line that answers it.
type visited struct {
	URL    string     `json:"url"`
	Left   bool       `json:"left"`
	Form   [][]string `json:"form,omitempty"`
	Status int        `json:"status"`
	Text   string     `json:"text,omitempty"`
}

func serveVisits(t *testing.T, b *porticotest.Browser, questions io.Reader, answers io.Writer) {
	t.Helper()
	for lines := bufio.NewScanner(questions); lines.Scan(); {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			t.Errorf("the script said %q", lines.Text())
			return
		}
		page := walkPages(b, q)
		v := visited{URL: page.URL.String(), Left: page.Left, Status: page.Status}
		if action, form := page.Form("formpost"); action != "" {
			v.URL, v.Left, v.Form = action, true, pairs(form)
		} else if !page.Left {
			v.Text = page.Text()
		}
		if err := json.NewEncoder(answers).Encode(v); err != nil {
			return // the script ended: its exit tells why
		}
	}
}

// walkPages signs in and decides until no page asks for it.
func walkPages(b *porticotest.Browser, q question) *porticotest.Page {
	page := b.Get(q.Visit)
	for range 5 {
		switch {
		case page.Has("factor-submit") && b.Authenticator != nil:
			page = page.Submit(map[string]string{"code": b.Authenticator.Code()}, "", "")
		case page.Has("login-submit"):
			page = page.Submit(map[string]string{"username": q.As, "password": server.DemoPassword}, "", "")
		case page.Has("consent-allow"):
			page = page.Submit(nil, "decision", q.Decision)
		default:
			return page
		}
	}
	return page
}

func pairs(form url.Values) [][]string {
	var out [][]string
	for name, values := range form {
		for _, v := range values {
			out = append(out, []string{name, v})
		}
	}
	return out
}

func TestOpenIDClient(t *testing.T) {
	needNode(t)
	s := porticotest.New(t)
	for _, scenario := range [][]string{
		{"default"},
		{"oauthMetadata"},
		{"basic"},
		{"post"},
		{"public"},
		{"bare"},
		{"machine"},
		{"privateKey", "ES256"},
		{"privateKey", "RS256"},
		{"privateKey", "PS256"},
		{"privateKey", "EdDSA"},
		{"privateKey", "Ed25519"},
		{"jwksURI"},
		{"jwksURIGone"},
		{"idTokenAlgorithm", "ES256"},
		{"idTokenAlgorithm", "PS256"},
		{"idTokenAlgorithm", "EdDSA"},
		{"signedAnswers", "RS256"},
		{"signedAnswers", "ES256"},
		{"formPost"},
		{"fragment"},
		{"freshLogin"},
		{"refusals"},
		{"loopbackResource"},
		{"logout"},
	} {
		t.Run(strings.Join(scenario, " "), func(t *testing.T) {
			t.Parallel()
			playScenario(t, s, "openid-client.mjs", scenario[0], scenario[1:]...)
		})
	}
}

func TestOAuth4WebAPI(t *testing.T) {
	needNode(t)
	s := porticotest.New(t)
	for _, scenario := range [][]string{
		{"openid"}, {"oauthMetadata"}, {"signed", "ES256"}, {"signed", "EdDSA"}, {"plain"}, {"machine"}, {"challenges"}, {"refusals"},
	} {
		t.Run(strings.Join(scenario, " "), func(t *testing.T) {
			t.Parallel()
			playScenario(t, s, "oauth4webapi.mjs", scenario[0], scenario[1:]...)
		})
	}
}

// Clients look for the metadata of an issuer with a path in two places.
func TestClientsOfAnIssuerWithAPath(t *testing.T) {
	needNode(t)
	s := porticotest.New(t, porticotest.Path("/realms/one"))
	for _, scenario := range []string{"openid", "oauthMetadata"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			playScenario(t, s, "oauth4webapi.mjs", scenario)
		})
	}
	t.Run("go-oidc", func(t *testing.T) {
		t.Parallel()
		app := s.Register(nil)
		a := newGoApp(t, s, app)
		a.idToken(t, a.login(t, s), goNonce)
	})
}

// RFC 9470: an application that we did not write asks for what an API demands.
// The person signed in before they had an authenticator app.
func TestStepUpWithOpenIDClient(t *testing.T) {
	needNode(t)
	s := porticotest.New(t)
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
	b.Authenticator = s.AddAuthenticator(server.DemoPeople[0])
	playScenarioWith(t, s, b, "stepup.mjs", "stepUp")
}
