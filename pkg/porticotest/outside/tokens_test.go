package outside_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

func b64(v any) string {
	raw, ok := v.([]byte)
	if !ok {
		raw, _ = json.Marshal(v) // maps of strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// publicKey is a key of the server's set, as an attacker sees it.
type publicKey struct {
	Kid, Kty, Alg, N, E, Crv, X, Y string
}

func keySet(t *testing.T, s *porticotest.Server) []publicKey {
	t.Helper()
	var set struct{ Keys []publicKey }
	if err := json.Unmarshal(s.Fetch(protocol.PathJWKS, "").Raw, &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

func number(s string) *big.Int {
	raw, _ := base64.RawURLEncoding.DecodeString(s)
	return new(big.Int).SetBytes(raw)
}

// forgeries are tokens made of a good one, by everything but the private key.
func forgeries(t *testing.T, s *porticotest.Server, good string) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	header, claims := decode(t, good)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(h, c map[string]any) string {
		input := b64(h) + "." + b64(c)
		sum := sha256.Sum256([]byte(input))
		r, sig, err := ecdsa.Sign(rand.Reader, own, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + b64(append(r.FillBytes(make([]byte, 32)), sig.FillBytes(make([]byte, 32))...))
	}
	head := func(kv ...any) map[string]any {
		h := map[string]any{}
		for k, v := range header {
			h[k] = v
		}
		for i := 0; i+1 < len(kv); i += 2 {
			h[kv[i].(string)] = kv[i+1]
		}
		return h
	}
	ownJWK := map[string]any{"kty": "EC", "crv": "P-256", "x": b64(own.X.FillBytes(make([]byte, 32))), "y": b64(own.Y.FillBytes(make([]byte, 32)))}
	bob := map[string]any{}
	for k, v := range claims {
		bob[k] = v
	}
	bob["sub"] = "somebody-else"
	out := map[string]string{
		"alg none":               b64(map[string]any{"alg": "none", "typ": header["typ"]}) + "." + parts[1] + ".",
		"alg None with a kid":    b64(head("alg", "None")) + "." + parts[1] + ".",
		"alg none, signature":    b64(head("alg", "none")) + "." + parts[1] + "." + parts[2],
		"no signature":           parts[0] + "." + parts[1] + ".",
		"two parts":              parts[0] + "." + parts[1],
		"four parts":             good + ".x",
		"other claims":           parts[0] + "." + b64(bob) + "." + parts[2],
		"own key, our kid":       sign(head("alg", "ES256"), claims),
		"own key in jwk":         sign(head("alg", "ES256", "jwk", ownJWK), claims),
		"own key by jku":         sign(head("alg", "ES256", "jku", "https://evil.example/jwks"), claims),
		"own key by x5u":         sign(head("alg", "ES256", "x5u", "https://evil.example/x"), claims),
		"kid a path":             sign(head("alg", "ES256", "kid", "../../../../dev/null"), claims),
		"kid SQL":                sign(head("alg", "ES256", "kid", "' OR 1=1 --"), claims),
		"kid 10 kB":              sign(head("alg", "ES256", "kid", strings.Repeat("k", 10000)), claims),
		"kid a number":           sign(head("alg", "ES256", "kid", 7), claims),
		"no kid":                 sign(map[string]any{"alg": "ES256", "typ": header["typ"]}, claims),
		"crit":                   b64(head("crit", []string{"exp"})) + "." + parts[1] + "." + parts[2],
		"crit unknown":           sign(head("crit", []string{"x"}, "x", 1), claims),
		"b64 false":              sign(head("b64", false, "crit", []string{"b64"}), claims),
		"zip":                    sign(head("zip", "DEF"), claims),
		"JSON serialisation":     `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"general JSON":           `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"a zero signature":       parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"a padded signature":     good + "=",
		"a signature with blank": good + " x",
		"a longer signature":     good + "AAAA",
		"an empty header":        "." + parts[1] + "." + parts[2],
		"dots":                   "..",
		"a million dots":         strings.Repeat(".", 12000),
		"a JWE":                  b64(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2000000000, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA",
	}
	for _, k := range keySet(t, s) {
		secrets := map[string][]byte{"kid": []byte(k.Kid), "x": []byte(k.X), "n": []byte(k.N)}
		var public crypto.PublicKey
		switch k.Kty {
		case "RSA":
			public = &rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}
		case "EC":
			point := append([]byte{4}, number(k.X).FillBytes(make([]byte, 32))...)
			key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(point, number(k.Y).FillBytes(make([]byte, 32))...))
			if err != nil {
				t.Fatal(err)
			}
			public = key
		default:
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		secrets["der"], secrets["pem"] = der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for how, secret := range secrets {
			input := b64(head("alg", "HS256", "kid", k.Kid)) + "." + parts[1]
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			out["HS256 by the "+how+" of "+k.Alg+" "+k.Kid] = input + "." + b64(mac.Sum(nil))
		}
		out["the kid of "+k.Alg+" "+k.Kid] = sign(head("alg", "ES256", "kid", k.Kid), claims)
	}
	return out
}

// 5.2, 5.3: what is not an access token of ours, whole and unchanged, opens
// nothing, and nobody is told why.
func TestForgedAndConfusedTokens(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	got := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid profile offline_access orders:read"))
	access := got.Text("access_token")
	signed := s.Register(map[string]any{"userinfo_signed_response_alg": "RS256", "introspection_signed_response_alg": "ES256"})
	info := s.Fetch(protocol.PathUserinfo, s.Exchange(signed, s.Code(b, signed, "openid")).Text("access_token"))
	machine := s.Send(porticotest.Machine, protocol.PathToken, url.Values{"grant_type": {"client_credentials"}})
	bad := forgeries(t, s, access)
	for name, value := range map[string]string{
		"an ID token": got.Text("id_token"), "a refresh token": got.Text("refresh_token"), "a code": s.Code(b, porticotest.Web, "openid"),
		"a signed userinfo": string(info.Raw), "a signed introspection": string(s.Introspect(signed, access).Raw),
		"a session cookie": cookie(b, "portico_session"), "a browser cookie": cookie(b, "portico_browser"), "a registration token": registrationToken(t, s),
		"a client secret": server.DemoWebSecret, "rubbish": "x", "not a token68": "a,b", "16 kB": strings.Repeat("A", 16000),
	} {
		bad[name] = value
	}
	for name, value := range forgeries(t, s, got.Text("id_token")) {
		bad["ID token: "+name] = value
	}
	for name, value := range bad {
		t.Run("5.3 "+name, func(t *testing.T) {
			if value == "" {
				t.Fatal("nothing to send")
			}
			a := send(t, s, call{path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + value}})
			a.oauthError(t, http.StatusUnauthorized, protocol.ErrInvalidToken)
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
			if name == "a refresh token" { // its own client may ask about it
				return
			}
			for _, app := range []porticotest.App{porticotest.Web, porticotest.Machine} {
				i := send(t, s, call{method: "POST", path: protocol.PathIntrospect, body: pairs("token", value), header: []string{"Authorization", basicAuth(app)}})
				if i.status != http.StatusOK || strings.TrimSpace(i.body) != `{"active":false}` {
					t.Errorf("introspection by %s: %d %s", app.ID, i.status, i.body)
				}
			}
			if r := send(t, s, call{method: "POST", path: protocol.PathRevoke, body: pairs("token", value), header: []string{"Authorization", basicAuth(porticotest.Machine)}}); r.status != http.StatusOK {
				r.oauthError(t, http.StatusBadRequest, protocol.ErrInvalidGrant)
			}
		})
	}
	for name, c := range map[string]call{
		"a machine token at userinfo": {path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + machine.Text("access_token")}},
		"no token":                    {path: protocol.PathUserinfo},
		"in the query":                {path: protocol.PathUserinfo, query: pairs("access_token", access)},
		"header and body":             {method: "POST", path: protocol.PathUserinfo, body: pairs("access_token", access), header: []string{"Authorization", "Bearer " + access}},
		"two headers":                 {path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + access, "Authorization", "Bearer " + access}},
		"header and query":            {path: protocol.PathUserinfo, query: pairs("access_token", access), header: []string{"Authorization", "Bearer " + access}},
		"Basic":                       {path: protocol.PathUserinfo, header: []string{"Authorization", basicAuth(porticotest.Web)}},
		"two in one header":           {path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + access + ", Bearer " + access}},
		"DPoP":                        {path: protocol.PathUserinfo, header: []string{"Authorization", "DPoP " + access}},
	} {
		t.Run("5.4 "+name, func(t *testing.T) {
			a := send(t, s, c)
			a.refused(t)
			if strings.Contains(a.body, "Alice") {
				t.Error("the person is told")
			}
		})
	}
	for name, c := range map[string]call{
		"bearer in small letters": {path: protocol.PathUserinfo, header: []string{"Authorization", "bearer " + access}},
		"POST, header":            {method: "POST", path: protocol.PathUserinfo, header: []string{"Authorization", "Bearer " + access}},
		"POST, body":              {method: "POST", path: protocol.PathUserinfo, body: pairs("access_token", access)},
	} {
		if a := send(t, s, c); a.status != http.StatusOK || !strings.Contains(a.body, "Alice") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func cookie(b *porticotest.Browser, name string) string {
	for _, c := range b.Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// 5.1: the shape of what is issued.
func TestShapeOfTokens(t *testing.T) {
	s := porticotest.New(t)
	got := s.Exchange(porticotest.Web, s.Code(s.NewBrowser(), porticotest.Web, "openid profile email orders:read"))
	header, claims := decode(t, got.Text("access_token"))
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("header %v", header)
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "auth_time", "acr", "sid"} {
		if claims[name] == nil {
			t.Errorf("5.1 no %s in %v", name, claims)
		}
	}
	for _, name := range []string{"email", "name", "phone_number", "nonce"} {
		if claims[name] != nil {
			t.Errorf("5.1 %s in an access token", name)
		}
	}
	machine := s.Send(porticotest.Machine, protocol.PathToken, url.Values{"grant_type": {"client_credentials"}})
	if _, c := decode(t, machine.Text("access_token")); c["sub"] != c["client_id"] || c["sid"] != nil || c["auth_time"] != nil || c["sub"] == claims["sub"] {
		t.Errorf("5.1 a machine token looks like a person's: %v", c)
	}
	ih, id := decode(t, got.Text("id_token"))
	if id["aud"] != server.DemoWeb || id["nonce"] != "the nonce" || id["at_hash"] == nil || ih["typ"] == "at+jwt" || id["acr"] != "1" {
		t.Errorf("ID token %v %v", ih, id)
	}
}

// 5.6, 5.7: tokens of others.
func TestTokensOfOthers(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	other := s.Register(map[string]any{"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}})
	login := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "openid offline_access"))
	orders := s.Exchange(porticotest.Web, s.Code(b, porticotest.Web, "orders:read", "nonce", ""))
	for name, tt := range map[string]struct {
		app    porticotest.App
		token  string
		active bool
	}{
		"its own client":                   {porticotest.Web, login.Text("access_token"), true},
		"another client":                   {other, login.Text("access_token"), false},
		"a resource server of another API": {porticotest.Machine, login.Text("access_token"), false},
		"another client, refresh":          {other, login.Text("refresh_token"), false},
		"a resource server, refresh":       {porticotest.Machine, login.Text("refresh_token"), false},
		"its own client, refresh":          {porticotest.Web, login.Text("refresh_token"), true},
		"the API's server":                 {porticotest.Machine, orders.Text("access_token"), true},
		"another client about an API's":    {other, orders.Text("access_token"), false},
		"its own client about an API's":    {porticotest.Web, orders.Text("access_token"), true},
	} {
		for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
			a := send(t, s, call{method: "POST", path: protocol.PathIntrospect, body: pairs("token", tt.token, "token_type_hint", hint), header: []string{"Authorization", basicAuth(tt.app)}})
			if active := strings.Contains(a.body, `"active":true`); active != tt.active || !active && strings.TrimSpace(a.body) != `{"active":false}` {
				t.Errorf("5.6 %s, hint %q: %s", name, hint, a.body)
			}
		}
	}
	spa := send(t, s, call{method: "POST", path: protocol.PathIntrospect, body: pairs("token", login.Text("access_token"), "client_id", server.DemoSPA)})
	spa.oauthError(t, http.StatusUnauthorized, protocol.ErrInvalidClient)
	for _, what := range []string{"access_token", "refresh_token"} {
		for _, app := range []porticotest.App{other, porticotest.SPA, porticotest.Machine} {
			a := s.Revoke(app, login.Text(what))
			if a.Status < 400 || a.Status > 499 {
				t.Errorf("5.7 %s revokes the %s of another: %d", app.ID, what, a.Status)
			}
		}
	}
	if a := s.Introspect(porticotest.Web, login.Text("access_token")); a.JSON["active"] != true {
		t.Error("5.7 a stranger ended the token")
	}
	if a := s.Send(porticotest.Web, protocol.PathRevoke, url.Values{"token": {login.Text("refresh_token")}, "token_type_hint": {"access_token"}}); a.Status != http.StatusOK {
		t.Errorf("5.7 a wrong hint: %d %s", a.Status, a.Raw)
	}
	if a := s.Introspect(porticotest.Web, login.Text("access_token")); a.JSON["active"] != false {
		t.Error("5.7 the access token outlives its refresh token")
	}
}
