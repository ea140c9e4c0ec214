package outside_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// register posts raw JSON to the registration endpoint.
func register(t *testing.T, s *porticotest.Server, body string, header ...string) reply {
	t.Helper()
	return send(t, s, call{method: "POST", path: protocol.PathRegister, body: body, header: append([]string{"Content-Type", "application/json"}, header...)})
}

// 9.4, 9.5, 0.4: what a stranger may not register.
func TestHostileRegistrations(t *testing.T) {
	s := porticotest.New(t)
	var bodies []string
	for _, uri := range []string{
		"http://evil.example/cb", "http://10.0.0.1/cb", "http://[fe80::1]/cb", "javascript:alert(1)", "JavaScript:alert(1)", "java\\tscript:alert(1)",
		" javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://a.example/x", "about:blank", "https://a.example/cb#f", "https://a.example/#",
		"https://user:pw@a.example/cb", "https://user@a.example/cb", "https://a.example\\\\@b.example/cb", "https://*.a.example/cb", "https://a.example/*",
		"https:///cb", "https:cb", "//a.example/cb", "/cb", "", "https://a.example/c b", "https://a.example/\\u0000", "https://a.example/\\u000d\\u000aX", "https://ä.example/cb",
		"https://a.example/" + strings.Repeat("x", 3000), "HTTPS://a.example/cb", "com.example.app:/cb", "myapp://cb", "ftp://a.example/cb", "intent://x#Intent;end", "http://127.0.0.1@evil.example/cb",
		"http://localhost.evil.example/cb", "http://127.0.0.1.evil.example/cb", "https://a.example:/cb", "https://%61.example/cb",
	} {
		bodies = append(bodies, `{"redirect_uris":["`+uri+`"]}`, `{"redirect_uris":["https://good.example/cb","`+uri+`"]}`)
	}
	good := `"redirect_uris":["https://good.example/cb"]`
	for _, member := range []string{
		`"redirect_uris":[]`, `"redirect_uris":"https://a.example"`, `"redirect_uris":[5]`, `"redirect_uris":[null]`, `"redirect_uris":{"a":"b"}`,
		`"redirect_uris":[` + strings.Repeat(`"https://a.example/x",`, 60) + `"https://a.example"]`,
		good + `,"post_logout_redirect_uris":["javascript:alert(1)"]`, good + `,"post_logout_redirect_uris":["http://evil.example/"]`,
		good + `,"jwks_uri":"http://a.example/jwks"`, good + `,"jwks_uri":"file:///etc/passwd"`, good + `,"jwks_uri":"https://user:pw@a.example/"`, good + `,"jwks_uri":"gopher://a.example"`,
		good + `,"jwks_uri":"https://a.example","jwks":{"keys":[]}`, good + `,"token_endpoint_auth_method":"private_key_jwt"`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}`,
		good + `,"token_endpoint_auth_method":"client_secret_jwt"`, good + `,"token_endpoint_auth_method":"magic"`, good + `,"token_endpoint_auth_method":7`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"HS256","jwks_uri":"https://a.example/j"`,
		good + `,"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"none","jwks_uri":"https://a.example/j"`,
		good + `,"id_token_signed_response_alg":"none"`, good + `,"id_token_signed_response_alg":"HS256"`, good + `,"id_token_signed_response_alg":"ES384"`,
		good + `,"userinfo_signed_response_alg":"ES384"`, good + `,"userinfo_signed_response_alg":"PS256"`, good + `,"userinfo_signed_response_alg":"EdDSA"`,
		good + `,"introspection_signed_response_alg":"EdDSA"`, good + `,"introspection_signed_response_alg":"PS256"`,
		good + `,"id_token_encrypted_response_alg":"RSA-OAEP"`, good + `,"subject_type":"pairwise"`, good + `,"grant_types":["password"]`, good + `,"grant_types":["implicit"]`,
		good + `,"response_types":["token"]`, good + `,"application_type":"magic"`, good + `,"default_max_age":-1`, good + `,"default_max_age":1.5`, good + `,"default_max_age":"1"`,
		good + `,"client_name":"` + strings.Repeat("n", 5000) + `"`, good + `,"client_name":"a\u0000b"`, good + `,"client_name":"a\u202eb\u0007"`, good + `,"client_name":["a"]`,
		good + `,"logo_uri":"javascript:alert(1)"`, good + `,"logo_uri":"http://evil.example/x.png"`, good + `,"client_uri":"data:text/html,x"`, good + `,"policy_uri":"//evil.example"`,
		good + `,"tos_uri":"https://a.example/\"onclick="`, good + `,"initiate_login_uri":"http://a.example"`, good + `,"contacts":"a@b.example"`, good + `,"scope":["openid"]`,
		good + `,"scope":"` + strings.Repeat("s ", 9000) + `"`, good + `,"token_endpoint_auth_method":"none","grant_types":["client_credentials"]`,
	} {
		bodies = append(bodies, "{"+member+"}")
	}
	bodies = append(bodies, "", "null", "[]", `"x"`, "5", "{", `{"redirect_uris":["https://a.example"]}{}`, "\xff", `{"a":"`+"\xff"+`"}`,
		strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000), strings.Repeat("[", 100000), `{"redirect_uris":["https://a.example/"],"x":"`+strings.Repeat("x", 200<<10)+`"}`)
	for _, body := range bodies {
		t.Run("9.4 "+body[:min(len(body), 120)], func(t *testing.T) {
			a := register(t, s, body)
			a.refused(t)
			if !strings.Contains(a.body, `"error":"invalid_`) && a.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%d %s", a.status, a.body)
			}
			if strings.Contains(a.body, "client_secret") || a.header.Get("Location") != "" {
				t.Error("something was registered")
			}
		})
	}
}

// 9.2: what a client says of itself gives it nothing that is ours to give.
func TestMassAssignment(t *testing.T) {
	s := porticotest.New(t)
	ours := map[string]any{
		"client_id": server.DemoWeb, "client_secret": "chosen-by-me-chosen-by-me-chosen-by-me", "ClientID": "x", "id": "x", "ID": server.DemoWeb,
		"skip_consent": true, "SkipConsent": true, "trusted": true, "first_party": true, "source": "operator", "Source": "demo", "disabled": false,
		"PKCEOptional": true, "pkce_optional": true, "require_pkce": false, "audiences": []string{"https://admin.example"}, "Audiences": []string{"*"},
		"access_token_ttl": 999999, "AccessTokenTTL": 999999, "access_token_lifespan": "8760h", "roles": []string{"administrator"}, "owner": "alice", "tenant": "x",
		"registration_access_token": "mine", "registration_client_uri": "https://evil.example", "client_id_issued_at": 1, "client_secret_expires_at": 99999999999,
		"MayAsk": []string{"roles"}, "legacy": true, "createdAt": "x", "Redirect_URIs": []string{"https://evil.example/cb"}, "redirect_uris": []string{"https://good.example/cb"},
		"scope": "openid admin portico:admin orders:read internal", "grant_types": []string{"authorization_code", "client_credentials", "password", "urn:ietf:params:oauth:grant-type:token-exchange"},
	}
	a := s.SendJSON(http.MethodPost, protocol.PathRegister, "", ours)
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	text := string(a.Raw)
	for _, word := range []string{"evil", "chosen-by-me", "skip", "admin", "8760h", "password", "token-exchange", "tenant", "internal", "999999"} {
		if strings.Contains(text, word) {
			t.Errorf("9.2 the answer holds %q: %s", word, text)
		}
	}
	if id := a.Text("client_id"); id == server.DemoWeb || id == "x" || a.Text("registration_access_token") == "mine" || a.Text("client_secret") == "" {
		t.Errorf("9.2 %s", text)
	}
	app := porticotest.App{ID: a.Text("client_id"), Secret: a.Text("client_secret"), RedirectURI: "https://good.example/cb", Verifier: porticotest.Verifier}
	for name, kv := range map[string][]string{
		"a foreign resource": {"grant_type", "client_credentials", "resource", "https://admin.example"},
		"a foreign scope":    {"grant_type", "client_credentials", "scope", "admin"},
	} {
		if r := token(t, s, app, kv...); r.status != http.StatusBadRequest {
			t.Errorf("9.2 %s: %d %s", name, r.status, r.body)
		}
	}
	// It asks for consent like everybody.
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
	if p := b.Get(s.AuthorizeURL(app, "openid")); !p.Has("consent-allow") || !strings.Contains(p.Text(), "good.example") {
		t.Errorf("1.12, 1.13 %d %s", p.Status, p.Text())
	}
	// Nor by changing itself.
	own := protocol.PathRegister + "/" + app.ID
	ours["client_id"] = app.ID
	delete(ours, "client_secret")
	changed := s.SendJSON(http.MethodPut, own, a.Text("registration_access_token"), ours)
	if changed.Status != http.StatusOK || strings.Contains(string(changed.Raw), "admin") || strings.Contains(string(changed.Raw), "evil") {
		t.Errorf("9.2 %d %s", changed.Status, changed.Raw)
	}
	ours["client_secret"] = "chosen-by-me-chosen-by-me-chosen-by-me"
	if r := s.SendJSON(http.MethodPut, own, a.Text("registration_access_token"), ours); r.Status != http.StatusBadRequest {
		t.Errorf("RFC 7592 §2.2 a client chose its secret: %d", r.Status)
	}
}

// 9.3: the registration token opens its own client and nothing else.
func TestRegistrationTokens(t *testing.T) {
	s := porticotest.New(t)
	meta := map[string]any{"redirect_uris": []string{"https://a.example/cb"}, "client_name": "<img src=x onerror=alert(1)>\"'"}
	one, two := s.SendJSON("POST", protocol.PathRegister, "", meta), s.SendJSON("POST", protocol.PathRegister, "", meta)
	token, at := one.Text("registration_access_token"), protocol.PathRegister+"/"+one.Text("client_id")
	for name, tt := range map[string]struct{ path, token string }{
		"no token":            {at, ""},
		"the other's token":   {at, two.Text("registration_access_token")},
		"the other's client":  {protocol.PathRegister + "/" + two.Text("client_id"), token},
		"a demo client":       {protocol.PathRegister + "/" + server.DemoWeb, token},
		"an unknown client":   {protocol.PathRegister + "/unknown", token},
		"a token cut":         {at, token[:len(token)-1]},
		"a token in capitals": {at, strings.ToUpper(token)},
		"the client secret":   {at, one.Text("client_secret")},
		"below the client":    {at + "/x", token},
		"a path that climbs":  {protocol.PathRegister + "/x/../" + one.Text("client_id") + "/y", token},
		"the id encoded, cut": {at + "%00", token},
		"the id with a blank": {at + "%20", token},
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			t.Run("9.3 "+method+" "+name, func(t *testing.T) {
				c := call{method: method, path: tt.path, header: []string{"Content-Type", "application/json"}}
				if tt.token != "" {
					c.header = append(c.header, "Authorization", "Bearer "+tt.token)
				}
				if method == "PUT" {
					c.body = `{"client_id":"` + one.Text("client_id") + `","redirect_uris":["https://evil.example/cb"]}`
				}
				a := send(t, s, c)
				a.refused(t)
				if a.status != 401 && a.status != 404 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
	}
	if a := send(t, s, call{path: at, query: "access_token=" + token}); a.status != 401 && a.status != 400 {
		t.Errorf("9.3 the token in the query: %d", a.status)
	}
	read := s.Fetch(at, token)
	if read.Status != http.StatusOK || read.Text("client_secret") != "" || strings.Contains(string(read.Raw), one.Text("client_secret")) {
		t.Errorf("RFC 7592 §2.1 %d %s", read.Status, read.Raw)
	}
	b := s.NewBrowser()
	app := porticotest.App{ID: one.Text("client_id"), RedirectURI: "https://a.example/cb", Verifier: porticotest.Verifier}
	p := b.Get(s.AuthorizeURL(app, "openid"))
	if strings.Contains(p.Body, "<img src=x") || !strings.Contains(p.Body, "&lt;img") {
		t.Errorf("9.7 the name of the client is markup: %s", p.Body)
	}
	if a := s.SendJSON("DELETE", at, token, nil); a.Status != http.StatusNoContent {
		t.Fatalf("RFC 7592 §2.3 %d %s", a.Status, a.Raw)
	}
	if a := s.Fetch(at, token); a.Status != http.StatusUnauthorized {
		t.Errorf("9.3 the token outlives its client: %d", a.Status)
	}
}

// 9.1: who may register, by mode.
func TestRegistrationModes(t *testing.T) {
	const initial = "an-initial-access-token-of-forty-letters"
	body := `{"redirect_uris":["https://a.example/cb"]}`
	off := porticotest.New(t, porticotest.With(func(c *config.Config) { c.Registration = "off" }))
	if a := register(t, off, body); a.status != http.StatusNotFound {
		t.Errorf("off: %d %s", a.status, a.body)
	}
	if a := off.Fetch(protocol.PathOpenIDConfiguration, ""); a.Text("registration_endpoint") != "" {
		t.Error("off, and advertised")
	}
	byToken := porticotest.New(t, porticotest.With(func(c *config.Config) { c.Registration, c.RegistrationTokens = "token", []string{initial} }))
	for name, header := range map[string]string{
		"nothing": "", "another": "Bearer " + strings.ToUpper(initial), "cut": "Bearer " + initial[:39], "Basic": "Basic " + initial, "longer": "Bearer " + initial + "x", "an empty one": "Bearer ",
	} {
		var h []string
		if header != "" {
			h = []string{"Authorization", header}
		}
		a := register(t, byToken, body, h...)
		a.refused(t)
		if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("9.1 %s: %d %s", name, a.status, a.body)
		}
	}
	if a := register(t, byToken, body, "Authorization", "Bearer "+initial); a.status != http.StatusCreated {
		t.Errorf("9.1 the right one: %d %s", a.status, a.body)
	}
	if strings.Contains(byToken.Log.String(), initial) {
		t.Error("14.2 the initial access token is in the log")
	}
}

// 9.6: a client's jwks_uri leads to no private address, and tells nothing.
func TestKeysByReferenceReachNothingPrivate(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.OutboundAllow = nil }))
	var want string
	for _, uri := range []string{
		"https://127.0.0.1:1/jwks", "https://localhost/jwks", "https://[::1]/jwks", "https://[::ffff:127.0.0.1]/jwks", "https://10.1.2.3/jwks", "https://192.168.0.1/jwks",
		"https://172.16.0.1/jwks", "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/jwks", "https://[fd00::1]/jwks", "https://100.64.0.1/jwks", "https://0.0.0.0/jwks",
		"https://224.0.0.1/jwks", "https://[64:ff9b::7f00:1]/jwks", strings.Replace(s.URL, "http:", "https:", 1) + "/oauth2/jwks",
	} {
		meta, err := json.Marshal(map[string]any{
			"redirect_uris": []string{"https://a.example/cb"}, "grant_types": []string{"authorization_code", "client_credentials"},
			"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
		})
		if err != nil {
			t.Fatal(err)
		}
		a := register(t, s, string(meta))
		if a.status == http.StatusBadRequest {
			continue // refused at once
		}
		var made struct {
			ID string `json:"client_id"`
		}
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.ID == "" {
			t.Fatalf("%s: %d %s", uri, a.status, a.body)
		}
		assertion := b64(map[string]any{"alg": "ES256", "kid": "k", "typ": "JWT"}) + "." + b64(map[string]any{"iss": made.ID, "sub": made.ID, "aud": s.URL, "exp": inAMinute(), "jti": uri}) + "." + b64(make([]byte, 64))
		got := send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs("grant_type", "client_credentials", "client_assertion", assertion, "client_assertion_type", protocol.AssertionJWTBearer)})
		got.quiet(t)
		if want == "" {
			want = maskID(got.body)
		}
		// 0.8: what could not be checked is refused, and looks the same for
		// every address.
		if got.status != http.StatusServiceUnavailable || maskID(got.body) != want {
			t.Errorf("9.6 %s: %d %s, others %s", uri, got.status, got.body, want)
		}
	}
}
