package register

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
)

const minimal = `{"redirect_uris":["https://app.example/cb"]}`

// wantNoEmpty walks a JSON value: clients break on null and on "".
func wantNoEmpty(t *testing.T, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", where)
	case string:
		if v == "" {
			t.Errorf("%s is empty", where)
		}
	case []any:
		if len(v) == 0 {
			t.Errorf("%s is an empty list", where)
		}
		for i, e := range v {
			wantNoEmpty(t, fmt.Sprintf("%s[%d]", where, i), e)
		}
	case map[string]any:
		for name, e := range v {
			wantNoEmpty(t, where+"."+name, e)
		}
	}
}

func TestDefaults(t *testing.T) {
	w := newWorld()
	res := w.send(t, call{method: "POST", body: minimal})
	if res.StatusCode != 201 || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("answer %d %v", res.StatusCode, res.Header)
	}
	m := decode(t, res)
	wantNoEmpty(t, "answer", m)
	id, _ := m["client_id"].(string)
	if _, ok := secret.Unwrap(secret.ClientSecret, m["client_secret"].(string)); !ok {
		t.Errorf("client_secret %v is none of ours", m["client_secret"])
	}
	if _, ok := secret.Unwrap(secret.RegistrationToken, m["registration_access_token"].(string)); !ok {
		t.Errorf("registration_access_token %v is none of ours", m["registration_access_token"])
	}
	if issued, _ := m["client_id_issued_at"].(float64); time.Since(time.Unix(int64(issued), 0)).Abs() > time.Minute {
		t.Errorf("client_id_issued_at is %v", m["client_id_issued_at"])
	}
	for _, name := range []string{"client_id", "client_secret", "registration_access_token", "client_id_issued_at"} {
		delete(m, name)
	}
	want := map[string]any{
		"client_secret_expires_at": float64(0), "registration_client_uri": issuer + "/oauth2/register/" + id,
		"redirect_uris": []any{"https://app.example/cb"}, "grant_types": []any{"authorization_code"}, "response_types": []any{"code"},
		"token_endpoint_auth_method": "client_secret_basic", "application_type": "web", "subject_type": "public",
		"scope": "openid profile email address phone offline_access orders:read orders:write", "id_token_signed_response_alg": "RS256",
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("answer differs:\n%s", diff)
	}
	c := w.row(id)
	if c.Source != client.Dynamic || c.SkipConsent || c.AuthMethodStrict || !c.PKCEOptional || c.ProfileInIDToken ||
		!c.MayTarget("https://orders.example") || c.RegistrationTokenHash == "" {
		t.Errorf("stored %+v", c)
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	w := newWorld()
	m := w.register(t, minimal)
	raw := fmt.Sprintf("%+v", w.row(m["client_id"].(string)))
	for _, name := range []string{"client_secret", "registration_access_token"} {
		if strings.Contains(raw, m[name].(string)) {
			t.Errorf("%s is kept in the clear", name)
		}
	}
}

func TestCutsAndAnswersWithWhatWasGranted(t *testing.T) {
	for name, tt := range map[string]struct {
		body   string
		member string
		want   any
	}{
		"RFC 7591 §3.2.1 response types": {`{"redirect_uris":["https://a.example/cb"],"response_types":["code","id_token token","code id_token"]}`, "response_types", []any{"code"}},
		"RFC 7591 §3.2.1 grant types":    {`{"redirect_uris":["https://a.example/cb"],"grant_types":["implicit","authorization_code","refresh_token","password"]}`, "grant_types", []any{"authorization_code", "refresh_token"}},
		"RFC 7591 §2.1 the lists fit":    {`{"grant_types":["client_credentials"],"response_types":["code"]}`, "response_types", nil},
		"values are granted once":        {`{"redirect_uris":["https://a.example/cb"],"grant_types":["authorization_code","authorization_code"]}`, "grant_types", []any{"authorization_code"}},
		"scope: what is known":           {`{"redirect_uris":["https://a.example/cb"],"scope":"email mcp:tools openid"}`, "scope", "email openid"},
		"scope: roles when asked for":    {`{"redirect_uris":["https://a.example/cb"],"scope":"openid roles"}`, "scope", "openid roles"},
		"scope: nothing known":           {`{"redirect_uris":["https://a.example/cb"],"scope":"mcp:tools"}`, "scope", "openid profile email address phone offline_access orders:read orders:write"},
		"unknown members are ignored":    {`{"redirect_uris":["https://a.example/cb"],"id_token_token_binding_cnf":"tbh","zzz":[{"a":null}]}`, "zzz", nil},
		"null is absent":                 {`{"redirect_uris":["https://a.example/cb"],"client_name":null,"grant_types":null,"jwks":null,"default_max_age":null}`, "client_name", nil},
		"an empty text is absent":        {`{"redirect_uris":["https://a.example/cb"],"client_uri":"","token_endpoint_auth_method":""}`, "client_uri", nil},
		"userinfo alg none is JSON":      {`{"redirect_uris":["https://a.example/cb"],"userinfo_signed_response_alg":"none"}`, "userinfo_signed_response_alg", nil},
		"default_max_age 0 is a value":   {`{"redirect_uris":["https://a.example/cb"],"default_max_age":0}`, "default_max_age", float64(0)},
		"RFC 8252 §7.1 a public client with a private-use scheme is native": {`{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none"}`, "application_type", "native"},
		"RFC 8252 §7.3 loopback":     {`{"redirect_uris":["http://127.0.0.1:3000/cb"],"token_endpoint_auth_method":"none"}`, "application_type", "web"},
		"initiate_login_uri is kept": {`{"redirect_uris":["https://a.example/cb"],"initiate_login_uri":"https://a.example/login"}`, "initiate_login_uri", "https://a.example/login"},
		"http links of this machine": {`{"redirect_uris":["https://a.example/cb"],"client_uri":"http://localhost:3000"}`, "client_uri", "http://localhost:3000"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newWorld().register(t, tt.body)
			wantNoEmpty(t, "answer", m)
			if diff := cmp.Diff(tt.want, m[tt.member]); diff != "" {
				t.Errorf("%s differs:\n%s", tt.member, diff)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	w := newWorld()
	public := w.register(t, `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}`)
	if public["client_secret"] != nil || public["client_secret_expires_at"] != nil {
		t.Errorf("a public client got a secret: %v", public)
	}
	if c := w.row(public["client_id"].(string)); c.PKCEOptional || !c.PKCERequired() {
		t.Error("a public client may go without PKCE")
	}
	explicit := w.register(t, `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_post"}`)
	if c := w.row(explicit["client_id"].(string)); !c.AuthMethodStrict || c.AuthMethod != "client_secret_post" {
		t.Errorf("security §4.1 a method registered explicitly is not strict: %+v", c)
	}
	w.cfg.PKCERequired = true
	confidential := w.register(t, minimal)
	if c := w.row(confidential["client_id"].(string)); !c.PKCERequired() {
		t.Error("PORTICO_PKCE=required lets a confidential client go without")
	}
	// What is not a client's to say is not read, whatever it is called.
	grabbing := w.register(t, `{"redirect_uris":["https://a.example/cb"],"client_id":"mine","client_secret":"mine","skip_consent":true,"SkipConsent":true,
		"source":"operator","disabled":false,"audiences":["https://x.example"],"access_token_ttl":99999,"registration_access_token":"mine",
		"client_id_issued_at":1,"owner":"root","roles":["portico:admin"],"minimum_acr":"phr","MinimumACR":"phr","ways":["google"],"Ways":["google"],"Redirect_URIs":["https://evil.example/cb"]}`)
	c := w.row(grabbing["client_id"].(string))
	if c.ID == "mine" || grabbing["client_secret"] == "mine" || c.SkipConsent || c.Source != client.Dynamic || c.AccessTokenTTL != 0 ||
		c.MayTarget("https://x.example") || c.MinimumACR != "" || len(c.Ways) != 0 || grabbing["registration_access_token"] == "mine" || len(c.RedirectURIs) != 1 {
		t.Errorf("security §9.2 mass assignment: %+v", c)
	}
}

func TestRefusesMetadata(t *testing.T) {
	uris := func(u string) string { return fmt.Sprintf(`{"redirect_uris":[%q]}`, u) }
	with := func(member string) string { return `{"redirect_uris":["https://a.example/cb"],` + member + `}` }
	many := `["https://a.example/cb"` + strings.Repeat(`,"https://a.example/cb"`, 60) + `]`
	for name, tt := range map[string]struct {
		body string
		code string
	}{
		"RFC 7591 §3.1 no body":                    {" ", "invalid_client_metadata"},
		"RFC 7591 §3.1 not JSON":                   {"redirect_uris=x", "invalid_client_metadata"},
		"RFC 7591 §3.1 an array":                   {"[]", "invalid_client_metadata"},
		"RFC 7591 §3.1 null":                       {"null", "invalid_client_metadata"},
		"two values":                               {minimal + minimal, "invalid_client_metadata"},
		"RFC 8259 §8.1 invalid UTF-8":              {"{\"client_name\":\"\xff\"}", "invalid_client_metadata"},
		"deep nesting":                             {strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), "invalid_client_metadata"},
		"RFC 7591 §2 no redirect URI":              {`{}`, "invalid_redirect_uri"},
		"redirect_uris a string":                   {`{"redirect_uris":"https://a.example/cb"}`, "invalid_client_metadata"},
		"redirect_uris with a number":              {`{"redirect_uris":[1]}`, "invalid_client_metadata"},
		"redirect_uris with null":                  {`{"redirect_uris":[null]}`, "invalid_client_metadata"},
		"redirect_uris with an empty one":          {`{"redirect_uris":[""]}`, "invalid_redirect_uri"},
		"too many redirect_uris":                   {`{"redirect_uris":` + many + `}`, "invalid_client_metadata"},
		"RFC 6749 §3.1.2 fragment":                 {uris("https://a.example/cb#x"), "invalid_redirect_uri"},
		"RFC 6749 §3.1.2 relative":                 {uris("/cb"), "invalid_redirect_uri"},
		"security §9.4 http":                       {uris("http://a.example/cb"), "invalid_redirect_uri"},
		"security §9.4 javascript":                 {uris("javascript:alert(1)"), "invalid_redirect_uri"},
		"security §9.4 JaVaScRiPt":                 {uris("JaVaScRiPt:alert(1)"), "invalid_redirect_uri"},
		"security §9.4 script after a blank":       {uris(" javascript:alert(1)"), "invalid_redirect_uri"},
		"security §9.4 data":                       {uris("data:text/html,x"), "invalid_redirect_uri"},
		"security §9.4 user-info":                  {uris("https://a@evil.example/cb"), "invalid_redirect_uri"},
		"security §9.4 wildcard":                   {uris("https://*.example/cb"), "invalid_redirect_uri"},
		"security §9.4 very long":                  {uris("https://a.example/" + strings.Repeat("a", 3000)), "invalid_redirect_uri"},
		"RFC 8252 §7.1 private scheme, web":        {with(`"application_type":"web","post_logout_redirect_uris":["com.example.app:/out"]`), "invalid_client_metadata"},
		"post_logout_redirect_uris with script":    {with(`"post_logout_redirect_uris":["javascript:x"]`), "invalid_client_metadata"},
		"RFC 7591 §2 unknown method":               {with(`"token_endpoint_auth_method":"client_secret_jwt"`), "invalid_client_metadata"},
		"method a list":                            {with(`"token_endpoint_auth_method":["none"]`), "invalid_client_metadata"},
		"RFC 7591 §2 only unsupported grants":      {with(`"grant_types":["implicit"]`), "invalid_client_metadata"},
		"RFC 7591 §2 only unsupported responses":   {with(`"response_types":["id_token"]`), "invalid_client_metadata"},
		"RFC 6749 §4.4 public client_credentials":  {with(`"token_endpoint_auth_method":"none","grant_types":["authorization_code","client_credentials"]`), "invalid_client_metadata"},
		"refresh_token alone":                      {with(`"grant_types":["refresh_token"]`), "invalid_client_metadata"},
		"application_type unknown":                 {with(`"application_type":"robot"`), "invalid_client_metadata"},
		"OIDC Core §8 pairwise":                    {with(`"subject_type":"pairwise"`), "invalid_client_metadata"},
		"RFC 7591 §2 jwks and jwks_uri":            {with(`"jwks":{"keys":[]},"jwks_uri":"https://a.example/jwks"`), "invalid_client_metadata"},
		"security §9.5 jwks without keys":          {with(`"jwks":{"keys":[]}`), "invalid_client_metadata"},
		"security §9.5 jwks with a secret":         {with(`"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}`), "invalid_client_metadata"},
		"jwks a string":                            {with(`"jwks":"x"`), "invalid_client_metadata"},
		"security §9.4 jwks_uri over http":         {with(`"jwks_uri":"http://a.example/jwks"`), "invalid_client_metadata"},
		"jwks_uri of another scheme":               {with(`"jwks_uri":"file:///etc/passwd"`), "invalid_client_metadata"},
		"RFC 7591 §2 private_key_jwt without keys": {with(`"token_endpoint_auth_method":"private_key_jwt"`), "invalid_client_metadata"},
		"RFC 8725 §3.1 symmetric assertion alg":    {with(`"token_endpoint_auth_signing_alg":"HS256"`), "invalid_client_metadata"},
		"ID token alg none":                        {with(`"id_token_signed_response_alg":"none"`), "invalid_client_metadata"},
		"ID token alg HS256":                       {with(`"id_token_signed_response_alg":"HS256"`), "invalid_client_metadata"},
		"ID token alg that nobody signs with":      {with(`"id_token_signed_response_alg":"ES384"`), "invalid_client_metadata"},
		"userinfo alg that nobody signs with":      {with(`"userinfo_signed_response_alg":"ES256"`), "invalid_client_metadata"},
		"introspection alg that nobody signs with": {with(`"introspection_signed_response_alg":"PS256"`), "invalid_client_metadata"},
		"encryption is not dropped silently":       {with(`"id_token_encrypted_response_alg":"RSA-OAEP"`), "invalid_client_metadata"},
		"userinfo encryption":                      {with(`"userinfo_encrypted_response_alg":"RSA-OAEP"`), "invalid_client_metadata"},
		"default_max_age negative":                 {with(`"default_max_age":-1`), "invalid_client_metadata"},
		"default_max_age a fraction":               {with(`"default_max_age":1.5`), "invalid_client_metadata"},
		"default_max_age a string":                 {with(`"default_max_age":"1"`), "invalid_client_metadata"},
		"default_max_age huge":                     {with(`"default_max_age":1e99`), "invalid_client_metadata"},
		"require_auth_time a string":               {with(`"require_auth_time":"true"`), "invalid_client_metadata"},
		"OIDC Registration §2 initiate_login_uri":  {with(`"initiate_login_uri":"http://127.0.0.1/login"`), "invalid_client_metadata"},
		"security §9.4 logo over http":             {with(`"logo_uri":"http://a.example/logo.png"`), "invalid_client_metadata"},
		"security §9.4 script as link":             {with(`"tos_uri":"javascript:alert(1)"`), "invalid_client_metadata"},
		"security §9.4 data as logo":               {with(`"logo_uri":"data:image/png;base64,AA"`), "invalid_client_metadata"},
		"security §9.7 control in the name":        {with(`"client_name":"a\u0000b"`), "invalid_client_metadata"},
		"security §9.7 bidi override in the name":  {with(`"client_name":"a\u202eb"`), "invalid_client_metadata"},
		"security §9.7 long name":                  {with(`"client_name":"` + strings.Repeat("n", 101) + `"`), "invalid_client_metadata"},
		"name a number":                            {with(`"client_name":7`), "invalid_client_metadata"},
		"clients.md scope an array":                {with(`"scope":["openid"]`), "invalid_client_metadata"},
		"contacts too many":                        {with(`"contacts":["a","b","c","d","e","f","g","h","i","j","k"]`), "invalid_client_metadata"},
		"software_id too long":                     {with(`"software_id":"` + strings.Repeat("s", 300) + `"`), "invalid_client_metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			res := w.send(t, call{method: "POST", body: tt.body})
			m := decode(t, res)
			if res.StatusCode != 400 || m["error"] != tt.code {
				t.Errorf("answer %d %v, want 400 %s", res.StatusCode, m, tt.code)
			}
			if len(w.rows) != 0 {
				t.Errorf("a refusal left %v", w.rows)
			}
		})
	}
}

func TestRefusesRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		call   call
		status int
		code   string
	}{
		"RFC 7591 §3.1 form body":     {call{method: "POST", body: "a=b", header: []string{"Content-Type", "application/x-www-form-urlencoded"}}, 400, "invalid_client_metadata"},
		"RFC 7591 §3.1 no type":       {call{method: "POST", body: minimal, header: []string{"Content-Type", ""}}, 400, "invalid_client_metadata"},
		"compressed body":             {call{method: "POST", body: minimal, header: []string{"Content-Encoding", "gzip"}}, 400, "invalid_client_metadata"},
		"too large":                   {call{method: "POST", body: `{"a":"` + strings.Repeat("a", maxBody) + `"}`}, 413, "invalid_client_metadata"},
		"RFC 9110 §15.5.6 GET":        {call{method: "GET"}, 405, "invalid_request"},
		"RFC 9110 §15.5.6 PUT":        {call{method: "PUT", body: minimal}, 405, "invalid_request"},
		"RFC 9110 §15.5.6 POST there": {call{method: "POST", path: "/oauth2/register/x", body: minimal}, 405, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			res := w.send(t, tt.call)
			if m := decode(t, res); res.StatusCode != tt.status || m["error"] != tt.code || len(w.rows) != 0 {
				t.Errorf("answer %d %v, want %d %s", res.StatusCode, m, tt.status, tt.code)
			}
			if (tt.status == 405) != (res.Header.Get("Allow") != "") {
				t.Errorf("Allow %q", res.Header.Get("Allow"))
			}
		})
	}
}

func TestModes(t *testing.T) {
	t.Run("off", func(t *testing.T) {
		w := newWorld()
		m := w.register(t, minimal)
		w.cfg.Mode = ""
		for _, c := range []call{
			{method: "POST", body: minimal},
			{method: "GET", path: "/oauth2/register/" + m["client_id"].(string), header: []string{"Authorization", "Bearer " + m["registration_access_token"].(string)}},
		} {
			if res := w.send(t, c); res.StatusCode != 404 || len(w.rows) != 1 {
				t.Errorf("%s = %d", c.method, res.StatusCode)
			}
		}
	})
	t.Run("token", func(t *testing.T) {
		w := newWorld()
		first, second := strings.Repeat("a", 32), strings.Repeat("b", 40)
		w.cfg.Mode, w.cfg.InitialTokens = Token, []string{first, second}
		for name, tt := range map[string]struct {
			header []string
			status int
			error  string
		}{
			"first":          {[]string{"Authorization", "Bearer " + first}, 201, ""},
			"second":         {[]string{"Authorization", "bearer " + second}, 201, ""},
			"none":           {nil, 401, "invalid_token"},
			"wrong":          {[]string{"Authorization", "Bearer " + strings.Repeat("c", 32)}, 401, "invalid_token"},
			"cut short":      {[]string{"Authorization", "Bearer " + first[:31]}, 401, "invalid_token"},
			"longer":         {[]string{"Authorization", "Bearer " + first + "a"}, 401, "invalid_token"},
			"empty":          {[]string{"Authorization", "Bearer "}, 401, "invalid_token"},
			"another scheme": {[]string{"Authorization", "Basic " + first}, 401, "invalid_token"},
			"huge":           {[]string{"Authorization", "Bearer " + strings.Repeat("c", 5000)}, 401, "invalid_token"},
			"twice":          {[]string{"Authorization", "Bearer " + first, "Authorization", "Bearer " + first}, 400, "invalid_request"},
		} {
			before := len(w.rows)
			res := w.send(t, call{method: "POST", body: minimal, header: tt.header})
			m := decode(t, res)
			if got, _ := m["error"].(string); res.StatusCode != tt.status || got != tt.error {
				t.Errorf("%s: %d %v", name, res.StatusCode, m)
			}
			if (res.StatusCode == 401) != (res.Header.Get("WWW-Authenticate") != "") || (res.StatusCode == 201) != (len(w.rows) == before+1) {
				t.Errorf("%s: headers %v, %d clients", name, res.Header, len(w.rows))
			}
		}
	})
	t.Run("configuration", func(t *testing.T) {
		w := newWorld()
		w.cfg.Mode = "sometimes"
		if _, err := New(w.cfg); err == nil {
			t.Error("an unknown mode is taken")
		}
		w.cfg.Mode, w.cfg.InitialTokens = Token, []string{"short"}
		if _, err := New(w.cfg); err == nil || strings.Contains(err.Error(), "short\"") {
			t.Errorf("a short initial access token: %v", err)
		}
	})
}

func TestBrake(t *testing.T) {
	w := newWorld()
	w.cfg.PerAddress = limit.Rule{Name: "register-address", Max: 2, Window: time.Hour}
	post := func(remote string) int {
		return w.send(t, call{method: "POST", body: minimal, remote: remote}).StatusCode
	}
	for i, want := range []int{201, 201, 429} {
		if got := post("203.0.113.9"); got != want {
			t.Errorf("registration %d of an address = %d, want %d", i+1, got, want)
		}
	}
	res := w.send(t, call{method: "POST", body: minimal, remote: "203.0.113.9"})
	if res.Header.Get("Retry-After") != "90" {
		t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
	}
	if got := post("203.0.113.10"); got != 201 {
		t.Errorf("another address = %d", got)
	}
	for i, remote := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"} {
		if got, want := post(remote), []int{201, 201, 429}[i]; got != want {
			t.Errorf("address %d of one /64 = %d, want %d", i+1, got, want)
		}
	}
	if got := post("::ffff:203.0.113.9"); got != 429 {
		t.Errorf("the same address in IPv6 clothes = %d", got)
	}
}

func TestUnsureMeansNo(t *testing.T) {
	for name, change := range map[string]func(*world){
		"attempts cannot be counted": func(w *world) { w.limits = errDown },
		"APIs cannot be read":        func(w *world) { w.scopes = errDown },
		"client cannot be written":   func(w *world) { w.down = errDown },
	} {
		w := newWorld()
		change(w)
		if res := w.send(t, call{method: "POST", body: minimal}); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || len(w.rows) != 0 {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		minimal, `{}`, `null`, `{"redirect_uris":[null]}`, `{"jwks":{"keys":[]},"scope":"a b"}`,
		`{"redirect_uris":["com.example:/x"],"token_endpoint_auth_method":"none","default_max_age":1}`,
		`{"grant_types":["client_credentials"],"client_name":"\u202e"}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld()
	h, err := New(w.cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMetadata(raw)
		if err != nil {
			if m != nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused with %v and %+v", err, m)
			}
			return
		}
		c, err := h.newClient(t.Context(), m)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if c.Source != client.Dynamic || c.SkipConsent || c.ID != "" || len(c.Secrets) != 0 || c.Public() && c.PKCEOptional {
			t.Fatalf("made %+v", c)
		}
		c.ID = "id"
		if client.Validate(c) != nil {
			return
		}
		out, err := json.Marshal(h.describe(&c, "token"))
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatal(err)
		}
		delete(back, "jwks") // the client's own, kept as it was sent
		wantNoEmpty(t, "answer", back)
	})
}
