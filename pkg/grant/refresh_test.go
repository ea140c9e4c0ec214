package grant_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

func service(key string) *grant.Service {
	return grant.NewService(nil, secret.NewFingerprinter([]byte(strings.Repeat(key, 32))), grant.Config{})
}

func TestRefreshTokensProveTheirOrigin(t *testing.T) {
	s := service("a")
	gid := secret.ID()
	token, hash, err := s.NewRefresh(gid, 41)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := s.ParseRefresh(token)
	if !ok || r.GrantID != gid || r.Generation != 41 || r.Hash != hash {
		t.Errorf("ParseRefresh = %+v, %v", r, ok)
	}
	if again, _, _ := s.NewRefresh(gid, 41); again == token {
		t.Error("two tokens of a generation are equal")
	}
	if !grant.LooksLikeRefresh(token) || grant.LooksLikeRefresh(secret.New(secret.AuthorizationCode)) {
		t.Error("the prefix does not tell what a token is")
	}
	payload, _ := secret.Unwrap(secret.RefreshToken, token)
	forged := func(change func([]byte)) string {
		p := append([]byte(nil), payload...)
		change(p)
		return secret.Wrap(secret.RefreshToken, p)
	}
	for name, bad := range map[string]string{
		"empty": "", "garbage": "ptrt_x", "another kind": secret.Wrap(secret.AuthorizationCode, payload),
		"another grant":      forged(func(p []byte) { p[0] ^= 1 }),
		"another generation": forged(func(p []byte) { p[19] ^= 1 }),
		"another secret":     forged(func(p []byte) { p[25] ^= 1 }),
		"another tag":        forged(func(p []byte) { p[len(p)-1] ^= 1 }),
		"no tag":             secret.Wrap(secret.RefreshToken, payload[:52]),
		"longer":             secret.Wrap(secret.RefreshToken, append(append([]byte(nil), payload...), 0)),
	} {
		if r, ok := s.ParseRefresh(bad); ok {
			t.Errorf("%s: %q is ours: %+v", name, bad, r)
		}
	}
	if _, ok := service("b").ParseRefresh(token); ok {
		t.Error("another installation takes the token for its own")
	}
}

func TestNewRefreshNeedsAGrantID(t *testing.T) {
	s := service("a")
	for _, id := range []string{"", "short", "not base64url!", strings.Repeat("A", 24)} {
		if token, _, err := s.NewRefresh(id, 0); err == nil {
			t.Errorf("NewRefresh(%q) = %q", id, token)
		}
	}
	if token, _, err := s.NewRefresh(secret.ID(), -1); err == nil {
		t.Errorf("a negative generation gives %q", token)
	}
}

func FuzzParseRefresh(f *testing.F) {
	s := service("a")
	token, _, _ := s.NewRefresh(secret.ID(), 7)
	for _, seed := range []string{"", token, "ptrt_", token[:50], strings.ToUpper(token), token + token} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if r, ok := s.ParseRefresh(in); ok && in != token {
			t.Fatalf("%q passes as %+v", in, r)
		}
	})
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	live := grant.Grant{
		RefreshHash: "new", PreviousHash: "old", RotatedAt: now.Add(-5 * time.Second),
		RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(2 * time.Hour),
	}
	with := func(change func(*grant.Grant)) grant.Grant {
		g := live
		change(&g)
		return g
	}
	tests := map[string]struct {
		g      grant.Grant
		hash   string
		window time.Duration
		want   grant.State
	}{
		"the live one":              {live, "new", 10 * time.Second, grant.Current},
		"the one before, in time":   {live, "old", 10 * time.Second, grant.Retried},
		"the one before, too late":  {live, "old", 4 * time.Second, grant.Spent},
		"the one before, no window": {live, "old", 0, grant.Spent},
		"a negative window":         {live, "old", -time.Second, grant.Spent},
		"one long before":           {live, "older", 10 * time.Second, grant.Spent},
		"rotated by a clock ahead":  {with(func(g *grant.Grant) { g.RotatedAt = now.Add(3 * time.Second) }), "old", 10 * time.Second, grant.Retried},
		"rotated in the far future": {with(func(g *grant.Grant) { g.RotatedAt = now.Add(time.Hour) }), "old", 10 * time.Second, grant.Spent},
		"idle too long":             {with(func(g *grant.Grant) { g.RefreshIdleExpiresAt = now }), "new", 10 * time.Second, grant.Expired},
		"over":                      {with(func(g *grant.Grant) { g.RefreshExpiresAt = now }), "new", 10 * time.Second, grant.Expired},
		"a retry of what is over":   {with(func(g *grant.Grant) { g.RefreshExpiresAt = now }), "old", 10 * time.Second, grant.Expired},
		"revoked":                   {with(func(g *grant.Grant) { g.RevokedAt = now }), "new", 10 * time.Second, grant.Ended},
		"revoked, an old one":       {with(func(g *grant.Grant) { g.RevokedAt = now }), "older", 10 * time.Second, grant.Ended},
		"nothing was ever issued":   {with(func(g *grant.Grant) { g.RefreshHash, g.PreviousHash = "", "" }), "", 10 * time.Second, grant.Spent},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := grant.Judge(&tt.g, grant.Refresh{Hash: tt.hash}, now, tt.window); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestHashesOfGarbageAreEmpty(t *testing.T) {
	s := service("a")
	code, codeHash := s.NewCode()
	opaque, opaqueHash := s.NewOpaque()
	if s.CodeHash(code) != codeHash || s.OpaqueHash(opaque) != opaqueHash || codeHash == "" || opaqueHash == "" {
		t.Error("a minted secret does not find its fingerprint")
	}
	for _, bad := range []string{"", "x", opaque, code + "x", code[1:]} {
		if got := s.CodeHash(bad); got != "" {
			t.Errorf("CodeHash(%q) = %q", bad, got)
		}
	}
	if got := s.OpaqueHash(code); got != "" {
		t.Errorf("a code passes as an opaque token: %q", got)
	}
}

// rows is the part of a Store that Revoke needs.
type rows struct {
	grant.Store
	ended bool
	err   error
}

func (r *rows) Revoke(context.Context, string, string, time.Time) (bool, error) {
	if r.err != nil {
		return false, r.err
	}
	first := !r.ended
	r.ended = true
	return first, nil
}

// revoker keeps what it was given, or fails after the cause.
type revoker struct {
	entries []revocation.Entry
	err     error
}

func (r *revoker) Revoke(ctx context.Context, cause func(context.Context) ([]revocation.Entry, error)) error {
	entries, err := cause(ctx)
	if err != nil {
		return err
	}
	r.entries = append(r.entries, entries...)
	return r.err
}

type events struct{ names []audit.Name }

func (e *events) Record(_ context.Context, ev audit.Event) { e.names = append(e.names, ev.Name) }

func TestRevoke(t *testing.T) {
	store, rev, heard := &rows{}, &revoker{}, &events{}
	s := grant.NewService(store, secret.NewFingerprinter(make([]byte, 32)), grant.Config{Revoker: rev, Audit: heard})
	ctx := t.Context()
	for range 2 {
		if err := s.Revoke(ctx, "g", "test"); err != nil {
			t.Fatal(err)
		}
	}
	if len(rev.entries) != 2 || rev.entries[1].Kind != revocation.Grant || rev.entries[1].ID != "g" {
		t.Errorf("entries %+v: a repeated revocation must spread again", rev.entries)
	}
	if life := time.Until(rev.entries[0].ExpiresAt); life < 23*time.Hour {
		t.Errorf("the revocation is forgotten after %v, before the tokens die", life)
	}
	if len(heard.names) != 1 {
		t.Errorf("audit heard %v, want one event", heard.names)
	}
	if err := s.Revoke(ctx, "", "test"); fault.KindOf(err) != fault.Internal {
		t.Errorf("revoking nothing says %v", err)
	}
	rev.err = fault.New(fault.Unavailable, "x", "Down.")
	if err := s.Revoke(ctx, "g", "test"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a live set that is down says %v", err)
	}
	store.err = errors.New("disk")
	if err := s.Revoke(ctx, "g", "test"); !errors.Is(err, store.err) {
		t.Errorf("a store that fails says %v", err)
	}
}
