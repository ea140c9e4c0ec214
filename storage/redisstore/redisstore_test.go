package redisstore_test

import (
	"testing"

	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

func open(t *testing.T, url string, fresh bool) *storage.ShortLived {
	t.Helper()
	s, err := storage.OpenShortLived(t.Context(), storage.Options{RedisURL: url, Fresh: fresh})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openFor(b *testing.B, url string) (*storage.ShortLived, error) {
	s, err := storage.OpenShortLived(b.Context(), storage.Options{RedisURL: url, Fresh: true})
	if err == nil {
		b.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestRedisPassesTheSuite(t *testing.T) {
	server := throwaway.Redis(t)
	storagetest.ShortLived(t, func(t *testing.T) *storage.ShortLived {
		server.FlushAll()
		return open(t, server.URL(), true)
	})
}

func TestClusterPassesTheSuite(t *testing.T) {
	cluster := throwaway.RedisCluster(t)
	storagetest.ShortLived(t, func(t *testing.T) *storage.ShortLived {
		for _, node := range cluster.Nodes {
			node.FlushAll()
		}
		return open(t, cluster.URL(), true)
	})
}
