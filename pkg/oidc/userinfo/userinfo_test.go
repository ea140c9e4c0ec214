package userinfo

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

func serve(h *Handler, r *http.Request) *http.Response {
	r = r.WithContext(trail.With(r.Context(), &trail.Trail{ID: "req1"}))
	w := httptest.NewRecorder()
	(&oauth.Edge{}).Handle(h.Userinfo).ServeHTTP(w, r)
	return w.Result()
}

func request(method, target, body string, header ...string) *http.Request {
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, b)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func jsonBody() *http.Request {
	r := request("POST", "/", `{"access_token":"good"}`)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func decode(t *testing.T, res *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatalf("answer is no JSON: %v", err)
	}
	return m
}

var ada = map[string]any{
	"sub": "u1", "name": "Ada", "email": "ada@example.com", "email_verified": true, "updated_at": float64(1_700_000_000),
}

func TestTellsClaims(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"OIDC Core §5.3.1 GET":                          request("GET", "/", "", "Authorization", "Bearer good"),
		"RFC 6750 §2.1 POST with header":                request("POST", "/", "", "Authorization", "Bearer good"),
		"RFC 6750 §2.2 POST with body":                  request("POST", "/", "access_token=good"),
		"RFC 6750 §2.2 header beside an unrelated body": request("POST", "/", "x=y", "Authorization", "Bearer good"),
		"RFC 9110 §11.1 scheme in any case":             request("GET", "/", "", "Authorization", "bEARER  good"),
	} {
		t.Run(name, func(t *testing.T) {
			res := serve(newWorld().handler(t), r)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("answer %d %v", res.StatusCode, res.Header)
			}
			if diff := cmp.Diff(ada, decode(t, res)); diff != "" {
				t.Errorf("claims differ:\n%s", diff)
			}
		})
	}
}

func TestRefusesRequests(t *testing.T) {
	long := strings.Repeat("a", 20<<10)
	for name, tt := range map[string]struct {
		r         *http.Request
		status    int
		code      string
		challenge string
	}{
		"RFC 6750 §3.1 no token: a bare challenge":         {request("GET", "/", ""), 401, "invalid_token", `Bearer realm="portico"`},
		"RFC 6750 §3.1 no token in a POST":                 {request("POST", "/", "a=b"), 401, "invalid_token", `Bearer realm="portico"`},
		"another scheme":                                   {request("GET", "/", "", "Authorization", "Basic Z29vZA=="), 401, "invalid_token", `Bearer realm="portico"`},
		"scheme alone":                                     {request("GET", "/", "", "Authorization", "Bearer"), 401, "invalid_token", `Bearer realm="portico"`},
		"RFC 9700 §4.3.2 token in the URL":                 {request("GET", "/?access_token=good", ""), 400, "invalid_request", ""},
		"RFC 9700 §4.3.2 token in the URL of a POST":       {request("POST", "/?access_token=good", ""), 400, "invalid_request", ""},
		"RFC 9700 §4.3.2 token in the URL beside a header": {request("GET", "/?access_token=good", "", "Authorization", "Bearer good"), 400, "invalid_request", ""},
		"RFC 6750 §2 header and body":                      {request("POST", "/", "access_token=good", "Authorization", "Bearer good"), 400, "invalid_request", ""},
		"RFC 6750 §2 two headers":                          {request("GET", "/", "", "Authorization", "Bearer good", "Authorization", "Bearer good"), 400, "invalid_request", ""},
		"RFC 6749 §3.2 twice in the body":                  {request("POST", "/", "access_token=good&access_token=good"), 400, "invalid_request", ""},
		"RFC 6750 §2.2 body of another type":               {jsonBody(), 400, "invalid_request", ""},
		"wrong token":                                      {request("GET", "/", "", "Authorization", "Bearer bad"), 401, "invalid_token", `error="invalid_token"`},
		"RFC 6750 §2.1 alphabet":                           {request("GET", "/", "", "Authorization", "Bearer go od"), 401, "invalid_token", `error="invalid_token"`},
		"control characters":                               {request("POST", "/", "access_token=go%00od"), 400, "invalid_request", ""},
		"only padding":                                     {request("GET", "/", "", "Authorization", "Bearer =="), 401, "invalid_token", `error="invalid_token"`},
		"huge body value":                                  {request("POST", "/", "access_token="+long), 413, "invalid_request", ""},
		"RFC 9110 §15.5.6 PUT":                             {request("PUT", "/", "", "Authorization", "Bearer good"), 405, "invalid_request", ""},
		"RFC 9110 §15.5.6 DELETE":                          {request("DELETE", "/", "", "Authorization", "Bearer good"), 405, "invalid_request", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := serve(newWorld().handler(t), tt.r)
			m := decode(t, res)
			if res.StatusCode != tt.status || m["error"] != tt.code {
				t.Errorf("answer %d %v, want %d %s", res.StatusCode, m, tt.status, tt.code)
			}
			got := res.Header.Get("WWW-Authenticate")
			if strings.HasPrefix(tt.challenge, "Bearer") && got != tt.challenge || !strings.Contains(got, tt.challenge) {
				t.Errorf("WWW-Authenticate %q, want %q", got, tt.challenge)
			}
			if (res.StatusCode == 401) != (got != "") {
				t.Errorf("status %d with challenge %q", res.StatusCode, got)
			}
			if !strings.Contains(m["error_description"].(string), "req1") {
				t.Errorf("no request id in %q", m["error_description"])
			}
		})
	}
}

func TestRefusesWhatDoesNotStand(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		status int
		code   string
	}{
		"RFC 6750 §3.1 scope openid is missing":     {func(w *world) { w.token.Scopes = []string{"profile"} }, 403, "insufficient_scope"},
		"RFC 9068 §4 token for another audience":    {func(w *world) { w.token.Audiences = []string{"https://api.example"} }, 401, "invalid_token"},
		"audience that only begins with the issuer": {func(w *world) { w.token.Audiences = []string{issuer + "/"} }, 401, "invalid_token"},
		"RFC 9700 §4.15 token of a client itself":   {func(w *world) { w.token.UserID, w.token.Subject = "", "u1" }, 401, "invalid_token"},
		"RFC 9449 §7.1 key-bound token as Bearer":   {func(w *world) { w.token.JKT = "thumb" }, 401, "invalid_token"},
		"client is gone":                      {func(w *world) { w.clients = errMissing }, 401, "invalid_token"},
		"client is disabled":                  {func(w *world) { w.client.Disabled = true }, 401, "invalid_token"},
		"person is gone":                      {func(w *world) { w.users = errMissing }, 401, "invalid_token"},
		"person is disabled":                  {func(w *world) { w.user.Disabled = true }, 401, "invalid_token"},
		"grant is gone":                       {func(w *world) { w.grants = errMissing }, 401, "invalid_token"},
		"grant is revoked":                    {func(w *world) { w.grant.RevokedAt = time.Now() }, 401, "invalid_token"},
		"grant of another client":             {func(w *world) { w.grant.ClientID = "c2" }, 401, "invalid_token"},
		"grant of another person":             {func(w *world) { w.grant.UserID = "u2" }, 401, "invalid_token"},
		"design §4.3 revocations are unknown": {func(w *world) { w.tokens = errDown }, 503, "temporarily_unavailable"},
		"design §4.3 clients are unknown":     {func(w *world) { w.clients = errDown }, 503, "temporarily_unavailable"},
		"design §4.3 people are unknown":      {func(w *world) { w.users = errDown }, 503, "temporarily_unavailable"},
		"design §4.3 grants are unknown":      {func(w *world) { w.grants = errDown }, 503, "temporarily_unavailable"},
		"an error that nobody described":      {func(w *world) { w.users = errOdd }, 500, "server_error"},
		"stored claims request is broken":     {func(w *world) { w.grant.ClaimsRequest = "{" }, 500, "server_error"},
		"no key for the algorithm":            {func(w *world) { w.client.UserinfoAlg = "ES384" }, 500, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tt.change(w)
			res := serve(w.handler(t), request("GET", "/", "", "Authorization", "Bearer good"))
			m := decode(t, res)
			if res.StatusCode != tt.status || m["error"] != tt.code {
				t.Errorf("answer %d %v, want %d %s", res.StatusCode, m, tt.status, tt.code)
			}
			if len(m) != 2 {
				t.Errorf("a refusal tells more than the error: %v", m)
			}
			got := res.Header.Values("WWW-Authenticate")
			if (tt.status == 401 || tt.status == 403) != (len(got) == 1) {
				t.Errorf("WWW-Authenticate %q", got)
			}
			if tt.status == 403 && (!strings.Contains(got[0], `scope="openid"`) || !strings.Contains(got[0], `error="insufficient_scope"`)) {
				t.Errorf("WWW-Authenticate %q names no scope", got)
			}
			if (tt.status == 503) != (res.Header.Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
			}
			if strings.Contains(m["error_description"].(string), "SELECT") {
				t.Errorf("the cause is shown: %q", m["error_description"])
			}
		})
	}
}

func TestClaimsRequest(t *testing.T) {
	w := newWorld()
	w.token.Scopes = []string{"openid"}
	w.grant.ClaimsRequest = `{"userinfo":{"phone_number":null,"address":{"essential":true},"roles":null},"id_token":{"email":null}}`
	w.user.Address = user.Address{Country: "DE"}
	w.user.Roles = []string{"boss"}
	got := decode(t, serve(w.handler(t), request("GET", "/", "", "Authorization", "Bearer good")))
	// address and roles are above the ceiling of the client, email was asked
	// for elsewhere.
	if diff := cmp.Diff(map[string]any{"sub": "u1", "phone_number": "+49 1"}, got); diff != "" {
		t.Errorf("claims differ:\n%s", diff)
	}
}

func TestSignedAnswer(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256"} {
		w := newWorld()
		w.client.UserinfoAlg = alg
		res := serve(w.handler(t), request("GET", "/", "", "Authorization", "Bearer good"))
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/jwt" || res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %v %v", alg, res.StatusCode, res.Header, err)
		}
		payload, header, err := ring(t).Verify(keyring.Answers, string(raw))
		if err != nil || header.Alg != alg || header.Typ != "JWT" {
			t.Fatalf("%s: verify: %+v, %v", alg, header, err)
		}
		var got map[string]any
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"iss": issuer, "aud": "c1"} // and no exp, no iat: it must not pass as an ID token
		for k, v := range ada {
			want[k] = v
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: claims differ:\n%s", alg, diff)
		}
		for _, p := range []keyring.Purpose{keyring.IDTokens, keyring.AccessTokens} {
			if _, _, err := ring(t).Verify(p, string(raw)); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: the answer verifies as %s", alg, p)
			}
		}
	}
	w := newWorld()
	w.client.UserinfoAlg = "RS256"
	h := w.handler(t)
	h.cfg.Keys = noKeys{}
	if res := serve(h, request("GET", "/", "", "Authorization", "Bearer good")); res.StatusCode != 503 {
		t.Errorf("without keys: %d", res.StatusCode)
	}
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer x", "bearer  x", "Bearer", "Basic x", "", "Bearer \x00", "Bearer a,b", "Bearer a=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := bearer([]string{value})
		if err != nil || token == "" {
			return
		}
		if !strings.HasSuffix(value, token) || !strings.EqualFold(value[:6], "bearer") {
			t.Errorf("bearer(%q) = %q", value, token)
		}
	})
}
