package outside_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// token posts a form to the token endpoint.
func token(t *testing.T, s *porticotest.Server, app porticotest.App, kv ...string) reply {
	t.Helper()
	c := call{method: http.MethodPost, path: protocol.PathToken}
	if app.Secret != "" {
		c.header = []string{"Authorization", basicAuth(app)}
	} else {
		kv = append(kv, "client_id", app.ID)
	}
	c.body = pairs(kv...)
	return send(t, s, c)
}

// 2.3: only a fully valid redemption gets anything, and only it spends the code.
func TestCodesOfOthers(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	other := s.Register(map[string]any{})
	native := s.Register(map[string]any{"token_endpoint_auth_method": "none"})
	code := s.Code(b, porticotest.Web, "openid offline_access")
	good := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", porticotest.Callback, "code_verifier", porticotest.Verifier}
	with := func(kv ...string) []string { // replaces; an empty value removes
		var out []string
		for i := 0; i+1 < len(good); i += 2 {
			k, v := good[i], good[i+1]
			for j := 0; j+1 < len(kv); j += 2 {
				if kv[j] == k {
					v = kv[j+1]
				}
			}
			if v != "" {
				out = append(out, k, v)
			}
		}
		return out
	}
	tests := map[string]struct {
		app  porticotest.App
		kv   []string
		code string
	}{
		"another client":                {other, good, "invalid_grant"},
		"a public client":               {native, good, "invalid_grant"},
		"no verifier":                   {porticotest.Web, with("code_verifier", ""), "invalid_grant"},
		"an empty verifier":             {porticotest.Web, append(with("code_verifier", ""), "code_verifier", ""), "invalid_grant"},
		"another verifier":              {porticotest.Web, with("code_verifier", strings.Repeat("a", 43)), "invalid_grant"},
		"the challenge as verifier":     {porticotest.Web, with("code_verifier", porticotest.Challenge(porticotest.Verifier)), "invalid_grant"},
		"2.4 a short verifier":          {porticotest.Web, with("code_verifier", porticotest.Verifier[:42]), "invalid_grant"},
		"2.4 a long verifier":           {porticotest.Web, with("code_verifier", strings.Repeat("a", 129)), "invalid_grant"},
		"2.4 a verifier with a plus":    {porticotest.Web, with("code_verifier", porticotest.Verifier[:42]+"+"), "invalid_grant"},
		"another redirect URI":          {porticotest.Web, with("redirect_uri", "http://127.0.0.1:65124/callback"), "invalid_grant"},
		"another registered one":        {porticotest.Web, with("redirect_uri", s.URL+"/playground/callback"), "invalid_grant"},
		"the registered one, portless":  {porticotest.Web, with("redirect_uri", "http://127.0.0.1/callback"), "invalid_grant"},
		"no redirect URI":               {porticotest.Web, with("redirect_uri", ""), "invalid_grant"},
		"no code":                       {porticotest.Web, with("code", ""), "invalid_request"},
		"the code in capitals":          {porticotest.Web, with("code", strings.ToUpper(code)), "invalid_grant"},
		"the code cut":                  {porticotest.Web, with("code", code[:len(code)-1]), "invalid_grant"},
		"the code and a blank":          {porticotest.Web, with("code", code+" "), "invalid_grant"},
		"the code and a dot":            {porticotest.Web, with("code", code+"."), "invalid_grant"},
		"0.7 a code as a refresh token": {porticotest.Web, []string{"grant_type", "refresh_token", "refresh_token", code}, "invalid_grant"},
		"2.5 the password grant":        {porticotest.Web, []string{"grant_type", "password", "username", "alice@example.com", "password", server.DemoPassword}, "unsupported_grant_type"},
		"2.5 implicit":                  {porticotest.Web, []string{"grant_type", "implicit"}, "unsupported_grant_type"},
		"2.5 jwt-bearer":                {porticotest.Web, []string{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "x"}, "unsupported_grant_type"},
		"2.5 token exchange":            {porticotest.Web, []string{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", "x"}, "unsupported_grant_type"},
		"2.5 device":                    {porticotest.Web, []string{"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", "x"}, "unsupported_grant_type"},
		"2.5 machine grant of web":      {porticotest.Web, []string{"grant_type", "client_credentials"}, "unauthorized_client"},
		"2.5 code grant of machine":     {porticotest.Machine, good, "unauthorized_client"},
		"2.5 refresh of machine":        {porticotest.Machine, []string{"grant_type", "refresh_token", "refresh_token", "x"}, "unauthorized_client"},
		"no grant type":                 {porticotest.Web, []string{"code", code}, "invalid_request"},
		"two grant types in one":        {porticotest.Web, []string{"grant_type", "authorization_code refresh_token"}, "unsupported_grant_type"},
	}
	for name, tt := range tests {
		t.Run("2.3 "+name, func(t *testing.T) {
			a := token(t, s, tt.app, tt.kv...)
			a.oauthError(t, http.StatusBadRequest, tt.code)
			if strings.Contains(a.body, "access_token") {
				t.Error("a token came with the error")
			}
		})
	}
	if a := token(t, s, porticotest.Web, good...); a.status != http.StatusOK {
		t.Errorf("2.3 the honest redemption after all that: %d %s", a.status, a.body)
	}
}

// 2.1: sixty seconds, not more.
func TestCodesLiveAMinute(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	early, late := s.Code(b, porticotest.Web, "openid"), s.Code(b, porticotest.Web, "openid")
	back := clock.Jump(50 * time.Second)
	if a := s.Exchange(porticotest.Web, early); a.Status != http.StatusOK {
		t.Errorf("after 50 s: %d %s", a.Status, a.Raw)
	}
	back()
	back = clock.Jump(61 * time.Second)
	defer back()
	if a := s.Exchange(porticotest.Web, late); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_grant" {
		t.Errorf("after 61 s: %d %s", a.Status, a.Raw)
	}
}

// 2.2, 0.6: of many redemptions one wins, and what it won dies with the race.
func TestCodesAreUsedOnce(t *testing.T) {
	s := porticotest.New(t)
	code := s.Code(s.NewBrowser(), porticotest.Web, "openid offline_access")
	var wg sync.WaitGroup
	answers := make(chan *porticotest.Answer, 20)
	for range cap(answers) {
		wg.Go(func() { answers <- s.Exchange(porticotest.Web, code) })
	}
	wg.Wait()
	close(answers)
	won := 0
	for a := range answers {
		if a.Status == http.StatusOK {
			won++
			if i := s.Introspect(porticotest.Web, a.Text("access_token")); i.JSON["active"] != false {
				t.Error("2.2 the access token survived the second use")
			}
			if r := s.Refresh(porticotest.Web, a.Text("refresh_token")); r.Text("error") != "invalid_grant" {
				t.Errorf("2.2 the refresh token survived: %d %s", r.Status, r.Raw)
			}
		} else if a.Text("error") != "invalid_grant" {
			t.Errorf("a loser got %d %s", a.Status, a.Raw)
		}
	}
	if won != 1 {
		t.Errorf("%d redemptions won, want 1", won)
	}
}

// PKCE is optional for confidential clients that registered themselves, but a
// challenge once sent is verified and a verifier without one refused.
func TestPKCEDowngrade(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	app := s.Register(map[string]any{})
	without := app
	without.Verifier = ""
	if a := s.Exchange(app, s.Code(b, without, "openid")); a.Text("error") != "invalid_grant" {
		t.Errorf("2.3 a verifier without challenge: %d %s", a.Status, a.Raw)
	}
	if a := s.Exchange(without, s.Code(b, app, "openid")); a.Text("error") != "invalid_grant" {
		t.Errorf("2.3 a challenge without verifier: %d %s", a.Status, a.Raw)
	}
	if a := s.Exchange(without, s.Code(b, without, "openid")); a.Status != http.StatusOK {
		t.Errorf("neither: %d %s", a.Status, a.Raw)
	}
	public := s.Register(map[string]any{"token_endpoint_auth_method": "none"})
	public.Verifier = ""
	for _, app := range []porticotest.App{public, {ID: server.DemoWeb, RedirectURI: porticotest.Callback}, {ID: server.DemoSPA, RedirectURI: porticotest.Callback}} {
		if p := b.Get(s.AuthorizeURL(app, "openid")); p.URL.Query().Get("error") != "invalid_request" {
			t.Errorf("1.5 %s without challenge: %d %s", app.ID, p.Status, p.URL)
		}
	}
}

// 3: refresh tokens.
func TestRefreshTokensOfOthers(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	other := s.Register(map[string]any{})
	first := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid profile offline_access orders:read"))
	rt := first.Text("refresh_token")
	tests := map[string]struct {
		app  porticotest.App
		kv   []string
		code string
	}{
		"3.5 another client":               {other, []string{"refresh_token", rt}, "invalid_grant"},
		"3.5 a public client":              {porticotest.SPA, []string{"refresh_token", rt}, "invalid_grant"},
		"3.4 a wider scope":                {porticotest.Web, []string{"refresh_token", rt, "scope", "openid profile email"}, "invalid_scope"},
		"3.4 a wider API scope":            {porticotest.Web, []string{"refresh_token", rt, "scope", "orders:write"}, "invalid_scope"},
		"3.4 another resource":             {porticotest.Web, []string{"refresh_token", rt, "resource", "https://other.example"}, "invalid_target"},
		"3.7 unknown":                      {porticotest.Web, []string{"refresh_token", "ptc_rt_" + strings.Repeat("A", 49)}, "invalid_grant"},
		"3.7 rubbish":                      {porticotest.Web, []string{"refresh_token", "x"}, "invalid_grant"},
		"3.7 rubbish with dots":            {porticotest.Web, []string{"refresh_token", "a.b.c.d"}, "invalid_grant"},
		"3.7 cut":                          {porticotest.Web, []string{"refresh_token", rt[:len(rt)-1]}, "invalid_grant"},
		"3.7 with one more":                {porticotest.Web, []string{"refresh_token", rt + "A"}, "invalid_grant"},
		"3.7 16 kB":                        {porticotest.Web, []string{"refresh_token", strings.Repeat("A", 16000)}, "invalid_grant"},
		"3.7 in capitals":                  {porticotest.Web, []string{"refresh_token", strings.ToUpper(rt)}, "invalid_grant"},
		"3.7 missing":                      {porticotest.Web, nil, "invalid_request"},
		"5.2 an access token":              {porticotest.Web, []string{"refresh_token", first.Text("access_token")}, "invalid_grant"},
		"5.2 an ID token":                  {porticotest.Web, []string{"refresh_token", first.Text("id_token")}, "invalid_grant"},
		"0.7 a refresh token as code":      {porticotest.Web, []string{"grant_type", "authorization_code", "code", rt, "redirect_uri", porticotest.Callback, "code_verifier", porticotest.Verifier}, "invalid_grant"},
		"0.7 a registration token as code": {porticotest.Web, []string{"grant_type", "authorization_code", "code", registrationToken(t, s), "redirect_uri", porticotest.Callback, "code_verifier", porticotest.Verifier}, "invalid_grant"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			kv := tt.kv
			if len(kv) == 0 || kv[0] != "grant_type" {
				kv = append([]string{"grant_type", "refresh_token"}, kv...)
			}
			token(t, s, tt.app, kv...).oauthError(t, http.StatusBadRequest, tt.code)
		})
	}
	narrow := token(t, s, porticotest.Web, "grant_type", "refresh_token", "refresh_token", rt, "scope", "openid")
	if narrow.status != http.StatusOK || !strings.Contains(narrow.body, `"scope":"openid"`) {
		t.Errorf("3.4 the honest owner after all that, narrower: %d %s", narrow.status, narrow.body)
	}
}

func registrationToken(t *testing.T, s *porticotest.Server) string {
	t.Helper()
	return s.SendJSON(http.MethodPost, protocol.PathRegister, "", map[string]any{"redirect_uris": []string{"https://a.example/cb"}}).Text("registration_access_token")
}

// 3.1, 3.3: reuse ends the family; nothing lives for ever.
func TestRefreshReuseAndLife(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	start := func(app porticotest.App) *porticotest.Answer {
		t.Helper()
		return s.Exchange(app, s.Code(b, app, "openid offline_access"))
	}
	dead := func(what string, app porticotest.App, tokens ...*porticotest.Answer) {
		t.Helper()
		for i, a := range tokens {
			if r := s.Refresh(app, a.Text("refresh_token")); r.Text("error") != "invalid_grant" {
				t.Errorf("%s: refresh token %d lives: %d %s", what, i, r.Status, r.Raw)
			}
			if r := s.Fetch(protocol.PathUserinfo, a.Text("access_token")); r.Status != http.StatusUnauthorized {
				t.Errorf("%s: access token %d lives: %d", what, i, r.Status)
			}
		}
	}
	// A public client has no window for retries.
	first := start(porticotest.SPA)
	second := s.Refresh(porticotest.SPA, first.Text("refresh_token"))
	third := s.Refresh(porticotest.SPA, second.Text("refresh_token"))
	if third.Status != http.StatusOK {
		t.Fatalf("rotation: %d %s", third.Status, third.Raw)
	}
	dead("3.1 reuse by a public client", porticotest.SPA, first, second, third)

	// A confidential one gets the same answer for ten seconds, not longer.
	first = start(porticotest.Web)
	second = s.Refresh(porticotest.Web, first.Text("refresh_token"))
	if again := s.Refresh(porticotest.Web, first.Text("refresh_token")); again.Text("refresh_token") != second.Text("refresh_token") {
		t.Errorf("3.2 a retry got another family member: %d %s", again.Status, again.Raw)
	}
	back := clock.Jump(11 * time.Second)
	dead("3.1 reuse after the window", porticotest.Web, first, second)
	back()

	first = start(porticotest.Web)
	back = clock.Jump(7*24*time.Hour + time.Minute)
	if r := s.Refresh(porticotest.Web, first.Text("refresh_token")); r.Text("error") != "invalid_grant" {
		t.Errorf("3.3 idle for a week: %d %s", r.Status, r.Raw)
	}
	back()

	// Rotation does not extend the absolute life.
	last, moved := start(porticotest.Web), time.Duration(0)
	for moved < 29*24*time.Hour {
		moved += 6 * 24 * time.Hour
		back := clock.Jump(6 * 24 * time.Hour)
		defer back()
		next := s.Refresh(porticotest.Web, last.Text("refresh_token"))
		// A clock that leaps by days makes the keys too old to sign by until
		// they are read again; that must not cost the refresh token.
		for end := time.Now().Add(slow); next.Status == http.StatusServiceUnavailable && time.Now().Before(end); {
			next = s.Refresh(porticotest.Web, last.Text("refresh_token"))
		}
		if next.Status != http.StatusOK {
			if moved <= 29*24*time.Hour {
				t.Fatalf("after %s: %d %s", moved, next.Status, next.Raw)
			}
			return
		}
		last = next
	}
	t.Errorf("3.3 alive after %s", moved)
}

// 4: client authentication.
func TestClientAuthentication(t *testing.T) {
	s := porticotest.New(t)
	grant := pairs("grant_type", "client_credentials")
	web := basicAuth(porticotest.Machine)
	post := s.Register(map[string]any{"token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"client_credentials"}, "redirect_uris": []string{}})
	basic := s.Register(map[string]any{"token_endpoint_auth_method": "client_secret_basic", "grant_types": []string{"client_credentials"}, "redirect_uris": []string{}})
	tests := map[string]struct {
		auth, body, query string
		status            int
		code              string
	}{
		"4.1 two at once":                     {web, grant + "&" + pairs("client_id", server.DemoService, "client_secret", server.DemoServiceSecret), "", 400, "invalid_request"},
		"4.1 Basic and an assertion":          {web, grant + "&" + pairs("client_assertion", "x", "client_assertion_type", protocol.AssertionJWTBearer), "", 400, "invalid_request"},
		"4.1 Basic of one, client_id another": {web, grant + "&client_id=demo-web", "", 400, "invalid_request"},
		"4.1 post of a basic client":          {"", grant + "&" + pairs("client_id", basic.ID, "client_secret", basic.Secret), "", 401, "invalid_client"},
		"4.1 basic of a post client":          {basicAuth(post), grant, "", 401, "invalid_client"},
		"4.2 the secret in the query":         {"", grant, pairs("client_id", server.DemoService, "client_secret", server.DemoServiceSecret), 400, "invalid_request"},
		"4.2 no authentication":               {"", grant + "&client_id=" + server.DemoService, "", 401, "invalid_client"},
		"4.2 an empty secret":                 {"", grant + "&client_secret=&client_id=" + server.DemoService, "", 401, "invalid_client"},
		"4.2 a public client's id alone":      {"", grant + "&client_id=" + server.DemoSPA, "", 400, "unauthorized_client"},
		"4.2 a public client with a secret":   {"", grant + "&" + pairs("client_id", server.DemoSPA, "client_secret", "x"), "", 401, "invalid_client"},
		"4.2 Basic not base64":                {"Basic %%%", grant, "", 401, "invalid_client"},
		"4.2 Basic without colon":             {"Basic ZGVtbw==", grant, "", 401, "invalid_client"},
		"4.2 Basic not UTF-8":                 {"Basic /////w==", grant, "", 401, "invalid_client"},
		"4.2 Bearer":                          {"Bearer x", grant, "", 401, "invalid_client"},
		"4.2 Digest":                          {"Digest x", grant, "", 401, "invalid_client"},
		"4.3 an assertion without alg":        {"", grant + "&" + pairs("client_assertion", "eyJhbGciOiJub25lIn0.e30.", "client_assertion_type", protocol.AssertionJWTBearer), "", 401, "invalid_client"},
		"4.3 rubbish":                         {"", grant + "&" + pairs("client_assertion", "..", "client_assertion_type", protocol.AssertionJWTBearer), "", 401, "invalid_client"},
		"4.3 a type alone":                    {"", grant + "&" + pairs("client_id", server.DemoService, "client_assertion_type", protocol.AssertionJWTBearer), "", 400, "invalid_request"},
		"no client at all":                    {"", grant, "", 401, "invalid_client"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := call{method: "POST", path: protocol.PathToken, body: tt.body, query: tt.query}
			if tt.auth != "" {
				c.header = []string{"Authorization", tt.auth}
			}
			a := send(t, s, c)
			a.oauthError(t, tt.status, tt.code)
			if tt.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
	// 4.6: who is unknown and whose secret is wrong look the same.
	var want reply
	for i, c := range []struct{ id, secret string }{
		{server.DemoService, "wrong"}, {"unknown", "wrong"}, {server.DemoService, server.DemoServiceSecret + "x"}, {server.DemoService, strings.ToUpper(server.DemoServiceSecret)}, {server.DemoWeb, "wrong"}, {server.DemoSPA, "wrong"}, {basic.ID, post.Secret},
	} {
		a := token(t, s, porticotest.App{ID: c.id, Secret: c.secret}, "grant_type", "client_credentials")
		if i == 0 {
			want = a
		}
		if a.status != want.status || len(a.body) != len(want.body) || len(a.header) != len(want.header) || maskID(a.body) != maskID(want.body) {
			t.Errorf("4.6 %s: %d %s, others %d %s", c.id, a.status, a.body, want.status, want.body)
		}
	}
	for _, app := range []porticotest.App{post, basic} {
		if a := token(t, s, app, "grant_type", "client_credentials"); (a.status == http.StatusOK) != (app == basic) {
			t.Errorf("%s by Basic: %d %s", app.ID, a.status, a.body)
		}
	}
}
