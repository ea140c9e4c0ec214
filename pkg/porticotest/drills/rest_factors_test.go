package drills

import (
	"encoding/base32"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// appKey finds the key of a new authenticator app on its page.
var appKey = regexp.MustCompile(`id="totp-key"[^>]*>([A-Z2-7 ]+)<`)

// liveFactors gets second factors, signs in with them, waits for one, and asks
// for a way back in, and adds what it saw: seeds, cookies, the secret of a
// provider and the link of an administrator.
func liveFactors(t *testing.T, s *porticotest.Server, k secrets) {
	t.Helper()
	person := server.DemoPeople[0]
	seed := func(key string) string {
		key = strings.ReplaceAll(key, " ", "")
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		k.add("the seed of an authenticator app", key, string(raw))
		return key
	}
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(web, "openid"), person)
	waiting := b.Get(protocol.PathAccountTOTP).Submit(nil, "decision", "begin") // begun, and never confirmed
	seed(appKey.FindStringSubmatch(waiting.Body)[1])
	page := b.Get(protocol.PathAccountTOTP).Submit(nil, "decision", "begin")
	app := s.NewAuthenticator(seed(appKey.FindStringSubmatch(page.Body)[1]))
	page.Submit(map[string]string{"code": app.Code(), "name": "Phone"}, "decision", "confirm")

	password := map[string]string{"username": person, "password": server.DemoPassword}
	pending := s.NewBrowser()
	if at := pending.Get(s.AuthorizeURL(web, "openid")).Submit(password, "", ""); at.URL.Path != protocol.PathFactor {
		t.Fatalf("the password leads to %s", at.URL)
	}
	trusted := s.NewBrowser()
	trusted.Get(s.AuthorizeURL(web, "openid")).Submit(password, "", "").Submit(map[string]string{"code": app.Code(), "trust": "on"}, "", "")
	found := false
	for _, browser := range []*porticotest.Browser{b, pending, trusted} {
		for _, c := range browser.Cookies() {
			found = found || strings.HasSuffix(c.Name, "portico_trusted")
			if len(c.Value) > 16 {
				k.add("the cookie "+c.Name, c.Value)
			}
		}
	}
	if !found {
		t.Fatal("no browser was remembered")
	}
	const secret = "provider-secret-of-the-drill-1234567890"
	if _, err := s.Federation.Create(t.Context(), federation.Provider{
		ID: "drill", Kind: federation.OIDC, Name: "Drill", Disabled: true,
		Settings: federation.Settings{Issuer: "https://idp.example.test", ClientID: "portico"},
	}, secret); err != nil {
		t.Fatal(err)
	}
	k.add("the secret of a provider", secret)
	_, link, err := s.AskRecovery(t.Context(), person, "a drill", person)
	if err != nil {
		t.Fatal(err)
	}
	k.add("the link of an administrator", link[strings.LastIndexByte(link, '=')+1:])
}
