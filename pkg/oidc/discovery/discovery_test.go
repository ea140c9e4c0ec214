package discovery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/scope"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func config() Config {
	return Config{
		Issuer:        "https://id.example",
		IDTokenAlgs:   []string{"RS256", "ES256", "PS256", "EdDSA"},
		AnswerAlgs:    []string{"RS256", "ES256"},
		AssertionAlgs: client.AssertionAlgs,
		OwnScopes:     scope.Own(),
		Claims:        claims.Supported(),
		ACRValues:     []string{"1"},
		UILocales:     []string{"en", "de"},
		Registration:  true,
		Signup:        true,
	}
}

func open(t *testing.T, cfg Config) *Document {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func get(t *testing.T, h func(http.ResponseWriter, *http.Request) error, method string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/.well-known/openid-configuration", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	(&oauth.Edge{}).Handle(h).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	d := open(t, config())
	if err := d.SetScopes([]string{"orders:read", "orders:write"}); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, body(t, get(t, d.Serve, "GET")), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const name = "testdata/metadata.golden"
	if *update {
		if err := os.WriteFile(name, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the document changed; run with -update and review:\n%s", got.Bytes())
	}
}

// registered are the members of the IANA registry "OAuth Authorization Server
// Metadata" that are used here: conformance suites warn of any other.
var registered = strings.Fields(`issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri registration_endpoint
	introspection_endpoint revocation_endpoint end_session_endpoint scopes_supported response_types_supported
	response_modes_supported grant_types_supported subject_types_supported acr_values_supported prompt_values_supported
	claim_types_supported claims_supported ui_locales_supported code_challenge_methods_supported
	id_token_signing_alg_values_supported userinfo_signing_alg_values_supported introspection_signing_alg_values_supported
	token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported
	revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported
	introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
	claims_parameter_supported request_parameter_supported request_uri_parameter_supported
	authorization_response_iss_parameter_supported service_documentation op_policy_uri op_tos_uri`)

func TestEveryMemberHasAValueAndIsRegistered(t *testing.T) {
	bare := config()
	bare.AnswerAlgs, bare.AssertionAlgs, bare.Claims, bare.ACRValues, bare.UILocales = nil, nil, nil, nil, nil
	bare.Registration, bare.Signup = false, false
	full := config()
	full.ServiceDocumentation, full.PolicyURI, full.TosURI = "https://id.example/docs", "https://id.example/policy", "https://id.example/tos"
	for name, cfg := range map[string]Config{"bare": bare, "full": full} {
		var doc map[string]any
		if err := json.Unmarshal(body(t, get(t, open(t, cfg).Serve, "GET")), &doc); err != nil {
			t.Fatal(err)
		}
		for member, v := range doc {
			list, isList := v.([]any)
			if v == nil || v == "" || isList && (len(list) == 0 || slices.Contains(list, any(""))) {
				t.Errorf("%s: %s is %v", name, member, v)
			}
			if !slices.Contains(registered, member) {
				t.Errorf("%s: %s is not registered", name, member)
			}
		}
		if name == "full" && len(doc) != len(registered) {
			t.Errorf("%d members, want all %d", len(doc), len(registered))
		}
	}
}

func TestSaysOnlyWhatHolds(t *testing.T) {
	m := metadata(config(), nil)
	for name, ok := range map[string]bool{
		"RFC 9700 §2.1.2 only the code flow":                   slices.Equal(m.ResponseTypesSupported, []string{"code"}),
		"RFC 7636 §4.2 S256 only":                              slices.Equal(m.ChallengeMethods, []string{"S256"}),
		"OIDC Discovery §3 RS256 is there, and first":          m.IDTokenAlgs[0] == "RS256",
		"RFC 7662 §2.1 introspection takes no public client":   !slices.Contains(m.IntrospectionAuthMethods, "none"),
		"RFC 7009 §2.1 revocation takes public clients":        slices.Contains(m.RevocationAuthMethods, "none"),
		"OIDC Discovery §3 request_uri defaults to true":       !m.RequestURIParameter,
		"RFC 9207 §3 iss is announced":                         m.IssParameter,
		"RFC 8725 §3.2 no symmetric algorithm, no none":        !slices.ContainsFunc(m.TokenAuthAlgs, func(a string) bool { return strings.HasPrefix(a, "HS") || a == "none" }),
		"RFC 6749 §10.7 the password grant does not exist":     !slices.Contains(m.GrantTypesSupported, "password"),
		"RFC 9700 §2.1.2 the implicit grant is not advertised": !slices.Contains(m.GrantTypesSupported, "implicit"),
		"create is there when people may sign up":              slices.Contains(m.PromptValuesSupported, "create"),
	} {
		if !ok {
			t.Error(name)
		}
	}
	closed := config()
	closed.Registration, closed.Signup = false, false
	m = metadata(closed, nil)
	if m.RegistrationEndpoint != "" || slices.Contains(m.PromptValuesSupported, "create") {
		t.Errorf("advertised what is off: %q, %v", m.RegistrationEndpoint, m.PromptValuesSupported)
	}
}

func TestConditionalRequests(t *testing.T) {
	d := open(t, config())
	first := get(t, d.Serve, "GET")
	etag := first.Header.Get("ETag")
	whole := body(t, first)
	if first.StatusCode != 200 || etag == "" || first.Header.Get("Content-Type") != "application/json" ||
		first.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("GET = %d %v", first.StatusCode, first.Header)
	}
	head := get(t, d.Serve, "HEAD")
	if head.StatusCode != 200 || len(body(t, head)) != 0 || head.ContentLength != int64(len(whole)) || head.Header.Get("ETag") != etag {
		t.Errorf("HEAD = %d %v", head.StatusCode, head.Header)
	}
	for value, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304,
		`"other"`: 200, "": 200, strings.Trim(etag, `"`): 200,
	} {
		res := get(t, d.Serve, "GET", "If-None-Match", value)
		if b := body(t, res); res.StatusCode != want || want == 304 && len(b) != 0 || res.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d with %d bytes, want %d", value, res.StatusCode, len(b), want)
		}
	}
	if err := d.SetScopes([]string{"new"}); err != nil {
		t.Fatal(err)
	}
	if res := get(t, d.Serve, "GET", "If-None-Match", etag); res.StatusCode != 200 || res.Header.Get("ETag") == etag {
		t.Errorf("after a change: %d %s", res.StatusCode, res.Header.Get("ETag"))
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	d := open(t, config())
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if res := get(t, d.Serve, method); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s = %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

type ring struct{}

func (ring) JWKS() ([]byte, string, time.Duration) {
	return []byte(`{"keys":[]}`), `"k"`, 15 * time.Minute
}

func TestKeySet(t *testing.T) {
	res := get(t, KeySet(ring{}), "GET")
	if b := body(t, res); string(b) != `{"keys":[]}` || res.Header.Get("Cache-Control") != "public, max-age=900" || res.Header.Get("ETag") != `"k"` {
		t.Errorf("GET = %s %v", b, res.Header)
	}
	if res := get(t, KeySet(ring{}), "GET", "If-None-Match", `"k"`); res.StatusCode != 304 {
		t.Errorf("conditional GET = %d", res.StatusCode)
	}
	if res := get(t, KeySet(ring{}), "POST"); res.StatusCode != 405 {
		t.Errorf("POST = %d", res.StatusCode)
	}
}

func TestScopesFollowTheAPIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, config())
		var calls atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		go d.Run(ctx, 10*time.Second, func(context.Context) ([]string, error) {
			switch calls.Add(1) {
			case 1:
				return []string{"a", "a", "openid"}, nil
			case 2:
				return nil, errors.New("the database is away")
			default:
				return []string{"a", "b"}, nil
			}
		})
		want := func(scopes ...string) {
			t.Helper()
			synctest.Wait()
			var m Metadata
			if err := json.Unmarshal(body(t, get(t, d.Serve, "GET")), &m); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.ScopesSupported, slices.Concat(scope.Own(), scopes)) {
				t.Errorf("scopes_supported = %v, want ours and %v", m.ScopesSupported, scopes)
			}
		}
		want("a")
		time.Sleep(10 * time.Second)
		want("a") // a store that is down takes nothing away
		time.Sleep(10 * time.Second)
		want("a", "b")
		cancel()
		synctest.Wait()
	})
}

func TestPaths(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://id.example": {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		"https://id.example/tenant/a": {
			"/tenant/a/.well-known/openid-configuration", "/tenant/a/.well-known/oauth-authorization-server",
			"/.well-known/openid-configuration/tenant/a", "/.well-known/oauth-authorization-server/tenant/a",
		},
	} {
		u, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		if got := Paths(u); !slices.Equal(got, want) {
			t.Errorf("Paths(%s) = %v, want %v", issuer, got, want)
		}
	}
}

func TestIssuerWithPathIsUnchanged(t *testing.T) {
	cfg := config()
	cfg.Issuer = "https://id.example/tenant/a"
	m := metadata(cfg, nil)
	if m.Issuer != cfg.Issuer || m.TokenEndpoint != "https://id.example/tenant/a/oauth2/token" {
		t.Errorf("issuer %q, token endpoint %q", m.Issuer, m.TokenEndpoint)
	}
}

func TestRefusesConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"OIDC Discovery §3 issuer with query":    func(c *Config) { c.Issuer += "?a=b" },
		"OIDC Discovery §3 issuer with fragment": func(c *Config) { c.Issuer += "#a" },
		"issuer with a slash behind it":          func(c *Config) { c.Issuer += "/" },
		"no issuer":                              func(c *Config) { c.Issuer = "" },
		"issuer without host":                    func(c *Config) { c.Issuer = "id.example" },
		"OIDC Discovery §3 no RS256":             func(c *Config) { c.IDTokenAlgs = []string{"ES256"} },
		"OIDC Discovery §3 no openid":            func(c *Config) { c.OwnScopes = []string{"profile"} },
		"no scopes":                              func(c *Config) { c.OwnScopes = nil },
	} {
		cfg := config()
		change(&cfg)
		if d, err := New(cfg); err == nil || d != nil {
			t.Errorf("%s: New = %v, %v", name, d, err)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	d, err := New(config())
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/.well-known/openid-configuration", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Serve(httptest.NewRecorder(), r); err != nil {
			b.Fatal(err)
		}
	}
}
