package token_test

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// The PKCE row is deleted before it is compared, so a wrong verifier followed
// by none is a downgrade.
func TestPKCEWrongVerifierThenNone(t *testing.T) {
	wrong := func(code string) url.Values {
		f := codeForm(code)
		f.Set("code_verifier", strings.Repeat("x", 43))
		return f
	}
	none := func(code string) url.Values {
		f := codeForm(code)
		f.Del("code_verifier")
		return f
	}
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		code := s.code(stockAuthorize())
		s.token(wrong(code))
		got := s.token(none(code))
		red(t, got.status == 200, "PKCE downgrade", got.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		c := k.client(client.Client{
			ID: "lax", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode}, Scopes: []string{"openid"}, PKCEOptional: true,
		})
		code := k.code(c, k.request(c, "openid"))
		k.bad(k.post(c, wrong(code)), 400, "invalid_grant", "matches the challenge")
		k.bad(k.post(c, none(code)), 400, "invalid_grant", "verifier is sent")
		k.good(k.post(c, codeForm(code)))
	})
}

// meeting lets n callers through together: each has read before any writes.
type meeting struct {
	mu   sync.Mutex
	n    int
	open chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{n: n, open: make(chan struct{})} }

func (m *meeting) wait() {
	m.mu.Lock()
	if m.n--; m.n == 0 {
		close(m.open)
	}
	m.mu.Unlock()
	select {
	case <-m.open:
	case <-time.After(10 * time.Second): // a bound, not a wait: the others never came
	}
}

// lateStore meets before a code or a refresh token is spent.
type lateStore struct {
	*storage.MemoryStore
	before *meeting
}

func (s *lateStore) InvalidateAuthorizeCodeSession(ctx context.Context, code string) error {
	s.before.wait()
	return s.MemoryStore.InvalidateAuthorizeCodeSession(ctx, code)
}

func (s *lateStore) RotateRefreshToken(ctx context.Context, id, signature string) error {
	s.before.wait()
	return s.MemoryStore.RotateRefreshToken(ctx, id, signature)
}

// A real store hands out copies; the memory store hands out what it holds.
func copied(q fosite.Requester, err error) (fosite.Requester, error) {
	if r, ok := q.(*fosite.Request); ok {
		c := *r
		c.Session = r.Session.Clone()
		return &c, err
	}
	return q, err
}

func (s *lateStore) GetAuthorizeCodeSession(ctx context.Context, code string, session fosite.Session) (fosite.Requester, error) {
	return copied(s.MemoryStore.GetAuthorizeCodeSession(ctx, code, session))
}

func (s *lateStore) GetOpenIDConnectSession(ctx context.Context, code string, q fosite.Requester) (fosite.Requester, error) {
	return copied(s.MemoryStore.GetOpenIDConnectSession(ctx, code, q))
}

func (s *lateStore) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	return copied(s.MemoryStore.GetRefreshTokenSession(ctx, signature, session))
}

// lateGrants does the same for the real store.
type lateGrants struct {
	grant.Store
	before *meeting
}

func (s *lateGrants) Redeem(ctx context.Context, r grant.Redemption) error {
	s.before.wait()
	return s.Store.Redeem(ctx, r)
}

func (s *lateGrants) Rotate(ctx context.Context, r grant.Rotation) error {
	s.before.wait()
	return s.Store.Rotate(ctx, r)
}

// twice sends the same request from two sides at once.
func twice(send func() reply) (won int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 2 {
		wg.Go(func() {
			r := send()
			mu.Lock()
			defer mu.Unlock()
			if r.status == http.StatusOK {
				won++
			}
		})
	}
	wg.Wait()
	return won
}

func TestTwoRedemptionsThatMeet(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, func(m *storage.MemoryStore) any { return &lateStore{m, newMeeting(2)} })
		// Without PKCE, whose row is deleted on the way and hides the race.
		auth := stockAuthorize()
		auth.Del("code_challenge")
		auth.Del("code_challenge_method")
		form := codeForm(s.code(auth))
		form.Del("code_verifier")
		won := twice(func() reply { return s.token(form) })
		red(t, won == 2, "code double spend", won)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		code := k.code(k.web, k.request(k.web, "openid"))
		k.store.Store = &lateGrants{k.db.Grants, newMeeting(2)}
		if won := twice(func() reply { return k.post(k.web, codeForm(code)) }); won != 1 {
			t.Errorf("%d redemptions won, want 1", won)
		}
	})
}

func TestTwoRotationsThatMeet(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, func(m *storage.MemoryStore) any { return &lateStore{m, newMeeting(2)} })
		first := s.exchangeAlone()
		won := twice(func() reply { return s.token(refreshForm(first.RefreshToken)) })
		red(t, won == 2, "refresh double spend", won)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		first := k.login(k.spa, "openid")
		k.store.Store = &lateGrants{k.db.Grants, newMeeting(2)}
		if won := twice(func() reply { return k.post(k.spa, refreshForm(first.RefreshToken)) }); won != 1 {
			t.Errorf("%d rotations won, want 1", won)
		}
	})
}

// exchangeAlone redeems a code before the store waits for company.
func (s *stockServer) exchangeAlone() reply {
	s.t.Helper()
	code := s.code(stockAuthorize())
	var got reply
	var wg sync.WaitGroup
	late, _ := s.provider.(*fosite.Fosite).Store.(*lateStore)
	wg.Go(func() { got = s.token(codeForm(code)) })
	if late != nil {
		late.before.wait() // the second at the meeting of the exchange
	}
	wg.Wait()
	if late != nil {
		late.before = newMeeting(2)
	}
	if got.RefreshToken == "" {
		s.t.Fatalf("no refresh token: %s", got.raw)
	}
	return got
}

func TestUnknownGrantType(t *testing.T) {
	form := url.Values{"grant_type": {"urn:example:unknown"}}
	t.Run("stock", func(t *testing.T) {
		got := newStock(t, nil, nil).token(form)
		red(t, got.Error != "unsupported_grant_type", "unsupported_grant_type", got.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		k.bad(k.post(k.web, form), 400, "unsupported_grant_type", "RFC 6749 §5.2")
	})
}

func TestChallengeOnEvery401(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		got := newStock(t, nil, nil).send(machineForm().Encode(), "wrong")
		red(t, got.status == 401 && got.header.Get("WWW-Authenticate") == "", "missing WWW-Authenticate", got.header)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		k.secrets["service"] = "wrong"
		got := k.bad(k.post(k.service, machineForm()), 401, "invalid_client", "the secret is the client's")
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("WWW-Authenticate %q", got.header.Get("WWW-Authenticate"))
		}
		if !strings.Contains(got.Text, "(request r") {
			t.Errorf("error_description %q has no request id", got.Text)
		}
	})
}

func TestDuplicateParameters(t *testing.T) {
	body := machineForm("scope", "orders:read").Encode() + "&scope=orders:write"
	t.Run("stock", func(t *testing.T) {
		got := newStock(t, nil, nil).send(body, stockSecret)
		red(t, got.status == 200, "duplicate parameter", got.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		form, _ := url.ParseQuery(body)
		k.bad(k.post(k.service, form), 400, "invalid_request", "appears once")
	})
}

func TestMalformedRefreshTokenIsInvalidGrant(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		first := s.token(codeForm(s.code(stockAuthorize())))
		// The stored half is right, the other half is not.
		broken := "x" + first.RefreshToken[1:]
		if i := strings.LastIndex(first.RefreshToken, "."); i > 0 {
			broken = "AAAA" + first.RefreshToken[i:]
		}
		got := s.token(refreshForm(broken))
		red(t, got.Error == "invalid_request", "malformed refresh token", got.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		k.bad(k.post(k.web, refreshForm("AAAA.BBBB")), 400, "invalid_grant", "")
	})
}

func TestRefreshIgnoresNoScope(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		first := s.token(codeForm(s.code(stockAuthorize())))
		form := refreshForm(first.RefreshToken)
		form.Set("scope", "orders:read")
		got := s.token(form)
		red(t, strings.Contains(got.Scope, "orders:write"), "refresh scope ignored", got.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		form := refreshForm(k.login(k.web, "openid orders:read orders:write").RefreshToken)
		form.Set("scope", "orders:read")
		if got := k.good(k.post(k.web, form)); got.Scope != "orders:read" {
			t.Errorf("scope %q", got.Scope)
		}
	})
}

func TestStaleIatAfterRefresh(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		synctest.Test(t, func(t *testing.T) {
			first := s.token(codeForm(s.code(stockAuthorize())))
			time.Sleep(time.Hour)
			second := s.token(refreshForm(first.RefreshToken))
			a, b := claims(t, first.AccessToken)["iat"], claims(t, second.AccessToken)["iat"]
			red(t, a == b, "stale iat after refresh", b)
		})
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		old := time.Now().Add(-time.Hour)
		token := k.placeRefresh(func(g *grant.Grant) { g.CreatedAt, g.CodeUsedAt = old, old })
		iat := claims(t, k.good(k.post(k.web, refreshForm(token))).AccessToken)["iat"].(float64)
		if time.Unix(int64(iat), 0).Before(time.Now().Add(-time.Minute)) {
			t.Errorf("iat %v is that of the grant", iat)
		}
	})
}

// An ID token that cannot be made must not cost the code: fosite makes it
// after it has spent the code.
func TestFailedIDTokenDoesNotSpendTheCode(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		form := stockAuthorize()
		form.Set("nonce", "short") // refused by its ID token strategy only
		code := s.code(form)
		first := s.token(codeForm(code))
		second := s.token(codeForm(code))
		red(t, first.status != 200 && second.Error == "invalid_grant", "code spent by a failed ID token", first.raw+second.raw)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		d := k.deps
		broken := &brokenKeys{Ring: k.ring}
		d.Keys = broken
		k.build(d)
		code := k.code(k.web, k.request(k.web, "openid orders:read"))
		broken.down = true
		k.bad(k.post(k.web, codeForm(code)), 503, "temporarily_unavailable", "")
		broken.down = false
		k.good(k.post(k.web, codeForm(code)))
	})
}

// brokenKeys cannot sign ID tokens for a while.
type brokenKeys struct {
	*keyring.Ring
	down bool
}

func (b *brokenKeys) Signer(p keyring.Purpose, alg string) (*keyring.Signer, error) {
	if b.down && p == keyring.IDTokens {
		return nil, errDown
	}
	return b.Ring.Signer(p, alg)
}

func TestStateIsOptional(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		form := stockAuthorize()
		form.Del("state")
		_, err := newStock(t, nil, nil).authorize(form)
		red(t, err != nil, "mandatory state", err)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		q := k.request(k.web, "openid")
		q.State = ""
		if k.code(k.web, q) == "" {
			t.Error("no code")
		}
	})
}

func TestLoopbackRedirectKeepsItsScheme(t *testing.T) {
	const registered = "https://127.0.0.1/cb"
	for _, sent := range []string{"http://127.0.0.1:9/cb", "http://mallory@127.0.0.1:9/cb"} {
		_, err := fosite.MatchRedirectURIWithClientRedirectURIs(sent, &fosite.DefaultClient{RedirectURIs: []string{registered}})
		red(t, err == nil, "loopback scheme downgrade", sent)
		c := client.Client{RedirectURIs: []string{registered}}
		if c.MatchRedirect(sent) {
			t.Errorf("%s matches %s", sent, registered)
		}
	}
}

// fosite's stateless validator takes any JWT of its key for an access token.
func TestIDTokenIsNoAccessToken(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, nil, nil)
		first := s.token(codeForm(s.code(stockAuthorize())))
		_, _, err := s.provider.IntrospectToken(t.Context(), first.IDToken, fosite.AccessToken, newStockSession())
		red(t, err == nil, "ID token taken for an access token", err)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		first := k.login(k.web, "openid orders:read")
		for name, token := range map[string]string{
			"an ID token": first.IDToken, "a refresh token": first.RefreshToken, "a code": k.code(k.web, k.request(k.web, "openid")),
			"an unsigned copy": unsigned(first.AccessToken), "another signature": first.AccessToken[:len(first.AccessToken)-8] + "AAAAAAAA",
			"empty": "", "three dots": "a.b.c", "JSON serialization": `{"payload":"","signatures":[]}`,
		} {
			if found, err := k.tokens.Inspect(t.Context(), token); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: %+v, %v; want invalid_token", name, found, err)
			}
		}
	})
}

func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
}

func TestHashOfAnEdDSAIDToken(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, stockEdDSA(t), nil)
		first := s.token(codeForm(s.code(stockAuthorize())))
		got := claims(t, first.IDToken)["at_hash"]
		red(t, got != half512(first.AccessToken), "at_hash for EdDSA", got)
	})
	t.Run("portico", func(t *testing.T) {
		k := newKit(t)
		c := k.client(client.Client{
			ID: "ed", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode}, Scopes: []string{"openid"}, IDTokenAlg: "EdDSA",
		})
		got := k.good(k.post(c, codeForm(k.code(c, k.request(c, "openid")))))
		if h := jwtHeader(t, got.IDToken); h["alg"] != "EdDSA" {
			t.Fatalf("header %v", h)
		}
		if have, want := claims(t, got.IDToken)["at_hash"], half512(got.AccessToken); have != want {
			t.Errorf("at_hash %v, want %v", have, want)
		}
	})
}

func TestHashOfAnES384IDToken(t *testing.T) {
	t.Run("stock", func(t *testing.T) {
		s := newStock(t, stockES384(t), nil)
		first := s.token(codeForm(s.code(stockAuthorize())))
		got := claims(t, first.IDToken)["at_hash"]
		red(t, got != half384(first.AccessToken), "at_hash for ES384", got)
	})
	t.Run("portico", func(t *testing.T) {
		got, err := oauth.TokenHash("ES384", "a.b.c")
		if err != nil || got != half384("a.b.c") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func half512(token string) string {
	sum := sha512.Sum512([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:32])
}

func half384(token string) string {
	sum := sha512.Sum384([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// fosite's Config fills its fields on first use without a lock.
func TestConfigurationNeverChanges(t *testing.T) {
	c := &fosite.Config{}
	c.GetScopeStrategy(t.Context())
	c.GetAudienceStrategy(t.Context())
	red(t, !reflect.ValueOf(c.ScopeStrategy).IsNil() && !reflect.ValueOf(c.AudienceMatchingStrategy).IsNil(), "configuration filled on use", c)
}
