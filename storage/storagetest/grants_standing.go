package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

func standing(t *testing.T, open OpenDurable) {
	now := time.Now()
	setup := func(t *testing.T) *storage.Durable {
		t.Helper()
		d := open(t)
		must(t, d.Users.Create(t.Context(), user.User{ID: "alice"}))
		must(t, d.Sessions.Create(t.Context(), session.Session{ID: "session-a", UserID: "alice", IdleExpiresAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Hour)}))
		must(t, d.Consents.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: "shop", Scopes: []string{"openid", "email"}}))
		must(t, d.Grants.Create(t.Context(), newGrant("a")))
		return d
	}
	whole := grant.Standing{Grant: newGrant("a"), UserActive: true, SessionLive: true, ConsentGiven: true, ConsentScopes: []string{"openid", "email"}}
	tests := map[string]struct {
		change func(t *testing.T, d *storage.Durable)
		want   func(s *grant.Standing)
	}{
		"all is well, though the session is idle": {func(*testing.T, *storage.Durable) {}, func(*grant.Standing) {}},
		"the person is disabled": {
			func(t *testing.T, d *storage.Durable) {
				must(t, d.Users.Update(t.Context(), user.User{ID: "alice", Disabled: true}))
			},
			func(s *grant.Standing) { s.UserActive = false },
		},
		"the session has ended": {
			func(t *testing.T, d *storage.Durable) {
				_, err := d.Sessions.End(t.Context(), "session-a", "logout", now)
				must(t, err)
			},
			func(s *grant.Standing) { s.SessionLive = false },
		},
		"the consent is withdrawn": {
			func(t *testing.T, d *storage.Durable) {
				must(t, d.Consents.Withdraw(t.Context(), "alice", "shop"))
			},
			func(s *grant.Standing) { s.ConsentGiven, s.ConsentScopes = false, nil },
		},
		"the consent covers nothing": {
			func(t *testing.T, d *storage.Durable) {
				must(t, d.Consents.Withdraw(t.Context(), "alice", "shop"))
				must(t, d.Consents.Allow(t.Context(), consent.Consent{UserID: "alice", ClientID: "shop"}))
			},
			func(s *grant.Standing) { s.ConsentScopes = nil },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, want := setup(t), whole
			tt.change(t, d)
			tt.want(&want)
			got, err := d.Grants.Standing(t.Context(), "a")
			must(t, err)
			same(t, "Standing", got, want)
		})
	}
	t.Run("the session is past its absolute limit", func(t *testing.T) {
		d := setup(t)
		must(t, d.Sessions.Create(t.Context(), session.Session{ID: "session-b", UserID: "alice", IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(-time.Second)}))
		must(t, d.Grants.Create(t.Context(), newGrant("b")))
		got, err := d.Grants.Standing(t.Context(), "b")
		if must(t, err); got.SessionLive {
			t.Error("the session is live, want it over")
		}
	})
	t.Run("consent of another person or client does not count", func(t *testing.T) {
		d := setup(t)
		must(t, d.Users.Create(t.Context(), user.User{ID: "bob"}))
		for i, other := range []grant.Grant{{UserID: "bob", ClientID: "shop"}, {UserID: "alice", ClientID: "game"}, {UserID: "", ClientID: "shop"}} {
			other.ID = fmt.Sprint("other-", i)
			must(t, d.Grants.Create(t.Context(), other))
			got, err := d.Grants.Standing(t.Context(), other.ID)
			if must(t, err); got.ConsentGiven || got.SessionLive {
				t.Errorf("Standing of %+v: %+v, want no consent and no session", other, got)
			}
		}
	})
}

func opaqueTokens(t *testing.T, open OpenDurable) {
	s := open(t).Grants
	var token grant.OpaqueToken
	fill(t, &token)
	token.Claims = []byte(`{"z":1,  "a":"<é>"}`) // the bytes are kept, not the meaning
	must(t, s.PutToken(t.Context(), token))
	got, err := s.Token(t.Context(), token.Hash)
	must(t, err)
	same(t, "Token", got, token)
	wantKind(t, "a taken fingerprint", s.PutToken(t.Context(), token), fault.Conflict)
	wantKind(t, "no fingerprint", s.PutToken(t.Context(), grant.OpaqueToken{}), fault.Invalid)
	must(t, s.DeleteToken(t.Context(), token.Hash))
	must(t, s.DeleteToken(t.Context(), token.Hash))
	must(t, s.DeleteToken(t.Context(), ""))
	_, err = s.Token(t.Context(), token.Hash)
	wantKind(t, "Token after DeleteToken", err, fault.NotFound)
}
