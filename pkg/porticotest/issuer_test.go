package porticotest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// An issuer may have a path: everything is below it, and the metadata is
// found in every place where clients look.
func TestIssuerWithAPath(t *testing.T) {
	const issuer = "http://localhost:8080/realms/one"
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.Issuer = issuer }))
	for _, path := range []string{
		"/realms/one/.well-known/openid-configuration",
		"/.well-known/openid-configuration/realms/one",
		"/.well-known/oauth-authorization-server/realms/one",
	} {
		a := s.FetchURL("http://localhost:8080" + path)
		if a.Status != http.StatusOK || a.Text("issuer") != issuer || a.Text("token_endpoint") != issuer+protocol.PathToken {
			t.Errorf("RFC 8414 §3.1 %s: %d issuer %q", path, a.Status, a.Text("issuer"))
		}
	}
	b := s.NewBrowser()
	page := b.SignIn("/realms/one"+s.AuthorizeURL(porticotest.Web, "openid email"), server.DemoPeople[0])
	q := page.URL.Query()
	if q.Get("iss") != issuer || q.Get("code") == "" {
		t.Fatalf("answer %s", page.URL)
	}
	tokens := s.Exchange(porticotest.Web, q.Get("code"))
	if tokens.Status != http.StatusOK {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	if info := s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")); info.Text("email") != server.DemoPeople[0] {
		t.Errorf("userinfo %d %s", info.Status, info.Raw)
	}
	for _, c := range b.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %s needs https", c.Name)
		}
	}
}
