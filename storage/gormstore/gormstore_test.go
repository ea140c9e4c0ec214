package gormstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }

// engines are the databases that the suite runs on.
var engines = map[string]func(*testing.T) *storage.Durable{
	"sqlite":   func(t *testing.T) *storage.Durable { return openURL(t, sqliteURL(t), storage.DurableOptions{}) },
	"postgres": func(t *testing.T) *storage.Durable { return openURL(t, postgresURL(t), storage.DurableOptions{}) },
}

func sqliteURL(t *testing.T) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "data", "portico.db")
}

func postgresURL(t *testing.T) string { return throwaway.PostgresFrom(t, migrate).URL() }

// migrate fills the database that the others are copied from.
func migrate(ctx context.Context, url string) error {
	d, err := storage.OpenDurable(ctx, url, storage.DurableOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Migrate(ctx)
}

// openURL opens and migrates a database for one test.
func openURL(t *testing.T, url string, opts storage.DurableOptions) *storage.Durable {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), url, opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return d
}

func TestConformance(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) { storagetest.Durable(t, open) })
	}
}
