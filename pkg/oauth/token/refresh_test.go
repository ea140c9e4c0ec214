package token_test

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
)

// login returns the answer of a fresh exchange.
func (k *kit) login(c *client.Client, scopes string, resources ...string) reply {
	k.t.Helper()
	return k.good(k.post(c, codeForm(k.code(c, k.request(c, scopes, resources...)))))
}

func TestRefresh(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read orders:write")
	got := k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	if got.RefreshToken == "" || got.RefreshToken == first.RefreshToken || got.Scope != first.Scope || got.IDToken == "" {
		t.Errorf("answer %s", got.raw)
	}
	a, b := claims(t, first.AccessToken), claims(t, got.AccessToken)
	for _, name := range []string{"sub", "client_id", "scope", "sid", "gid", "auth_time", "acr"} {
		if a[name] != b[name] {
			t.Errorf("%s changed from %v to %v", name, a[name], b[name])
		}
	}
	id := claims(t, got.IDToken)
	if _, has := id["nonce"]; has {
		t.Error("OIDC Core §12.2 the refreshed ID token carries a nonce")
	}
	if id["auth_time"] != claims(t, first.IDToken)["auth_time"] {
		t.Error("OIDC Core §12.2 auth_time changed")
	}
	k.stands(first.AccessToken, true) // rotation ends refresh tokens only
	k.stands(got.AccessToken, true)
}

func TestRefreshIsTwoStatements(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	k.sql.reset()
	k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	if ops := k.sql.list(); !slices.Equal(ops, []string{"grants.standing", "grants.rotate"}) {
		t.Errorf("a refresh ran %v, want two statements", ops)
	}
}

func TestIatAndJtiAreFreshAfterRefresh(t *testing.T) {
	k := newKit(t)
	// The first exchange happened a minute ago.
	token := k.placeRefresh(func(*grant.Grant) {})
	one := claims(t, k.good(k.post(k.web, refreshForm(token))).AccessToken)
	now := time.Now().Unix()
	if iat := int64(one["iat"].(float64)); iat < now-5 || iat > now {
		t.Errorf("iat %d is not now (%d)", iat, now)
	}
	two := claims(t, k.login(k.web, "openid").AccessToken)
	if one["jti"] == two["jti"] {
		t.Error("two tokens share a jti")
	}
}

// placeRefresh writes a grant with a live refresh token as it may stand in the
// store, and returns the token.
func (k *kit) placeRefresh(change func(*grant.Grant)) string {
	k.t.Helper()
	now := time.Now()
	g := grant.Grant{
		ID: newID(), ClientID: "web", UserID: "alice", SessionID: "session-1",
		Scopes: []string{"openid", "orders:read"}, Audiences: []string{orders, issuer},
		AuthTime: now.Add(-time.Hour), ACR: "1", CreatedAt: now.Add(-time.Minute), CodeUsedAt: now.Add(-time.Minute),
		RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(2 * time.Hour),
	}
	token, hash, err := k.grants.NewRefresh(g.ID, 0)
	k.must(err)
	g.RefreshHash = hash
	change(&g)
	k.must(k.db.Grants.Create(context.Background(), g))
	return token
}

func TestRefusedRefreshBurnsNothing(t *testing.T) {
	k := newKit(t)
	other := k.client(client.Client{
		ID: "other", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken}, Scopes: []string{"openid"},
	})
	tests := map[string]struct {
		client *client.Client
		change func(url.Values)
		code   string
		rule   string
	}{
		"RFC 6749 §6 another client":         {other, nil, "invalid_grant", "issued to this client"},
		"RFC 6749 §6 a public client":        {k.spa, nil, "invalid_grant", "issued to this client"},
		"RFC 6749 §6 a wider scope":          {k.web, func(f url.Values) { f.Set("scope", "openid orders:write") }, "invalid_scope", "no more than was granted"},
		"RFC 6749 §6 an unknown scope":       {k.web, func(f url.Values) { f.Set("scope", "openid orders:fly") }, "invalid_scope", "no more than was granted"},
		"RFC 8707 §2.2 another resource":     {k.web, func(f url.Values) { f.Set("resource", stock) }, "invalid_target", "was granted"},
		"RFC 6749 §3.2 the token twice":      {k.web, func(f url.Values) { f.Add("refresh_token", f.Get("refresh_token")) }, "invalid_request", "appears once"},
		"RFC 6749 §5.2 a client without it":  {k.service, nil, "unauthorized_client", "registered for the client"},
		"RFC 6749 §6 the scope in uppercase": {k.web, func(f url.Values) { f.Set("scope", "OPENID") }, "invalid_scope", "no more than was granted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			first := k.login(k.web, "openid orders:read")
			form := refreshForm(first.RefreshToken)
			if tt.change != nil {
				tt.change(form)
			}
			k.bad(k.post(tt.client, form), 400, tt.code, tt.rule)
			k.good(k.post(k.web, refreshForm(first.RefreshToken)))
		})
	}
}

func TestUnusableRefreshTokens(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid")
	rt := first.RefreshToken
	foreign, _, err := grantsOf(k, "another key").NewRefresh(newID(), 0)
	k.must(err)
	unknown, _, err := k.grants.NewRefresh(newID(), 0)
	k.must(err)
	for name, token := range map[string]string{
		"garbage": "abc", "an access token": first.AccessToken, "a code": "ptac" + rt[4:], "a cut": rt[:40],
		"a flipped end": rt[:len(rt)-1] + flip(rt[len(rt)-1]), "a flipped middle": rt[:60] + flip(rt[60]) + rt[61:],
		"made elsewhere": foreign, "of a grant that is gone": unknown, "a blank after": rt + " ", "two dots": "a.b.c",
	} {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			k.bad(k.post(k.web, refreshForm(token)), 400, "invalid_grant", "RFC 6749 §5.2")
		})
	}
	k.bad(k.post(k.web, url.Values{"grant_type": {"refresh_token"}}), 400, "invalid_request", "required parameters")
	k.good(k.post(k.web, refreshForm(rt))) // nothing of that ended the family
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

func TestRefreshLooksAgain(t *testing.T) {
	k := newKit(t)
	now := time.Now()
	k.session("ended", now)
	_, err := k.db.Sessions.End(t.Context(), "ended", "test", now)
	k.must(err)
	strict := k.client(client.Client{
		ID: "unknown-to-alice", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken}, Scopes: []string{"openid"},
	})
	own := k.client(client.Client{
		ID: "first-party", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken}, Scopes: []string{"openid"}, SkipConsent: true,
	})
	tests := map[string]struct {
		client *client.Client
		change func(*grant.Grant)
		rule   string // empty: it must work
	}{
		"everything stands":                {k.web, func(*grant.Grant) {}, ""},
		"idle too long":                    {k.web, func(g *grant.Grant) { g.RefreshIdleExpiresAt = now.Add(-time.Second) }, "has not expired"},
		"absolutely over":                  {k.web, func(g *grant.Grant) { g.RefreshExpiresAt = now.Add(-time.Second) }, "has not expired"},
		"the grant ended":                  {k.web, func(g *grant.Grant) { g.RevokedAt, g.Reason = now, "test" }, "the grant stands"},
		"the person is gone":               {k.web, func(g *grant.Grant) { g.UserID = "nobody" }, "person is active"},
		"the session ended":                {k.web, func(g *grant.Grant) { g.SessionID = "ended" }, "session lives"},
		"the session is unknown":           {k.web, func(g *grant.Grant) { g.SessionID = "never" }, "session lives"},
		"the session ended, offline":       {k.web, func(g *grant.Grant) { g.SessionID, g.Offline = "ended", true }, ""},
		"no consent":                       {strict, func(g *grant.Grant) { g.ClientID = strict.ID }, "consent stands"},
		"no consent needed":                {own, func(g *grant.Grant) { g.ClientID = own.ID }, ""},
		"a scope above the ceiling goes":   {k.web, func(g *grant.Grant) { g.Scopes = []string{"openid", "address"} }, ""},
		"bound to a key that is not shown": {k.web, func(g *grant.Grant) { g.DPoPKey = "jkt" }, "RFC 9449"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			r := k.post(tt.client, refreshForm(k.placeRefresh(tt.change)))
			if tt.rule == "" {
				k.good(r)
				return
			}
			k.bad(r, 400, "invalid_grant", tt.rule)
		})
	}
}

func TestRefreshFollowsConsentAndCeiling(t *testing.T) {
	k := newKit(t)
	ctx := t.Context()
	t.Run("a consent withdrawn and given again for less", func(t *testing.T) {
		k := k.in(t)
		first := k.login(k.web, "openid orders:read")
		k.must(k.db.Consents.Withdraw(ctx, "alice", "web"))
		k.must(k.db.Consents.Allow(ctx, consentOf("web", "openid")))
		k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "consent covers")
		form := refreshForm(first.RefreshToken)
		form.Set("scope", "openid")
		k.good(k.post(k.web, form))
		k.must(k.db.Consents.Allow(ctx, consentOf("web", "orders:read", "orders:write")))
	})
	t.Run("a ceiling that was lowered", func(t *testing.T) {
		k := k.in(t)
		first := k.login(k.web, "openid orders:read orders:write")
		c := *k.web
		c.Scopes = []string{"openid", "orders:read"}
		_, err := k.clients.Update(ctx, c)
		k.must(err)
		got := k.good(k.post(k.web, refreshForm(first.RefreshToken)))
		if got.Scope != "openid orders:read" || claims(t, got.AccessToken)["scope"] != "openid orders:read" {
			t.Errorf("scope %q after the client lost orders:write", got.Scope)
		}
		form := refreshForm(got.RefreshToken)
		form.Set("scope", "orders:write")
		k.bad(k.post(k.web, form), 400, "invalid_scope", "ceiling")
	})
	t.Run("a client that was disabled", func(t *testing.T) {
		k := k.in(t)
		first := k.login(k.spa, "openid")
		k.must(k.clients.Disable(ctx, "spa"))
		k.bad(k.post(k.spa, refreshForm(first.RefreshToken)), 401, "invalid_client", "enabled")
		k.stands(first.AccessToken, false)
	})
}

func TestRefreshNarrowsScopeAndResource(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read orders:write stock:read", orders, stock)
	form := refreshForm(first.RefreshToken)
	form.Set("scope", "orders:read")
	form.Set("resource", orders)
	narrow := k.good(k.post(k.web, form))
	at := claims(t, narrow.AccessToken)
	if at["scope"] != "orders:read" || at["aud"] != orders || narrow.Scope != "orders:read" || narrow.IDToken != "" {
		t.Errorf("claims %v, answer %s", at, narrow.raw)
	}
	// RFC 6749 §6: the next refresh token still stands for all.
	wide := k.good(k.post(k.web, refreshForm(narrow.RefreshToken)))
	if wide.Scope != first.Scope {
		t.Errorf("scope %q, want %q again", wide.Scope, first.Scope)
	}
}

func TestReuseEndsTheFamily(t *testing.T) {
	k := newKit(t)
	first := k.login(k.spa, "openid orders:read")
	second := k.good(k.post(k.spa, refreshForm(first.RefreshToken)))
	// Somebody else with the old token ends nothing.
	k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "issued to this client")
	k.stands(second.AccessToken, true)
	k.bad(k.post(k.spa, refreshForm(first.RefreshToken)), 400, "invalid_grant", "used once")
	for _, at := range []string{first.AccessToken, second.AccessToken} {
		k.stands(at, false)
	}
	k.bad(k.post(k.spa, refreshForm(second.RefreshToken)), 400, "invalid_grant", "the grant stands")
	if k.events.count("refresh.reused") != 1 || k.events.count("grant.revoked") != 1 {
		t.Error("the reuse left no audit event")
	}
}

func TestOldGenerationsAreKnownWithoutBeingStored(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid")
	token := first.RefreshToken
	for range 4 {
		token = k.good(k.post(k.web, refreshForm(token))).RefreshToken
	}
	k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "used once")
	k.bad(k.post(k.web, refreshForm(token)), 400, "invalid_grant", "the grant stands")
}

func TestRetryGetsTheSameAnswer(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	form := refreshForm(first.RefreshToken)
	form.Set("scope", "openid")
	one := k.good(k.post(k.web, form))
	two := k.good(k.post(k.web, form))
	if one.raw != two.raw {
		t.Errorf("a retry got %s, want %s", two.raw, one.raw)
	}
	k.good(k.post(k.web, refreshForm(two.RefreshToken)))
	row, err := k.db.Grants.ByID(t.Context(), claims(t, one.AccessToken)["gid"].(string))
	k.must(err)
	if len(row.RetryAnswer) == 0 || slices.Contains([]string{one.raw, one.RefreshToken}, string(row.RetryAnswer)) {
		t.Error("the answer is not kept sealed")
	}
}

func TestRetryIsTheSameRequestOrReuse(t *testing.T) {
	k := newKit(t)
	for name, change := range map[string]func(url.Values){
		"another scope":    func(f url.Values) { f.Set("scope", "openid") },
		"another resource": func(f url.Values) { f.Set("resource", orders) },
	} {
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			first := k.login(k.web, "openid orders:read")
			second := k.good(k.post(k.web, refreshForm(first.RefreshToken)))
			form := refreshForm(first.RefreshToken)
			change(form)
			k.bad(k.post(k.web, form), 400, "invalid_grant", "used once")
			k.stands(second.AccessToken, false)
		})
	}
}

func TestRetryAfterRevocationGetsNothing(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	second := k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	gid := claims(t, second.AccessToken)["gid"].(string)
	t.Run("by its row", func(t *testing.T) {
		k := k.in(t)
		k.must(k.grants.Revoke(t.Context(), gid, "test"))
		k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "the grant stands")
	})
	t.Run("by its session", func(t *testing.T) {
		k := k.in(t)
		first := k.login(k.web, "openid")
		k.good(k.post(k.web, refreshForm(first.RefreshToken)))
		k.must(k.rev.Revoke(t.Context(), func(context.Context) ([]revocation.Entry, error) {
			now := time.Now().Add(time.Second)
			return []revocation.Entry{{Kind: revocation.Session, ID: "session-1", NotBefore: now, ExpiresAt: now.Add(time.Hour)}}, nil
		}))
		k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "was not revoked")
	})
}

func TestRetryWindowEnds(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid")
	d := k.deps
	d.Lifetimes = oauth.Lifetimes{Retry: time.Nanosecond}
	k.build(d)
	k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	k.bad(k.post(k.web, refreshForm(first.RefreshToken)), 400, "invalid_grant", "used once")
}

func TestPublicClientHasNoRetryWindow(t *testing.T) {
	k := newKit(t)
	first := k.login(k.spa, "openid")
	second := k.good(k.post(k.spa, refreshForm(first.RefreshToken)))
	k.bad(k.post(k.spa, refreshForm(first.RefreshToken)), 400, "invalid_grant", "used once")
	k.stands(second.AccessToken, false)
}

func TestFiftyRacingRefreshesYieldOneSuccessor(t *testing.T) {
	k := newKit(t)
	t.Run("with authentication all get the same answer", func(t *testing.T) {
		k := k.in(t)
		answers := k.race(k.web, k.login(k.web, "openid orders:read").RefreshToken)
		if len(answers) != 1 {
			t.Fatalf("%d different answers, want 1", len(answers))
		}
		for _, r := range answers {
			k.good(k.post(k.web, refreshForm(r.RefreshToken)))
		}
	})
	t.Run("without it one wins and the family ends", func(t *testing.T) {
		k := k.in(t)
		answers := k.race(k.spa, k.login(k.spa, "openid orders:read").RefreshToken)
		if len(answers) != 1 {
			t.Fatalf("%d different answers, want 1", len(answers))
		}
		for _, r := range answers {
			k.stands(r.AccessToken, false)
			k.bad(k.post(k.spa, refreshForm(r.RefreshToken)), 400, "invalid_grant", "the grant stands")
		}
	})
}

// race refreshes fifty times at once and returns the different good answers.
func (k *kit) race(c *client.Client, token string) map[string]reply {
	k.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won atomic.Int32
	answers := map[string]reply{}
	for range 50 {
		wg.Go(func() {
			r := k.post(c, refreshForm(token))
			switch {
			case r.status == 200:
				won.Add(1)
				mu.Lock()
				answers[r.raw] = r
				mu.Unlock()
			case r.status != 400 || r.Error != "invalid_grant":
				k.t.Errorf("a loser got %d %s", r.status, r.raw)
			}
		})
	}
	wg.Wait()
	if !c.Public() && won.Load() != 50 {
		k.t.Errorf("%d of 50 got the answer", won.Load())
	}
	return answers
}

func TestAbsoluteLifetimeIsNotExtended(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid")
	gid := claims(t, first.AccessToken)["gid"].(string)
	before, err := k.db.Grants.ByID(t.Context(), gid)
	k.must(err)
	k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	after, err := k.db.Grants.ByID(t.Context(), gid)
	k.must(err)
	if !after.RefreshExpiresAt.Equal(before.RefreshExpiresAt) {
		t.Errorf("the absolute limit moved from %v to %v", before.RefreshExpiresAt, after.RefreshExpiresAt)
	}
	if got := before.RefreshExpiresAt.Sub(before.CodeUsedAt); got != 30*24*time.Hour {
		t.Errorf("absolute life %v", got)
	}
	if got := before.RefreshIdleExpiresAt.Sub(before.CodeUsedAt); got != 7*24*time.Hour {
		t.Errorf("idle life %v", got)
	}
	// Near its end, the idle limit does not pass the absolute one.
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	token := k.placeRefresh(func(g *grant.Grant) { g.RefreshIdleExpiresAt, g.RefreshExpiresAt = end, end })
	late := k.good(k.post(k.web, refreshForm(token)))
	row, err := k.db.Grants.ByID(t.Context(), claims(t, late.AccessToken)["gid"].(string))
	k.must(err)
	if row.RefreshIdleExpiresAt.After(end) {
		t.Errorf("idle limit %v is after the absolute one %v", row.RefreshIdleExpiresAt, end)
	}
}

func TestInspectRefresh(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	found, err := k.tokens.InspectRefresh(t.Context(), first.RefreshToken)
	if err != nil || found.Use != oauth.UseRefresh || found.ClientID != "web" || found.UserID != "alice" {
		t.Fatalf("inspection %+v, %v", found, err)
	}
	second := k.good(k.post(k.web, refreshForm(first.RefreshToken)))
	for name, token := range map[string]string{"rotated away": first.RefreshToken, "an access token": first.AccessToken, "garbage": "x"} {
		if found, err := k.tokens.InspectRefresh(t.Context(), token); err == nil {
			t.Errorf("%s: %+v", name, found)
		}
	}
	if _, err := k.tokens.InspectRefresh(t.Context(), second.RefreshToken); err != nil {
		t.Errorf("looking at an old token ended the family: %v", err)
	}
	for name, token := range map[string]string{
		"idle too long":      k.placeRefresh(func(g *grant.Grant) { g.RefreshIdleExpiresAt = time.Now().Add(-time.Second) }),
		"the person is gone": k.placeRefresh(func(g *grant.Grant) { g.UserID = "nobody" }),
		"no session":         k.placeRefresh(func(g *grant.Grant) { g.SessionID = "never" }),
	} {
		if found, err := k.tokens.InspectRefresh(t.Context(), token); err == nil {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
