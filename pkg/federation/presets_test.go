package federation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// kind makes the provider one of a kind.
func kind(k federation.Kind) func(*federation.Provider) {
	return func(p *federation.Provider) { p.Kind = k }
}

func TestGoogle(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.claims = func(c map[string]any) { c["azp"], c["hd"] = clientID, "example.test" }
	made := elsewhere(t, s, p, kind(federation.Google))
	if made.Name != "Google" {
		t.Errorf("its button says %q", made.Name)
	}
	if who, err := signIn(t, s, p); err != nil || !who.EmailVerified {
		t.Errorf("it is %+v, %v", who, err)
	}
	p.claims = func(c map[string]any) { c["iss"] = strings.TrimPrefix(p.URL, "http://") }
	if _, err := signIn(t, s, p); !fault.Is(err, fault.Denied) {
		t.Errorf("an issuer without https: %v", err)
	}
}

const (
	tenantID = "9188040d-6c67-4c5b-b112-36a304b66dad"
	otherID  = "11111111-2222-3333-4444-555555555555"
)

// newMicrosoft is a provider whose issuer is below a path, as that of Microsoft.
func newMicrosoft(t *testing.T, told string) *provider {
	p := newProvider(t)
	p.serve["/common/v2.0/.well-known/openid-configuration"] = p.discovery
	p.serve["/contoso.test/v2.0/.well-known/openid-configuration"] = p.discovery
	p.metadata = func(m map[string]any) { m["issuer"] = p.URL + told; delete(m, "userinfo_endpoint") }
	return p
}

func TestMicrosoft(t *testing.T) {
	t.Run("the tenant of who signs in stands in the issuer", func(t *testing.T) {
		s, p := stage.New(t), newMicrosoft(t, "/{tenantid}/v2.0")
		elsewhere(t, s, p, kind(federation.Microsoft), func(f *federation.Provider) { f.Settings.Issuer = p.URL + "/common/v2.0" })
		for name, tt := range map[string]struct {
			iss, tid string
			ok       bool
		}{
			"its own":            {tenantID, tenantID, true},
			"of another":         {otherID, tenantID, false},
			"no tid":             {tenantID, "", false},
			"a path for a tid":   {"../evil", "../evil", false},
			"the place itself":   {"{tenantid}", "{tenantid}", false},
			"capital letters":    {strings.ToUpper(tenantID), strings.ToUpper(tenantID), false},
			"with a slash":       {tenantID + "/", tenantID + "/", false},
			"common for tenants": {"common", "common", false},
		} {
			p.claims = func(c map[string]any) {
				c["iss"], c["tid"] = p.URL+"/"+tt.iss+"/v2.0", tt.tid
			}
			who, err := signIn(t, s, p)
			if (err == nil) != tt.ok || err != nil && !strings.HasPrefix(fault.As(err).Rule, "OIDC Core §3.1.3.7 step 2") {
				t.Errorf("%s: %+v, %v", name, who, err)
			}
			if err == nil && (who.Issuer != p.URL+"/"+tenantID+"/v2.0" || who.EmailVerified) {
				t.Errorf("%s: %+v: addresses of any tenant are anybody's word", name, who)
			}
		}
	})
	t.Run("an address counts when its domain is the tenant's", func(t *testing.T) {
		s, p := stage.New(t), newMicrosoft(t, "/{tenantid}/v2.0")
		elsewhere(t, s, p, kind(federation.Microsoft), func(f *federation.Provider) { f.Settings.Issuer = p.URL + "/common/v2.0" })
		for _, tt := range []struct {
			edov any
			want bool
		}{{true, true}, {"1", true}, {1, true}, {"true", true}, {false, false}, {"0", false}, {0, false}, {nil, false}, {[]string{"1"}, false}} {
			p.claims = func(c map[string]any) {
				c["iss"], c["tid"], c["xms_edov"] = p.URL+"/"+tenantID+"/v2.0", tenantID, tt.edov
			}
			if who, err := signIn(t, s, p); err != nil || who.EmailVerified != tt.want {
				t.Errorf("xms_edov %v: %+v, %v", tt.edov, who, err)
			}
		}
	})
	t.Run("one tenant", func(t *testing.T) {
		s, p := stage.New(t), newMicrosoft(t, "/"+tenantID+"/v2.0")
		elsewhere(t, s, p, kind(federation.Microsoft), func(f *federation.Provider) {
			f.Settings.Issuer, f.Settings.TrustEmail = p.URL+"/contoso.test/v2.0", true
		})
		p.claims = func(c map[string]any) { c["iss"], c["tid"] = p.URL+"/"+tenantID+"/v2.0", tenantID }
		if who, err := signIn(t, s, p); err != nil || !who.EmailVerified {
			t.Errorf("it is %+v, %v", who, err)
		}
		p.claims = func(c map[string]any) { c["iss"], c["tid"] = p.URL+"/"+otherID+"/v2.0", otherID }
		if who, err := signIn(t, s, p); !fault.Is(err, fault.Denied) {
			t.Errorf("another tenant: %+v, %v", who, err)
		}
	})
}

// newAppleKey returns a key as Apple gives it out.
func newAppleKey(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestApple(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	key, text := newAppleKey(t)
	made, err := s.Federation.Create(t.Context(), federation.Provider{ID: "elsewhere", Kind: federation.Apple, Settings: federation.Settings{
		Issuer: p.URL, ClientID: clientID, TeamID: "TEAM567890", KeyID: "KEY4567890", Create: true,
	}}, text)
	if err != nil {
		t.Fatal(err)
	}
	if !made.FormPost() {
		t.Error("the answer of Apple is no POST")
	}
	p.metadata = func(m map[string]any) {
		m["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		delete(m, "userinfo_endpoint")
	}
	p.claims = func(c map[string]any) { delete(c, "name"); c["email_verified"] = "true" }
	p.answer = func(a map[string]string) {
		a["user"] = `{"name":{"firstName":"Ann","lastName":"Appleseed"},"email":"forged@example.test"}`
	}
	who, err := signIn(t, s, p)
	if err != nil {
		t.Fatal(err)
	}
	if who.Email != "ann@example.test" || !who.EmailVerified || who.Claims["name"] != "Ann Appleseed" || who.Claims["given_name"] != "Ann" {
		t.Errorf("it is %+v", who)
	}
	first := p.form.Get("client_secret")
	checkAppleSecret(t, first, key, p.URL)
	if _, err := signIn(t, s, p); err != nil || p.form.Get("client_secret") != first {
		t.Errorf("the secret is not used again (%v)", err)
	}
	defer clock.Jump(40 * time.Minute)()
	if _, err := signIn(t, s, p); err != nil || p.form.Get("client_secret") == first {
		t.Errorf("the secret is used for too long (%v)", err)
	}
	for _, garbage := range []string{"{", `"x"`, `{"name":7}`, `{"name":{"firstName":["x"]}}`, strings.Repeat("x", 5000)} {
		p.answer = func(a map[string]string) { a["user"] = garbage }
		if who, err := signIn(t, s, p); err != nil || who.Claims["name"] != nil {
			t.Errorf("with %q for a name: %+v, %v", garbage, who, err)
		}
	}
}

// checkAppleSecret checks what Apple's document demands of a client secret.
func checkAppleSecret(t *testing.T, raw string, key *ecdsa.PrivateKey, audience string) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("the client secret is no JWT: %v", err)
	}
	payload, err := jws.Verify(key.Public())
	if err != nil || jws.Signatures[0].Header.KeyID != "KEY4567890" {
		t.Fatalf("the client secret of the key %q: %v", jws.Signatures[0].Header.KeyID, err)
	}
	var c struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if c.Iss != "TEAM567890" || c.Sub != clientID || c.Aud != audience || c.Exp-c.Iat > 15777000 || c.Exp <= clock.Now().Unix() {
		t.Errorf("the client secret says %s", payload)
	}
}

// hub is GitHub, as its documentation says.
type hub struct {
	*httptest.Server
	user, emails string
	status       int
	form         url.Values
	agents       []string
}

func newHub(t *testing.T) *hub {
	h := &hub{
		user:   `{"id":583231,"login":"octocat","name":"The Octocat","email":"public@evil.test","avatar_url":"https://avatars.test/u/583231"}`,
		emails: `[{"email":"other@example.test","primary":false,"verified":true},{"email":"octo@example.test","primary":true,"verified":true}]`,
		status: http.StatusOK,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		h.form = r.PostForm
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if r.PostForm.Get("code") != "code" { // GitHub says 200 to errors too
			_, _ = w.Write([]byte("error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired."))
			return
		}
		_, _ = w.Write([]byte("access_token=gho_token&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer"))
	})
	api := func(body *string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			h.agents = append(h.agents, r.UserAgent())
			if r.Header.Get("Authorization") != "Bearer gho_token" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(h.status)
			_, _ = w.Write([]byte(*body))
		}
	}
	mux.HandleFunc("GET /user", api(&h.user))
	mux.HandleFunc("GET /user/emails", api(&h.emails))
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func TestGitHub(t *testing.T) {
	s, h := stage.New(t), newHub(t)
	_, err := s.Federation.Create(t.Context(), federation.Provider{ID: "github", Kind: federation.GitHub, Settings: federation.Settings{
		Issuer: "https://github.com", ClientID: clientID, AuthURL: h.URL + "/login/oauth/authorize", TokenURL: h.URL + "/login/oauth/access_token", UserinfoURL: h.URL + "/user",
	}}, clientSecret)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.Federation.Examine(t.Context(), "github"); err != nil || len(found) != 2 || !found[1].OK {
		t.Errorf("a look at it finds %+v, %v", found, err)
	}
	h.agents = nil
	up, _, err := s.Federation.Upstream(t.Context(), "github")
	if err != nil {
		t.Fatal(err)
	}
	to, err := up.Begin(t.Context(), state, "", verifier, callback)
	if err != nil {
		t.Fatal(err)
	}
	if u, _ := url.Parse(to); u.Query().Get("code_challenge_method") != "S256" || u.Query().Get("code_challenge") == "" || u.Query().Get("scope") != "read:user user:email" || u.Query().Get("state") != state {
		t.Errorf("the browser is sent to %s", to)
	}
	finish := func(answer map[string]string) (*federation.Person, error) {
		return up.Finish(t.Context(), answer, "", verifier, callback)
	}
	who, err := finish(map[string]string{"code": "code"})
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != "https://github.com" || who.Subject != "583231" || who.Email != "octo@example.test" || !who.EmailVerified || who.Label != "octocat" {
		t.Errorf("it is %+v", who)
	}
	if h.form.Get("code_verifier") != verifier || h.form.Get("client_secret") != clientSecret || h.form.Get("redirect_uri") != callback || h.agents[0] == "" {
		t.Errorf("it was told %v by %q", h.form, h.agents)
	}
	t.Run("RFC 6749 §5.2 an error with status 200", func(t *testing.T) {
		if who, err := finish(map[string]string{"code": "stolen"}); !fault.Is(err, fault.Denied) || !strings.HasPrefix(fault.As(err).Rule, "RFC 6749 §5.2") {
			t.Errorf("it is %+v, %v", who, err)
		}
	})
	t.Run("RFC 9207 §2.4 the iss of another", func(t *testing.T) {
		if who, err := finish(map[string]string{"code": "code", "iss": "https://evil.test"}); !fault.Is(err, fault.Denied) {
			t.Errorf("it is %+v, %v", who, err)
		}
		if who, err := finish(map[string]string{"code": "code", "iss": "https://github.com/login/oauth"}); err != nil {
			t.Errorf("its own: %+v, %v", who, err)
		}
	})
	t.Run("an address that nobody proved", func(t *testing.T) {
		h.emails = `[{"email":"octo@example.test","primary":true,"verified":false},{"email":"x@example.test","verified":true}]`
		if who, err := finish(map[string]string{"code": "code"}); err != nil || who.EmailVerified || who.Email != "octo@example.test" {
			t.Errorf("it is %+v, %v", who, err)
		}
	})
	t.Run("no address", func(t *testing.T) {
		h.emails = `[]`
		if who, err := finish(map[string]string{"code": "code"}); err != nil || who.EmailVerified || who.Email != "" {
			t.Errorf("it is %+v, %v", who, err)
		}
	})
	for name, tt := range map[string]struct {
		user   string
		status int
		want   fault.Kind
	}{
		"security §11.10 no number":     {`{"login":"octocat"}`, 200, fault.Denied},
		"security §11.10 a number of 0": {`{"id":0}`, 200, fault.Denied},
		"security §11.10 half a number": {`{"id":1.5}`, 200, fault.Denied},
		"security §11.10 below nothing": {`{"id":-1}`, 200, fault.Denied},
		"the number is a word":          {`{"id":"octocat"}`, 200, fault.Unavailable},
		"garbage":                       {`<html>`, 200, fault.Unavailable},
		"5 MB":                          {strings.Repeat(" ", 5<<20), 200, fault.Unavailable},
		"the API is down":               {`{"id":1}`, 503, fault.Unavailable},
		"the API took the token back":   {`{"id":1}`, 401, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h.user, h.status = tt.user, tt.status
			if who, err := finish(map[string]string{"code": "code"}); !fault.Is(err, tt.want) {
				t.Errorf("it is %+v, %v", who, err)
			}
		})
	}
	h.user, h.status = "", http.StatusOK
	h.Config.Handler = status(http.StatusServiceUnavailable)
	if found, err := s.Federation.Examine(t.Context(), "github"); err != nil || found[1].OK || !strings.Contains(found[1].Say, "503") {
		t.Errorf("a look at it while it is down finds %+v, %v", found, err)
	}
	if to, err := up.EndSession(t.Context(), "", "", ""); to != "" || err != nil {
		t.Errorf("people are sent to %q, %v", to, err)
	}
	if _, err := up.LogoutToken(t.Context(), "x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a logout token: %v", err)
	}
}

func TestAGitHubOfOnesOwnHasAccountsOfItsOwn(t *testing.T) {
	s, h := stage.New(t), newHub(t)
	old := h.Config.Handler
	h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/api/v3")
		old.ServeHTTP(w, r)
	})
	_, err := s.Federation.Create(t.Context(), federation.Provider{ID: "github", Kind: federation.GitHub, Settings: federation.Settings{ClientID: clientID, Issuer: h.URL}}, clientSecret)
	if err != nil {
		t.Fatal(err)
	}
	up, _, err := s.Federation.Upstream(t.Context(), "github")
	if err != nil {
		t.Fatal(err)
	}
	if to, err := up.Begin(t.Context(), state, "", verifier, callback); err != nil || !strings.HasPrefix(to, h.URL+"/login/oauth/authorize?") {
		t.Errorf("the browser is sent to %q, %v", to, err)
	}
	if who, err := up.Finish(t.Context(), map[string]string{"code": "code"}, "", verifier, callback); err != nil || who.Issuer != h.URL || who.Subject != "583231" {
		t.Errorf("it is %+v, %v", who, err)
	}
}

func TestFacebook(t *testing.T) {
	account := `{"id":"10229","name":"Ann Example","first_name":"Ann","last_name":"Example","email":"ann@example.test"}`
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.Form.Get("code") != "code" || r.Form.Get("client_secret") != clientSecret {
			w.WriteHeader(http.StatusBadRequest)
			writeJSON(w, map[string]any{"error": map[string]any{"message": "Invalid verification code format.", "type": "OAuthException", "code": 100}})
			return
		}
		writeJSON(w, map[string]any{"access_token": "EAAG", "token_type": "bearer", "expires_in": 5183944})
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		mac := hmac.New(sha256.New, []byte(clientSecret))
		mac.Write([]byte("EAAG"))
		if r.URL.Query().Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)) || r.Header.Get("Authorization") != "Bearer EAAG" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = w.Write([]byte(account))
	})
	graph := httptest.NewServer(mux)
	defer graph.Close()
	s := stage.New(t)
	_, err := s.Federation.Create(t.Context(), federation.Provider{ID: "facebook", Kind: federation.Facebook, Settings: federation.Settings{
		Issuer: "https://www.facebook.com", ClientID: clientID, TokenURL: graph.URL + "/oauth/access_token", UserinfoURL: graph.URL + "/me",
	}}, clientSecret)
	if err != nil {
		t.Fatal(err)
	}
	up, _, err := s.Federation.Upstream(t.Context(), "facebook")
	if err != nil {
		t.Fatal(err)
	}
	if to, err := up.Begin(t.Context(), state, "", verifier, callback); err != nil || !strings.HasPrefix(to, "https://www.facebook.com/dialog/oauth?") || !strings.Contains(to, "scope=public_profile+email") {
		t.Errorf("the browser is sent to %q, %v", to, err)
	}
	who, err := up.Finish(t.Context(), map[string]string{"code": "code"}, "", verifier, callback)
	if err != nil || who.Issuer != "https://www.facebook.com" || who.Subject != "10229" || who.Email != "ann@example.test" || who.EmailVerified {
		t.Errorf("it is %+v, %v", who, err)
	}
	if who, err := up.Finish(t.Context(), map[string]string{"code": "stolen"}, "", verifier, callback); err == nil {
		t.Errorf("a stolen code: %+v", who)
	}
	if _, err := up.Finish(t.Context(), map[string]string{"error": "access_denied", "error_reason": "user_denied"}, "", verifier, callback); fault.CodeOf(err) != federation.CodeCancelled {
		t.Errorf("a no: %v", err)
	}
	account = `{"id":"ann"}`
	if who, err := up.Finish(t.Context(), map[string]string{"code": "code"}, "", verifier, callback); !fault.Is(err, fault.Denied) {
		t.Errorf("a name for a number: %+v, %v", who, err)
	}
}
