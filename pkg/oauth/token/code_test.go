package token_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
)

func TestCodeExchange(t *testing.T) {
	k := newKit(t)
	code := k.code(k.web, k.request(k.web, "openid profile orders:read offline_access"))
	got := k.good(k.post(k.web, codeForm(code)))
	if got.RefreshToken == "" || got.IDToken == "" || got.Scope != "openid profile orders:read offline_access" || got.ExpiresIn != 900 {
		t.Errorf("answer %s", got.raw)
	}
	at := claims(t, got.AccessToken)
	for name, want := range map[string]any{"iss": issuer, "sub": "alice", "client_id": "web", "sid": "session-1", "acr": "1"} {
		if at[name] != want {
			t.Errorf("access token: %s is %v, want %v", name, at[name], want)
		}
	}
	if aud := at["aud"].([]any); len(aud) != 2 || aud[0] != orders || aud[1] != issuer {
		t.Errorf("access token: aud %v", aud)
	}
	for _, name := range []string{"email", "name", "roles", "nbf", "nonce"} {
		if _, has := at[name]; has {
			t.Errorf("the access token carries %s", name)
		}
	}
	id := claims(t, got.IDToken)
	for name, want := range map[string]any{"iss": issuer, "sub": "alice", "aud": "web", "nonce": "n-0S6_WzA2Mj", "sid": "session-1", "acr": "1"} {
		if id[name] != want {
			t.Errorf("ID token: %s is %v, want %v", name, id[name], want)
		}
	}
	if amr := id["amr"].([]any); len(amr) != 1 || amr[0] != "pwd" {
		t.Errorf("ID token: amr %v", amr)
	}
	if _, has := id["email"]; has {
		t.Error("the ID token carries e-mail that nobody asked into it")
	}
	found, err := k.tokens.Inspect(t.Context(), got.AccessToken)
	if err != nil || found.UserID != "alice" || found.GrantID == "" || found.AuthTime.IsZero() {
		t.Errorf("inspection %+v, %v", found, err)
	}
	if k.events.count("code.issued") != 1 || k.events.count("token.issued") != 1 {
		t.Error("the audit misses an event")
	}
}

func TestCodeExchangeIsTwoStatements(t *testing.T) {
	k := newKit(t)
	q := k.request(k.web, "openid orders:read")
	k.good(k.post(k.web, codeForm(k.code(k.web, q)))) // warm
	k.sql.reset()
	code := k.code(k.web, q)
	if ops := k.sql.list(); !slices.Equal(ops, []string{"grants.create"}) {
		t.Errorf("issuing ran %v, want one statement", ops)
	}
	k.sql.reset()
	k.good(k.post(k.web, codeForm(code)))
	if ops := k.sql.list(); !slices.Equal(ops, []string{"grants.by_code", "grants.redeem"}) {
		t.Errorf("redeeming ran %v, want two statements", ops)
	}
}

// Each refusal must leave the code as it was: the honest exchange afterwards
// succeeds.
func TestRefusedExchangeSpendsNothing(t *testing.T) {
	k := newKit(t)
	other := k.client(client.Client{ID: "other", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode}, Scopes: []string{"openid"}})
	with := func(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
	without := func(name string) func(url.Values) { return func(f url.Values) { f.Del(name) } }
	tests := map[string]struct {
		client *client.Client
		change func(url.Values)
		code   string
		rule   string
	}{
		"RFC 6749 §4.1.3 another client":             {other, nil, "invalid_grant", "issued to this client"},
		"RFC 6749 §4.1.3 a public client":            {k.spa, nil, "invalid_grant", "issued to this client"},
		"RFC 6749 §4.1.3 another redirect_uri":       {k.web, with("redirect_uri", callback+"/"), "invalid_grant", "redirect_uri"},
		"RFC 6749 §4.1.3 no redirect_uri":            {k.web, without("redirect_uri"), "invalid_grant", "redirect_uri"},
		"RFC 6749 §4.1.3 empty redirect_uri":         {k.web, with("redirect_uri", ""), "invalid_grant", "redirect_uri"},
		"RFC 6749 §4.1.3 redirect_uri in upper case": {k.web, with("redirect_uri", strings.ToUpper(callback)), "invalid_grant", "redirect_uri"},
		"RFC 7636 §4.6 a wrong verifier":             {k.web, with("code_verifier", strings.Repeat("a", 43)), "invalid_grant", "matches the challenge"},
		"RFC 7636 §4.5 no verifier":                  {k.web, without("code_verifier"), "invalid_grant", "verifier is sent"},
		"RFC 7636 §4.5 an empty verifier":            {k.web, with("code_verifier", ""), "invalid_grant", "verifier is sent"},
		"RFC 7636 §4.1 42 characters":                {k.web, with("code_verifier", strings.Repeat("a", 42)), "invalid_grant", "43 to 128"},
		"RFC 7636 §4.1 129 characters":               {k.web, with("code_verifier", strings.Repeat("a", 129)), "invalid_grant", "43 to 128"},
		"RFC 7636 §4.1 another alphabet":             {k.web, with("code_verifier", strings.Repeat("a", 42)+"+"), "invalid_grant", "43 to 128"},
		"RFC 7636 §4.6 the challenge as verifier":    {k.web, with("code_verifier", challenge), "invalid_grant", "matches the challenge"},
		"RFC 8707 §2.2 a resource not granted":       {k.web, with("resource", stock), "invalid_target", "was granted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			code := k.code(k.web, k.request(k.web, "openid orders:read"))
			form := codeForm(code)
			if tt.change != nil {
				tt.change(form)
			}
			k.bad(k.post(tt.client, form), 400, tt.code, tt.rule)
			k.good(k.post(k.web, codeForm(code)))
		})
	}
}

func TestUnusableCodes(t *testing.T) {
	k := newKit(t)
	code := k.code(k.web, k.request(k.web, "openid"))
	access := k.good(k.post(k.service, machineForm())).AccessToken
	for name, c := range map[string]string{
		"garbage": "abc", "another kind": access, "a flipped checksum": code[:len(code)-1] + "_", "a cut": code[:20],
		"a blank before": " " + code, "a refresh token's prefix": "ptrt" + code[4:], "long": strings.Repeat("a", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			k.bad(k.post(k.web, codeForm(c)), 400, "invalid_grant", "RFC 6749 §5.2")
		})
	}
	t.Run("RFC 6749 §4.1.3 no code", func(t *testing.T) {
		k := k.in(t)
		k.bad(k.post(k.web, url.Values{"grant_type": {"authorization_code"}}), 400, "invalid_request", "required parameters")
	})
	k.good(k.post(k.web, codeForm(code)))
}

// place writes a grant as it may stand in the store and returns its code.
func (k *kit) place(change func(*grant.Grant)) string {
	k.t.Helper()
	code, hash := k.grants.NewCode()
	now := time.Now()
	g := grant.Grant{
		ID: newID(), ClientID: "web", UserID: "alice", SessionID: "session-1", Scopes: []string{"openid"}, Audiences: []string{issuer},
		CodeHash: hash, CodeExpiresAt: now.Add(time.Minute), RedirectURI: callback, Challenge: challenge,
		AuthTime: now, ACR: "1", CreatedAt: now,
	}
	change(&g)
	k.must(k.db.Grants.Create(context.Background(), g))
	return code
}

func TestCodesThatStandNoMore(t *testing.T) {
	k := newKit(t)
	now := time.Now()
	k.session("session-2", now)
	k.must(k.rev.Revoke(t.Context(), func(context.Context) ([]revocation.Entry, error) {
		return []revocation.Entry{{Kind: revocation.Session, ID: "session-2", NotBefore: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour)}}, nil
	}))
	tests := map[string]struct {
		change func(*grant.Grant)
		rule   string
	}{
		"RFC 6749 §4.1.2 expired":                 {func(g *grant.Grant) { g.CodeExpiresAt = now.Add(-time.Second) }, "has not expired"},
		"RFC 6749 §4.1.2 expired at this instant": {func(g *grant.Grant) { g.CodeExpiresAt = now }, "has not expired"},
		"revoked":                     {func(g *grant.Grant) { g.RevokedAt, g.Reason = now, "test" }, "grant behind the code"},
		"the session ended":           {func(g *grant.Grant) { g.SessionID = "session-2" }, "grant behind the code"},
		"RFC 9449 §10 bound to a key": {func(g *grant.Grant) { g.DPoPKey = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }, "key is the one"},
		"RFC 9700 §4.8.2 a verifier without a challenge": {func(g *grant.Grant) { g.Challenge = "" }, "no verifier without"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			k.bad(k.post(k.web, codeForm(k.place(tt.change))), 400, "invalid_grant", tt.rule)
		})
	}
	t.Run("RFC 9700 §2.1.1 no challenge at all from a client that must use PKCE", func(t *testing.T) {
		k := k.in(t)
		form := codeForm(k.place(func(g *grant.Grant) { g.Challenge = "" }))
		form.Del("code_verifier")
		k.bad(k.post(k.web, form), 400, "invalid_grant", "the client uses PKCE")
	})
	t.Run("a live session besides", func(t *testing.T) {
		k := k.in(t)
		k.good(k.post(k.web, codeForm(k.place(func(*grant.Grant) {}))))
	})
}

func TestConfidentialClientMayGoWithoutPKCE(t *testing.T) {
	k := newKit(t)
	c := k.client(client.Client{
		ID: "old", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode},
		Scopes: []string{"openid"}, PKCEOptional: true,
	})
	q := k.request(c, "openid")
	q.Challenge, q.Nonce, q.RedirectURISent = "", "", false
	form := codeForm(k.code(c, q))
	form.Del("code_verifier")
	form.Del("redirect_uri")
	got := k.good(k.post(c, form))
	if _, has := claims(t, got.IDToken)["nonce"]; has || got.RefreshToken != "" {
		t.Errorf("answer %s", got.raw)
	}
	t.Run("RFC 6749 §4.1.3 a redirect_uri that is not the client's", func(t *testing.T) {
		k := k.in(t)
		form := codeForm(k.code(c, q))
		form.Del("code_verifier")
		form.Set("redirect_uri", "https://evil.example.test/cb")
		k.bad(k.post(c, form), 400, "invalid_grant", "redirect_uri")
	})
}

func TestSecondUseOfACodeEndsWhatItGave(t *testing.T) {
	k := newKit(t)
	code := k.code(k.web, k.request(k.web, "openid orders:read"))
	first := k.good(k.post(k.web, codeForm(code)))
	k.stands(first.AccessToken, true)
	// Somebody else with the spent code ends nothing.
	k.bad(k.post(k.spa, codeForm(code)), 400, "invalid_grant", "issued to this client")
	k.stands(first.AccessToken, true)
	k.bad(k.post(k.web, codeForm(code)), 400, "invalid_grant", "RFC 6749 §4.1.2 the code is used once")
	k.stands(first.AccessToken, false)
	k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "the grant stands")
	if k.events.count("code.reused") != 1 {
		t.Error("the reuse left no audit event")
	}
}

func TestFiftyRacingRedemptionsYieldOneWinner(t *testing.T) {
	k := newKit(t)
	code := k.code(k.web, k.request(k.web, "openid orders:read"))
	var wg sync.WaitGroup
	var won atomic.Int32
	var access atomic.Value
	for range 50 {
		wg.Go(func() {
			r := k.post(k.web, codeForm(code))
			switch {
			case r.status == 200:
				won.Add(1)
				access.Store(r.AccessToken)
			case r.status != 400 || r.Error != "invalid_grant":
				t.Errorf("a loser got %d %s", r.status, r.raw)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d redemptions won, want 1", won.Load())
	}
	k.stands(access.Load().(string), false) // RFC 6749 §4.1.2
}

func TestIssueCodeIsTheLastLook(t *testing.T) {
	k := newKit(t)
	good := k.request(k.web, "openid")
	tests := map[string]func(c *client.Client, q *flow.Request, w *oauth.Who){
		"a disabled client":                 func(c *client.Client, _ *flow.Request, _ *oauth.Who) { c.Disabled = true },
		"a client without the grant":        func(c *client.Client, _ *flow.Request, _ *oauth.Who) { c.GrantTypes = []string{"client_credentials"} },
		"another client's request":          func(_ *client.Client, q *flow.Request, _ *oauth.Who) { q.ClientID = "spa" },
		"an unregistered redirect URI":      func(_ *client.Client, q *flow.Request, _ *oauth.Who) { q.RedirectURI = "https://evil.example.test" },
		"RFC 9700 §2.1.1 no challenge":      func(_ *client.Client, q *flow.Request, _ *oauth.Who) { q.Challenge = "" },
		"RFC 7636 §4.2 a plain challenge":   func(_ *client.Client, q *flow.Request, _ *oauth.Who) { q.Challenge = verifier + "+" },
		"RFC 7636 §4.2 44 characters":       func(_ *client.Client, q *flow.Request, _ *oauth.Who) { q.Challenge = challenge + "A" },
		"nobody":                            func(_ *client.Client, _ *flow.Request, w *oauth.Who) { w.UserID = "" },
		"no session":                        func(_ *client.Client, _ *flow.Request, w *oauth.Who) { w.SessionID = "" },
		"nobody knows when they signed in":  func(_ *client.Client, _ *flow.Request, w *oauth.Who) { w.AuthTime = time.Time{} },
		"a response type that is not known": func(c *client.Client, _ *flow.Request, _ *oauth.Who) { c.ResponseTypes = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c, q, w := *k.web, *good, who()
			change(&c, &q, &w)
			if v, err := k.oauth.IssueCode(t.Context(), &c, &q, w); err == nil {
				t.Errorf("issued %v", v)
			}
		})
	}
}

func TestNativeRedirectsReachTheCode(t *testing.T) {
	k := newKit(t)
	c := k.client(client.Client{
		ID: "native", AuthMethod: protocol.AuthNone, ApplicationType: client.Native, Scopes: []string{"openid"},
		RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb", "http://[::1]/cb"},
		GrantTypes:   []string{protocol.GrantAuthorizationCode},
	})
	for _, uri := range []string{"http://127.0.0.1:49152/cb", "com.example.app:/cb", "http://[::1]:9/cb"} {
		q := k.request(c, "openid")
		q.RedirectURI = uri
		form := codeForm(k.code(c, q))
		form.Set("redirect_uri", uri)
		k.good(k.post(c, form))
	}
}

func TestResourceNarrowsAnExchange(t *testing.T) {
	k := newKit(t)
	q := k.request(k.web, "openid orders:read stock:read", orders, stock)
	form := codeForm(k.code(k.web, q))
	form.Set("resource", orders)
	got := k.good(k.post(k.web, form))
	at := claims(t, got.AccessToken)
	if at["scope"] != "openid orders:read" || got.Scope != "openid orders:read" {
		t.Errorf("scope %v: a token for one API says what may be done at another", at["scope"])
	}
	if aud := at["aud"].([]any); slices.Contains(aud, any(stock)) {
		t.Errorf("aud %v", aud)
	}
	// The refresh token still stands for all that was granted.
	form = refreshForm(got.RefreshToken)
	form.Set("resource", stock)
	again := k.good(k.post(k.web, form))
	found, err := k.tokens.Inspect(t.Context(), again.AccessToken)
	if err != nil || !found.Opaque || !slices.Equal(found.Scopes, []string{"openid", "stock:read"}) {
		t.Errorf("inspection %+v, %v", found, err)
	}
}
