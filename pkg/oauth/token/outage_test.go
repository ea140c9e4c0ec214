package token_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// down fails the test unless the answer is a clean 503.
func (k *kit) down(r reply) {
	k.t.Helper()
	k.bad(r, http.StatusServiceUnavailable, "temporarily_unavailable", "")
	if r.header.Get("Retry-After") == "" {
		k.t.Error("a 503 without Retry-After")
	}
}

func TestRevocationsOutOfReach(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	code := k.code(k.web, k.request(k.web, "openid"))
	k.live.setDown(true)
	k.down(k.post(k.web, codeForm(code)))
	k.down(k.post(k.web, refreshForm(first.RefreshToken)))
	if _, err := k.tokens.Inspect(t.Context(), first.AccessToken); !fault.Is(err, fault.Unavailable) {
		t.Errorf("inspection says %v, want unavailable", err)
	}
	if _, err := k.tokens.InspectRefresh(t.Context(), first.RefreshToken); !fault.Is(err, fault.Unavailable) {
		t.Errorf("inspection says %v, want unavailable", err)
	}
	k.good(k.post(k.service, machineForm())) // machines go on
	k.live.setDown(false)
	k.good(k.post(k.web, codeForm(code)))
	k.good(k.post(k.web, refreshForm(first.RefreshToken)))
}

func TestSQLOutOfReach(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid orders:read")
	code := k.code(k.web, k.request(k.web, "openid"))
	k.store.down.Store(true)
	k.down(k.post(k.web, codeForm(code)))
	k.down(k.post(k.web, refreshForm(first.RefreshToken)))
	k.store.down.Store(false)
	k.good(k.post(k.web, codeForm(code)))
	k.good(k.post(k.web, refreshForm(first.RefreshToken)))
}

func TestEverythingClosed(t *testing.T) {
	k := newKit(t)
	first := k.login(k.web, "openid")
	k.must(k.db.Close())
	k.down(k.post(k.web, refreshForm(first.RefreshToken)))
	if _, err := k.oauth.IssueCode(t.Context(), k.web, k.request(k.web, "openid"), who()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("issuing says %v, want unavailable", err)
	}
}

// Reuse that cannot be made to hold everywhere is not answered as if it did.
func TestReuseWhileRevocationsAreOutOfReach(t *testing.T) {
	k := newKit(t)
	first := k.login(k.spa, "openid orders:read")
	second := k.good(k.post(k.spa, refreshForm(first.RefreshToken)))
	k.live.setDown(true)
	k.down(k.post(k.spa, refreshForm(first.RefreshToken)))
	k.live.setDown(false)
	k.bad(k.post(k.spa, refreshForm(second.RefreshToken)), 400, "invalid_grant", "the grant stands")
}

func TestInspectionFollowsRevocations(t *testing.T) {
	tests := map[string]func(c map[string]any) revocation.Entry{
		"the token": func(c map[string]any) revocation.Entry {
			return revocation.Entry{Kind: revocation.Token, ID: c["jti"].(string)}
		},
		"the grant": func(c map[string]any) revocation.Entry {
			return revocation.Entry{Kind: revocation.Grant, ID: c["gid"].(string)}
		},
		"the person": func(c map[string]any) revocation.Entry {
			return revocation.Entry{Kind: revocation.Subject, ID: "alice", NotBefore: time.Now()}
		},
	}
	for name, entry := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			got := k.login(k.web, "openid orders:read")
			k.stands(got.AccessToken, true)
			k.stands(got.AccessToken, true) // remembered now
			e := entry(claims(t, got.AccessToken))
			e.ExpiresAt = time.Now().Add(time.Hour)
			k.must(k.rev.Revoke(t.Context(), func(context.Context) ([]revocation.Entry, error) { return []revocation.Entry{e}, nil }))
			k.stands(got.AccessToken, false)
			if e.Kind == revocation.Subject { // who signs in again is not meant
				for time.Now().UnixMilli() <= e.NotBefore.UnixMilli() { // at most a millisecond
					runtime.Gosched()
				}
				k.stands(k.login(k.web, "openid orders:read").AccessToken, true)
			}
		})
	}
}

func TestInspectionOfForeignTokens(t *testing.T) {
	k := newKit(t)
	got := k.login(k.web, "openid orders:read")
	d := k.deps
	d.Issuer = "https://other.example.test"
	k.build(d)
	other := k.good(k.post(k.service, machineForm()))
	k.stands(got.AccessToken, true)
	k.stands(other.AccessToken, false) // same key, another issuer
}
