package oauth

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"

	"github.com/portico-id/portico/pkg/client"
)

func TestTokenHash(t *testing.T) {
	// The access token and at_hash of OIDC Core appendix A.3.
	const example = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	tests := map[string]struct {
		alg, token, want string
		chars            int
	}{
		"OIDC Core A.3 RS256": {"RS256", example, "77QmUPtjPfzWtF2AnpK9RQ", 22},
		"ES256":               {"ES256", example, "77QmUPtjPfzWtF2AnpK9RQ", 22},
		"PS256":               {"PS256", example, "77QmUPtjPfzWtF2AnpK9RQ", 22},
		"ES384":               {"ES384", example, "", 32},
		"RS512":               {"RS512", example, "", 43},
		"EdDSA":               {"EdDSA", example, "", 43},
		"Ed448":               {"Ed448", example, "", 76},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := TokenHash(tt.alg, tt.token)
			if err != nil || tt.want != "" && got != tt.want || len(got) != tt.chars {
				t.Errorf("TokenHash(%s) = %q, %v; want %q of %d characters", tt.alg, got, err, tt.want, tt.chars)
			}
		})
	}
	if a, _ := TokenHash("RS512", example); a != must(TokenHash("EdDSA", example)) {
		t.Error("EdDSA does not hash with SHA-512")
	}
	for _, alg := range []string{"", "none", "HS", "XX999", "RS2566"} {
		if got, err := TokenHash(alg, example); err == nil {
			t.Errorf("TokenHash(%q) = %q", alg, got)
		}
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func TestVerifierAndChallenge(t *testing.T) {
	// RFC 7636 appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if !validVerifier(verifier) || !validChallenge(challenge) || !meetsChallenge(verifier, challenge) {
		t.Error("RFC 7636 appendix B does not pass")
	}
	for _, v := range []string{"", verifier[:42], strings.Repeat("a", 129), verifier + "=", verifier + " ", verifier[:42] + "é", verifier[:42] + "/"} {
		if validVerifier(v) {
			t.Errorf("verifier %q has the right shape", v)
		}
	}
	for _, c := range []string{"", challenge[:42], challenge + "A", challenge[:42] + "+", challenge[:42] + "N", verifier[:40] + "==="} {
		if validChallenge(c) {
			t.Errorf("challenge %q has the right shape", c)
		}
	}
	if meetsChallenge(verifier, verifier) || meetsChallenge(challenge, challenge) || meetsChallenge(verifier, "") {
		t.Error("plain passes")
	}
}

func TestShortest(t *testing.T) {
	for _, tt := range []struct {
		want   time.Duration
		wanted []time.Duration
	}{
		{15 * time.Minute, nil},
		{15 * time.Minute, []time.Duration{0, 0}},
		{time.Hour, []time.Duration{time.Hour, 0}},
		{time.Minute, []time.Duration{time.Hour, time.Minute}},
	} {
		if got := shortest(15*time.Minute, tt.wanted...); got != tt.want {
			t.Errorf("shortest(%v) = %v, want %v", tt.wanted, got, tt.want)
		}
	}
}

func TestLifetimesOfACodeAreBounded(t *testing.T) {
	if got := (Lifetimes{Code: time.Hour}).withDefaults().Code; got != 60*time.Second {
		t.Errorf("security §2.1: a code lives %v", got)
	}
}

// Every answer to fosite is a constant: asked by many at once, nothing about
// the configuration changes. The race detector watches.
func TestConfigurationIsImmutable(t *testing.T) {
	p := NewProvider(Deps{Issuer: "https://id.example.test"})
	cfg := p.fosite.Config.(*configuration)
	before := *cfg
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v := reflect.ValueOf(cfg)
			for i := range v.NumMethod() {
				v.Method(i).Call([]reflect.Value{reflect.ValueOf(context.Background())})
			}
		})
	}
	wg.Wait()
	if !reflect.DeepEqual(before, *cfg) {
		t.Error("the configuration changed while it was read")
	}
	if _, ok := p.fosite.Config.(fosite.PushedAuthorizeRequestConfigProvider); ok {
		t.Error("fosite would act on request_uri by itself")
	}
	if _, err := cfg.GetHTTPClient(t.Context()).Get("http://127.0.0.1:1/"); err == nil {
		t.Error("fosite can reach the network")
	}
}

func TestPartyHidesWhatFositeMayNotDo(t *testing.T) {
	var c fosite.Client = &party{c: &client.Client{ID: "web", JWKSURI: "https://app.example.test/jwks"}}
	if _, ok := c.(fosite.OpenIDConnectClient); ok {
		t.Error("fosite would read request objects and assertions by itself")
	}
	if _, ok := c.(fosite.ResponseModeClient); ok {
		t.Error("fosite would decide response modes")
	}
}

func TestSessionCloneSharesNothing(t *testing.T) {
	a := newSession("alice", time.Now(), time.Now())
	a.SetExpiresAt(fosite.AccessToken, time.Unix(1, 0))
	b := a.Clone().(*Session)
	b.SetExpiresAt(fosite.AccessToken, time.Unix(2, 0))
	b.IDTokenClaims().Subject = "bob"
	if !a.GetExpiresAt(fosite.AccessToken).Equal(time.Unix(1, 0)) || a.IDTokenClaims().Subject != "alice" {
		t.Error("a clone changes its original")
	}
}

func TestJTITellsTheMillisecondOfIssue(t *testing.T) {
	now := time.UnixMilli(1_793_000_000_123)
	a, b := newJTI(now), newJTI(now)
	if a == b || len(a) != 22 {
		t.Errorf("jtis %q and %q", a, b)
	}
	if got := issuedAt(now.Unix(), a); !got.Equal(now) {
		t.Errorf("issued at %v, want %v", got, now)
	}
	for name, jti := range map[string]string{"garbage": "%", "short": "AAAA", "another second": newJTI(now.Add(2 * time.Second)), "empty": ""} {
		if got := issuedAt(now.Unix(), jti); !got.Equal(time.Unix(now.Unix(), 0)) {
			t.Errorf("%s: issued at %v", name, got)
		}
	}
	if got := newJTI(time.Unix(-5, 0)); len(got) != 22 {
		t.Errorf("before 1970 a jti is %q", got)
	}
}

func TestFacadeKnowsNothingOutsideItsRun(t *testing.T) {
	r := &run{client: &client.Client{ID: "web"}, party: &party{c: &client.Client{ID: "web"}}}
	ctx := withRun(t.Context(), r)
	if _, err := (facade{}).GetClient(ctx, "other"); err == nil {
		t.Error("the façade knows another client")
	}
	for _, sig := range []string{"", "x"} {
		if _, err := (facade{}).GetAuthorizeCodeSession(ctx, sig, nil); err == nil {
			t.Errorf("a code session for %q", sig)
		}
		if _, err := (facade{}).GetPKCERequestSession(ctx, sig, nil); err == nil {
			t.Errorf("a PKCE session for %q", sig)
		}
		if _, err := (facade{}).GetAccessTokenSession(ctx, sig, nil); err == nil {
			t.Errorf("an access token session for %q", sig)
		}
		if _, err := (facade{}).GetRefreshTokenSession(ctx, sig, nil); err == nil {
			t.Errorf("a refresh token session for %q", sig)
		}
	}
	if err := (facade{}).SetClientAssertionJWT(ctx, "jti", time.Now()); err == nil {
		t.Error("fosite can claim assertion ids")
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, "\x00", "<>&", "ü", "\xff", "\u2028", "a b"} {
		f.Add(s, s, int64(7))
	}
	f.Fuzz(func(t *testing.T, a, b string, n int64) {
		o := newObject(16)
		o.text("a", a)
		o.number("n", n)
		o.oneOrMore("aud", []string{a, b})
		o.texts("none", nil)
		var got map[string]any
		if err := json.Unmarshal(o.bytes(), &got); err != nil {
			t.Fatalf("%s: %v", o.bytes(), err)
		}
		if _, has := got["a"]; has != (a != "") {
			t.Errorf("an empty member is written, or a value is lost: %s", o.bytes())
		}
		if want := strings.ToValidUTF8(a, "\uFFFD"); a != "" && !utf8Equal(got["a"], want) {
			t.Errorf("got %q, want %q", got["a"], want)
		}
	})
}

// utf8Equal compares after JSON's own replacement of bytes that are no text.
func utf8Equal(got any, want string) bool {
	raw, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var plain string
	if json.Unmarshal(raw, &plain) != nil {
		return false
	}
	s, ok := got.(string)
	return ok && strings.ReplaceAll(s, "\uFFFD", "") == strings.ReplaceAll(plain, "\uFFFD", "")
}
