package porticotest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// The first thing anyone does with Portico, from the application's request to
// the end of the session.
func TestLoginWith(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	page := b.SignIn(s.AuthorizeURL(porticotest.Web, "openid profile email offline_access orders:read"), server.DemoPeople[0])
	q := page.URL.Query()
	if q.Get("state") != "the state" || q.Get("iss") != s.URL || q.Get("code") == "" {
		t.Fatalf("answer %s", page.URL)
	}
	if !strings.HasPrefix(page.URL.String(), porticotest.Callback) {
		t.Fatalf("answered to %s", page.URL)
	}
	if b.Requests != 5 {
		t.Errorf("the browser sent %d requests, want 5: authorize, login and consent", b.Requests)
	}

	tokens := s.Exchange(porticotest.Web, q.Get("code"))
	if tokens.Status != http.StatusOK || tokens.Text("id_token") == "" || tokens.Text("refresh_token") == "" {
		t.Fatalf("token answer %d %s", tokens.Status, tokens.Raw)
	}
	access := tokens.Text("access_token")
	info := s.Fetch(protocol.PathUserinfo, access)
	if info.Status != http.StatusOK || info.Text("email") != "alice@example.com" || info.Text("name") != "Alice Example" {
		t.Fatalf("userinfo %d %s", info.Status, info.Raw)
	}
	if a := s.Introspect(porticotest.Machine, access); a.JSON["active"] != true || a.Text("client_id") != "demo-web" {
		t.Errorf("introspection by the resource server: %s", a.Raw)
	}

	next := s.Refresh(porticotest.Web, tokens.Text("refresh_token"))
	if next.Status != http.StatusOK || next.Text("refresh_token") == tokens.Text("refresh_token") {
		t.Fatalf("refresh %d %s", next.Status, next.Raw)
	}
	if a := s.Revoke(porticotest.Web, next.Text("refresh_token")); a.Status != http.StatusOK {
		t.Fatalf("revoke %d %s", a.Status, a.Raw)
	}
	if a := s.Introspect(porticotest.Machine, next.Text("access_token")); a.JSON["active"] != false {
		t.Errorf("after revocation: %s", a.Raw)
	}
	if a := s.Fetch(protocol.PathUserinfo, access); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo after revocation: %d", a.Status)
	}

	// The session answers the next application without a page.
	again := b.Get(s.AuthorizeURL(porticotest.Web, "openid profile", "prompt", "none"))
	if !again.Left || again.URL.Query().Get("code") == "" {
		t.Fatalf("single sign-on: %s %d", again.URL, again.Status)
	}

	out := b.Get(protocol.PathLogout)
	if !out.Has("logout-confirm") {
		t.Fatalf("logout does not ask: %s", out.Text())
	}
	out = out.Submit(nil, "decision", "logout")
	if !strings.Contains(out.Text(), "signed out") {
		t.Fatalf("after logout: %s", out.Text())
	}
	gone := b.Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "none"))
	if gone.URL.Query().Get("error") != protocol.ErrLoginRequired {
		t.Errorf("prompt=none after logout: %s", gone.URL)
	}
}

func TestMachineToken(t *testing.T) {
	s := porticotest.New(t)
	a := s.Send(porticotest.Machine, protocol.PathToken, map[string][]string{"grant_type": {"client_credentials"}})
	if a.Status != http.StatusOK || a.Text("scope") != "orders:read orders:write" || a.Text("token_type") != "Bearer" {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if i := s.Introspect(porticotest.Machine, a.Text("access_token")); i.JSON["active"] != true || i.Text("sub") != "demo-service" {
		t.Errorf("introspection: %s", i.Raw)
	}
}
