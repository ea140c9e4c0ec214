package redisstore_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/storage/throwaway"
)

func BenchmarkRedis(b *testing.B) {
	server := throwaway.Redis(b)
	s, err := openFor(b, server.URL())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Revocations.Rebuild(ctx, nil); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	rule := limit.Rule{Name: "r", Max: 1 << 30, Window: time.Hour}
	run := func(name string, fn func(i int) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if err := fn(i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("head", func(int) error { _, err := s.Revocations.Head(ctx); return err })
	run("limit", func(int) error { _, err := s.Limits.Take(ctx, rule, "k", now); return err })
	run("put", func(int) error {
		now = now.Add(time.Hour)
		return s.Flows.Put(ctx, "k", flow.Record{Version: 1, Value: []byte("v"), ExpiresAt: now.Add(time.Minute)}, now)
	})
	run("get", func(int) error { _, err := s.Flows.Get(ctx, "k", now); return err })
}

// BenchmarkCheck16 asks from 16 goroutines, as 16 connections do.
func BenchmarkCheck16(b *testing.B) {
	server := throwaway.Redis(b)
	s, err := openFor(b, server.URL())
	if err != nil {
		b.Fatal(err)
	}
	db := ledgerFor(b)
	service := revocation.New(db.Revocations, s.Revocations, db, revocation.Config{})
	facts := revocation.Facts{JTI: "j", GrantID: "g", SessionID: "s", UserID: "u", ClientID: "c", IssuedAt: time.Now()}
	before := cpu(b)
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := service.Check(ctx, facts); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
