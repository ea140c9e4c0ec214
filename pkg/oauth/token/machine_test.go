package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
)

func machineForm(extra ...string) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(extra); i += 2 {
		form.Add(extra[i], extra[i+1])
	}
	return form
}

func TestClientCredentials(t *testing.T) {
	k := newKit(t)
	before := time.Now().Unix()
	got := k.good(k.post(k.service, machineForm()))
	if got.TokenType != "Bearer" || got.ExpiresIn != 900 || got.Scope != "orders:read orders:write" || got.RefreshToken != "" || got.IDToken != "" {
		t.Errorf("answer %s", got.raw)
	}
	if strings.Contains(got.raw, "null") || strings.Contains(got.raw, `""`) {
		t.Errorf("the answer holds a member without a value: %s", got.raw)
	}
	if cc := got.header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	c := claims(t, got.AccessToken)
	want := map[string]any{
		"iss": issuer, "sub": "service", "client_id": "service", "aud": orders, "scope": "orders:read orders:write",
	}
	for name, v := range want {
		if c[name] != v {
			t.Errorf("claim %s is %v, want %v", name, c[name], v)
		}
	}
	if iat := int64(c["iat"].(float64)); iat < before || iat > time.Now().Unix() {
		t.Errorf("iat %d is not now", iat)
	}
	if c["exp"].(float64)-c["iat"].(float64) != 900 || c["jti"] == "" {
		t.Errorf("claims %v", c)
	}
	for _, name := range []string{"gid", "sid", "auth_time", "acr", "roles", "nbf", "email"} {
		if _, has := c[name]; has {
			t.Errorf("a machine's token carries %s", name)
		}
	}
	if h := jwtHeader(t, got.AccessToken); h["typ"] != "at+jwt" || h["alg"] != "ES256" || h["kid"] == "" {
		t.Errorf("header %v", h)
	}
	found, err := k.tokens.Inspect(t.Context(), got.AccessToken)
	if err != nil || found.UserID != "" || found.ClientID != "service" || found.Subject != "service" {
		t.Errorf("inspection %+v, %v", found, err)
	}
}

func TestClientCredentialsTouchNoSQLWhenWarm(t *testing.T) {
	k := newKit(t)
	k.good(k.post(k.service, machineForm()))
	k.sql.reset()
	k.live.setDown(true) // nor the revocations
	for range 5 {
		k.good(k.post(k.service, machineForm("scope", "orders:read")))
	}
	if ops := k.sql.list(); len(ops) != 0 {
		t.Errorf("warm machine requests ran %v", ops)
	}
	if n := k.events.count("token.issued"); n != 0 {
		t.Errorf("machine tokens left %d audit events", n)
	}
}

func TestClientCredentialsRefusals(t *testing.T) {
	k := newKit(t)
	tests := map[string]struct {
		client *client.Client
		form   url.Values
		status int
		code   string
	}{
		"RFC 6749 §5.2 no grant_type":                      {k.service, url.Values{"scope": {"orders:read"}}, 400, "invalid_request"},
		"RFC 6749 §5.2 unknown grant":                      {k.service, url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type"},
		"RFC 6749 §5.2 two grants in one":                  {k.service, url.Values{"grant_type": {"client_credentials refresh_token"}}, 400, "unsupported_grant_type"},
		"RFC 6749 §5.2 letter case":                        {k.service, url.Values{"grant_type": {"Client_Credentials"}}, 400, "unsupported_grant_type"},
		"RFC 6749 §5.2 grant not registered":               {k.service, codeForm("x"), 400, "unauthorized_client"},
		"RFC 6749 §5.2 machine grant not registered":       {k.web, machineForm(), 400, "unauthorized_client"},
		"RFC 6749 §4.4 a public client":                    {k.spa, machineForm(), 400, "unauthorized_client"},
		"RFC 6749 §3.3 above the ceiling":                  {k.service, machineForm("scope", "stock:read"), 400, "invalid_scope"},
		"RFC 6749 §3.3 unknown scope":                      {k.service, machineForm("scope", "orders:fly"), 400, "invalid_scope"},
		"OIDC Core §3.1.2.1 openid needs a person":         {k.service, machineForm("scope", "openid orders:read"), 400, "invalid_scope"},
		"OIDC Core §11 offline_access needs a person":      {k.service, machineForm("scope", "offline_access"), 400, "invalid_scope"},
		"RFC 8707 §2 a resource the client may not name":   {k.service, machineForm("resource", stock), 400, "invalid_target"},
		"RFC 8707 §2 a relative resource":                  {k.service, machineForm("resource", "orders"), 400, "invalid_target"},
		"RFC 6749 §3.2 scope twice":                        {k.service, machineForm("scope", "orders:read", "scope", "orders:write"), 400, "invalid_request"},
		"RFC 6749 §3.2 grant_type twice":                   {k.service, machineForm("grant_type", "client_credentials"), 400, "invalid_request"},
		"security §0.3 a control character":                {k.service, machineForm("scope", "orders:read\x00"), 400, "invalid_request"},
		"security §0.3 invalid UTF-8":                      {k.service, machineForm("scope", "\xff"), 400, "invalid_request"},
		"security §0.4 a value above 16 kB":                {k.service, machineForm("scope", strings.Repeat("a", 17<<10)), 413, "invalid_request"},
		"security §0.4 more parameters than anybody needs": {k.service, many(120), 400, "invalid_request"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			k.bad(k.post(tt.client, tt.form), tt.status, tt.code, "")
		})
	}
}

func many(n int) url.Values {
	form := machineForm()
	for i := range n {
		form.Set("p"+time.Duration(i).String(), "x")
	}
	return form
}

func TestResourceNamesTheAudience(t *testing.T) {
	k := newKit(t)
	for _, name := range []string{"resource", "audience"} {
		got := k.good(k.post(k.service, machineForm(name, orders, "scope", "orders:write")))
		if c := claims(t, got.AccessToken); c["aud"] != orders || c["scope"] != "orders:write" {
			t.Errorf("%s: claims %v", name, c)
		}
	}
}

func TestOpaqueAccessTokens(t *testing.T) {
	k := newKit(t)
	c := k.client(client.Client{
		ID: "opaque-service", GrantTypes: []string{protocol.GrantClientCredentials}, Scopes: []string{"stock:read"}, Audiences: []string{stock},
	})
	got := k.good(k.post(c, machineForm()))
	if strings.Contains(got.AccessToken, ".") || !strings.HasPrefix(got.AccessToken, "ptat_") {
		t.Fatalf("%q is not opaque", got.AccessToken)
	}
	found, err := k.tokens.Inspect(t.Context(), got.AccessToken)
	if err != nil || !found.Opaque || found.ClientID != c.ID || !slices.Equal(found.Audiences, []string{stock}) {
		t.Errorf("inspection %+v, %v", found, err)
	}
	k.stands(strings.Replace(got.AccessToken, "ptat_", "ptat_A", 1)[:len(got.AccessToken)], false)
}

func TestPlainTypeWhenTheAPIAsks(t *testing.T) {
	k := newKit(t)
	_, err := k.apis.Create(t.Context(), scope.API{
		Audience: "https://spring.example.test", Name: "Spring", PlainType: true, TokenTTL: time.Minute,
		Scopes: []scope.Scope{{Name: "spring:read"}},
	})
	k.must(err)
	c := k.client(client.Client{ID: "spring", GrantTypes: []string{protocol.GrantClientCredentials}, Scopes: []string{"spring:read"}})
	got := k.good(k.post(c, machineForm()))
	if h := jwtHeader(t, got.AccessToken); h["typ"] != "JWT" {
		t.Errorf("header %v, want typ JWT", h)
	}
	if got.ExpiresIn != 60 {
		t.Errorf("expires_in %d, want the API's 60", got.ExpiresIn)
	}
	k.stands(got.AccessToken, true)
}

func TestTokenEndpointTakesFormPostsOnly(t *testing.T) {
	k := newKit(t)
	send := func(method, kind, body string, change func(*http.Request)) reply {
		r := httptest.NewRequest(method, tokenURL, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.SetBasicAuth("service", k.secrets["service"])
		if change != nil {
			change(r)
		}
		return k.send(r)
	}
	const form = "application/x-www-form-urlencoded"
	body := machineForm().Encode()
	if got := send(http.MethodPost, form+"; charset=UTF-8", body, nil); got.status != http.StatusOK {
		t.Errorf("a charset: %d %s", got.status, got.raw)
	}
	tests := map[string]struct {
		method, kind, body string
		change             func(*http.Request)
		status             int
	}{
		"RFC 6749 §3.2 GET":          {http.MethodGet, form, "", func(r *http.Request) { r.URL.RawQuery = body }, 405},
		"RFC 6749 §3.2 PUT":          {http.MethodPut, form, body, nil, 405},
		"JSON":                       {http.MethodPost, "application/json", `{"grant_type":"client_credentials"}`, nil, 400},
		"multipart":                  {http.MethodPost, "multipart/form-data; boundary=x", "--x\r\n\r\n--x--", nil, 400},
		"no content type":            {http.MethodPost, "", body, nil, 400},
		"another charset":            {http.MethodPost, form + "; charset=utf-16", body, nil, 400},
		"compressed":                 {http.MethodPost, form, body, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400},
		"broken escape":              {http.MethodPost, form, "grant_type=%zz", nil, 400},
		"empty":                      {http.MethodPost, form, "", nil, 400},
		"above 64 kB":                {http.MethodPost, form, body + "&a=" + strings.Repeat("b", 70<<10), nil, 413},
		"RFC 6749 §2.3.1 URL secret": {http.MethodPost, form, body, func(r *http.Request) { r.URL.RawQuery = "client_secret=x" }, 400},
		"query and body":             {http.MethodPost, form, body, func(r *http.Request) { r.URL.RawQuery = "grant_type=client_credentials" }, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := send(tt.method, tt.kind, tt.body, tt.change)
			if got.status != tt.status || got.Error != "invalid_request" {
				t.Errorf("got %d %s, want %d invalid_request", got.status, got.raw, tt.status)
			}
			if tt.status == 405 && got.header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", got.header.Get("Allow"))
			}
		})
	}
}
