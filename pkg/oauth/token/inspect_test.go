package token_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
)

// watchedKeys counts verifications, and can forget a key.
type watchedKeys struct {
	*keyring.Ring
	verified atomic.Int32
	revoked  atomic.Bool
}

func (w *watchedKeys) Verify(p keyring.Purpose, token string) ([]byte, keyring.Header, error) {
	w.verified.Add(1)
	if w.revoked.Load() {
		return nil, keyring.Header{}, fault.New(fault.Unauthenticated, "invalid_token", "No.")
	}
	return w.Ring.Verify(p, token)
}

func (w *watchedKeys) Trusts(p keyring.Purpose, kid string) bool {
	return !w.revoked.Load() && w.Ring.Trusts(p, kid)
}

func TestASignatureIsVerifiedOnceUntilItsKeyIsRevoked(t *testing.T) {
	k := newKit(t)
	keys := &watchedKeys{Ring: k.ring}
	k.tokens = oauth.NewTokens(oauth.TokensConfig{Issuer: issuer, Keys: keys, Grants: k.grants, Revocations: k.rev})
	token := k.good(k.post(k.service, machineForm())).AccessToken
	for range 3 {
		k.stands(token, true)
	}
	if n := keys.verified.Load(); n != 1 {
		t.Errorf("verified %d times, want once", n)
	}
	// Another spelling of the signature is another token, and none of ours.
	k.stands(token+"=", false)
	keys.revoked.Store(true)
	k.stands(token, false)
}

func TestARememberedTokenStillExpires(t *testing.T) {
	k := newKit(t)
	synctest.Test(t, func(t *testing.T) {
		token := k.good(k.post(k.service, machineForm())).AccessToken
		k.stands(token, true)
		time.Sleep(14 * time.Minute)
		k.stands(token, true)
		time.Sleep(time.Minute)
		k.stands(token, false)
		fresh := oauth.NewTokens(oauth.TokensConfig{Issuer: issuer, Keys: k.ring, Grants: k.grants, Revocations: k.rev})
		if _, err := fresh.Inspect(t.Context(), token); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an expired token that nobody remembers gives %v", err)
		}
	})
}

func TestAnInspectedTokenIsTheCallersOwn(t *testing.T) {
	k := newKit(t)
	token := k.good(k.post(k.service, machineForm())).AccessToken
	first, err := k.tokens.Inspect(t.Context(), token)
	k.must(err)
	first.ClientID, first.Subject = "mallory", "mallory"
	second, err := k.tokens.Inspect(t.Context(), token)
	if err != nil || second.ClientID != "service" {
		t.Errorf("%+v, %v", second, err)
	}
}
