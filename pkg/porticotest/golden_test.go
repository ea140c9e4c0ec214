package porticotest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/server"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What applications have come to rely on: members, their types and their
// values, but for what differs from one run to the next.
func TestGolden(t *testing.T) {
	s := porticotest.New(t)
	x := &truth{T: t, s: s}
	everything := "openid profile email address phone roles offline_access orders:read orders:write"
	tokens := x.login(porticotest.Web, everything)
	access := tokens.Text("access_token")
	plain := x.login(porticotest.SPA, "orders:read")
	asked := x.login(porticotest.Web, "openid", "claims", `{"id_token":{"email":null,"roles":null},"userinfo":{"name":null}}`)
	signed := s.Register(map[string]any{"userinfo_signed_response_alg": "RS256", "introspection_signed_response_alg": "ES256"})
	signedAccess := x.login(signed, "openid email").Text("access_token")
	machine := s.Send(porticotest.Machine, protocol.PathToken, url.Values{"grant_type": {"client_credentials"}})

	for name, got := range map[string]any{
		"discovery":               s.Fetch(protocol.PathOpenIDConfiguration, "").JSON,
		"tokens":                  tokens.JSON,
		"tokens-refreshed":        s.Refresh(porticotest.Web, tokens.Text("refresh_token")).JSON,
		"tokens-machine":          machine.JSON,
		"access-user":             token(t, access),
		"access-user-plain":       token(t, plain.Text("access_token")),
		"access-machine":          token(t, machine.Text("access_token")),
		"id-token":                token(t, tokens.Text("id_token")),
		"id-token-asked":          token(t, asked.Text("id_token")),
		"userinfo":                s.Fetch(protocol.PathUserinfo, access).JSON,
		"userinfo-asked":          s.Fetch(protocol.PathUserinfo, asked.Text("access_token")).JSON,
		"userinfo-signed":         token(t, string(s.Fetch(protocol.PathUserinfo, signedAccess).Raw)),
		"introspection":           s.Introspect(porticotest.Machine, access).JSON,
		"introspection-refresh":   s.Introspect(porticotest.Web, x.login(porticotest.Web, "openid offline_access").Text("refresh_token")).JSON,
		"introspection-inactive":  s.Introspect(porticotest.Machine, "nothing").JSON,
		"introspection-signed":    token(t, string(s.Introspect(signed, signedAccess).Raw)),
		"registration":            s.SendJSON(http.MethodPost, protocol.PathRegister, "", map[string]any{"redirect_uris": []string{porticotest.Callback}}).JSON,
		"registration-everything": s.SendJSON(http.MethodPost, protocol.PathRegister, "", richMetadata).JSON,
	} {
		golden(t, s, name, got)
	}
}

// An API may want opaque tokens, or those of typ JWT, with roles.
func TestGoldenOfOtherAPIs(t *testing.T) {
	s := porticotest.New(t)
	// resource servers of their own kind, made by an operator
	for _, api := range []scope.API{
		{
			Audience: "https://old.example.test", Name: "Old", Format: scope.JWT, PlainType: true, RolesInToken: true, OpenToDynamic: true,
			Scopes: []scope.Scope{{Name: "old:read", Description: "Read old things"}},
		},
		{
			Audience: "https://secret.example.test", Name: "Secret", Format: scope.Opaque, OpenToDynamic: true,
			ResourceServers: []string{server.DemoService}, Scopes: []scope.Scope{{Name: "secret:read", Description: "Read secret things"}},
		},
	} {
		if _, err := s.APIs.Create(t.Context(), api); err != nil {
			t.Fatal(err)
		}
	}
	x := &truth{T: t, s: s}
	app := s.Register(map[string]any{"scope": "openid old:read secret:read"})
	golden(t, s, "access-user-typ-jwt", token(t, x.login(app, "old:read").Text("access_token")))
	opaque := x.login(app, "secret:read").Text("access_token")
	if strings.Count(opaque, ".") != 0 || !strings.HasPrefix(opaque, "pt") {
		t.Errorf("the API wants opaque tokens and gets %q", opaque)
	}
	golden(t, s, "introspection-opaque", s.Introspect(porticotest.Machine, opaque).JSON)
}

// token is a JWT as a golden file shows it.
func token(t *testing.T, raw string) map[string]any {
	t.Helper()
	return map[string]any{"header": headerOf(t, raw), "claims": claimsOf(t, raw)}
}

// golden compares with testdata/golden/NAME.json.
func golden(t *testing.T, s *porticotest.Server, name string, got any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(settle(s, "", got)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s changed; run with -update and review:\n%s", file, b.String())
	}
}

// volatile members differ in every run; their kind must stay.
var volatile = map[string]string{
	"jti": "string", "sid": "string", "gid": "string", "kid": "string", "at_hash": "string", "sub": "string", "client_secret": "string",
	"registration_access_token": "string", "access_token": "string", "id_token": "string", "refresh_token": "string",
	"iat": "number", "auth_time": "number", "updated_at": "number", "client_id_issued_at": "number",
}

// bearerSecrets begin with a prefix that says what they are.
var bearerSecrets = []string{"client_secret", "refresh_token", "registration_access_token"}

// settle replaces what differs from one run to the next.
func settle(s *porticotest.Server, name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if iat, ok := v["iat"].(float64); ok && k == "exp" {
				out[k] = fmt.Sprintf("iat + %v", e.(float64)-iat)
				continue
			}
			out[k] = settle(s, k, e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = settle(s, "", e)
		}
		return out
	case float64:
		if volatile[name] == "number" {
			return "{number}"
		}
	case string:
		return settleText(s, name, v)
	}
	return v
}

// settleText keeps the ids of the demo clients, which never change, and the
// prefix of a generated secret, which secret scanners look for.
func settleText(s *porticotest.Server, name, v string) string {
	switch {
	case strings.HasPrefix(v, "demo-"):
		return v
	case name == "registration_client_uri":
		return "{issuer}" + protocol.PathRegister + "/{string}"
	case name == "client_id" || name == "aud" && !strings.Contains(v, ":"):
		return "{string}"
	case volatile[name] == "string":
		if prefix, _, ok := strings.Cut(v, "_"); ok && slices.Contains(bearerSecrets, name) && len(prefix) <= 5 {
			return prefix + "_{string}"
		}
		return "{string}"
	}
	return strings.ReplaceAll(v, s.URL, "{issuer}")
}
