package federation_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestASignInElsewhere(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			s, p := stage.New(t), newProvider(t)
			p.use(t, alg, "its key")
			p.metadata = func(m map[string]any) { delete(m, "id_token_signing_alg_values_supported") }
			p.claims = func(c map[string]any) { c["sid"], c["amr"] = "session there", []string{"pwd", "mfa"} }
			elsewhere(t, s, p)
			who, err := signIn(t, s, p)
			if err != nil {
				t.Fatal(err)
			}
			if who.Issuer != p.URL || who.Subject != "subject" || who.Email != "ann@example.test" || !who.EmailVerified || who.Session != "session there" || who.IDToken == "" {
				t.Errorf("it is %+v", who)
			}
			if len(who.AMR) != 0 {
				t.Errorf("its word on factors %v is taken without trust", who.AMR)
			}
			if p.asked["/userinfo"].Load() != 0 {
				t.Error("userinfo was asked for what the ID token says")
			}
		})
	}
}

// untrue are ways to lie, each with the clause that it breaks.
var untrue = map[string]func(t *testing.T, p *provider){
	"OIDC Core §3.1.3.7 step 2 another iss": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["iss"] = "https://evil.test" }
	},
	"OIDC Core §3.1.3.7 step 2 iss with a slash more": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["iss"] = p.URL + "/" }
	},
	"OIDC Core §3.1.3.7 step 2 no iss": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { delete(c, "iss") } },
	"OIDC Core §3.1.3.7 another aud":   func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["aud"] = "somebody else" } },
	"OIDC Core §3.1.3.7 step 4 several aud, no azp": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["aud"] = []string{clientID, "another"} }
	},
	"OIDC Core §3.1.3.7 step 4 another azp": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["azp"] = "another" } },
	"OIDC Core §3.1.3.7 alg none": func(_ *testing.T, p *provider) {
		p.sign = func(payload []byte) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
		}
	},
	"OIDC Core §3.1.3.7 HS256 with the client secret": func(_ *testing.T, p *provider) {
		p.sign = func(payload []byte) string {
			return signBy(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(clientSecret)}, "first", nil, payload)
		}
	},
	"OIDC Core §3.1.3.7 the key of somebody else": func(t *testing.T, p *provider) {
		other := newProvider(t)
		p.sign = func(payload []byte) string {
			return signBy(jose.SigningKey{Algorithm: jose.ES256, Key: other.key}, "first", nil, payload)
		}
	},
	"OIDC Core §3.1.3.7 a key that the token brings": func(t *testing.T, p *provider) {
		other := newProvider(t)
		p.sign = func(payload []byte) string {
			header := map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.key.Public()}}
			return signBy(jose.SigningKey{Algorithm: jose.ES256, Key: other.key}, "first", header, payload)
		}
	},
	"OIDC Core §3.1.3.7 no JWT": func(_ *testing.T, p *provider) { p.sign = func([]byte) string { return "garbage" } },
	"OIDC Core §3.1.3.7 a huge token": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["x"] = strings.Repeat("x", 70<<10) }
	},
	"OIDC Core §3.1.3.7 step 9 over": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["exp"] = clock.Now().Unix() - 61 }
	},
	"OIDC Core §3.1.3.7 step 9 no exp":  func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { delete(c, "exp") } },
	"OIDC Core §3.1.3.7 step 9 exp NaN": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["exp"] = 1e300 } },
	"OIDC Core §3.1.3.7 step 10 future": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["iat"] = clock.Now().Unix() + 65 }
	},
	"OIDC Core §3.1.3.7 step 10 no iat": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { delete(c, "iat") } },
	"RFC 7519 §4.1.5 not yet": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["nbf"] = clock.Now().Unix() + 65 }
	},
	"OIDC Core §3.1.3.7 step 11 no nonce": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { delete(c, "nonce") } },
	"OIDC Core §3.1.3.7 step 11 another": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["nonce"] = "of another browser" }
	},
	"OIDC Core §2 no sub":                       func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { delete(c, "sub") } },
	"OIDC Core §2 an empty sub":                 func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["sub"] = "" } },
	"OIDC Core §3.1.3.7 a sub that is a number": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["sub"] = 7 } },
	"OIDC Core §2 a sub of 256 characters": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { c["sub"] = strings.Repeat("s", 256) }
	},
	"OIDC Core §3.1.3.8 another at_hash":   func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["at_hash"] = "bm90IHRoaXM" } },
	"OIDC Core §3.1.3.8 at_hash is a list": func(_ *testing.T, p *provider) { p.claims = func(c map[string]any) { c["at_hash"] = "" } },
	"OIDC Core §5.3.4 userinfo of another": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { delete(c, "email") }
		p.userinfo = map[string]any{"sub": "somebody else", "email": "victim@example.test", "email_verified": true}
	},
	"OIDC Core §5.3.4 userinfo of nobody": func(_ *testing.T, p *provider) {
		p.claims = func(c map[string]any) { delete(c, "email") }
		p.userinfo = map[string]any{"email": "victim@example.test", "email_verified": true}
	},
	"OIDC Core §3.1.3.3 no ID token": func(_ *testing.T, p *provider) {
		p.serve["/token"] = func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer"})
		}
	},
	"RFC 9207 §2.4 the iss of another": func(_ *testing.T, p *provider) {
		p.answer = func(a map[string]string) { a["iss"] = "https://evil.test" }
	},
	"RFC 9207 §2.4 an empty iss": func(_ *testing.T, p *provider) { p.answer = func(a map[string]string) { a["iss"] = "" } },
	"RFC 9207 §2.4 iss was promised": func(_ *testing.T, p *provider) {
		p.metadata = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }
	},
	"RFC 9207 §2.4 the iss of another beside an error": func(_ *testing.T, p *provider) {
		p.answer = func(a map[string]string) { a["iss"], a["error"] = "https://evil.test", "access_denied" }
	},
	"RFC 6749 §4.1.2.1 an error":     func(_ *testing.T, p *provider) { p.answer = func(a map[string]string) { a["error"] = "server_error" } },
	"RFC 6749 §4.1.2.1 an odd error": func(_ *testing.T, p *provider) { p.answer = func(a map[string]string) { a["error"] = "<script>" } },
	"RFC 6749 §4.1.2 no code":        func(_ *testing.T, p *provider) { p.answer = func(a map[string]string) { delete(a, "code") } },
	"RFC 6749 §4.1.2 a huge code": func(_ *testing.T, p *provider) {
		p.answer = func(a map[string]string) { a["code"] = strings.Repeat("c", 9<<10) }
	},
	"RFC 6749 §5.2 a code of another": func(_ *testing.T, p *provider) { p.answer = func(a map[string]string) { a["code"] = "stolen" } },
	"RFC 6749 §5.2 a redirecting token": func(_ *testing.T, p *provider) {
		p.serve["/token"] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	},
	"OIDC Discovery §4.3 another issuer": func(_ *testing.T, p *provider) {
		p.metadata = func(m map[string]any) { m["issuer"] = "https://evil.test" }
	},
	"RFC 8725 §3.1 it signs by HS256 alone": func(_ *testing.T, p *provider) {
		p.metadata = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} }
	},
}

func TestWhatAProviderMayNotSay(t *testing.T) {
	for name, bend := range untrue {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := stage.New(t), newProvider(t)
			bend(t, p)
			elsewhere(t, s, p)
			who, err := signIn(t, s, p)
			if !fault.Is(err, fault.Denied) {
				t.Fatalf("it is %+v, %v; want a refusal", who, err)
			}
			clause := strings.Join(strings.Fields(name)[:3], " ")
			f := fault.As(err)
			if !strings.HasPrefix(f.Rule, clause) {
				t.Errorf("refused under %q, want %q", f.Rule, clause)
			}
			if strings.Contains(f.Say, "evil") || strings.Contains(f.Say, "script") || strings.Contains(f.Error(), "whatever it says") {
				t.Errorf("it repeats what a stranger said: %v", f)
			}
			if got := s.Audit.Named(audit.ProviderFailed); len(got) != 1 || got[0].Data["rule"] != f.Rule {
				t.Errorf("the audit has %+v", got)
			}
		})
	}
}

// unable are ways not to answer.
var unable = map[string]func(p *provider){
	"no discovery":      func(p *provider) { p.serve["/.well-known/openid-configuration"] = http.NotFound },
	"garbage discovery": func(p *provider) { p.serve["/.well-known/openid-configuration"] = text("{{{") },
	"5 MB of discovery": func(p *provider) {
		p.serve["/.well-known/openid-configuration"] = text(strings.Repeat(" ", 5<<20) + "{}")
	},
	"redirect discovery": func(p *provider) { p.serve["/.well-known/openid-configuration"] = redirect },
	"no token endpoint":  func(p *provider) { p.metadata = func(m map[string]any) { delete(m, "token_endpoint") } },
	"a token endpoint in the clear": func(p *provider) {
		p.metadata = func(m map[string]any) { m["token_endpoint"] = "http://provider.test/token" }
	},
	"a script for an endpoint": func(p *provider) {
		p.metadata = func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" }
	},
	"garbage token":       func(p *provider) { p.serve["/token"] = text("{{{") },
	"5 MB of token":       func(p *provider) { p.serve["/token"] = text(`{"access_token":"` + strings.Repeat("x", 5<<20) + `"}`) },
	"token server error":  func(p *provider) { p.serve["/token"] = status(http.StatusBadGateway) },
	"no keys":             func(p *provider) { p.serve["/keys"] = http.NotFound },
	"garbage keys":        func(p *provider) { p.serve["/keys"] = text(`{"keys":"none"}`) },
	"keys elsewhere":      func(p *provider) { p.serve["/keys"] = redirect },
	"userinfo is down":    func(p *provider) { p.claims = noEmail; p.serve["/userinfo"] = status(http.StatusInternalServerError) },
	"userinfo is garbage": func(p *provider) { p.claims = noEmail; p.serve["/userinfo"] = text("<html>") },
	"userinfo is 5 MB":    func(p *provider) { p.claims = noEmail; p.serve["/userinfo"] = text(strings.Repeat(" ", 5<<20) + "{}") },
	"userinfo redirects":  func(p *provider) { p.claims = noEmail; p.serve["/userinfo"] = redirect },
	"only private_key_jwt": func(p *provider) {
		p.metadata = func(m map[string]any) { m["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"} }
	},
}

func noEmail(c map[string]any) { delete(c, "email") }

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(s))
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret details", code) }
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/other", http.StatusFound)
}

func TestAProviderThatDoesNotAnswer(t *testing.T) {
	for name, bend := range unable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := stage.New(t), newProvider(t)
			bend(p)
			elsewhere(t, s, p)
			who, err := signIn(t, s, p)
			if !fault.Is(err, fault.Unavailable) {
				t.Fatalf("it is %+v, %v; want unavailable", who, err)
			}
			if f := fault.As(err); strings.Contains(f.Error(), "secret details") || strings.Contains(f.Say, p.URL) {
				t.Errorf("it repeats what a stranger said: %v", f)
			}
			if got := s.Audit.Named(audit.ProviderFailed); len(got) != 1 {
				t.Errorf("the audit has %+v", got)
			}
		})
	}
}

func TestASlowProviderIsNotWaitedFor(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	stop := make(chan struct{})
	defer close(stop)
	p.serve["/token"] = func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	s.Federation = s.NewFederation(federation.Config{Loopback: true, Timeout: 200 * time.Millisecond})
	elsewhere(t, s, p)
	began := time.Now()
	_, err := signIn(t, s, p)
	if took := time.Since(began); !fault.Is(err, fault.Unavailable) || took > 3*time.Second {
		t.Errorf("after %v: %v, want unavailable in time", took, err)
	}
}

func TestADownProviderIsAskedOnceInAWhile(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.serve["/.well-known/openid-configuration"] = status(http.StatusBadGateway)
	elsewhere(t, s, p)
	asked := p.asked["/.well-known/openid-configuration"]
	for range 20 {
		if _, err := signIn(t, s, p); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times while it was down, want once", n)
	}
	if list, err := s.Federation.Active(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("the login page has %v, %v", list, err)
	}
	delete(p.serve, "/.well-known/openid-configuration")
	defer clock.Jump(11 * time.Second)()
	if _, err := signIn(t, s, p); err != nil {
		t.Errorf("after its return: %v", err)
	}
	p.serve["/.well-known/openid-configuration"] = status(http.StatusBadGateway)
	defer clock.Jump(2 * time.Hour)()
	if _, err := signIn(t, s, p); err != nil {
		t.Errorf("what is known of it is not used while it cannot be asked: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	elsewhere(t, s, p)
	if _, err := signIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	p.use(t, jose.ES256, "second")
	if _, err := signIn(t, s, p); err != nil {
		t.Errorf("by a new key: %v", err)
	}
	before := p.asked["/keys"].Load()
	p.sign = func(payload []byte) string {
		return signBy(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, "nobody's", nil, payload)
	}
	for range 10 {
		if _, err := signIn(t, s, p); !fault.Is(err, fault.Denied) {
			t.Errorf("by an unknown key: %v", err)
		}
	}
	if more := p.asked["/keys"].Load() - before; more > 1 {
		t.Errorf("unknown keys made it ask %d times", more)
	}
}

func TestAMinuteOfSkewIsForgiven(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.claims = func(c map[string]any) {
		now := clock.Now().Unix()
		c["exp"], c["iat"], c["nbf"] = now-50, now+50, now+50
	}
	elsewhere(t, s, p)
	if _, err := signIn(t, s, p); err != nil {
		t.Error(err)
	}
}

func TestACodeIsWorthNothingToAnotherVerifier(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	elsewhere(t, s, p)
	up, _, err := s.Federation.Upstream(t.Context(), "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ nonce, verifier, callback string }{
		"another verifier": {"the nonce", "another verifier that is just as long as it has to be", callback},
		"another callback": {"the nonce", verifier, callback + "2"},
		"another nonce":    {"another", verifier, callback},
		"no nonce":         {"", verifier, callback},
	} {
		to, err := up.Begin(t.Context(), state, "the nonce", verifier, callback)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := up.Finish(t.Context(), p.authorize(t, to), tt.nonce, tt.verifier, tt.callback); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: it is %+v, %v", name, who, err)
		}
	}
}

func TestAPersonMaySayNo(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.answer = func(a map[string]string) { a["error"] = "access_denied" }
	elsewhere(t, s, p)
	_, err := signIn(t, s, p)
	if fault.CodeOf(err) != federation.CodeCancelled || !fault.Is(err, fault.Denied) {
		t.Errorf("got %v", err)
	}
	if got := s.Audit.Named(audit.ProviderFailed); len(got) != 0 {
		t.Errorf("a change of mind is on record as a failure: %+v", got)
	}
}

func TestUserinfoFillsTheGaps(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.claims = noEmail
	p.userinfo = map[string]any{
		"sub": "subject", "email": "ann@example.test", "email_verified": true, "name": "Another Name", "amr": []string{"mfa"}, "sid": "forged",
	}
	elsewhere(t, s, p, func(p *federation.Provider) { p.Settings.TrustAMR = true })
	who, err := signIn(t, s, p)
	if err != nil {
		t.Fatal(err)
	}
	if who.Email != "ann@example.test" || who.Claims["name"] != "Ann Example" || len(who.AMR) != 0 || who.Session != "" {
		t.Errorf("it is %+v", who)
	}
}

func TestItsWordOnFactorsIsTakenByTheOperatorsOwn(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.claims = func(c map[string]any) { c["amr"] = []any{"pwd", "otp", "mfa", "mfa", "urn:evil", 7} }
	elsewhere(t, s, p, func(p *federation.Provider) { p.Settings.TrustAMR = true })
	who, err := signIn(t, s, p)
	if err != nil || strings.Join(who.AMR, " ") != "pwd otp mfa" {
		t.Errorf("amr is %v, %v", who, err)
	}
}

func TestHowTheTokenEndpointIsTold(t *testing.T) {
	for name, methods := range map[string][]string{"basic": nil, "basic, first": {"client_secret_post", "client_secret_basic"}, "post": {"client_secret_post"}} {
		s, p := stage.New(t), newProvider(t)
		p.metadata = func(m map[string]any) {
			if methods != nil {
				m["token_endpoint_auth_methods_supported"] = methods
			}
		}
		elsewhere(t, s, p)
		if _, err := signIn(t, s, p); err != nil {
			t.Fatal(err)
		}
		basic := strings.HasPrefix(p.sent.Get("Authorization"), "Basic ")
		if want := strings.HasPrefix(name, "basic"); basic != want || basic == (p.form.Get("client_secret") == clientSecret) {
			t.Errorf("%s: Authorization %q, form %v", name, p.sent.Get("Authorization"), p.form)
		}
	}
}

func TestEndSession(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	elsewhere(t, s, p)
	end := func() string {
		up, _, err := s.Federation.Upstream(t.Context(), "elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		to, err := up.EndSession(t.Context(), "the.id.token", stage.Issuer+"/bye", "the state")
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	if to := end(); to != "" {
		t.Errorf("without the operator's word people are sent to %q", to)
	}
	if _, err := s.Federation.Change(t.Context(), "elsewhere", "", func(p *federation.Provider) error { p.Settings.Logout = true; return nil }); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(end())
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"keep": {"this"}, "client_id": {clientID}, "id_token_hint": {"the.id.token"}, "post_logout_redirect_uri": {stage.Issuer + "/bye"}, "state": {"the state"},
	}
	if to.Query().Encode() != want.Encode() {
		t.Errorf("people are sent to %s", to)
	}
}

func logoutToken(p *provider, change func(c map[string]any)) string {
	now := clock.Now().Unix()
	c := map[string]any{
		"iss": p.URL, "aud": clientID, "iat": now, "exp": now + 120, "jti": "token 1", "sub": "subject",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if change != nil {
		change(c)
	}
	return p.signed(c)
}

func TestLogoutTokensThatAreNotTaken(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.header = map[jose.HeaderKey]any{"typ": "logout+jwt"}
	elsewhere(t, s, p)
	p.header = map[jose.HeaderKey]any{"typ": "at+jwt"}
	wrongType := logoutToken(p, nil)
	p.header = map[jose.HeaderKey]any{"typ": "logout+jwt"}
	for name, raw := range map[string]string{
		"OIDC Back-Channel Logout §2.4 an access token": wrongType,
		"OIDC Back-Channel Logout §2.6 step 2 garbage":  "garbage",
		"OIDC Back-Channel Logout §2.6 step 2 empty":    "",
		"OIDC Back-Channel Logout §2.6 another iss":     logoutToken(p, func(c map[string]any) { c["iss"] = "https://evil.test" }),
		"OIDC Back-Channel Logout §2.6 another aud":     logoutToken(p, func(c map[string]any) { c["aud"] = "another" }),
		"OIDC Back-Channel Logout §2.6 no iat":          logoutToken(p, func(c map[string]any) { delete(c, "iat") }),
		"OIDC Back-Channel Logout §2.6 of the future":   logoutToken(p, func(c map[string]any) { c["iat"] = clock.Now().Unix() + 100 }),
		"OIDC Back-Channel Logout §2.6 over":            logoutToken(p, func(c map[string]any) { c["exp"] = clock.Now().Unix() - 100 }),
		"OIDC Back-Channel Logout §2.6 no exp":          logoutToken(p, func(c map[string]any) { delete(c, "exp") }),
		"OIDC Back-Channel Logout §4 exp tomorrow":      logoutToken(p, func(c map[string]any) { c["exp"] = clock.Now().Unix() + 86400 }),
		"OIDC Back-Channel Logout §2.6 no jti":          logoutToken(p, func(c map[string]any) { delete(c, "jti") }),
		"OIDC Back-Channel Logout §2.6 no events":       logoutToken(p, func(c map[string]any) { delete(c, "events") }),
		"OIDC Back-Channel Logout §2.6 other events":    logoutToken(p, func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} }),
		"OIDC Back-Channel Logout §2.6 step 6 an event string": logoutToken(p, func(c map[string]any) {
			c["events"] = map[string]any{"http://schemas.openid.net/event/backchannel-logout": "x"}
		}),
		"OIDC Back-Channel Logout §2.6 a nonce":             logoutToken(p, func(c map[string]any) { c["nonce"] = "an ID token" }),
		"OIDC Back-Channel Logout §2.6 an empty nonce":      logoutToken(p, func(c map[string]any) { c["nonce"] = nil }),
		"OIDC Back-Channel Logout §2.6 neither sub nor sid": logoutToken(p, func(c map[string]any) { delete(c, "sub") }),
		"OIDC Back-Channel Logout §2.6 an ID token":         p.signed(p.standard()),
		"OIDC Back-Channel Logout §2.6 by another key": signBy(jose.SigningKey{Algorithm: jose.ES256, Key: newProvider(t).key}, "first", nil,
			[]byte(`{}`)),
	} {
		err := s.Federation.Logout(t.Context(), "elsewhere", raw)
		if f := fault.As(err); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(f.Rule, strings.Join(strings.Fields(name)[:4], " ")) {
			t.Errorf("%s: %v under %q", name, err, f.Rule)
		}
	}
	if got := s.Audit.Named(audit.UpstreamLogout); len(got) != 0 {
		t.Errorf("the audit has %+v", got)
	}
	if err := s.Federation.Logout(t.Context(), "nowhere", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("of an unknown provider: %v", err)
	}
}

func TestNoncesAndTokensStayOutOfWhatIsKept(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	p.claims = func(c map[string]any) { c["nonce"] = "leaked" }
	elsewhere(t, s, p)
	_, err := signIn(t, s, p)
	told, _ := json.Marshal(fault.As(err).Compared)
	for _, secret := range []string{"leaked", "the nonce", clientSecret, "the access token"} {
		if strings.Contains(err.Error(), secret) || strings.Contains(string(told), secret) {
			t.Errorf("%q is in %v %s", secret, err, told)
		}
	}
}
