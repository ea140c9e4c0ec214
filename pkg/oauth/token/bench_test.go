package token_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/client"
)

// serve runs one request and hands back the body on success.
func (k *kit) serve(b *testing.B, c *client.Client, form string) string {
	r := httptest.NewRequest(http.MethodPost, tokenURL, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, k.secrets[c.ID])
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func BenchmarkClientCredentials(b *testing.B) {
	k := newKit(b)
	form := machineForm("scope", "orders:read").Encode()
	b.ReportAllocs()
	for b.Loop() {
		k.serve(b, k.service, form)
	}
}

func BenchmarkCodeExchange(b *testing.B) {
	k := newKit(b)
	es := k.client(client.Client{
		ID: "es", RedirectURIs: []string{callback}, GrantTypes: k.web.GrantTypes, Scopes: k.web.Scopes, Audiences: k.web.Audiences, IDTokenAlg: "ES256",
	})
	for name, c := range map[string]*client.Client{"RS256": k.web, "ES256": es} {
		b.Run(name, func(b *testing.B) {
			q := k.request(c, "openid orders:read")
			b.ReportAllocs()
			for b.Loop() {
				k.serve(b, c, codeForm(k.code(c, q)).Encode())
			}
		})
	}
}

func BenchmarkRefresh(b *testing.B) {
	k := newKit(b)
	token := k.login(k.web, "orders:read").RefreshToken
	b.ReportAllocs()
	for b.Loop() {
		body := k.serve(b, k.web, refreshForm(token).Encode())
		_, rest, _ := strings.Cut(body, `"refresh_token":"`)
		token, _, _ = strings.Cut(rest, `"`)
	}
}

func BenchmarkInspect(b *testing.B) {
	k := newKit(b)
	token := k.login(k.web, "openid orders:read").AccessToken
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.tokens.Inspect(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
