package porticotest_test

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// truth is one member of the discovery document being proven.
type truth struct {
	*testing.T
	s   *porticotest.Server
	doc map[string]any
}

// list returns the values of a member.
func (x *truth) list(member string) []string {
	x.Helper()
	values, ok := x.doc[member].([]any)
	if !ok || len(values) == 0 {
		x.Fatalf("%s is %v, want a list", member, x.doc[member])
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i], _ = v.(string)
	}
	return out
}

// each proves every value of the member, and that none of the others works.
func (x *truth) each(member string, prove func(*truth, string), others []string, refuse func(*truth, string)) {
	x.Helper()
	values := x.list(member)
	for _, v := range values {
		x.Run(v, func(t *testing.T) { prove(&truth{t, x.s, x.doc}, v) })
	}
	for _, v := range others {
		if !slices.Contains(values, v) {
			x.Run("not "+v, func(t *testing.T) { refuse(&truth{t, x.s, x.doc}, v) })
		}
	}
}

// at returns the path of an advertised endpoint.
func (x *truth) at(member, path string) {
	x.Helper()
	if x.doc[member] != x.s.URL+path {
		x.Errorf("%s is %v, want %s", member, x.doc[member], x.s.URL+path)
	}
}

// is checks a flag.
func (x *truth) is(member string, want bool) {
	x.Helper()
	if x.doc[member] != want {
		x.Errorf("%s is %v, want %v", member, x.doc[member], want)
	}
}

// login runs the code flow as alice in a new browser.
func (x *truth) login(app porticotest.App, scope string, extra ...string) *porticotest.Answer {
	x.Helper()
	tokens := x.s.Exchange(app, x.s.Code(x.s.NewBrowser(), app, scope, extra...))
	if tokens.Status != http.StatusOK {
		x.Fatalf("token endpoint: %d %s", tokens.Status, tokens.Raw)
	}
	return tokens
}

// refused checks where an authorization request ends that cannot be served.
func (x *truth) refused(code string, extra ...string) {
	x.Helper()
	page := x.s.NewBrowser().Get(x.s.AuthorizeURL(porticotest.Web, "openid", extra...))
	q := page.URL.Query()
	if page.URL.Fragment != "" { // where an answer of that response type would be
		q, _ = url.ParseQuery(page.URL.EscapedFragment())
	}
	if !page.Left || q.Get("error") != code || q.Get("iss") != x.s.URL || q.Get("state") != "the state" {
		x.Errorf("%v ends at %s (%d), want the error %s", extra, page.URL, page.Status, code)
	}
}

// unregistrable checks that metadata is refused.
func (x *truth) unregistrable(metadata map[string]any) {
	x.Helper()
	all := map[string]any{"redirect_uris": []string{porticotest.Callback}}
	for k, v := range metadata {
		all[k] = v
	}
	if a := x.s.SendJSON(http.MethodPost, protocol.PathRegister, "", all); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_client_metadata" {
		x.Errorf("registration of %v: %d %s", metadata, a.Status, a.Raw)
	}
}

// Every member of the discovery document has its proof here: a value that is
// advertised works, and of what is known but not advertised nothing does.
var truths = map[string]func(*truth){
	"issuer": func(x *truth) {
		if x.doc["issuer"] != x.s.URL {
			x.Errorf("issuer %v, want %s", x.doc["issuer"], x.s.URL)
		}
	},
	"authorization_endpoint": func(x *truth) {
		x.at("authorization_endpoint", protocol.PathAuthorize)
		// OIDC Core §3.1.2.1: GET and POST.
		path, query, _ := strings.Cut(x.s.AuthorizeURL(porticotest.Web, "openid"), "?")
		form, err := url.ParseQuery(query)
		if err != nil {
			x.Fatal(err)
		}
		if page := x.s.NewBrowser().Post(path, form); !page.Has("login-submit") {
			x.Errorf("POST ends at %s (%d)", page.URL, page.Status)
		}
	},
	"token_endpoint":         func(x *truth) { x.at("token_endpoint", protocol.PathToken) }, // grant_types_supported uses it
	"userinfo_endpoint":      proveUserinfo,
	"jwks_uri":               proveKeys,
	"registration_endpoint":  proveRegistration,
	"introspection_endpoint": func(x *truth) { x.at("introspection_endpoint", protocol.PathIntrospect) },
	"revocation_endpoint":    func(x *truth) { x.at("revocation_endpoint", protocol.PathRevoke) },
	"end_session_endpoint": func(x *truth) {
		x.at("end_session_endpoint", protocol.PathLogout)
		if page := x.s.NewBrowser().Get(protocol.PathLogout); page.Status != http.StatusOK {
			x.Errorf("logout: %d %s", page.Status, page.Text())
		}
	},
	"scopes_supported": proveScopes,
	"response_types_supported": func(x *truth) {
		x.each("response_types_supported",
			func(x *truth, v string) { x.login(porticotest.Web, "openid", "response_type", v) },
			[]string{"token", "id_token", "id_token token", "code token", "code id_token", "code id_token token", "none"},
			func(x *truth, v string) { x.refused(protocol.ErrUnsupportedResponseType, "response_type", v) })
	},
	"response_modes_supported": func(x *truth) {
		x.each("response_modes_supported", proveResponseMode,
			[]string{"jwt", "query.jwt", "fragment.jwt", "form_post.jwt", "web_message"},
			func(x *truth, v string) { x.refused(protocol.ErrInvalidRequest, "response_mode", v) })
	},
	"grant_types_supported": func(x *truth) {
		x.each("grant_types_supported", proveGrantType, []string{
			"password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange",
			"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:openid:params:grant-type:ciba",
		}, func(x *truth, v string) {
			a := x.s.Send(porticotest.Web, protocol.PathToken, url.Values{"grant_type": {v}})
			if a.Status != http.StatusBadRequest || a.Text("error") != protocol.ErrUnsupportedGrantType {
				x.Errorf("%d %s", a.Status, a.Raw)
			}
		})
	},
	"subject_types_supported": func(x *truth) {
		x.each("subject_types_supported", func(x *truth, v string) {
			one := x.s.Register(map[string]any{"subject_type": v})
			other := x.s.Register(nil)
			a, b := claimsOf(x.T, x.login(one, "openid").Text("id_token")), claimsOf(x.T, x.login(other, "openid").Text("id_token"))
			if same := a["sub"] == b["sub"]; same != (v == "public") {
				x.Errorf("two clients are told %v and %v", a["sub"], b["sub"])
			}
		}, []string{"pairwise", "public"}, func(x *truth, v string) { x.unregistrable(map[string]any{"subject_type": v}) })
	},
	"acr_values_supported": func(x *truth) {
		x.each("acr_values_supported", func(x *truth, v string) {
			who := member(x.T, x.s, "class-"+v+"@example.test", "Somebody")
			b := x.s.NewBrowser()
			if v != "1" {
				b.Authenticator = x.s.AddAuthenticator(who.Email)
			}
			page := b.SignIn(x.s.AuthorizeURL(porticotest.Web, "openid", "acr_values", v), who.Email)
			id := claimsOf(x.T, x.s.Exchange(porticotest.Web, page.URL.Query().Get(protocol.Code)).Text("id_token"))
			if id["acr"] != v {
				x.Errorf("acr %v", id["acr"])
			}
		}, []string{"0", "urn:mace:incommon:iap:silver"}, func(x *truth, v string) {
			// A wish that cannot be had is passed over (OIDC Core §3.1.2.1), and never claimed.
			id := claimsOf(x.T, x.login(porticotest.Web, "openid", "acr_values", v).Text("id_token"))
			if id["acr"] == v {
				x.Errorf("acr %v was claimed", v)
			}
		})
	},
	"prompt_values_supported": func(x *truth) {
		x.each("prompt_values_supported", provePrompt, []string{"create", "bogus"},
			func(x *truth, v string) { x.refused(protocol.ErrInvalidRequest, "prompt", v) })
	},
	"claim_types_supported": func(x *truth) { // proven by claims_supported: every value is a plain member
		if v := x.list("claim_types_supported"); !slices.Equal(v, []string{"normal"}) {
			x.Errorf("claim types %v", v)
		}
	},
	"claims_supported":                 proveClaims,
	"ui_locales_supported":             func(x *truth) { x.each("ui_locales_supported", proveLocale, []string{"xx"}, refuseLocale) },
	"code_challenge_methods_supported": proveChallenge,

	"id_token_signing_alg_values_supported": func(x *truth) {
		x.each("id_token_signing_alg_values_supported", func(x *truth, alg string) {
			raw := x.login(x.s.Register(map[string]any{"id_token_signed_response_alg": alg}), "openid").Text("id_token")
			if h := headerOf(x.T, raw); h["alg"] != alg {
				x.Errorf("signed by %v", h)
			}
		}, signingAlgs, func(x *truth, alg string) { x.unregistrable(map[string]any{"id_token_signed_response_alg": alg}) })
	},
	"userinfo_signing_alg_values_supported": func(x *truth) {
		x.each("userinfo_signing_alg_values_supported", func(x *truth, alg string) {
			access := x.login(x.s.Register(map[string]any{"userinfo_signed_response_alg": alg}), "openid").Text("access_token")
			a := x.s.Fetch(protocol.PathUserinfo, access)
			if h := headerOf(x.T, string(a.Raw)); h["alg"] != alg || a.Header.Get("Content-Type") != "application/jwt" {
				x.Errorf("%s signed by %v", a.Header.Get("Content-Type"), h)
			}
		}, slices.Concat(signingAlgs), func(x *truth, alg string) {
			if alg != "none" { // it means: not signed
				x.unregistrable(map[string]any{"userinfo_signed_response_alg": alg})
			}
		})
	},
	"introspection_signing_alg_values_supported": func(x *truth) {
		x.each("introspection_signing_alg_values_supported", func(x *truth, alg string) {
			app := x.s.Register(map[string]any{"introspection_signed_response_alg": alg})
			a := x.s.Introspect(app, x.login(app, "openid").Text("access_token"))
			if h := headerOf(x.T, string(a.Raw)); h["alg"] != alg || h["typ"] != protocol.TypeIntrospection {
				x.Errorf("signed by %v", h)
			}
		}, signingAlgs, func(x *truth, alg string) {
			if alg != "none" {
				x.unregistrable(map[string]any{"introspection_signed_response_alg": alg})
			}
		})
	},

	"token_endpoint_auth_methods_supported":                    proveMethods("token"),
	"revocation_endpoint_auth_methods_supported":               proveMethods("revocation"),
	"introspection_endpoint_auth_methods_supported":            proveMethods("introspection"),
	"token_endpoint_auth_signing_alg_values_supported":         proveAssertions("token"),
	"revocation_endpoint_auth_signing_alg_values_supported":    proveAssertions("revocation"),
	"introspection_endpoint_auth_signing_alg_values_supported": proveAssertions("introspection"),

	"claims_parameter_supported": func(x *truth) {
		x.is("claims_parameter_supported", true)
		id := claimsOf(x.T, x.login(porticotest.Web, "openid", "claims", `{"id_token":{"nickname":{"essential":true}}}`).Text("id_token"))
		if id["nickname"] != "Ali" {
			x.Errorf("ID token %v", id)
		}
	},
	"request_parameter_supported": func(x *truth) {
		x.is("request_parameter_supported", false)
		x.refused(protocol.ErrRequestNotSupported, "request", "eyJhbGciOiJub25lIn0.e30.")
	},
	"request_uri_parameter_supported": func(x *truth) {
		x.is("request_uri_parameter_supported", false)
		x.refused(protocol.ErrRequestURINotSupported, "request_uri", "https://app.example/request.jwt")
	},
	"authorization_response_iss_parameter_supported": func(x *truth) {
		x.is("authorization_response_iss_parameter_supported", true)
		x.refused(protocol.ErrLoginRequired, "prompt", "none") // with iss
		page := x.s.NewBrowser().SignIn(x.s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
		if page.URL.Query().Get("iss") != x.s.URL {
			x.Errorf("answer %s", page.URL)
		}
	},
}

// signingAlgs are those that a client may ask for, in every specification.
var signingAlgs = []string{
	"none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
}

func TestDiscoveryIsTrue(t *testing.T) {
	s := porticotest.New(t)
	doc := s.Fetch(protocol.PathOpenIDConfiguration, "")
	for member := range doc.JSON {
		prove, ok := truths[member]
		if !ok {
			t.Errorf("nothing proves %s", member)
			continue
		}
		t.Run(member, func(t *testing.T) { prove(&truth{t, s, doc.JSON}) })
	}
	for member := range truths {
		if _, ok := doc.JSON[member]; !ok {
			t.Errorf("%s is not advertised", member)
		}
	}
	if again := s.Fetch(protocol.PathOAuthServer, ""); !bytes.Equal(again.Raw, doc.Raw) {
		t.Error("RFC 8414: the two documents differ")
	}
}

// What later versions bring is neither there nor announced.
func TestDiscoveryHidesNothing(t *testing.T) {
	s := porticotest.New(t)
	doc := s.Fetch(protocol.PathOpenIDConfiguration, "").JSON
	for member, path := range map[string]string{
		"pushed_authorization_request_endpoint": "/oauth2/par",
		"device_authorization_endpoint":         "/oauth2/device_authorization",
		"check_session_iframe":                  "/oauth2/check_session",
		"backchannel_authentication_endpoint":   "/oauth2/bc-authorize",
	} {
		a := s.Send(porticotest.Web, path, url.Values{})
		if _, ok := doc[member]; ok || a.Status != http.StatusNotFound {
			t.Errorf("%s is advertised: %v, answers %d", member, ok, a.Status)
		}
	}
}

// With registration and sign-up closed, neither is announced nor there.
func TestDiscoveryFollowsTheSettings(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) {
		c.Registration, c.Signup = config.RegistrationOff, config.SignupClosed
	}))
	doc := s.Fetch(protocol.PathOpenIDConfiguration, "")
	if _, ok := doc.JSON["registration_endpoint"]; ok {
		t.Error("registration is advertised")
	}
	if a := s.SendJSON(http.MethodPost, protocol.PathRegister, "", map[string]any{"redirect_uris": []string{porticotest.Callback}}); a.Status != http.StatusNotFound {
		t.Errorf("registration answers %d %s", a.Status, a.Raw)
	}
	x := &truth{t, s, doc.JSON}
	if slices.Contains(x.list("prompt_values_supported"), protocol.PromptCreate) {
		t.Error("prompt=create is advertised")
	}
	page := s.NewBrowser().Get(s.AuthorizeURL(porticotest.Web, "openid", "prompt", "create"))
	if page.Has("register-submit") {
		t.Error("prompt=create shows the registration page")
	}
}
