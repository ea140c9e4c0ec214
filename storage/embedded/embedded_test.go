package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
)

func open(t *testing.T, path string, fresh bool) *storage.ShortLived {
	t.Helper()
	s, err := storage.OpenShortLived(t.Context(), storage.Options{EmbeddedPath: path, Fresh: fresh})
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

func TestEmbeddedPassesTheSuite(t *testing.T) {
	storagetest.ShortLived(t, func(t *testing.T) *storage.ShortLived {
		return open(t, filepath.Join(t.TempDir(), "short.db"), true)
	})
}
