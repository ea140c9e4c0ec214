package register

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/secret"
)

// self is a registered client with what it needs to look after itself.
type self struct {
	w      *world
	answer map[string]any
	id     string
	token  string
	secret string
}

func registered(t *testing.T, body string) *self {
	t.Helper()
	w := newWorld()
	m := w.register(t, body)
	s := &self{w: w, answer: m, id: m["client_id"].(string), token: m["registration_access_token"].(string)}
	s.secret, _ = m["client_secret"].(string)
	return s
}

func (s *self) send(t *testing.T, method, body string) *http.Response {
	t.Helper()
	return s.w.send(t, call{method: method, path: "/oauth2/register/" + s.id, body: body, header: []string{"Authorization", "Bearer " + s.token}})
}

func (s *self) put(t *testing.T, members map[string]any) *http.Response {
	t.Helper()
	all := map[string]any{"client_id": s.id, "redirect_uris": []string{"https://app.example/cb"}}
	maps.Copy(all, members)
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return s.send(t, "PUT", string(raw))
}

const rich = `{"redirect_uris":["https://app.example/cb"],"client_name":"App","initiate_login_uri":"https://app.example/login",
	"contacts":["ops@app.example"],"default_max_age":60,"require_auth_time":true,"default_acr_values":["1"],"software_id":"s","software_version":"1",
	"post_logout_redirect_uris":["https://app.example/out"],"logo_uri":"https://app.example/logo.png","policy_uri":"https://app.example/p",
	"tos_uri":"https://app.example/t","client_uri":"https://app.example","grant_types":["authorization_code","refresh_token"],
	"userinfo_signed_response_alg":"RS256","introspection_signed_response_alg":"RS256","scope":"openid email"}`

func TestReadsBackWhatIsRegistered(t *testing.T) {
	s := registered(t, rich)
	res := s.send(t, "GET", "")
	got := decode(t, res)
	if res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %d %v", res.StatusCode, res.Header)
	}
	want := maps.Clone(s.answer)
	delete(want, "client_secret") // never read back
	delete(want, "client_secret_expires_at")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer differs from the registration:\n%s", diff)
	}
}

func TestOnlyTheOwnerGetsIn(t *testing.T) {
	s := registered(t, minimal)
	other := s.w.register(t, minimal)
	path := "/oauth2/register/" + s.id
	for name, tt := range map[string]struct {
		path, authorization string
		status              int
	}{
		"no token":                        {path, "", 401},
		"RFC 7592 §2.1 garbage":           {path, "Bearer garbage", 401},
		"RFC 7592 §2.1 made-up token":     {path, "Bearer " + secret.New(secret.RegistrationToken), 401},
		"security §9.3 token of another":  {path, "Bearer " + other["registration_access_token"].(string), 401},
		"security §0.7 the client secret": {path, "Bearer " + s.secret, 401},
		"RFC 7592 §2.1 unknown client":    {"/oauth2/register/unknown", "Bearer " + s.token, 401},
		"no client":                       {"/oauth2/register/", "Bearer " + s.token, 401},
		"very long client id":             {"/oauth2/register/" + strings.Repeat("x", 3000), "Bearer " + s.token, 401},
		"another scheme":                  {path, "Basic " + s.token, 401},
		"the token itself":                {path, "Bearer " + s.token, 200},
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if tt.status == 200 && method != "GET" {
				continue
			}
			c := call{method: method, path: tt.path}
			if method == "PUT" {
				c.body = minimal
			}
			if tt.authorization != "" {
				c.header = []string{"Authorization", tt.authorization}
			}
			res := s.w.send(t, c)
			m := decode(t, res)
			if res.StatusCode != tt.status || tt.status == 401 && (m["error"] != "invalid_token" || res.Header.Get("WWW-Authenticate") == "") {
				t.Errorf("%s, %s: %d %v", name, method, res.StatusCode, m)
			}
			if tt.status == 401 && name != "no token" && name != "another scheme" && m["error_description"] != "The token is not valid. (request req1)" {
				t.Errorf("%s, %s: told apart by %q", name, method, m["error_description"])
			}
		}
	}
	if len(s.w.rows) != 2 {
		t.Errorf("%d clients are left", len(s.w.rows))
	}
}

func TestWhoIsNoLongerTheirOwn(t *testing.T) {
	for name, change := range map[string]func(*client.Client){
		"security §9.3 disabled":         func(c *client.Client) { c.Disabled = true },
		"taken over by an operator":      func(c *client.Client) { c.Source = client.Operator },
		"without a registration token":   func(c *client.Client) { c.RegistrationTokenHash = "" },
		"with another one's fingerprint": func(c *client.Client) { c.RegistrationTokenHash = "x" },
	} {
		s := registered(t, minimal)
		s.w.change(s.id, change)
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			body := ""
			if method == "PUT" {
				body = minimal
			}
			if res := s.send(t, method, body); res.StatusCode != 401 || len(s.w.rows) != 1 {
				t.Errorf("%s, %s: %d", name, method, res.StatusCode)
			}
		}
	}
}

func TestUpdateReplacesEverything(t *testing.T) {
	s := registered(t, rich)
	res := s.put(t, map[string]any{"client_name": "New", "redirect_uris": []string{"https://new.example/cb"}})
	m := decode(t, res)
	if res.StatusCode != 200 || m["client_name"] != "New" || m["initiate_login_uri"] != nil || m["contacts"] != nil || m["userinfo_signed_response_alg"] != nil {
		t.Errorf("answer %d %v", res.StatusCode, m)
	}
	wantNoEmpty(t, "answer", m)
	if m["registration_access_token"] != s.token || m["client_secret"] != nil {
		t.Errorf("token or secret changed: %v", m)
	}
	if diff := cmp.Diff([]any{"https://new.example/cb"}, m["redirect_uris"]); diff != "" {
		t.Errorf("redirect_uris differ:\n%s", diff)
	}
	c := s.w.row(s.id)
	if !s.w.service.CheckSecret(&c, s.secret, c.UpdatedAt) {
		t.Error("the secret died with the update")
	}
	// The whole answer may be sent back, also with what we add to it.
	s = registered(t, rich)
	res = s.put(t, s.answer)
	if m := decode(t, res); res.StatusCode != 200 || m["client_name"] != "App" {
		t.Errorf("sending the answer back: %d %v", res.StatusCode, m)
	}
	if c := s.w.row(s.id); c.AuthMethodStrict {
		t.Error("sending the answer back made the method strict")
	}
}

func TestUpdateGivesNothingAway(t *testing.T) {
	s := registered(t, minimal)
	s.w.change(s.id, func(c *client.Client) {
		c.SkipConsent, c.PKCEOptional, c.AccessTokenTTL = false, false, 60e9
		c.Scopes = append(c.Scopes, "admin:all")
		c.MinimumACR, c.Ways = "phr", []string{"local"}
	})
	res := s.put(t, map[string]any{
		"skip_consent": true, "pkce_optional": true, "disabled": true, "access_token_ttl": 1, "source": "operator", "audiences": []string{"x"},
		"scope": "openid admin:all root:all", "registration_access_token": "mine", "client_id_issued_at": 1,
		"minimum_acr": "", "MinimumACR": "1", "ways": []string{}, "Ways": []string{"google"},
	})
	if res.StatusCode != 200 {
		t.Fatalf("answer %d %v", res.StatusCode, decode(t, res))
	}
	c := s.w.row(s.id)
	if c.SkipConsent || c.PKCEOptional || c.Disabled || c.AccessTokenTTL != 60e9 || c.Source != client.Dynamic ||
		!c.MayTarget("https://orders.example") || c.MayTarget("x") || !c.MayAsk("admin:all") || c.MayAsk("root:all") ||
		c.MinimumACR != "phr" || !slices.Equal(c.Ways, []string{"local"}) {
		t.Errorf("security §9.2 after the update: %+v", c)
	}
	if res := s.send(t, "GET", ""); res.StatusCode != 200 {
		t.Errorf("the registration token changed: %d", res.StatusCode)
	}
}

func TestRefusesUpdates(t *testing.T) {
	for name, tt := range map[string]struct {
		first   string
		members map[string]any
		code    string
	}{
		"RFC 7592 §2.2 another client_id":          {minimal, map[string]any{"client_id": "other"}, "invalid_client_metadata"},
		"RFC 7592 §2.2 no client_id":               {minimal, map[string]any{"client_id": nil}, "invalid_client_metadata"},
		"RFC 7592 §2.2 a secret of its own choice": {minimal, map[string]any{"client_secret": "mine"}, "invalid_client_metadata"},
		"security §9.4 the same rules, redirect":   {minimal, map[string]any{"redirect_uris": []string{"http://a.example/cb"}}, "invalid_redirect_uri"},
		"security §9.2 the same rules, grants":     {minimal, map[string]any{"grant_types": []string{"implicit"}}, "invalid_client_metadata"},
		"security §9.2 the same rules, keys":       {minimal, map[string]any{"jwks_uri": "http://a.example"}, "invalid_client_metadata"},
		"security §9.2 a public client gets no secret": {
			`{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`,
			map[string]any{"token_endpoint_auth_method": "client_secret_basic"},
			"invalid_client_metadata",
		},
		"a public client gets no client_credentials": {
			`{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`,
			map[string]any{"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "client_credentials"}},
			"invalid_client_metadata",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := registered(t, tt.first)
			before := s.w.row(s.id)
			res := s.put(t, tt.members)
			if m := decode(t, res); res.StatusCode != 400 || m["error"] != tt.code {
				t.Errorf("answer %d %v, want 400 %s", res.StatusCode, m, tt.code)
			}
			if diff := cmp.Diff(before, s.w.row(s.id)); diff != "" {
				t.Errorf("a refusal changed the client:\n%s", diff)
			}
		})
	}
	s := registered(t, minimal)
	if res := s.put(t, map[string]any{"client_secret": s.secret}); res.StatusCode != 200 {
		t.Errorf("its own secret: %d", res.StatusCode)
	}
}

func TestDelete(t *testing.T) {
	s := registered(t, minimal)
	res := s.send(t, "DELETE", "")
	if res.StatusCode != 204 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("DELETE = %d %v", res.StatusCode, res.Header)
	}
	if len(s.w.rows) != 0 || len(s.w.ended) != 1 {
		t.Errorf("left %v, ended %v", s.w.rows, s.w.ended)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if res := s.send(t, method, ""); res.StatusCode != 401 {
			t.Errorf("RFC 7592 §2.1 %s after deletion = %d", method, res.StatusCode)
		}
	}
}

func TestConfigurationWithTheStoreDown(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s := registered(t, minimal)
		s.w.down = errDown
		body := ""
		if method == "PUT" {
			body = minimal
		}
		if res := s.send(t, method, body); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s = %d", method, res.StatusCode)
		}
	}
}
