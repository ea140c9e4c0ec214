package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/grant"
)

func grantsOfUser(t *testing.T, open OpenDurable) {
	s := open(t).Grants
	later := epoch.Add(10 * time.Second)
	for i, id := range []string{"code", "spent", "refreshed", "revoked", "another's"} {
		g := newGrant(id)
		g.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
		if id == "another's" {
			g.UserID = "bob"
		}
		must(t, s.Create(t.Context(), g))
	}
	must(t, s.Redeem(t.Context(), grant.Redemption{GrantID: "spent", CodeHash: "code-spent", Now: later}))
	must(t, s.Redeem(t.Context(), redeeming("refreshed", later)))
	_, err := s.Revoke(t.Context(), "revoked", "test", later)
	must(t, err)
	for _, tt := range []struct {
		why    string
		userID string
		now    time.Time
		want   string
	}{
		{"a code and a refresh token", "alice", later, "refreshed code "},
		{"the code is too old", "alice", epoch.Add(2 * time.Minute), "refreshed "},
		{"the refresh token is idle", "alice", epoch.Add(2 * time.Hour), ""},
		{"somebody else", "bob", later, "another's "},
		{"nobody", "", later, ""},
		{"a broken id", "\x00", later, ""},
	} {
		grants, err := s.OfUser(t.Context(), tt.userID, tt.now)
		must(t, err)
		got := ""
		for _, g := range grants {
			got += g.ID + " "
		}
		if got != tt.want {
			t.Errorf("%s: OfUser(%q) = %q, want %q", tt.why, tt.userID, got, tt.want)
		}
	}
	must(t, s.Create(t.Context(), grant.Grant{ID: "machine", RefreshHash: "x", RefreshIdleExpiresAt: later, RefreshExpiresAt: later}))
	if got, err := s.OfUser(t.Context(), "", epoch); err != nil || len(got) != 0 {
		t.Errorf("OfUser of nobody = %v, %v; want nothing", got, err)
	}
}
