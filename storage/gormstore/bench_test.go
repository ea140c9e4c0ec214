package gormstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/throwaway"
)

// BenchmarkGrants measures the statements behind a code and a refresh.
func BenchmarkGrants(b *testing.B) {
	for name, address := range map[string]func() string{
		"sqlite":   func() string { return "sqlite://" + b.TempDir() + "/portico.db" },
		"postgres": func() string { return throwaway.PostgresFrom(b, migrate).URL() },
	} {
		b.Run(name, func(b *testing.B) { benchGrants(b, address()) })
	}
}

func benchGrants(b *testing.B, address string) {
	d, err := storage.OpenDurable(b.Context(), address, storage.DurableOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	newGrant := func(id string) grant.Grant {
		return grant.Grant{
			ID: id, ClientID: "client", UserID: "user", SessionID: "session", Scopes: []string{"openid", "email", "offline_access"},
			Audiences: []string{"https://orders.example.test"}, CodeHash: "code-" + id, CodeExpiresAt: now.Add(time.Minute),
			RedirectURI: "https://shop.example/callback", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Nonce: "nonce",
			AuthTime: now, AMR: []string{"pwd"}, CreatedAt: now,
		}
	}
	ctx := b.Context()
	b.Run("code", func(b *testing.B) { // create, read, redeem
		b.ReportAllocs()
		var serial atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				g := newGrant(fmt.Sprint(b.N, "-", serial.Add(1)))
				if err := d.Grants.Create(ctx, g); err != nil {
					b.Error(err)
				}
				if _, err := d.Grants.ByCode(ctx, g.CodeHash); err != nil {
					b.Error(err)
				}
				if err := d.Grants.Redeem(ctx, grant.Redemption{GrantID: g.ID, CodeHash: g.CodeHash, Now: now, RefreshHash: "r", RefreshIdleExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(time.Hour)}); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("refresh", func(b *testing.B) { // standing, rotate
		b.ReportAllocs()
		var serial atomic.Int64
		answer := make([]byte, 1500)
		b.RunParallel(func(pb *testing.PB) {
			g := newGrant(fmt.Sprint("refresh-", b.N, "-", serial.Add(1)))
			g.RefreshHash, g.RefreshIdleExpiresAt, g.RefreshExpiresAt = "0", now.Add(time.Hour), now.Add(time.Hour)
			if err := d.Grants.Create(ctx, g); err != nil {
				b.Error(err)
			}
			for n := 0; pb.Next(); n++ {
				if _, err := d.Grants.Standing(ctx, g.ID); err != nil {
					b.Error(err)
				}
				if err := d.Grants.Rotate(ctx, grant.Rotation{
					GrantID: g.ID, OldHash: fmt.Sprint(n), NewHash: fmt.Sprint(n + 1), Now: now,
					IdleExpiresAt: now.Add(time.Hour), RetryKey: "key", RetryAnswer: answer,
				}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
