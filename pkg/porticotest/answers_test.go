package porticotest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// ask sends one request as it stands. Redirects are not followed.
func ask(t *testing.T, s *porticotest.Server, method, path, body string, header ...string) *porticotest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &porticotest.Answer{Status: res.StatusCode, Header: res.Header, Raw: raw}
}

// flaws returns what strict clients choke on in a JSON value: members without
// a value, numbers that are none, markup.
func flaws(path string, v any) []string {
	var found []string
	switch v := v.(type) {
	case nil:
		found = append(found, path+" is null")
	case string:
		if v == "" {
			found = append(found, path+" is empty")
		}
		if strings.ContainsAny(v, "<>") {
			found = append(found, path+" holds markup: "+v)
		}
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			found = append(found, path+" is not a whole number: "+v.String())
		}
	case []any:
		if len(v) == 0 {
			found = append(found, path+" is an empty list")
		}
		for i, e := range v {
			found = append(found, flaws(fmt.Sprintf("%s[%d]", path, i), e)...)
		}
	case map[string]any:
		if len(v) == 0 {
			found = append(found, path+" is an empty object")
		}
		for name, e := range v {
			found = append(found, flaws(path+"."+name, e)...)
		}
	}
	return found
}

func decodeStrictly(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value")
	}
	return v, nil
}

// checkJSON walks an answer, and what is inside of the JWTs in it.
func checkJSON(t *testing.T, name string, a *porticotest.Answer) {
	t.Helper()
	switch kind := a.Header.Get("Content-Type"); kind {
	case "application/json":
		v, err := decodeStrictly(a.Raw)
		if err != nil {
			t.Errorf("%s: %v in %s", name, err, a.Raw)
			return
		}
		for _, f := range flaws(name, v) {
			t.Error(f)
		}
		members, _ := v.(map[string]any)
		for _, token := range []string{"access_token", "id_token"} {
			if raw, ok := members[token].(string); ok {
				checkJWT(t, name+"/"+token, raw)
			}
		}
	case "application/jwt", "application/token-introspection+jwt":
		checkJWT(t, name, string(a.Raw))
	case "":
		if len(a.Raw) > 0 {
			t.Errorf("%s has a body without a type: %s", name, a.Raw)
		}
	default:
		t.Errorf("%s is of type %s: %.200s", name, kind, a.Raw)
	}
}

func checkJWT(t *testing.T, name, token string) {
	t.Helper()
	for i, half := range []string{"header", "claims"} {
		raw, err := json.Marshal(part(t, token, i))
		if err != nil {
			t.Fatal(err)
		}
		v, err := decodeStrictly(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flaws(name+" "+half, v) {
			t.Error(f)
		}
	}
}

// checkHeaders looks at what every answer must carry, and must not.
func checkHeaders(t *testing.T, name string, a *porticotest.Answer, cacheable bool) {
	t.Helper()
	if a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s lacks nosniff", name)
	}
	for _, absent := range []string{"Server", "X-Powered-By", "Set-Cookie", "X-Frame-Options"} {
		if v := a.Header.Get(absent); v != "" {
			t.Errorf("%s carries %s: %s", name, absent, v)
		}
	}
	if cached := a.Header.Get("Cache-Control"); (cached != "no-store") != cacheable {
		t.Errorf("%s has Cache-Control %q", name, cached)
	}
	id := a.Header.Get("X-Request-Id")
	if len(id) < 16 {
		t.Errorf("%s has X-Request-Id %q", name, id)
	}
	if a.Status == http.StatusUnauthorized && a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("RFC 9110 §15.5.2: %s has no WWW-Authenticate", name)
	}
	allow, _, _ := strings.Cut(a.Header.Get("Allow"), ",")
	if a.Status == http.StatusMethodNotAllowed && (allow == "" || !bytes.Contains(a.Raw, []byte(allow))) {
		t.Errorf("RFC 9110 §15.5.6: %s allows %q and says %s", name, allow, a.Raw)
	}
	// A refusal is found again by its id (portico explain).
	if a.Status >= 400 && !bytes.Contains(a.Raw, []byte(id)) {
		t.Errorf("%s does not tell its request id %s: %s", name, id, a.Raw)
	}
}

// Every answer that a program reads.
func TestAnswersAreClean(t *testing.T) {
	s := porticotest.New(t)
	for name, a := range goodAnswers(t, s) {
		if a.Status >= 300 {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
		checkJSON(t, name, a)
		checkHeaders(t, name, a, name == "discovery" || name == "OAuth metadata" || name == "key set")
	}
}

func goodAnswers(t *testing.T, s *porticotest.Server) map[string]*porticotest.Answer {
	t.Helper()
	x := &truth{T: t, s: s}
	tokens := x.login(porticotest.Web, "openid profile email address phone roles offline_access orders:read")
	access, refresh := tokens.Text("access_token"), tokens.Text("refresh_token")
	poor := s.Code(s.NewBrowser(), porticotest.SPA, "orders:read")
	signed := s.Register(map[string]any{"userinfo_signed_response_alg": "RS256", "introspection_signed_response_alg": "RS256"})
	signedAccess := x.login(signed, "openid email").Text("access_token")
	minimal := s.SendJSON(http.MethodPost, protocol.PathRegister, "", map[string]any{"redirect_uris": []string{porticotest.Callback}})
	own := protocol.PathRegister + "/" + minimal.Text("client_id")
	token := minimal.Text("registration_access_token")
	out := map[string]*porticotest.Answer{
		"discovery":                      s.Fetch(protocol.PathOpenIDConfiguration, ""),
		"OAuth metadata":                 s.Fetch(protocol.PathOAuthServer, ""),
		"key set":                        s.Fetch(protocol.PathJWKS, ""),
		"tokens for a code":              tokens,
		"tokens without openid":          s.Exchange(porticotest.SPA, poor),
		"refreshed tokens":               s.Refresh(porticotest.Web, refresh),
		"machine token":                  s.Send(porticotest.Machine, protocol.PathToken, url.Values{"grant_type": {"client_credentials"}}),
		"userinfo":                       s.Fetch(protocol.PathUserinfo, access),
		"userinfo of openid":             s.Fetch(protocol.PathUserinfo, x.login(porticotest.Web, "openid").Text("access_token")),
		"signed userinfo":                s.Fetch(protocol.PathUserinfo, signedAccess),
		"introspection":                  s.Introspect(porticotest.Machine, access),
		"introspection of a refresh":     s.Introspect(porticotest.Web, refresh),
		"introspection of nothing":       s.Introspect(porticotest.Machine, "nothing"),
		"signed introspection":           s.Introspect(signed, signedAccess),
		"signed introspection, inactive": s.Introspect(signed, "nothing"),
		"registration":                   minimal,
		"registration, rich":             s.SendJSON(http.MethodPost, protocol.PathRegister, "", richMetadata),
		"registration, public":           s.SendJSON(http.MethodPost, protocol.PathRegister, "", publicMetadata),
		"registration, read":             s.Fetch(own, token),
		"registration, emptied": s.SendJSON(http.MethodPut, own, token, map[string]any{
			"client_id": minimal.Text("client_id"), "redirect_uris": []string{porticotest.Callback}, "client_name": "", "contacts": []string{}, "logo_uri": nil,
		}),
		"revocation": s.Revoke(porticotest.Web, refresh),
		"health":     s.Fetch(protocol.PathHealth, ""),
		"readiness":  s.Fetch(protocol.PathReady, ""),
	}
	out["registration, deleted"] = s.SendJSON(http.MethodDelete, own, token, nil)
	return out
}

var (
	richMetadata = map[string]any{
		"redirect_uris": []string{"https://app.example/callback"}, "client_name": "An application", "client_uri": "https://app.example",
		"logo_uri": "https://app.example/logo.png", "policy_uri": "https://app.example/policy", "tos_uri": "https://app.example/terms",
		"contacts": []string{"ops@app.example"}, "default_max_age": 3600, "require_auth_time": true, "default_acr_values": []string{"1"},
		"initiate_login_uri": "https://app.example/login", "post_logout_redirect_uris": []string{"https://app.example/out"},
		"software_id": "app", "software_version": "1", "id_token_signed_response_alg": "ES256", "scope": "openid email orders:read",
		"response_types": []string{"code", "id_token"}, "grant_types": []string{"authorization_code", "implicit", "refresh_token"},
		"unknown": "ignored",
	}
	publicMetadata = map[string]any{
		"redirect_uris": []string{"com.example.app:/callback"}, "token_endpoint_auth_method": "none", "application_type": "native",
	}
)

// Every refusal that a program reads.
func TestRefusalsAreClean(t *testing.T) {
	s := porticotest.New(t)
	const wrong = "wrong:credentials"
	basic := []string{"Authorization", "Basic d3Jvbmc6Y3JlZGVudGlhbHM="}
	type refusal struct {
		method, path, body string
		header             []string
	}
	for name, r := range map[string]refusal{
		"token by GET":                  {http.MethodGet, protocol.PathToken, "", nil},
		"token, empty":                  {http.MethodPost, protocol.PathToken, "", nil},
		"token, wrong client":           {http.MethodPost, protocol.PathToken, "grant_type=client_credentials", basic},
		"token, unknown grant":          {http.MethodPost, protocol.PathToken, "grant_type=<script>&client_id=demo-spa", nil},
		"token, twice":                  {http.MethodPost, protocol.PathToken, "grant_type=a&grant_type=b", basic},
		"token, wrong code":             {http.MethodPost, protocol.PathToken, "grant_type=authorization_code&code=x&client_id=demo-spa&redirect_uri=https://x/&code_verifier=" + porticotest.Verifier, nil},
		"token, wrong refresh":          {http.MethodPost, protocol.PathToken, "grant_type=refresh_token&refresh_token=x&client_id=demo-spa", nil},
		"token, broken":                 {http.MethodPost, protocol.PathToken, "grant_type=%zz", nil},
		"token, JSON":                   {http.MethodPost, protocol.PathToken, "{}", []string{"Content-Type", "application/json"}},
		"userinfo, no token":            {http.MethodGet, protocol.PathUserinfo, "", nil},
		"userinfo, wrong token":         {http.MethodGet, protocol.PathUserinfo, "", []string{"Authorization", "Bearer <b>"}},
		"userinfo by DELETE":            {http.MethodDelete, protocol.PathUserinfo, "", nil},
		"introspection, nobody":         {http.MethodPost, protocol.PathIntrospect, "token=x", nil},
		"introspection, wrong client":   {http.MethodPost, protocol.PathIntrospect, "token=x", basic},
		"introspection by GET":          {http.MethodGet, protocol.PathIntrospect + "?token=x", "", nil},
		"revocation, nobody":            {http.MethodPost, protocol.PathRevoke, "token=x", nil},
		"revocation, no token":          {http.MethodPost, protocol.PathRevoke, "client_id=demo-spa", nil},
		"revocation by GET":             {http.MethodGet, protocol.PathRevoke, "", nil},
		"registration, broken":          {http.MethodPost, protocol.PathRegister, "{", []string{"Content-Type", "application/json"}},
		"registration, form":            {http.MethodPost, protocol.PathRegister, "redirect_uris=x", nil},
		"registration, nothing":         {http.MethodPost, protocol.PathRegister, "{}", []string{"Content-Type", "application/json"}},
		"registration, markup":          {http.MethodPost, protocol.PathRegister, `{"redirect_uris":["javascript:<script>"]}`, []string{"Content-Type", "application/json"}},
		"registration by GET":           {http.MethodGet, protocol.PathRegister, "", nil},
		"registration of nobody":        {http.MethodGet, protocol.PathRegister + "/nobody", "", nil},
		"registration of somebody else": {http.MethodGet, protocol.PathRegister + "/demo-web", "", []string{"Authorization", "Bearer " + wrong}},
		"discovery by POST":             {http.MethodPost, protocol.PathOpenIDConfiguration, "a=b", nil},
		"key set by DELETE":             {http.MethodDelete, protocol.PathJWKS, "", nil},
		"nowhere":                       {http.MethodGet, "/nowhere/<script>", "", nil},
		"nowhere by POST":               {http.MethodPost, "/nowhere", "a=b", nil},
	} {
		a := ask(t, s, r.method, r.path, r.body, r.header...)
		if a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
		checkJSON(t, name, a)
		checkHeaders(t, name, a, false)
		if strings.Contains(string(a.Raw), "credentials") {
			t.Errorf("%s repeats what was sent: %s", name, a.Raw)
		}
	}
}

// A caller does not choose what an operator will look for.
func TestRequestIDsAreOurs(t *testing.T) {
	s := porticotest.New(t)
	seen := map[string]bool{}
	for range 3 {
		a := ask(t, s, http.MethodPost, protocol.PathToken, "grant_type=x", "X-Request-Id", "chosen-by-a-stranger", "Traceparent", "00-chosen")
		id := a.Header.Get("X-Request-Id")
		if strings.Contains(string(a.Raw)+id, "chosen") || seen[id] {
			t.Errorf("request id %q, %s", id, a.Raw)
		}
		seen[id] = true
	}
}

// What every page carries (security §12.1), whatever came before it.
func TestPageHeaders(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	pages := map[string]*porticotest.Page{
		"login": page, "unknown flow": b.Get("/login?flow=x"), "no flow": b.Get("/consent"), "signed out": b.Get(protocol.PathSignedOut),
		"refused": b.Get(s.AuthorizeURL(porticotest.Web, "openid", "redirect_uri", "https://nowhere.example/")),
		"wrong":   page.Submit(map[string]string{"username": "nobody", "password": "wrong"}, "", ""),
		"consent": b.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": "alice", "password": "portico-demo-2026"}, "", ""),
	}
	pages["logout"] = b.Get(protocol.PathLogout)
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), "alice")
	pages["form post"] = b.Get(s.AuthorizeURL(porticotest.Web, "openid", "response_mode", "form_post"))
	for name, p := range pages {
		h := p.Header
		if p.Left || h.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s is at %s, of type %s", name, p.URL, h.Get("Content-Type"))
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Server": "",
		} {
			if got := h.Get(header); got != want {
				t.Errorf("%s has %s %q, want %q", name, header, got, want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s lacks %s in its policy %q", name, part, policy)
			}
		}
		// form-action would also hold for the redirect that follows a form.
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "form-action") {
			t.Errorf("%s has the policy %q", name, policy)
		}
		if strings.Contains(p.Body, "<style") || strings.Contains(p.Body, " style=") || strings.Contains(p.Body, " onclick=") || strings.Contains(p.Body, "javascript:") {
			t.Errorf("%s holds inline style or script", name)
		}
	}
}

// A walker that sees nothing proves nothing.
func TestFlaws(t *testing.T) {
	for raw, want := range map[string]int{
		`{"a":1,"b":["x"],"c":{"d":false}}`: 0,
		`{"a":null}`:                        1, `{"a":""}`: 1, `{"a":[]}`: 1, `{"a":{}}`: 1, `{"a":[null,""]}`: 2,
		`{"a":{"b":[{"c":null}]}}`: 1, `{"a":"<b>"}`: 1, `{"a":1.5}`: 1, `{"a":1e3}`: 1,
	} {
		v, err := decodeStrictly([]byte(raw))
		if got := flaws("it", v); err != nil || len(got) != want {
			t.Errorf("flaws of %s = %q, %v; want %d", raw, got, err, want)
		}
	}
	if _, err := decodeStrictly([]byte(`{} {}`)); err == nil {
		t.Error("two values were taken for one")
	}
}
