package client_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// sound is a client that passes every check.
func sound() client.Client {
	return client.Client{
		ID: "web", Name: "Web shop", ApplicationType: client.Web, Source: client.Operator, AuthMethod: protocol.AuthSecretBasic,
		RedirectURIs: []string{"https://app.example.test/cb"}, GrantTypes: []string{"authorization_code", "refresh_token"},
		ResponseTypes: []string{"code"}, Scopes: []string{"openid", "orders:read"}, Audiences: []string{"https://orders.example.test"},
		ClientURI: "https://app.example.test", LogoURI: "https://app.example.test/logo.png", Contacts: []string{"ops@example.test"},
	}
}

const (
	ecKey     = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"}`
	ecPrivate = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`
	hmacKey   = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
	offCurve  = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}`
)

func keys(list ...string) json.RawMessage {
	return json.RawMessage(`{"keys":[` + strings.Join(list, ",") + `]}`)
}

func withKeys(c *client.Client, list ...string) {
	c.AuthMethod, c.JWKS = protocol.AuthPrivateKeyJWT, keys(list...)
}

func TestValidate(t *testing.T) {
	good := map[string]func(*client.Client){
		"as it is":    func(*client.Client) {},
		"inline keys": func(c *client.Client) { withKeys(c, ecKey) },
		"fetched keys": func(c *client.Client) {
			c.AuthMethod, c.JWKSURI = protocol.AuthPrivateKeyJWT, "https://app.example.test/jwks"
		},
		"a machine": func(c *client.Client) {
			c.GrantTypes, c.ResponseTypes, c.RedirectURIs = []string{"client_credentials"}, nil, nil
		},
		"public":            func(c *client.Client) { c.AuthMethod = protocol.AuthNone },
		"a name in Arabic":  func(c *client.Client) { c.Name = "متجر" },
		"lifetimes":         func(c *client.Client) { c.AccessTokenTTL, c.RefreshIdleTTL = time.Minute, time.Hour },
		"algorithms":        func(c *client.Client) { c.IDTokenAlg, c.UserinfoAlg, c.IntrospectionAlg = "EdDSA", "ES256", "RS256" },
		"PKCE optional":     func(c *client.Client) { c.PKCEOptional = true },
		"jwks_uri loopback": func(c *client.Client) { c.JWKSURI = "http://127.0.0.1:9/jwks" },
	}
	for name, change := range good {
		c := sound()
		change(&c)
		if err := client.Validate(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string]func(*client.Client){
		"no id":                     func(c *client.Client) { c.ID = "" },
		"an id with a colon":        func(c *client.Client) { c.ID = "a:b" },
		"an id with a blank":        func(c *client.Client) { c.ID = "a b" },
		"a long id":                 func(c *client.Client) { c.ID = strings.Repeat("a", 129) },
		"a long name":               func(c *client.Client) { c.Name = strings.Repeat("ä", 101) },
		"a name with a line break":  func(c *client.Client) { c.Name = "a\nb" },
		"a name that turns around":  func(c *client.Client) { c.Name = "\u202egnp.exe" },
		"a name that is no text":    func(c *client.Client) { c.Name = "\xff" },
		"a logo that is a script":   func(c *client.Client) { c.LogoURI = "javascript:alert(1)" },
		"a relative client_uri":     func(c *client.Client) { c.ClientURI = "/about" },
		"eleven contacts":           func(c *client.Client) { c.Contacts = strings.Split(strings.Repeat("a,", 10)+"a", ",") },
		"an empty contact":          func(c *client.Client) { c.Contacts = []string{""} },
		"an unknown method":         func(c *client.Client) { c.AuthMethod = "client_secret_jwt" },
		"a symmetric assertion alg": func(c *client.Client) { c.AuthSigningAlg = "HS256" },
		"no alg for assertions":     func(c *client.Client) { c.AuthSigningAlg = "none" },
		"three secrets":             func(c *client.Client) { c.Secrets = make([]client.Secret, 3) },
		"both kinds of keys":        func(c *client.Client) { withKeys(c, ecKey); c.JWKSURI = "https://app.example.test/jwks" },
		"no keys":                   func(c *client.Client) { c.AuthMethod = protocol.AuthPrivateKeyJWT },
		"a private key":             func(c *client.Client) { withKeys(c, ecPrivate) },
		"a symmetric key":           func(c *client.Client) { withKeys(c, hmacKey) },
		"a point off its curve":     func(c *client.Client) { withKeys(c, offCurve) },
		"an empty set":              func(c *client.Client) { withKeys(c) },
		"21 keys":                   func(c *client.Client) { withKeys(c, strings.Split(strings.Repeat(ecKey+"|", 20)+ecKey, "|")...) },
		"keys that are no JSON":     func(c *client.Client) { c.JWKS = json.RawMessage(`{`) },
		"keys above 64 kB":          func(c *client.Client) { c.JWKS = json.RawMessage(strings.Repeat(" ", 65<<10)) },
		"jwks_uri over http":        func(c *client.Client) { c.JWKSURI = "http://app.example.test/jwks" },
		"jwks_uri of a file":        func(c *client.Client) { c.JWKSURI = "file:///etc/passwd" },
		"an unknown grant":          func(c *client.Client) { c.GrantTypes = []string{"password"} },
		"implicit":                  func(c *client.Client) { c.GrantTypes = append(c.GrantTypes, "implicit") },
		"an unknown response type":  func(c *client.Client) { c.ResponseTypes = []string{"code", "token"} },
		"a response without grant":  func(c *client.Client) { c.GrantTypes = []string{"client_credentials"} },
		"a grant without response":  func(c *client.Client) { c.ResponseTypes = nil },
		"a public machine": func(c *client.Client) {
			c.AuthMethod = protocol.AuthNone
			c.GrantTypes = append(c.GrantTypes, "client_credentials")
		},
		"refresh alone":      func(c *client.Client) { c.GrantTypes, c.ResponseTypes = []string{"refresh_token"}, nil },
		"no redirect URI":    func(c *client.Client) { c.RedirectURIs = nil },
		"a bad redirect URI": func(c *client.Client) { c.RedirectURIs = append(c.RedirectURIs, "http://app.example.test/cb") },
		"51 redirect URIs": func(c *client.Client) {
			c.RedirectURIs = strings.Split(strings.Repeat("https://a.test/,", 50)+"https://a.test/", ",")
		},
		"a bad logout redirect":     func(c *client.Client) { c.PostLogoutRedirectURIs = []string{"javascript:x"} },
		"an application type":       func(c *client.Client) { c.ApplicationType = "desktop" },
		"a scope with a blank":      func(c *client.Client) { c.Scopes = []string{"a b"} },
		"a scope with a quote":      func(c *client.Client) { c.Scopes = []string{`a"b`} },
		"an empty scope":            func(c *client.Client) { c.Scopes = []string{""} },
		"201 scopes":                func(c *client.Client) { c.Scopes = strings.Split(strings.Repeat("a,", 200)+"a", ",") },
		"a relative audience":       func(c *client.Client) { c.Audiences = []string{"orders"} },
		"an audience with fragment": func(c *client.Client) { c.Audiences = []string{"https://a.test/#x"} },
		"PKCE optional and public":  func(c *client.Client) { c.AuthMethod, c.PKCEOptional = protocol.AuthNone, true },
		"an alg for ID tokens":      func(c *client.Client) { c.IDTokenAlg = "HS256" },
		"alg none for userinfo":     func(c *client.Client) { c.UserinfoAlg = "none" },
		"a negative max age":        func(c *client.Client) { c.DefaultMaxAge = new(-1) },
		"a negative lifetime":       func(c *client.Client) { c.AccessTokenTTL = -time.Second },
		"access for two days":       func(c *client.Client) { c.AccessTokenTTL = 48 * time.Hour },
		"a part of a second":        func(c *client.Client) { c.RefreshIdleTTL = time.Millisecond },
	}
	for name, change := range bad {
		c := sound()
		change(&c)
		f := fault.As(client.Validate(c))
		if f == nil || f.Kind != fault.Invalid || f.Rule == "" {
			t.Errorf("%s: %v", name, f)
			continue
		}
		if f.Code != "invalid_client_metadata" && f.Code != "invalid_redirect_uri" {
			t.Errorf("%s: code %s", name, f.Code)
		}
	}
}
