package porticotest_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// part decodes one part of a compact JWT without verifying it.
func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %.80q", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func headerOf(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 0) }
func claimsOf(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 1) }

func proveUserinfo(x *truth) {
	x.at("userinfo_endpoint", protocol.PathUserinfo)
	access := x.login(porticotest.Web, "openid email").Text("access_token")
	get := x.s.Fetch(protocol.PathUserinfo, access)
	// OIDC Core §5.3.1, RFC 6750 §2.2: a form may carry the token.
	post := x.s.Send(porticotest.App{}, protocol.PathUserinfo, url.Values{"access_token": {access}})
	if get.Status != http.StatusOK || post.Status != http.StatusOK || get.Text("email") == "" || string(get.Raw) != string(post.Raw) {
		x.Errorf("GET %d %s, POST %d %s", get.Status, get.Raw, post.Status, post.Raw)
	}
	if a := x.s.Fetch(protocol.PathUserinfo+"?access_token="+access, ""); a.Status != http.StatusBadRequest || a.JSON["sub"] != nil {
		x.Errorf("RFC 9700 §4.3.2: a token in the address answers %d %s", a.Status, a.Raw)
	}
}

// proveKeys looks for a key of every advertised algorithm, and for none that
// says more than a public key may.
func proveKeys(x *truth) {
	x.at("jwks_uri", protocol.PathJWKS)
	algs := map[string]bool{}
	keys, _ := x.s.Fetch(protocol.PathJWKS, "").JSON["keys"].([]any)
	for _, k := range keys {
		key, _ := k.(map[string]any)
		alg, _ := key["alg"].(string)
		algs[alg] = true
		if key["kid"] == nil || key["use"] != "sig" || key["d"] != nil || key["k"] != nil {
			x.Errorf("key %v", slices.Sorted(maps.Keys(key)))
		}
	}
	for _, member := range []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported", "introspection_signing_alg_values_supported"} {
		for _, alg := range x.list(member) {
			if !algs[alg] {
				x.Errorf("no key for %s of %s", alg, member)
			}
		}
	}
}

func proveRegistration(x *truth) {
	x.at("registration_endpoint", protocol.PathRegister)
	app := x.s.Register(nil)
	x.login(app, "openid")
}

// scopeClaims is one claim of alice that each scope gives.
var scopeClaims = map[string]string{
	"openid": "sub", "profile": "name", "email": "email", "address": "address", "phone": "phone_number", "roles": "roles",
}

func proveScopes(x *truth) {
	x.each("scopes_supported", func(x *truth, v string) {
		tokens := x.login(porticotest.Web, "openid "+v)
		if v != "openid" && tokens.JSON["scope"] != nil && !slices.Contains(strings.Fields(tokens.Text("scope")), v) {
			x.Errorf("granted %q", tokens.Text("scope"))
		}
		if claim, ok := scopeClaims[v]; ok {
			if info := x.s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")); info.JSON[claim] == nil {
				x.Errorf("userinfo says no %s: %s", claim, info.Raw)
			}
			return
		}
		if v == protocol.ScopeOfflineAccess {
			if tokens.Text("refresh_token") == "" {
				x.Error("no refresh token")
			}
			return
		}
		if access := claimsOf(x.T, tokens.Text("access_token")); !slices.Contains(strings.Fields(access["scope"].(string)), v) {
			x.Errorf("the access token grants %v", access["scope"])
		}
	}, []string{"groups", "admin"}, func(x *truth, v string) {
		// OIDC Core §3.1.2.1: unknown scopes are ignored.
		if got := claimsOf(x.T, x.login(porticotest.Web, "openid "+v).Text("access_token"))["scope"]; got != "openid" {
			x.Errorf("granted %v", got)
		}
	})
}

func proveResponseMode(x *truth, mode string) {
	page := x.s.NewBrowser()
	got := walkPages(page, question{Visit: x.s.AuthorizeURL(porticotest.Web, "openid", "response_mode", mode), As: server.DemoPeople[0], Decision: "allow"})
	var answer url.Values
	switch mode {
	case protocol.ModeQuery:
		answer = got.URL.Query()
	case protocol.ModeFragment:
		answer, _ = url.ParseQuery(got.URL.EscapedFragment())
		if got.URL.RawQuery != "" {
			x.Errorf("a query besides the fragment: %s", got.URL)
		}
	case protocol.ModeFormPost:
		_, answer = got.Form("formpost")
	default:
		x.Fatalf("this test knows no response mode %s", mode)
	}
	if answer.Get("iss") != x.s.URL || answer.Get("state") != "the state" {
		x.Errorf("answer %v", answer)
	}
	if tokens := x.s.Exchange(porticotest.Web, answer.Get("code")); tokens.Status != http.StatusOK {
		x.Errorf("the code is worth %d %s", tokens.Status, tokens.Raw)
	}
}

func proveGrantType(x *truth, grant string) {
	var a *porticotest.Answer
	switch grant {
	case protocol.GrantAuthorizationCode:
		a = x.login(porticotest.Web, "openid")
	case protocol.GrantRefreshToken:
		a = x.s.Refresh(porticotest.Web, x.login(porticotest.Web, "openid offline_access").Text("refresh_token"))
	case protocol.GrantClientCredentials:
		a = x.s.Send(porticotest.Machine, protocol.PathToken, url.Values{"grant_type": {grant}})
	default:
		x.Fatalf("this test knows no grant type %s", grant)
	}
	if a.Status != http.StatusOK || a.Text("access_token") == "" {
		x.Errorf("%d %s", a.Status, a.Raw)
	}
}

// provePrompt looks at the page that a browser with a session is shown.
func provePrompt(x *truth, prompt string) {
	b := x.s.NewBrowser()
	b.SignIn(x.s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
	page := b.Get(x.s.AuthorizeURL(porticotest.Web, "openid", "prompt", prompt))
	shown := map[string]string{
		protocol.PromptLogin: "login-submit", protocol.PromptConsent: "consent-allow",
		protocol.PromptSelectAccount: "chooser-other", protocol.PromptCreate: "register-submit",
	}
	switch id, ok := shown[prompt]; {
	case prompt == protocol.PromptNone && page.URL.Query().Get("code") == "":
		x.Errorf("ends at %s", page.URL)
	case prompt != protocol.PromptNone && (!ok || !page.Has(id)):
		x.Errorf("shows %s (%d), want %q:\n%s", page.URL, page.Status, id, page.Text())
	}
}

// proveClaims asks for every scope: what alice's tokens and userinfo say is
// what is advertised, no more and no less.
func proveClaims(x *truth) {
	scope := strings.Join(slices.DeleteFunc(x.list("scopes_supported"), func(s string) bool { return strings.Contains(s, ":") }), " ")
	tokens := x.login(porticotest.Web, scope)
	said := claimsOf(x.T, tokens.Text("id_token"))
	maps.Copy(said, x.s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")).JSON)
	advertised := x.list("claims_supported")
	for _, claim := range advertised {
		if said[claim] == nil {
			x.Errorf("%s is advertised and never said", claim)
		}
	}
	for claim := range said {
		if !slices.Contains(advertised, claim) {
			x.Errorf("%s is said and not advertised", claim)
		}
	}
	// Each can also be asked for by name (OIDC Core §5.5).
	for _, claim := range advertised {
		asked := x.login(porticotest.Web, "openid", "claims", `{"userinfo":{"`+claim+`":null},"id_token":{"`+claim+`":null}}`)
		id := claimsOf(x.T, asked.Text("id_token"))
		if id[claim] == nil {
			x.Errorf("%s was asked for by name and is not in the ID token", claim)
		}
	}
}

func language(x *truth, tag string) string {
	page := x.s.NewBrowser().Get(x.s.AuthorizeURL(porticotest.Web, "openid", "ui_locales", tag))
	_, after, _ := strings.Cut(page.Body, `<html lang="`)
	lang, _, _ := strings.Cut(after, `"`)
	return lang
}

func proveLocale(x *truth, tag string) {
	if got := language(x, tag); got != tag {
		x.Errorf("the page is in %q", got)
	}
}

func refuseLocale(x *truth, tag string) {
	if got := language(x, tag); got != "en" {
		x.Errorf("the page is in %q", got)
	}
}

func proveChallenge(x *truth) {
	x.each("code_challenge_methods_supported", func(x *truth, v string) {
		x.login(porticotest.SPA, "openid", "code_challenge_method", v)
	}, []string{"plain", "S512"}, func(x *truth, v string) {
		x.refused(protocol.ErrInvalidRequest, "code_challenge_method", v)
	})
	x.refused(protocol.ErrInvalidRequest, "code_challenge_method", "") // RFC 7636 §4.3: it would mean plain
}

// proveMethods registers a client for every method and lets it call the
// endpoint.
func proveMethods(endpoint string) func(*truth) {
	return func(x *truth) {
		x.each(endpoint+"_endpoint_auth_methods_supported", func(x *truth, method string) {
			metadata := map[string]any{"token_endpoint_auth_method": method}
			if method == protocol.AuthPrivateKeyJWT {
				key := newClientKey(x.T, "ES256")
				metadata["jwks"] = key.jwks()
				app := x.s.Register(metadata)
				x.calls(endpoint, app, func(f url.Values) (porticotest.App, url.Values) {
					return porticotest.App{}, key.assertion(x.T, x.s, app, f)
				})
				return
			}
			app := x.s.Register(metadata)
			x.calls(endpoint, app, func(f url.Values) (porticotest.App, url.Values) {
				if method != protocol.AuthSecretPost {
					return app, f
				}
				return porticotest.App{}, merge(f, "client_id", app.ID, "client_secret", app.Secret)
			})
		}, []string{"client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "bogus"}, func(x *truth, method string) {
			x.unregistrable(map[string]any{"token_endpoint_auth_method": method})
		})
		if methods := x.list(endpoint + "_endpoint_auth_methods_supported"); slices.Contains(methods, "none") == (endpoint == "introspection") {
			x.Errorf("methods of %s: %v", endpoint, methods)
		}
	}
}

// proveAssertions signs the client's assertion with every algorithm.
func proveAssertions(endpoint string) func(*truth) {
	return func(x *truth) {
		x.each(endpoint+"_endpoint_auth_signing_alg_values_supported", func(x *truth, alg string) {
			key := newClientKey(x.T, alg)
			app := x.s.Register(map[string]any{
				"token_endpoint_auth_method": protocol.AuthPrivateKeyJWT, "token_endpoint_auth_signing_alg": alg, "jwks": key.jwks(),
			})
			x.calls(endpoint, app, func(f url.Values) (porticotest.App, url.Values) {
				return porticotest.App{}, key.assertion(x.T, x.s, app, f)
			})
		}, signingAlgs, func(x *truth, alg string) {
			x.unregistrable(map[string]any{
				"token_endpoint_auth_method": protocol.AuthPrivateKeyJWT, "token_endpoint_auth_signing_alg": alg,
				"jwks": newClientKey(x.T, "ES256").jwks(),
			})
		})
	}
}

// calls gets tokens for the client, and calls the endpoint as it.
func (x *truth) calls(endpoint string, app porticotest.App, as func(url.Values) (porticotest.App, url.Values)) {
	x.Helper()
	send := func(path string, form url.Values) *porticotest.Answer {
		by, with := as(form)
		return x.s.Send(by, path, with)
	}
	tokens := send(protocol.PathToken, url.Values{
		"grant_type": {"authorization_code"}, "code": {x.s.Code(x.s.NewBrowser(), app, "openid offline_access")},
		"redirect_uri": {app.RedirectURI}, "code_verifier": {app.Verifier},
	})
	if tokens.Status != http.StatusOK {
		x.Fatalf("token endpoint: %d %s", tokens.Status, tokens.Raw)
	}
	var a *porticotest.Answer
	switch endpoint {
	case "token":
		a = send(protocol.PathToken, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Text("refresh_token")}})
	case "revocation":
		a = send(protocol.PathRevoke, url.Values{"token": {tokens.Text("refresh_token")}})
	case "introspection":
		a = send(protocol.PathIntrospect, url.Values{"token": {tokens.Text("refresh_token")}})
		if a.JSON["active"] != true {
			x.Errorf("introspection: %s", a.Raw)
		}
	}
	if a.Status != http.StatusOK {
		x.Errorf("%s endpoint: %d %s", endpoint, a.Status, a.Raw)
	}
}

// merge returns the form with more fields: name, value, name, value.
func merge(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}
