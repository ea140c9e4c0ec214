package authorize_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"

	"github.com/portico-id/portico/pkg/client"
)

// Native applications listen on any port of the loopback literal (RFC 8252
// §7.3); nothing else of a redirect URI may differ. The stock engine lets
// more through: the column stock says where.
func TestRedirectURIs(t *testing.T) {
	const httpBack, v6Back, httpsBack, namedBack = "http://127.0.0.1/cb", "http://[::1]/cb", "https://127.0.0.1/cb", "http://localhost/cb"
	tests := map[string]struct {
		registered, sent string
		want             bool
		stock            bool
	}{
		"the same":                   {httpBack, httpBack, true, true},
		"another port":               {httpBack, "http://127.0.0.1:49152/cb", true, true},
		"another port, IPv6":         {v6Back, "http://[::1]:49152/cb", true, true},
		"registered with a port":     {"http://127.0.0.1:8080/cb", "http://127.0.0.1:9/cb", true, true},
		"scheme downgraded":          {httpsBack, "http://127.0.0.1:9/cb", false, true},
		"scheme downgraded, no port": {httpsBack, "http://127.0.0.1/cb", false, true},
		"https takes no other port":  {httpsBack, "https://127.0.0.1:9/cb", false, false},
		"user-info":                  {httpBack, "http://u@127.0.0.1:9/cb", false, true},
		"user-info and password":     {httpBack, "http://u:p@127.0.0.1:9/cb", false, true},
		"path encoded otherwise":     {httpBack, "http://127.0.0.1:9/%63b", false, true},
		"fragment":                   {httpBack, "http://127.0.0.1:9/cb#x", false, false},
		"path longer":                {httpBack, "http://127.0.0.1:9/cb/x", false, false},
		"query more":                 {httpBack, "http://127.0.0.1:9/cb?x=y", false, false},
		"the name for the literal":   {httpBack, "http://localhost:9/cb", false, false},
		"the name takes no port":     {namedBack, "http://localhost:9/cb", false, false},
		"another literal":            {httpBack, "http://127.0.0.2:9/cb", false, false},
		"IPv6 for IPv4":              {httpBack, "http://[::1]:9/cb", false, false},
		"IPv4 in IPv6":               {httpBack, "http://[::ffff:127.0.0.1]:9/cb", false, false},
		"a name that begins with it": {httpBack, "http://127.0.0.1.evil.test:9/cb", false, false},
		"port that is none":          {httpBack, "http://127.0.0.1:x/cb", false, false},
		"port above all ports":       {httpBack, "http://127.0.0.1:65536/cb", false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.clients["native"] = &client.Client{ID: "native", AuthMethod: "none", RedirectURIs: []string{tt.registered}, GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"}}
			w.get(good("client_id", "native", "redirect_uri", tt.sent, "scope", "openid"), browser{})
			if got := w.next.last != nil; got != tt.want {
				t.Errorf("%s registered, %s sent: accepted %v, want %v", tt.registered, tt.sent, got, tt.want)
			}
			_, err := fosite.MatchRedirectURIWithClientRedirectURIs(tt.sent, &fosite.DefaultClient{RedirectURIs: []string{tt.registered}})
			if stock := err == nil; stock != tt.stock {
				t.Errorf("the stock engine accepts %v, noted %v: is the row still needed?", stock, tt.stock)
			}
		})
	}
}

// stock is the engine as it comes, with one client.
func stock() *fosite.Fosite {
	s := storage.NewMemoryStore()
	s.Clients["shop"] = &fosite.DefaultClient{
		ID: "shop", RedirectURIs: []string{shopBack}, ResponseTypes: []string{"code"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"},
	}
	return &fosite.Fosite{Store: s, Config: &fosite.Config{
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
	}}
}

func (w *world) stock(params url.Values) error {
	r := httptest.NewRequest("GET", "https://id.example.test/oauth2/authorize?"+params.Encode(), nil)
	_, err := stock().NewAuthorizeRequest(context.Background(), r)
	return err
}

// RFC 6749 §4.1.1 only recommends state; the stock engine demands eight
// characters of it.
func TestStateIsOptional(t *testing.T) {
	for name, state := range map[string]string{"none": "", "one character": "x"} {
		w := newWorld(t)
		if err := w.stock(good("state", state)); !errors.Is(err, fosite.ErrInvalidState) {
			t.Errorf("%s: the stock engine says %v, noted invalid_state: is the rule still needed?", name, err)
		}
		w.consents.covered = true
		_, got := answer(t, w.get(good("state", state), w.signIn("alice", 0)))
		if got.Get("code") != "the-code" || got.Get("state") != state || got.Has("state") != (state != "") {
			t.Errorf("%s: answer %v; want a code and the state as sent", name, got)
		}
	}
}

// RFC 6749 §3.1 a parameter appears once; the stock engine takes the first.
func TestDuplicatesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"scope", "nonce", "code_challenge", "prompt", "max_age"} {
		params := good("state", "long-enough-state", "prompt", "login", "max_age", "1")
		params[name] = []string{params.Get(name), "evil"}
		if err := w.stock(params); err != nil {
			t.Errorf("%s twice: the stock engine says %v, noted as accepted", name, err)
		}
		if _, got := answer(t, w.get(params, browser{})); got.Get("error") != "invalid_request" || got.Get("state") != "long-enough-state" {
			t.Errorf("%s twice: answer %v, want invalid_request", name, got)
		}
	}
}

// The stock engine refuses even response_mode=query when it is asked for.
func TestResponseModeMayBeAskedFor(t *testing.T) {
	w := newWorld(t)
	params := good("state", "long-enough-state", "response_mode", "query")
	if err := w.stock(params); err == nil {
		t.Error("the stock engine accepts it, noted as refused")
	}
	if w.asked(t, params).ResponseMode != "query" {
		t.Error("response_mode=query was not kept")
	}
}
