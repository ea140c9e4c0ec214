package porticotest_test

import (
	"bufio"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// nodeProvider starts oidc-provider, with here as its client, and returns its
// issuer.
func nodeProvider(t *testing.T, here *porticotest.Server) string {
	t.Helper()
	needNode(t)
	cmd := exec.CommandContext(t.Context(), "node", "oidc-provider.mjs",
		here.URL+"/login/callback/node", here.URL+"/login/logout/node/done", here.URL+"/login/logout/node")
	cmd.Dir = nodeProject
	problems := &porticotest.Log{}
	cmd.Stderr = problems
	alive, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	says, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("node does not start: %v", err)
	}
	t.Cleanup(func() {
		_ = alive.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(problems.String())
		}
	})
	lines := bufio.NewScanner(says)
	for lines.Scan() {
		if issuer := lines.Text(); strings.HasPrefix(issuer, "http://") {
			return issuer
		}
	}
	t.Fatalf("oidc-provider does not say where it is:\n%s", problems.String())
	return ""
}

// stranger is a browser at a server that is no Portico: it follows redirects
// until one leads to stop.
func stranger(t *testing.T, stop string) func(method, address string, form url.Values) (at string, page string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: scenarioBound, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), stop) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return func(method, address string, form url.Values) (string, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		at := res.Request.URL.String()
		if to := res.Header.Get("Location"); to != "" {
			at = to
		}
		return at, string(body)
	}
}

var inputs = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"/?>`)

func TestNodeOIDCProvider(t *testing.T) {
	here := porticotest.New(t)
	issuer := nodeProvider(t, here)
	_, err := here.Federation.Create(t.Context(), federation.Provider{
		ID: "node", Kind: federation.OIDC, Name: "Node",
		Settings: federation.Settings{Issuer: issuer, ClientID: "portico", Create: true, Logout: true},
	}, "a secret of the test that is long enough")
	if err != nil {
		t.Fatal(err)
	}
	ask := here.AuthorizeURL(porticotest.Web, "openid email profile")
	b, there := here.NewBrowser(), stranger(t, here.URL)
	signIn := func() (sub, idToken string) {
		t.Helper()
		away := b.Get(ask).Submit(nil, "provider", "node")
		if !away.Left {
			t.Fatalf("the button leads to %s (%d):\n%s", away.URL, away.Status, away.Text())
		}
		back, page := there(http.MethodGet, away.URL.String(), nil)
		if !strings.HasPrefix(back, here.URL+"/login/callback/node?") {
			t.Fatalf("the provider leads to %s:\n%s", back, page)
		}
		return subject(t, here, toApp(t, b.Get(back)))
	}
	// endThere signs out at the provider, from a page of its own or ours.
	endThere := func(address string) (at string) {
		t.Helper()
		_, page := there(http.MethodGet, address, nil)
		form := url.Values{"logout": {"yes"}}
		for _, m := range inputs.FindAllStringSubmatch(page, -1) {
			form.Set(m[1], html.UnescapeString(m[2]))
		}
		at, page = there(http.MethodPost, issuer+"/session/end/confirm", form)
		if strings.Contains(page, "error") {
			t.Fatalf("the provider does not sign out:\n%s", page)
		}
		return at
	}

	first, _ := signIn()
	dora, err := here.Users.ByIdentifier(t.Context(), "dora@example.test")
	if err != nil || dora.ID != first || dora.Name != "Dora Keller" {
		t.Fatalf("the account made just in time is %+v, %v", dora, err)
	}
	if page := b.Get(ask); !page.Left {
		t.Fatalf("dora is not signed in: %s", page.URL)
	}

	// OIDC Back-Channel Logout: the provider tells us before it answers, and
	// the browser is not here meanwhile.
	endThere(issuer + "/session/end")
	if page := b.Get(ask); !page.Has("login-submit") {
		t.Fatalf("signed out at the provider, dora is still signed in here: %s", page.URL)
	}

	// RP-Initiated Logout: out of here, out of there, and back.
	second, idToken := signIn()
	if second != first {
		t.Errorf("the second sign-in is of %s, the first of %s", second, first)
	}
	out := b.Get(protocol.PathLogout + "?id_token_hint=" + idToken)
	if !out.Left || !strings.HasPrefix(out.URL.String(), issuer+"/session/end?") {
		t.Fatalf("the logout leads to %s (%d)", out.URL, out.Status)
	}
	back := endThere(out.URL.String())
	if !strings.HasPrefix(back, here.URL+"/login/logout/node/done?state=") {
		t.Fatalf("the provider leads to %s", back)
	}
	if end := b.Get(back); end.URL.Path != protocol.PathSignedOut {
		t.Errorf("it ends at %s", end.URL)
	}
}
