package outside_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// bad are values that no parameter may hold, percent-encoded.
var bad = map[string]string{
	"NUL":               "a%00b",
	"a control":         "a%01b",
	"DEL":               "a%7Fb",
	"CR LF":             "a%0D%0ASet-Cookie:%20x=y",
	"a C1 control":      "a%C2%85b",
	"invalid UTF-8":     "a%FF%FEb",
	"overlong UTF-8":    "a%C0%AFb",
	"a surrogate":       "a%ED%A0%80b",
	"a broken escape":   "a%zzb",
	"an escape cut off": "a%4",
	"17 kB":             strings.Repeat("a", 17<<10),
	"a megabyte":        strings.Repeat("b", 1<<20),
}

// aCall is a call of the endpoint with the raw parameters, complete enough
// to get behind the first check.
func aCall(s *porticotest.Server, e endpoint, raw string, except string) call {
	base := ""
	add := func(kv ...string) {
		for i := 0; i+1 < len(kv); i += 2 {
			if kv[i] != except {
				base += "&" + pairs(kv[i], kv[i+1])
			}
		}
	}
	switch e.path {
	case protocol.PathAuthorize:
		add("client_id", server.DemoWeb, "redirect_uri", porticotest.Callback, "response_type", "code", "scope", "openid", "state", "st",
			"code_challenge", porticotest.Challenge(porticotest.Verifier), "code_challenge_method", "S256")
		return call{path: e.path, query: raw + base}
	case protocol.PathToken:
		add("grant_type", "client_credentials", "client_id", server.DemoService, "client_secret", server.DemoServiceSecret)
	case protocol.PathIntrospect, protocol.PathRevoke:
		add("token", "x", "client_id", server.DemoService, "client_secret", server.DemoServiceSecret)
	case protocol.PathLogout, protocol.PathLogoutConfirm:
		return call{path: e.path, query: raw}
	}
	return call{method: http.MethodPost, path: e.path, body: raw + base}
}

// 0.3: whatever stands in whichever parameter, the answer is a clean refusal.
func TestHostileParameters(t *testing.T) {
	s := porticotest.New(t)
	for _, e := range endpoints {
		for _, name := range e.params {
			for what, value := range bad {
				if e.page && what != "a megabyte" && (name == "password" || name == "username" || name == "name" || name == "email") {
					continue // a form holds what people type; TestHostileForms looks at those
				}
				t.Run("0.3 "+e.path+" "+name+" holds "+what, func(t *testing.T) {
					send(t, s, aCall(s, e, name+"="+value, name)).refused(t)
				})
			}
		}
	}
}

// 0.2: a parameter appears once, wherever its copies are.
func TestDuplicates(t *testing.T) {
	s := porticotest.New(t)
	for _, e := range endpoints {
		for _, name := range e.params {
			if name == "resource" || name == "audience" || e.page && !e.query {
				continue
			}
			one := name + "=x"
			t.Run("0.2 "+e.path+" "+name+" twice", func(t *testing.T) {
				send(t, s, aCall(s, e, one+"&"+one, name)).refused(t)
			})
			t.Run("0.2 "+e.path+" "+name+" twice, once encoded", func(t *testing.T) {
				send(t, s, aCall(s, e, one+"&%"+hexByte(name[0])+name[1:]+"=x", name)).refused(t)
			})
			if c := aCall(s, e, one, name); c.method == http.MethodPost {
				t.Run("0.2 "+e.path+" "+name+" in query and body", func(t *testing.T) {
					c.query = one
					send(t, s, c).refused(t)
				})
			}
		}
	}
	// An unknown parameter is ignored, known ones are not normalised.
	a := send(t, s, call{method: "POST", path: protocol.PathToken, body: "grant_type=client_credentials&unknown=1", header: []string{"Authorization", basicAuth(porticotest.Machine)}})
	if a.status != http.StatusOK {
		t.Errorf("0.3 an unknown parameter: %d %s", a.status, a.body)
	}
	for _, name := range []string{"Grant_Type", " grant_type", "grant_type ", "grant_type[]", "grant_type[0]"} {
		a := send(t, s, call{method: "POST", path: protocol.PathToken, body: pairs(name, "client_credentials"), header: []string{"Authorization", basicAuth(porticotest.Machine)}})
		a.oauthError(t, http.StatusBadRequest, protocol.ErrInvalidRequest)
	}
}

func hexByte(b byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// 12.6, 12.7: wrong methods, bodies and types.
func TestMethodsAndBodies(t *testing.T) {
	s := porticotest.New(t)
	paths := append([]endpoint{
		{path: protocol.PathJWKS, methods: "GET HEAD"},
		{path: protocol.PathOpenIDConfiguration, methods: "GET HEAD"},
		{path: protocol.PathOAuthServer, methods: "GET HEAD"},
		{path: protocol.PathHealth, methods: "GET HEAD"},
		{path: protocol.PathReady, methods: "GET HEAD"},
		{path: protocol.PathSignedOut, methods: "GET HEAD", page: true},
		{path: protocol.PathRegister + "/some-client", methods: "GET PUT DELETE"},
		{path: protocol.PathPlayground, methods: "GET HEAD", page: true},
		{path: "/", methods: "GET HEAD", page: true},
	}, endpoints...)
	for _, e := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "QUERY"} {
			known := strings.Contains(" "+e.methods+" ", " "+method+" ")
			if known || e.path == protocol.PathLogoutConfirm && method == "POST" { // without a session there is nothing to end
				continue
			}
			t.Run("12.6 "+method+" "+e.path, func(t *testing.T) {
				a := send(t, s, call{method: method, path: e.path})
				a.quiet(t)
				if a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotImplemented && (method != "HEAD" || a.status >= 500) {
					t.Errorf("%d, want 405: %.200s", a.status, a.body)
				}
				if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
					t.Error("405 without Allow (RFC 9110 §15.5.6)")
				}
			})
		}
		for _, name := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
			t.Run("12.6 "+name+" "+e.path, func(t *testing.T) {
				plain := send(t, s, call{path: e.path})
				moved := send(t, s, call{path: e.path, header: []string{name, "DELETE"}})
				if plain.status != moved.status {
					t.Errorf("with the header %d, without %d", moved.status, plain.status)
				}
			})
		}
		if !strings.Contains(e.methods, "POST") {
			continue
		}
		for name, h := range map[string][]string{
			"gzip":          {"Content-Encoding", "gzip"},
			"brotli":        {"Content-Encoding", "br"},
			"twice coded":   {"Content-Encoding", "identity, gzip"},
			"multipart":     {"Content-Type", "multipart/form-data; boundary=x"},
			"text":          {"Content-Type", "text/plain"},
			"JSON or form":  {"Content-Type", map[bool]string{true: formType, false: "application/json"}[e.json]},
			"no type":       {"Content-Type", ""},
			"a broken type": {"Content-Type", "application/x-www-form-urlencoded; charset"},
			"UTF-7":         {"Content-Type", "application/x-www-form-urlencoded; charset=utf-7"},
			"XML":           {"Content-Type", "application/xml"},
		} {
			if e.page && !e.query && name == "UTF-7" {
				continue
			}
			t.Run("12.7 "+name+" to "+e.path, func(t *testing.T) {
				send(t, s, call{method: "POST", path: e.path, body: "a=b", header: h}).refused(t)
			})
		}
		t.Run("0.4 a huge body to "+e.path, func(t *testing.T) {
			send(t, s, call{method: "POST", path: e.path, body: "a=" + strings.Repeat("x", 3<<20)}).refused(t)
		})
		t.Run("0.4 many parameters to "+e.path, func(t *testing.T) {
			send(t, s, call{method: "POST", path: e.path, body: strings.Repeat("a=&", 20000)}).refused(t)
		})
	}
}

// 0.4: what surrounds a request is bounded too.
func TestHugeHeadersAndPaths(t *testing.T) {
	s := porticotest.New(t)
	long := strings.Repeat("x", 40<<10)
	for name, c := range map[string]call{
		"a header":            {path: "/", header: []string{"X-Long", long}},
		"Authorization":       {path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + long}},
		"Basic":               {method: "POST", path: protocol.PathToken, body: "grant_type=client_credentials", header: []string{"Authorization", "Basic " + long}},
		"a cookie":            {path: protocol.PathAuthorize, header: []string{"Cookie", "portico_session=" + long}},
		"Accept-Language":     {path: protocol.PathSignedOut, header: []string{"Accept-Language", long}},
		"a path":              {path: "/" + long},
		"a path below client": {path: protocol.PathRegister + "/" + long, header: []string{"Authorization", "Bearer x"}},
		"a query":             {path: protocol.PathLogin, query: "flow=" + long},
		"Origin":              {method: "OPTIONS", path: protocol.PathToken, header: []string{"Origin", "https://" + long, "Access-Control-Request-Method", "POST"}},
	} {
		t.Run("0.4 "+name, func(t *testing.T) { send(t, s, c).refused(t) })
	}
	many := call{path: protocol.PathSignedOut}
	for range 3000 {
		many.header = append(many.header, "X-Many", "0123456789")
	}
	t.Run("0.4 many headers", func(t *testing.T) { send(t, s, many).refused(t) })
}

// Paths that only look like ours lead nowhere, and never to another handler.
func TestPathTricks(t *testing.T) {
	s := porticotest.New(t)
	for _, path := range []string{
		"/oauth2/token/", "//oauth2/token", "/oauth2//token", "/OAUTH2/token", "/oauth2/%74oken%00", "/oauth2/token%2f", "/oauth2/token;x=y",
		"/static/../oauth2/jwks", "/static/..%2f..%2fetc%2fpasswd", "/static/%2e%2e/%2e%2e/portico.db", "/static/..%5c..%5cx", "/static/",
		"/static", "/.portico/portico.db", "/debug/pprof/", "/metrics", "/debug/vars", "/admin", "/api/admin/v1", "/.git/config", "/.env",
		"/oauth2/register/", "/oauth2/register/a/b", "/oauth2/register/..%2f..", "/oauth2/register/%00", "/\\evil.example", "//evil.example/%2f..",
		"/%0d%0aSet-Cookie:x=y", "/playground/../login", "/.well-known/openid-configuration/..", "/.well-known/", "/login/", "/login/account/x",
	} {
		for _, accept := range []string{"", "text/html"} {
			t.Run("12.8 "+path+" "+accept, func(t *testing.T) {
				a := send(t, s, call{path: path, header: []string{"Accept", accept}})
				a.refused(t)
				if strings.Contains(a.header.Get("Location"), "evil") || len(a.header["Set-Cookie"]) > 0 {
					t.Errorf("Location %q, cookies %q", a.header.Get("Location"), a.header["Set-Cookie"])
				}
			})
		}
	}
}
